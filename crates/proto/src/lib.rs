//! Wire types of the standards: problem details, OAuth, AuthZEN and OpenFGA. They parse and print; they decide nothing.

pub mod authzen;
pub mod fga;
pub mod oauth;
pub mod problem;
