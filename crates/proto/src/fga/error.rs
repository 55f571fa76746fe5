//! Error codes of the OpenFGA API with the statuses that go with them.

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($name:ident $text:literal $status:literal;)*) => {
        /// The code of a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorName {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }
        impl ErrorName {
            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

names! {
    ValidationError "validation_error" 400;
    AuthorizationModelNotFound "authorization_model_not_found" 400;
    ResolutionTooComplex "authorization_model_resolution_too_complex" 400;
    InvalidWriteInput "invalid_write_input" 400;
    DuplicateTuples "cannot_allow_duplicate_tuples_in_one_request" 400;
    InvalidContinuationToken "invalid_continuation_token" 400;
    WriteFailed "write_failed_due_to_invalid_input" 400;
    LatestModelNotFound "latest_authorization_model_not_found" 400;
    TypeNotFound "type_not_found" 400;
    RelationNotFound "relation_not_found" 400;
    InvalidTuple "invalid_tuple" 400;
    PageSizeInvalid "page_size_invalid" 400;
    TokenOfOtherType "query_string_type_continuation_token_mismatch" 400;
    ExceededEntityLimit "exceeded_entity_limit" 400;
    InvalidModel "invalid_authorization_model" 400;
    UnsupportedSchema "unsupported_schema_version" 400;
    InvalidStartTime "invalid_start_time" 400;
    BearerTokenMissing "bearer_token_missing" 401;
    Unauthenticated "unauthenticated" 401;
    Forbidden "forbidden" 403;
    UndefinedEndpoint "undefined_endpoint" 404;
    StoreNotFound "store_id_not_found" 404;
    Aborted "Aborted" 409;
    ResourceExhausted "resource_exhausted" 429;
    InternalError "internal_error" 500;
    Unavailable "unavailable" 503;
}

/// A refusal as the OpenFGA API answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// The code.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
}
