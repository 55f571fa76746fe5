//! How acts become entries: actor, context and outcome filled in once, personal values sealed, failures bounded.

mod act;
mod failures;
mod prepare;
mod subjects;

pub use act::{Act, Verb};
pub use failures::Failures;
pub use prepare::{flush_failures, record_own};
pub(crate) use prepare::{prepare, record_failure, record_own_in, record_refusal};
pub use subjects::{SubjectKeys, new_subject_key};
