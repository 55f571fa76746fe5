//! Dispatch: whether an agent should get a task at this moment, and if so the run and the capability to do it.
//! The decision itself is `authz`'s; here it is asked, written down and only then answered.

mod case;
mod evaluate;

pub use evaluate::Evaluate;
