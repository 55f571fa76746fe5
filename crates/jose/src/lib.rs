//! JOSE encoding and policy over aws-lc-rs: keys parsed once, tokens signed and verified strictly.
//! Holds no cryptography of its own, reads no clock, fetches no key and keeps no state: replay,
//! liveness and revocation belong to the caller.

mod algorithm;
mod assertion;
mod error;
mod jwk;
mod jwt;
mod signing;
mod strict;
mod verifying;

pub use algorithm::Algorithm;
pub use assertion::{Assertion, AssertionPolicy, verify_client_assertion};
pub use error::Error;
pub use jwk::{Jwk, JwkSet, PublicKey};
pub use jwt::{Header, Policy, Verified, parse_claims, verify_jwt};
pub use signing::SigningKey;
pub use verifying::{KeySet, VerifyingKey};
