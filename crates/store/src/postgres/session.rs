//! A thread's connection over its life: made when it is needed, made again when it broke, and the question what
//! became of a COMMIT that was not answered.

use super::{
    bell::Bell,
    conn::{Mode, Pg},
    target::Target,
};
use crate::{
    StoreError,
    command::Proof,
    conn::{Conn, Role},
    faults::{self, Fault},
    head::Heads,
};
use kernel::Clock;
use std::{sync::Arc, time::Duration};

const FOUND: &str =
    "SELECT stream, seq FROM audit_events WHERE stream = $1 AND seq >= $2 AND event_id = $3";
/// How often a new connection is tried before the fate of a COMMIT is given up as unknown.
const LOOKS: u32 = 8;

/// A connection that may be absent.
pub(super) struct Session {
    target: Arc<Target>,
    pub(super) clock: Arc<dyn Clock>,
    open: Option<Pg>,
    /// In which era it was made.
    made: u64,
    pub(super) bell: Arc<Bell>,
}

impl Session {
    pub(super) fn new(target: Arc<Target>, clock: Arc<dyn Clock>, bell: Arc<Bell>) -> Self {
        Self {
            target,
            clock,
            open: None,
            made: 0,
            bell,
        }
    }

    /// A connection on which a transaction begins with the next statement. One that is known to be broken is
    /// replaced; one that broke while nobody looked fails its first statement.
    pub(super) fn begin(&mut self, role: Role, mode: Mode) -> Result<&mut Pg, StoreError> {
        let era = self.target.era();
        let same = std::mem::replace(&mut self.made, era) == era;
        let kept = self.open.take();
        let mut conn = match kept.filter(|conn| same && !conn.closed()) {
            Some(conn) => conn,
            None => self.target.open(&self.clock)?,
        };
        conn.begin(role, mode);
        Ok(self.open.insert(conn))
    }

    /// A connection with a transaction that the server knows of.
    pub(super) fn started(&mut self, role: Role, mode: Mode) -> Result<&mut Pg, StoreError> {
        match self.begin(role, mode)?.started() {
            Err(StoreError::Lost(_)) => self.begin(role, mode)?.started()?,
            other => other?,
        }
        self.conn()
    }

    /// The connection on which a transaction was begun.
    pub(super) fn conn(&mut self) -> Result<&mut Pg, StoreError> {
        self.open
            .as_mut()
            .ok_or_else(|| StoreError::Lost("the connection is gone".into()))
    }

    pub(super) fn rollback(&mut self) {
        let kept = self.open.take().filter(|conn| !conn.closed());
        if let Some(mut conn) = kept {
            match conn.rollback() {
                Ok(()) => self.open = Some(conn),
                Err(error) => {
                    tracing::warn!(%error, "a transaction could not be rolled back; its connection is closed");
                }
            }
        }
    }

    /// Writes the heads that moved and commits. When the answer is lost, says whether `proof` is in the log; nothing
    /// was logged without one.
    pub(super) fn commit(
        &mut self,
        heads: &Heads,
        proof: Option<Proof>,
    ) -> Result<Ended, StoreError> {
        let conn = self.conn()?;
        match faults::around(proof.is_some(), said, || conn.commit(heads)) {
            Ok(()) => Ok(Ended::Committed),
            Err(StoreError::Lost(cause)) => {
                self.open = None;
                match proof {
                    Some(proof) => self.resolve(&proof, cause),
                    None => Ok(Ended::Unknown(cause)),
                }
            }
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    fn resolve(&mut self, proof: &Proof, cause: String) -> Result<Ended, StoreError> {
        for look in 0..LOOKS {
            std::thread::sleep(Duration::from_millis(100) * look);
            match self.look(proof) {
                Ok(true) => return Ok(Ended::Found),
                Ok(false) => return Ok(Ended::Absent),
                Err(error) => {
                    tracing::warn!(%error, "the fate of a commit is not known yet");
                    self.open = None;
                }
            }
        }
        Ok(Ended::Unknown(cause))
    }

    /// Under the head's lock, which the lost transaction held until its end: absent is absent for ever. What is
    /// found may not have reached a standby that COMMIT waits for, so this transaction, which comes after it in the
    /// server's log, waits for that with a COMMIT of its own.
    fn look(&mut self, proof: &Proof) -> Result<bool, StoreError> {
        let conn = self.started(Role::Tenant(proof.stream), Mode::Write)?;
        Heads::default().lock(conn, proof.stream)?;
        let params = [
            proof.stream.into(),
            proof.seq.into(),
            proof.event.bytes().into(),
        ];
        let found = !conn.query(FOUND, &params)?.is_empty();
        conn.commit(&Heads::default())?;
        Ok(found)
    }
}

/// What is told at a fault. The disk is the server's: where it fails, the connection ends.
fn said(fault: Fault) -> StoreError {
    let text = "a fault of a test".to_owned();
    match fault {
        Fault::Full => StoreError::Full(text),
        Fault::Broken | Fault::Io | Fault::Sync => StoreError::Lost(text),
    }
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server said so.
    Committed,
    /// The server's answer was lost; the log has it.
    Found,
    /// The server's answer was lost; the log does not have it and never will.
    Absent,
    /// Nobody can say.
    Unknown(String),
}
