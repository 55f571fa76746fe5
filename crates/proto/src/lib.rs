//! Wire types of the standards: problem details, OAuth and OpenFGA. They parse and print; they decide nothing.

pub mod fga;
pub mod oauth;
pub mod problem;
