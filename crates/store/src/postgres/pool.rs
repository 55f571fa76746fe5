//! Connections for governed commits, reads and operational writes, a thread each. Commands of one stream that wait
//! share a transaction; one that spoils it runs again by itself, as does whatever was in another's way or lost its
//! connection before COMMIT.

use super::{
    conn::Mode,
    lock,
    session::{Ended, Session},
};
use crate::{
    CommitError, StoreError,
    command::{Command, Done, Proof},
    conn::{Role, Work},
    execute::execute,
    head::Heads,
    lanes::{Lane, Lanes},
};
use domain::Stream;
use std::{collections::BTreeSet, time::Duration};

/// How often a command runs at most.
const ATTEMPTS: u32 = 5;
/// The most commands of one stream that share a transaction.
const GROUP: usize = 64;
/// How much longer each time before a command runs again whose connection broke.
const PAUSE: Duration = Duration::from_millis(50);

/// What the threads take from their queue.
pub(super) enum Job {
    Command(Box<dyn Command>),
    Work(Role, Mode, Box<dyn Work>),
}

impl Job {
    /// Whether it is a command that needs its own head's lock and no other: such may share a transaction.
    fn groups(&self) -> bool {
        let Self::Command(command) = self else {
            return false;
        };
        let plan = command.plan();
        !plan.dry_run && plan.scope != Stream::INSTANCE && plan.locks() == [plan.scope]
    }

    fn command(self) -> Option<Box<dyn Command>> {
        match self {
            Self::Command(command) => Some(command),
            Self::Work(..) => None,
        }
    }
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
            let more = if job.groups() {
                jobs.more(lane, GROUP - 1, Job::groups)
            } else {
                Vec::new()
            };
            match job {
                Job::Command(command) => {
                    let more = more.into_iter().filter_map(Job::command);
                    session.govern(std::iter::once(command).chain(more).collect());
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

type Outcome = Result<Done, CommitError>;
type Group = [Box<dyn Command>];

impl Session {
    /// Runs the commands and answers each.
    fn govern(&mut self, mut group: Vec<Box<dyn Command>>) {
        if group.len() > 1
            && let Ok(outcomes) = self.attempt(&mut group, true)
        {
            for (command, outcome) in group.into_iter().zip(outcomes) {
                command.reply(outcome);
            }
            return;
        }
        for command in group {
            let mut alone = [command];
            let outcome = self.alone(&mut alone);
            let [command] = alone;
            command.reply(outcome);
        }
    }

    fn alone(&mut self, command: &mut Group) -> Outcome {
        let mut last = StoreError::closed();
        for attempt in 0..ATTEMPTS {
            // What the server refuses of the writes that were held back is told apart by making each at once.
            let held = attempt == 0;
            match self.attempt(command, held) {
                Err(Again::Not(CommitError::Unavailable(StoreError::Database(_)))) if held => {}
                Err(Again::Run(error)) => {
                    if matches!(error, StoreError::Lost(_) | StoreError::Standby) {
                        std::thread::sleep(PAUSE * attempt);
                    }
                    last = error;
                }
                Err(Again::Not(error)) => return Err(error),
                Ok(mut outcomes) => {
                    return outcomes.pop().unwrap_or(Err(last.into()));
                }
            }
        }
        Err(last.into())
    }

    /// One transaction for these commands: an outcome for each, or none for any.
    fn attempt(&mut self, group: &mut Group, holds: bool) -> Result<Vec<Outcome>, Again> {
        let mut heads = Heads::default();
        let outcomes = match self.run(group, &mut heads, holds) {
            Ok(outcomes) => outcomes,
            Err(again) => {
                self.rollback();
                return Err(again);
            }
        };
        let proof = outcomes.iter().flatten().find_map(|done| done.proof);
        let kept = group.iter().all(|command| !command.plan().dry_run);
        if !kept || outcomes.iter().all(Result::is_err) {
            self.rollback();
            let nothing = |outcome: Outcome| outcome.map(|_| Done::default());
            return Ok(outcomes.into_iter().map(nothing).collect());
        }
        self.conclude(&heads, proof, outcomes)
    }

    fn conclude(
        &mut self,
        heads: &Heads,
        proof: Option<Proof>,
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<Outcome>, Again> {
        let each = |told: &dyn Fn(Done) -> Outcome| {
            let all = outcomes.iter().cloned();
            all.map(|outcome| outcome.and_then(told)).collect()
        };
        let ended = self.commit(heads, proof)?;
        if outcomes.iter().flatten().any(Done::changed) {
            self.bell.ring();
        }
        match ended {
            Ended::Committed => Ok(outcomes),
            Ended::Found => Ok(each(&|done| {
                let replayed = true;
                Ok(Done { replayed, ..done })
            })),
            Ended::Absent => Err(Again::Run(StoreError::Lost("COMMIT was lost".into()))),
            // What wrote nothing has nothing to be unsure of.
            Ended::Unknown(_) if proof.is_none() => Ok(outcomes),
            // Nothing may run again that may have happened.
            Ended::Unknown(cause) => Ok(each(&|_| Err(StoreError::Lost(cause.clone()).into()))),
        }
    }

    /// Runs each command in the open transaction. A refusal takes back its own command alone, unless something of
    /// it is at the server already.
    fn run(
        &mut self,
        group: &mut Group,
        heads: &mut Heads,
        holds: bool,
    ) -> Result<Vec<Outcome>, Again> {
        let now = self.clock.now();
        let Some(scope) = group.first().map(|command| command.plan().scope) else {
            return Ok(Vec::new());
        };
        let conn = self.begin(Role::Tenant(scope), Mode::Write)?;
        let mut plans = group.iter().map(|command| command.plan());
        if plans.clone().all(|plan| plan.locks() == [scope]) && scope != Stream::INSTANCE {
            let decided = plans.any(|plan| plan.instance_at.is_some());
            *heads = lock::all(conn, &BTreeSet::from([scope]), decided)?;
        }
        if holds {
            conn.hold_back();
        }
        let alone = group.len() == 1;
        let mut outcomes = Vec::with_capacity(group.len());
        for command in group {
            conn.mark();
            let outcome = execute(conn, heads, &mut **command, now);
            match outcome {
                Ok(done) => outcomes.push(Ok(done)),
                Err(error) if alone || matches!(error, CommitError::Unavailable(_)) => {
                    return Err(error.into());
                }
                Err(error) => {
                    heads.rollback();
                    if !conn.undo() {
                        return Err(error.into());
                    }
                    outcomes.push(Err(error));
                }
            }
        }
        Ok(outcomes)
    }

    fn work(&mut self, role: Role, mode: Mode, work: &mut dyn Work) -> Result<(), StoreError> {
        let conn = self.started(role, mode)?;
        let ran = work.run(conn);
        if ran.is_err() || mode == Mode::Read {
            self.rollback();
            return ran;
        }
        match self.commit(&Heads::default(), None)? {
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
            StoreError::Contended(_) | StoreError::Lost(_) | StoreError::Standby => {
                Self::Run(error)
            }
            other => Self::Not(other.into()),
        }
    }
}
