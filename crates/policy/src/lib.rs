//! Policies that organizations write, as code that is safe to run in this process: conditions of relation models (CEL).
//! No I/O, no clock, no randomness, no environment; whatever a policy does has a bound that does not depend on time.

pub mod cel;
