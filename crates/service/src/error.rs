//! Refusals and failures as a use case tells them, without a transport: a stable code, a sentence that names the
//! remedy, and the fields that were wrong. What went wrong inside stays in the log.

use crate::redact::redact;
use kernel::{Code, limit, limits::Limit};
use proto::problem::FieldError;
use std::borrow::Cow;

/// Why an operation did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened and what to do.
    pub detail: Cow<'static, str>,
    /// The fields that were wrong.
    pub errors: Vec<FieldError>,
    /// The limit that was reached.
    pub limit: Option<Limit>,
    /// Set when the decision was made on something that moved meanwhile: decide again.
    pub(crate) moved: bool,
}

fn plain(text: String) -> String {
    redact(&text).unwrap_or(text)
}

/// What operations answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A refusal with this code. A credential that somebody put in the wrong place is not repeated.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        let detail = redact(&detail).map_or(detail, Cow::Owned);
        Self {
            code,
            detail,
            errors: Vec::new(),
            limit: None,
            moved: false,
        }
    }
    /// The same refusal, quoting the limit that was reached.
    #[must_use]
    pub fn at(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
    /// One field holds something that cannot be.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::field(field, "invalid", detail)
    }
    /// One field is wrong in the way `code` says.
    pub fn field(field: &str, code: &str, detail: impl Into<String>) -> Self {
        let (field, detail) = (plain(field.into()), plain(detail.into()));
        let summary = if field.is_empty() {
            detail.clone()
        } else {
            format!("`{field}`: {detail}")
        };
        let error = FieldError {
            field,
            code: code.into(),
            detail,
        };
        Self {
            code: Code::InvalidInput,
            detail: summary.into(),
            errors: vec![error],
            limit: None,
            moved: false,
        }
    }
    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(noun: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {noun} here"))
    }
    /// The thing is in a state in which this cannot be done.
    pub fn state(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidState, detail)
    }
    /// The caller may see the thing and not do this to it.
    pub fn denied(permission: &str) -> Self {
        Self::new(
            Code::PermissionDenied,
            format!("this needs the permission `{permission}`"),
        )
    }
    /// No usable credential. One text for every cause.
    pub fn unauthenticated() -> Self {
        let detail = "present a valid API token as `Authorization: Bearer`";
        Self::new(Code::Unauthenticated, detail)
    }
    /// Something inside failed; `cause` goes to the log only.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal failure");
        Self::new(
            Code::Internal,
            "something failed inside; quote the request id to the operator",
        )
    }
    /// Too many requests of this organization wait.
    pub(crate) fn busy(limit: Limit) -> Self {
        let detail = format!(
            "more than {} requests of this organization are waiting; send fewer at once",
            limit.value
        );
        Self::new(Code::OrganizationBusy, detail).at(limit)
    }
    /// Too many requests of everybody wait.
    pub(crate) fn overloaded() -> Self {
        let detail = "too many requests are waiting; try again shortly";
        Self::new(Code::Overloaded, detail)
    }
    pub(crate) fn moved() -> Self {
        let detail = "what this was decided on changed meanwhile; send the request again";
        Self {
            moved: true,
            ..Self::new(Code::ConcurrentChange, detail)
        }
    }
}

impl From<store::Refusal> for Error {
    fn from(refusal: store::Refusal) -> Self {
        let errors = refusal
            .field
            .map(|field| FieldError {
                field,
                code: "invalid".into(),
                detail: refusal.detail.clone(),
            })
            .into_iter()
            .collect();
        Self {
            code: refusal.code,
            detail: refusal.detail.into(),
            errors,
            limit: refusal.limit,
            moved: false,
        }
    }
}

const NO_ROOM: &str = "the database's disk is full, so nothing is issued or changed; the operator must make room. Revoking, \
    suspending and kill switches go on";

impl From<store::StoreError> for Error {
    fn from(cause: store::StoreError) -> Self {
        match cause {
            store::StoreError::Busy => return Self::busy(limit!(QUEUE_PER_ORG)),
            store::StoreError::Overloaded => return Self::overloaded(),
            store::StoreError::Full(_) => return Self::new(Code::StorageFull, NO_ROOM),
            _ => tracing::error!(%cause, "the database did not answer"),
        }
        Self::new(
            Code::StorageUnavailable,
            "the database did not answer; try again shortly",
        )
    }
}

impl From<store::CommitError> for Error {
    fn from(error: store::CommitError) -> Self {
        use store::CommitError as C;
        match error {
            C::Refused(refusal) => refusal.into(),
            C::AuthorityMoved { .. } => Self::moved(),
            C::AlreadyUsed => Self::new(
                Code::Unauthenticated,
                "this was used before; make a new one for each request",
            ),
            C::Replay { .. } => Self::internal("a replay reached the wrong place"),
            C::IdempotencyMismatch => Self::new(
                Code::IdempotencyMismatch,
                "this `Idempotency-Key` was used with another request; choose a new one",
            ),
            C::Busy => Self::busy(limit!(QUEUE_PER_ORG)),
            C::Overloaded => Self::overloaded(),
            C::Unavailable(cause) => cause.into(),
        }
    }
}
