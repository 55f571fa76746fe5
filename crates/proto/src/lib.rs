//! Wire types of the standards: problem details, OAuth and AuthZEN. They parse and print; they decide nothing.

pub mod authzen;
pub mod oauth;
pub mod problem;
