//! Reading threads: each job in a transaction of its own, which sees one state of the file and is never
//! committed.

use super::conn::Lite;
use crate::{conn::Work, lanes::Lanes};

/// Serves the queue until it is closed and empty.
pub(super) fn run(mut conn: Lite, jobs: &Lanes<Box<dyn Work>>) {
    while let Some(taken) = jobs.take(1) {
        for (_, mut work) in taken {
            let mut read = conn.begin_read();
            if read.is_ok() {
                read = work.run(&mut conn);
                conn.end_read();
            }
            work.reply(read);
        }
    }
}
