//! Decisions, as pure functions over one trait of facts: what a person holds, what an agent may be given (the
//! hinge), whether a token is still good, and whether a task may be dispatched. The empty answer is deny.

pub mod decide;
mod facts;
mod gate;
mod hinge;
pub mod model;
mod person;
pub mod relation;
mod token;

pub use facts::Facts;
pub use gate::{Gate, GateName, Outcome, Question, Reason, Verdict, dispatch};
pub use hinge::{
    Denied, Offer, Wanted, class_minimum_met, may_act, offer, remaining, run_is_open, trust_facts,
    trust_now,
};
pub use person::{Access, access, held, holds_scope, owners, scope_end, stands};
pub use token::{Presented, TokenKind, denied, live_scopes};
