# Waits until the test process that holds the lock is gone, however it ended, then ends every server in the folder and
# removes it. A test ends its servers itself; this is for the one that was killed.
# usage: sh -c SCRIPT guard FOLDER LOCK
folder=$1 lock=$2
trap '' HUP INT
exec 9>>"$lock"
flock --exclusive 9
for pid in "$folder"/*/postmaster.pid; do
    [ -f "$pid" ] && kill -QUIT "$(head -n 1 "$pid")" 2>/dev/null
done
sleep 1
rm -rf "$folder" "$lock"
