//! Connections for governed commits, reads and operational writes, a thread each. A command whose transaction was
//! in another's way, or whose connection broke before COMMIT, runs again.

use super::{
    conn::Mode,
    session::{Ended, Session},
};
use crate::{
    CommitError, StoreError,
    command::{Command, Done},
    conn::{Role, Work},
    execute::execute,
    head::Heads,
    lanes::{Lane, Lanes},
};

/// How often a command runs at most.
const ATTEMPTS: usize = 5;

/// What the threads take from their queue.
pub(super) enum Job {
    Command(Box<dyn Command>),
    Work(Role, Mode, Box<dyn Work>),
}

/// Serves the queue until it is closed and empty.
pub(super) fn run(
    mut session: Session,
    take: impl Fn() -> Option<Vec<(Lane, Job)>>,
    jobs: &Lanes<Job>,
) {
    while let Some(taken) = take() {
        for (lane, job) in taken {
            let _free = Free(jobs, lane);
            match job {
                Job::Command(mut command) => {
                    let outcome = session.govern(&mut *command);
                    command.reply(outcome);
                }
                Job::Work(role, mode, mut work) => {
                    let ended = session.work(role, mode, &mut *work);
                    work.reply(ended);
                }
            }
        }
    }
}

/// Lets the lane's next job go, whatever happened to this one.
struct Free<'a>(&'a Lanes<Job>, Lane);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.done(self.1);
    }
}

impl Session {
    fn govern(&mut self, command: &mut dyn Command) -> Result<Done, CommitError> {
        let mut last = StoreError::closed();
        for _ in 0..ATTEMPTS {
            match self.attempt(command) {
                Err(Again::Run(error)) => last = error,
                Err(Again::Not(error)) => return Err(error),
                Ok(done) => return Ok(done),
            }
        }
        Err(last.into())
    }

    fn attempt(&mut self, command: &mut dyn Command) -> Result<Done, Again> {
        let now = self.clock.now();
        let conn = self.begin(Role::Tenant(command.plan().scope), Mode::Write)?;
        let mut heads = Heads::default();
        let ran = execute(conn, &mut heads, command, now);
        let ran = ran.and_then(|done| heads.save(conn).map(|()| done).map_err(Into::into));
        let done = match ran {
            Ok(done) if !command.plan().dry_run => done,
            Ok(_) => {
                self.rollback();
                return Ok(Done::default());
            }
            Err(error) => {
                self.rollback();
                return Err(error.into());
            }
        };
        match self.commit(done.proof)? {
            Ended::Committed => Ok(done),
            Ended::Found => Ok(Done {
                replayed: true,
                ..done
            }),
            Ended::Absent => Err(Again::Run(StoreError::Lost("COMMIT was lost".into()))),
            // What wrote nothing has nothing to be unsure of.
            Ended::Unknown(_) if done.proof.is_none() => Ok(done),
            Ended::Unknown(cause) => Err(Again::Not(StoreError::Lost(cause).into())),
        }
    }

    fn work(&mut self, role: Role, mode: Mode, work: &mut dyn Work) -> Result<(), StoreError> {
        let conn = self.begin(role, mode)?;
        let ran = work.run(conn);
        if ran.is_err() || mode == Mode::Read {
            self.rollback();
            return ran;
        }
        match self.commit(None)? {
            Ended::Unknown(cause) => Err(StoreError::Lost(cause)),
            _ => Ok(()),
        }
    }
}

/// Whether the command may run again.
enum Again {
    Run(StoreError),
    Not(CommitError),
}

impl From<CommitError> for Again {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Unavailable(error) => error.into(),
            other => Self::Not(other),
        }
    }
}

impl From<StoreError> for Again {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended(_) | StoreError::Lost(_) => Self::Run(error),
            other => Self::Not(other.into()),
        }
    }
}
