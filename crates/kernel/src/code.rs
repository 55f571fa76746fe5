//! The registry of error codes. A code is stable for ever, never reused, and says whether trying again helps.
//! The text a caller reads is written where the error arises; this is only the vocabulary.

/// Whether the same request may succeed later without being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    No,
    /// The same request may succeed; wait first.
    Later,
    /// Read the current state, decide again, then send a new request.
    AfterReading,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal $status:literal $retry:ident;)*) => {
        /// A stable error code with its HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }
        impl Code {
            /// Every code, in the order of the registry.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
            /// The code as callers see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }
            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),*).trim(),)* }
            }
            /// Whether trying again helps.
            pub const fn retry(self) -> Retry {
                match self { $(Code::$name => Retry::$retry,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not the expected form encoding.
    MalformedBody "malformed_body" 400 No;
    /// One or more fields are missing, unknown, of the wrong type or out of range.
    InvalidInput "invalid_input" 400 No;
    /// The request names two different organizations.
    TenantConflict "tenant_conflict" 400 No;
    /// No credential, or one that is unknown, expired or revoked.
    Unauthenticated "unauthenticated" 401 No;
    /// The caller is known and may not do this.
    PermissionDenied "permission_denied" 403 No;
    /// The caller cannot give what it does not hold.
    BeyondOwnPermissions "beyond_own_permissions" 403 No;
    /// The act asks for proof of a recent sign-in.
    SudoRequired "sudo_required" 403 No;
    /// There is no such thing, or the caller may not know of it.
    NotFound "not_found" 404 No;
    /// The path exists and does not answer this method.
    MethodNotAllowed "method_not_allowed" 405 No;
    /// Something with this name exists.
    AlreadyExists "already_exists" 409 No;
    /// The thing is in a state in which this cannot be done.
    InvalidState "invalid_state" 409 AfterReading;
    /// It would leave the organization without an owner.
    LastOwner "last_owner" 409 No;
    /// What the decision was made on changed meanwhile, several times in a row.
    ConcurrentChange "concurrent_change" 409 Later;
    /// A request with this idempotency key is being carried out.
    IdempotencyInProgress "idempotency_in_progress" 409 Later;
    /// The feed does not lead on from the revision named; take a snapshot and follow from there.
    FeedGap "feed_gap" 410 AfterReading;
    /// The thing changed since the version named in `If-Match`.
    VersionMismatch "version_mismatch" 412 AfterReading;
    /// The body is larger than the limit.
    BodyTooLarge "body_too_large" 413 No;
    /// The body's content type is not the one this path takes.
    UnsupportedMediaType "unsupported_media_type" 415 No;
    /// The request names a host that this server does not answer for.
    Misdirected "misdirected" 421 No;
    /// The idempotency key was used with another body.
    IdempotencyMismatch "idempotency_mismatch" 422 No;
    /// A limit of the organization or of the caller is reached.
    LimitReached "limit_reached" 429 Later;
    /// The organization has too many requests waiting.
    OrganizationBusy "organization_busy" 429 Later;
    /// Something inside failed; the request id leads to the cause in the log.
    Internal "internal" 500 Later;
    /// The server has too many requests waiting.
    Overloaded "overloaded" 503 Later;
    /// The server cannot prove that its view of the organization is current.
    StaleState "stale_state" 503 Later;
    /// The database has no room left. What takes authority away goes on; everything else that writes is refused.
    StorageFull "storage_full" 503 Later;
    /// The database did not answer.
    StorageUnavailable "storage_unavailable" 503 Later;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_lower_case() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(
            texts
                .iter()
                .all(|t| t.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
    }
}
