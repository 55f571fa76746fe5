//! Wire types of the standards: problem details and OAuth. They parse and print; they decide nothing.

pub mod oauth;
pub mod problem;
