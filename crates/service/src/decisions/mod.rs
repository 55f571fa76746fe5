//! The decision API: may this subject do this action to this resource, asked by an application, by a connection about
//! its own scopes, or by an agent about itself. Everything of a request is decided on one view, and what is said is
//! what whoever asks may know. The log hears of each, later; and nothing a caller claims counts as a fact.

mod addresses;
mod asker;
mod claims;
mod counts;
mod evaluate;
mod forward;
mod journal;
mod proof;
mod search;

pub use addresses::Addresses;
pub use asker::{Asker, Credential};
pub use counts::Decided;
pub use evaluate::{batch, evaluate};
pub use forward::{Forwarded, forward};
pub use journal::{Journal, enter_decisions, write_decisions};
pub use search::{Sought, search};

use crate::{Error, Platform, Result};
use kernel::{Id, Org};
use live::View;
use proto::authzen::{Metadata, Wrong};

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::field(&wrong.field, wrong.code, wrong.detail)
    }
}

/// A fresh view of an organization in which what its own relation store holds is there.
///
/// # Errors
/// Not found, the state cannot be proven current, or the store cannot be loaded.
pub async fn view(platform: &Platform, org: Id<Org>) -> Result<View> {
    let view = platform.node.view(org).await?;
    match view.own_store() {
        Some(store) => Ok(platform.node.relations(&view, store).await?.0),
        None => Ok(view),
    }
}

/// The metadata of an organization's decision point; the same in each of its places.
pub fn metadata(view: &View) -> Metadata {
    let point = view.organization.issuer.clone();
    let at = |path: &str| format!("{point}/access/v1/{path}");
    Metadata {
        access_evaluation_endpoint: at("evaluation"),
        access_evaluations_endpoint: at("evaluations"),
        search_subject_endpoint: at("search/subject"),
        search_resource_endpoint: at("search/resource"),
        search_action_endpoint: at("search/action"),
        policy_decision_point: point,
    }
}
