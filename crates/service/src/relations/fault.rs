//! Refusals of the OpenFGA API, and how what went wrong elsewhere is told by its codes.

use crate::Error;
use authz::relation::{Exceeded, QueryError, TupleError};
use kernel::Code;
use proto::fga::ErrorName;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A refusal of this API.
    #[error("{1}")]
    Own(ErrorName, String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

/// What this API answers.
pub type Answered<T> = Result<T, Fault>;

impl Fault {
    /// A refusal with this code. A credential that somebody put in the wrong place is not repeated.
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Own(name, crate::redact::redact(&message).unwrap_or(message))
    }
    /// Something in the request is not as it must be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorName::ValidationError, message)
    }
    /// The code by which it is told.
    pub const fn name(&self) -> ErrorName {
        match self {
            Self::Own(name, _) => *name,
            Self::Other(error) => told(error.code),
        }
    }
    /// A tuple of the request cannot be: one that a question brings along, or one to be written.
    pub(super) fn tuple(error: &TupleError, name: ErrorName) -> Self {
        match error {
            TupleError::UnknownType(_) if name != ErrorName::ValidationError => {
                Self::new(ErrorName::TypeNotFound, error.to_string())
            }
            TupleError::UnknownRelation(..) if name != ErrorName::ValidationError => {
                Self::new(ErrorName::RelationNotFound, error.to_string())
            }
            _ => Self::new(name, error.to_string()),
        }
    }
}

/// The code of this API for one of the product's.
const fn told(code: Code) -> ErrorName {
    match code {
        Code::Unauthenticated => ErrorName::Unauthenticated,
        Code::PermissionDenied | Code::BeyondOwnPermissions | Code::SudoRequired => {
            ErrorName::Forbidden
        }
        Code::NotFound | Code::MethodNotAllowed => ErrorName::UndefinedEndpoint,
        Code::ConcurrentChange | Code::AlreadyExists | Code::VersionMismatch => ErrorName::Aborted,
        Code::BodyTooLarge => ErrorName::ExceededEntityLimit,
        Code::LimitReached | Code::OrganizationBusy => ErrorName::ResourceExhausted,
        _ => match code.status() {
            503 => ErrorName::Unavailable,
            500 => ErrorName::InternalError,
            _ => ErrorName::ValidationError,
        },
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        let name = match &error {
            QueryError::UnknownType(_) => ErrorName::TypeNotFound,
            QueryError::UnknownRelation(..) => ErrorName::RelationNotFound,
            QueryError::Exceeded(Exceeded::Listed(_)) => ErrorName::ExceededEntityLimit,
            QueryError::Exceeded(_) => ErrorName::ResolutionTooComplex,
            QueryError::OtherStore => return Self::Other(Error::internal(&error)),
        };
        Self::new(name, error.to_string())
    }
}
