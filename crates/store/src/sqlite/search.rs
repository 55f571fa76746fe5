//! The file in which logs are searched, beside the database: made and written by a thread of its own, so that no commit
//! ever waits for it. A file that cannot be used is deleted and made again; without one, searches look through the entries.

use super::conn::Lite;
use crate::{StoreError, conn::Work, lanes::Lanes, search::FORM};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FIRST: &str = include_str!("../../migrations/search/first.sql");
/// A crash may undo the last moments, never leave half of something: what is lost is made again.
const SETTINGS: &str = "
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA cache_size = -4096;
";
const LOOK: &str =
    "SELECT entries FROM search_stream LIMIT 1; SELECT level FROM search_page LIMIT 1;";

/// The file of the database at this path.
pub(super) fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-search");
    path.into()
}

/// A connection that writes the file, made anew if what is there does not fit.
pub(super) fn open(path: &Path) -> Result<Lite, StoreError> {
    match fitting(path) {
        Ok(Some(conn)) => return Ok(conn),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, "the file in which logs are searched cannot be used; it is made again");
        }
    }
    remove(path)?;
    let mut conn = prepared(path)?;
    let form = format!("PRAGMA user_version = {FORM};");
    conn.batch(&format!("BEGIN IMMEDIATE; {FIRST} {form} COMMIT;"))?;
    Ok(conn)
}

/// A connection to the file that is there, if there is one and it is of this build's form.
fn fitting(path: &Path) -> Result<Option<Lite>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut conn = prepared(path)?;
    if conn.form()? != FORM {
        return Ok(None);
    }
    conn.batch(LOOK)?;
    Ok(Some(conn))
}

fn prepared(path: &Path) -> Result<Lite, StoreError> {
    let mut conn = Lite::open(path)?;
    conn.batch(SETTINGS)?;
    Ok(conn)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!("{} cannot be deleted: {error}", Path::new(&name).display());
                return Err(StoreError::Lost(text));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Serves the queue until it is closed and empty.
pub(super) fn run(mut conn: Lite, jobs: &Lanes<Box<dyn Work>>) {
    while let Some(taken) = jobs.take(1) {
        for (_, mut work) in taken {
            let done = whole(&mut conn, &mut *work);
            work.reply(done);
        }
    }
}

fn whole(conn: &mut Lite, work: &mut dyn Work) -> Result<(), StoreError> {
    conn.batch("BEGIN IMMEDIATE")?;
    let done = work.run(conn).and_then(|()| conn.batch("COMMIT"));
    if done.is_err() && !conn.lost() {
        conn.batch("ROLLBACK")?;
    }
    done
}
