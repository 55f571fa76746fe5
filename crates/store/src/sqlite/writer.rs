//! The writing thread: every command that waits gets a savepoint, all of them one COMMIT, and nobody gets an
//! answer before it. A command that fails rolls back alone; a group that fails is refused whole.

use super::{
    Job,
    conn::{Lite, sound},
    room::Room,
};
use crate::{
    CommitError, Priority, Recorded, StoreError, artefacts,
    command::{Command, Done},
    conn::Work,
    execute::execute,
    head::Heads,
    lanes::Lanes,
    log_rows,
    record::{Record, Waiting},
};
use domain::Stream;
use kernel::{Clock, Micros, Monotonic};
use std::time::Duration;

/// The most that share one COMMIT.
const GROUP: usize = 512;
/// How often every head that moved is stored; a reader follows the log from there.
const SAVE_EVERY: Micros = Micros::seconds(1);
/// How long the queue may be empty before they are stored.
const PAUSE: Duration = Duration::from_millis(200);
const SAVE: &str = "SAVEPOINT one";
const UNDO: &str = "ROLLBACK TO one";
const RELEASE: &str = "RELEASE one";

/// A job that has run and waits for the COMMIT.
enum Ran {
    Command(Box<dyn Command>, Result<Done, CommitError>),
    Record(Box<Waiting>, Result<Recorded, CommitError>),
    Work(Box<dyn Work>, Result<(), StoreError>),
}

/// What the thread is given beside its connection.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) room: &'a Room,
}

/// Serves the queue until it is closed and empty.
pub(super) fn run(mut conn: Lite, jobs: &Lanes<Job>, means: Means<'_>) {
    // If this thread ends for any other reason, nobody may wait for it.
    let _end = Abandon(jobs);
    let mut known = Known::default();
    loop {
        let taken = if known.heads.is_behind() {
            jobs.take_within(GROUP, PAUSE)
        } else {
            jobs.take(GROUP)
        };
        let last = taken.is_none();
        let group: Vec<Job> = taken.into_iter().flatten().map(|(_, job)| job).collect();
        let all = group.is_empty() || means.clock.boot().since(known.saved) >= SAVE_EVERY;
        let _quiet = means.room.quiet();
        together(&mut conn, &mut known, group, means, all);
        if last {
            return;
        }
    }
}

struct Abandon<'a>(&'a Lanes<Job>);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Heads that the last group committed, good for the next unless somebody else wrote in between.
#[derive(Default)]
struct Known {
    heads: Heads,
    version: i64,
    /// When every head was last stored.
    saved: Monotonic,
}

impl Known {
    fn begin(&mut self, conn: &mut Lite) -> Result<(), StoreError> {
        conn.step("BEGIN IMMEDIATE")?;
        if conn.others_wrote(&mut self.version)? {
            self.heads.clear();
        }
        Ok(())
    }
}

fn together(conn: &mut Lite, known: &mut Known, jobs: Vec<Job>, means: Means<'_>, all: bool) {
    let mut ran = Vec::with_capacity(jobs.len());
    let all = all || known.heads.is_full();
    let mut group = Group {
        state: known.begin(conn),
        conn,
        heads: &mut known.heads,
        clock: means.clock,
    };
    for job in jobs {
        ran.push(group.job(job));
    }
    let logged = ran.iter().any(Ran::is_logged);
    let ended = group.end(all, logged);
    if all && ended.is_ok() {
        known.saved = means.clock.boot();
    }
    if let Err(error) = &ended {
        tracing::error!(%error, commands = ran.len(), "a group of commands was not committed");
    }
    let given = matches!(ended, Err(StoreError::Full(_))) && means.room.give();
    let (again, told): (Vec<_>, Vec<_>) = ran
        .into_iter()
        .partition(|job| given && job.may_use_reserve());
    for job in told {
        job.answer(&ended);
    }
    let again: Vec<_> = again.into_iter().filter_map(Ran::again).collect();
    if !again.is_empty() {
        let _quiet = means.room.quiet();
        together(conn, known, again, means, all);
    }
}

/// One transaction for many commands.
struct Group<'a> {
    conn: &'a mut Lite,
    heads: &'a mut Heads,
    clock: &'a dyn Clock,
    /// An error here fails the whole group.
    state: Result<(), StoreError>,
}

impl Group<'_> {
    /// An error once the engine gave up the transaction: whatever followed would be committed alone.
    fn state(&mut self) -> Result<(), StoreError> {
        if self.state.is_ok() && self.conn.lost() {
            self.state = Err(StoreError::Lost("the transaction was given up".into()));
        }
        self.state.clone()
    }

    fn job(&mut self, job: Job) -> Ran {
        let state = self.state();
        let ran = self.ran(job, state);
        // A group in which one found no room, or a failing disk, is refused whole.
        if let Some(error @ (StoreError::Full(_) | StoreError::Disk(_))) = ran.failure() {
            self.state = Err(error.clone());
        }
        ran
    }

    fn ran(&mut self, job: Job, state: Result<(), StoreError>) -> Ran {
        match job {
            Job::Command(mut command) => {
                let ready = state.map_err(CommitError::from);
                let done = ready.and_then(|()| self.govern(&mut *command));
                Ran::Command(command, done)
            }
            Job::Record(waiting) => {
                let ready = state.map_err(CommitError::from);
                let done = ready.and_then(|()| self.append(&waiting.record));
                Ran::Record(waiting, done)
            }
            Job::Work(mut work) => {
                let done = state.and_then(|()| self.work(&mut *work));
                Ran::Work(work, done)
            }
        }
    }

    fn govern(&mut self, command: &mut dyn Command) -> Result<Done, CommitError> {
        let dry = command.plan().dry_run;
        self.conn.step(SAVE)?;
        let done = execute(self.conn, self.heads, command, self.clock.now());
        let keep = done.is_ok() && !dry;
        if !keep {
            self.heads.rollback();
        }
        self.release(keep)?;
        done.map(|done| if dry { Done::default() } else { done })
    }

    fn work(&mut self, work: &mut dyn Work) -> Result<(), StoreError> {
        self.conn.step(SAVE)?;
        let done = work.run(self.conn);
        self.release(done.is_ok())?;
        done
    }

    /// Ends a savepoint. What cannot be rolled back alone takes the group with it.
    fn release(&mut self, keep: bool) -> Result<(), StoreError> {
        if self.conn.lost() {
            return Ok(());
        }
        let undone = if keep { Ok(()) } else { self.conn.step(UNDO) };
        let ended = undone.and_then(|()| self.conn.step(RELEASE));
        if let Err(error) = &ended {
            self.state = Err(error.clone());
        }
        ended
    }

    /// Without a savepoint: each statement is whole or not at all, and only a row that fails after an artefact
    /// was consumed leaves something behind.
    fn append(&mut self, record: &Record) -> Result<Recorded, CommitError> {
        let stream = record.stream;
        if let Some(decided) = record.decided_at {
            self.heads
                .still_at(self.conn, Stream::INSTANCE, decided.instance)?;
            self.heads.still_at(self.conn, stream, decided.stream)?;
        }
        let chain = self.heads.lock(self.conn, stream)?;
        if let Some(once) = &record.once
            && !artefacts::consume(self.conn, stream, once.kind, &once.hash, once.expires_at)?
        {
            return Err(CommitError::AlreadyUsed);
        }
        let link = chain.next(stream, &record.entry);
        if let Err(error) = log_rows::store(self.conn, stream, &record.entry, &link, None) {
            if record.once.is_some() {
                self.state = Err(error.clone());
            }
            return Err(error.into());
        }
        chain.push(&link);
        Ok(Recorded { seq: link.seq })
    }

    fn end(&mut self, all: bool, logged: bool) -> Result<(), StoreError> {
        let ended = self
            .state()
            .and_then(|()| self.heads.save(self.conn, all))
            .and_then(|()| self.conn.commit(logged));
        sound(&ended);
        match ended {
            Ok(()) => self.heads.settle(all),
            // What was committed is not known: what is kept is read anew, from the stored head along the log.
            Err(_) => self.heads.clear(),
        }
        if ended.is_err() && !self.conn.lost() && self.conn.batch("ROLLBACK").is_err() {
            tracing::error!("a group could not be rolled back");
        }
        ended
    }
}

impl Ran {
    fn is_logged(&self) -> bool {
        match self {
            Self::Command(_, done) => done.as_ref().is_ok_and(|done| done.proof.is_some()),
            Self::Record(_, done) => done.is_ok(),
            Self::Work(..) => false,
        }
    }

    fn may_use_reserve(&self) -> bool {
        matches!(self, Self::Command(command, _) if command.plan().priority == Priority::Urgent)
    }

    /// What the database said, if it failed.
    fn failure(&self) -> Option<&StoreError> {
        match self {
            Self::Command(_, Err(CommitError::Unavailable(error)))
            | Self::Record(_, Err(CommitError::Unavailable(error)))
            | Self::Work(_, Err(error)) => Some(error),
            _ => None,
        }
    }

    /// The job as it was before it ran, where it may run more than once.
    fn again(self) -> Option<Job> {
        match self {
            Self::Command(command, _) => Some(Job::Command(command)),
            Self::Record(..) | Self::Work(..) => None,
        }
    }

    /// Nobody hears of success that was not committed.
    fn answer(self, ended: &Result<(), StoreError>) {
        match self {
            Self::Command(command, done) => {
                let done = done.and_then(|done| sure(ended, done));
                command.reply(done);
            }
            Self::Record(waiting, done) => {
                let done = done.and_then(|done| sure(ended, done));
                waiting.answer(done);
            }
            Self::Work(work, done) => work.reply(done.and_then(|()| ended.clone())),
        }
    }
}

fn sure<T>(ended: &Result<(), StoreError>, done: T) -> Result<T, CommitError> {
    ended
        .clone()
        .map(|()| done)
        .map_err(CommitError::Unavailable)
}
