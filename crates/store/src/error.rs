//! What can go wrong between a closure and the disk, and what a caller is told of it.
//! No variant carries a statement's parameters: they may be secrets.

use kernel::{Code, limits::Limit};

/// The database, or what it holds, is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The connection broke, or the store was closed. Try again.
    #[error("the database did not answer: {0}")]
    Lost(String),
    /// There is no room where the data is. Make room, then try again.
    #[error("there is no room where the database is: {0}")]
    Full(String),
    /// The disk failed to read or write.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// Another transaction was in the way, several times in a row. Try again.
    #[error("the transaction was in another's way: {0}")]
    Contended(String),
    /// The server is a standby or takes no writes; another one is the primary.
    #[error("the database is a standby and takes no writes; name the primary")]
    Standby,
    /// Too many requests of the same organization wait already. Try again later.
    #[error("too many requests of this organization wait for the database; try again later")]
    Busy,
    /// Too many requests of everybody wait already. Try again later.
    #[error("too many requests wait for the database; try again later")]
    Overloaded,
    /// A read took longer than a reading transaction may. Ask for less at a time.
    #[error("the read took too long; ask for less at a time")]
    TooLong,
    /// A stream was named that the call's scope does not cover: a bug of the caller.
    #[error("a stream outside the scope of the call was named")]
    OutOfScope,
    /// The closure panicked; nothing was written. A bug of the caller.
    #[error("the closure panicked; nothing was written")]
    Panicked,
    /// A row cannot be read.
    #[error("row ({row}) of table `{table}` holds an unreadable `{column}`: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's first columns, bytes in hexadecimal.
        row: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The schema is not one that this build can work with.
    #[error("{0}")]
    Migration(String),
    /// Nothing was ever made there.
    #[error("there is no Cardea database at that address")]
    Absent,
    /// A value cannot be stored.
    #[error("a value cannot be stored: {0}")]
    Value(String),
    /// Everything else the database says.
    #[error("the database refused: {0}")]
    Database(String),
}

impl StoreError {
    pub(crate) fn closed() -> Self {
        Self::Lost("the store is closed".into())
    }
}

/// Why a closure wants nothing written. Comes back to the caller as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// The field of the request that is at fault.
    pub field: Option<String>,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// The limit that was reached.
    pub limit: Option<Limit>,
}

const ALREADY_USED: &str = "it was used before and works once only";

impl Refusal {
    /// A refusal that names no field.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            detail: detail.into(),
            limit: None,
        }
    }

    /// The same refusal, naming the field at fault.
    #[must_use]
    pub fn on(self, field: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..self
        }
    }

    /// The same refusal, quoting the limit that was reached.
    #[must_use]
    pub fn at(self, limit: Limit) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    pub(crate) fn bug(detail: impl Into<String>) -> Self {
        Self::new(Code::Internal, detail)
    }

    pub(crate) fn already_used() -> Self {
        Self::new(Code::InvalidState, ALREADY_USED)
    }

    pub(crate) fn is_already_used(&self) -> bool {
        self.code == Code::InvalidState && self.detail == ALREADY_USED
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Full(_) => Code::StorageFull,
            StoreError::Busy => Code::OrganizationBusy,
            StoreError::Lost(_)
            | StoreError::Contended(_)
            | StoreError::TooLong
            | StoreError::Disk(_)
            | StoreError::Standby => Code::StorageUnavailable,
            StoreError::Overloaded => Code::Overloaded,
            StoreError::Value(_) => Code::InvalidInput,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Why a commit or a record wrote nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The closure refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was decided on changed meanwhile: decide again.
    #[error("the authority of {stream} moved to {current}; decide again")]
    AuthorityMoved {
        /// Where.
        stream: domain::Stream,
        /// The `authority_rev` that stands now.
        current: u64,
    },
    /// A one-time artefact had been consumed.
    #[error("it was used before and works once only")]
    AlreadyUsed,
    /// The same idempotency key with the same body was answered before.
    #[error("the request was carried out before")]
    Replay {
        /// What was answered, JSON.
        answer: String,
    },
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used with another body; take a new key")]
    IdempotencyMismatch,
    /// Too many commands of this organization wait.
    #[error("too many commands of this organization wait; try again later")]
    Busy,
    /// Too many commands of everybody wait.
    #[error("too many commands wait; try again later")]
    Overloaded,
    /// The database failed; nothing was written, or it is not known.
    #[error(transparent)]
    Unavailable(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Overloaded => Self::Overloaded,
            other => Self::Unavailable(other),
        }
    }
}
