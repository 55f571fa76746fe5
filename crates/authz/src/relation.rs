//! Relations between objects and subjects, as Zanzibar and OpenFGA define them: whether a subject is in a relation of
//! an object, which objects, which subjects, and by which way, over the tuples of one store at one revision. It decides
//! nothing about people, roles or policies, never reads a clock, never waits, and remembers nothing between questions.

mod check;
mod compile;
mod expand;
mod memo;
mod names;
mod objects;
mod path;
mod plan;
mod query;
mod segment;
mod truth;
mod tuple;
mod tuples;
mod users;

pub use expand::Expansion;
pub use plan::Plan;
pub use query::{Budget, Decision, Exceeded, Listing, Query, QueryError};
pub use truth::{Conditions, Context, Failure, Holds, Truth, Unsettled};
pub use tuple::{Object, Subject, Tuple, TupleError, TupleKey};
pub use tuples::{Loading, Tuples};
pub use users::UserFilter;
