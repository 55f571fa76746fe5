//! How an instance begins and how an owner gets back in: single-use set-up secrets, new organizations with
//! everything they need in one transaction, bootstrap tokens. No default password or secret exists.

mod begin;
mod found;
mod orgs;
mod redeem;
mod secrets;

pub use begin::prepare_instance;
pub use found::{Founded, NewOrganization, found};
pub use orgs::{CreateOrganization, ReadOrganization};
pub use redeem::Redeem;
pub use secrets::{InitDone, first_run_secret, init, recover};
