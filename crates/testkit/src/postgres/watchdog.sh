# Starts a PostgreSQL server and ends it when no test uses it any more, or when its time is over.
# Every test process holds a shared lock on the file of users for as long as it lives, however it ends.
# usage: sh -c SCRIPT watchdog USERS FOLDER IDLE_SECONDS AGE_SECONDS COMMAND...
users=$1 folder=$2 idle=$3 age=$4
shift 4

"$@" 9>&- &
server=$!
trap '' HUP INT
exec 9>>"$users"

stop() {
    kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")" 2>/dev/null
    wait "$server"
    rm -rf "$folder" "$users"
    exit 0
}
trap stop TERM

unused=0 lived=0
while sleep 1 && kill -0 "$server" 2>/dev/null; do
    lived=$((lived + 1))
    if flock --nonblock --exclusive 9; then
        unused=$((unused + 1))
        # The exclusive lock is kept while the server stops: a newcomer waits, then finds it gone.
        [ "$unused" -lt "$idle" ] || stop
        flock --unlock 9
    else
        unused=0
    fi
    [ "$lived" -lt "$age" ] || stop
done
rm -rf "$folder" "$users"
