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
mod waiting;

pub use addresses::Addresses;
pub use asker::{Asker, Credential};
pub use counts::Decided;
pub use evaluate::{batch, evaluate};
pub use forward::{Forwarded, forward};
pub use journal::{enter_decisions, write_decisions};
pub use search::{Sought, search};
pub use waiting::Journal;

use crate::{Error, Platform, Result};
use kernel::{Code, Id, Org, limits};
use live::View;
use proto::authzen::{Metadata, Wrong};

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::field(&wrong.field, wrong.code, wrong.detail)
    }
}

/// A fresh view of an organization in which what its own relation store holds is there. A store that cannot be loaded
/// permits nothing, and holds up nothing that roles decide.
///
/// # Errors
/// Not found, or the state cannot be proven current.
pub async fn view(platform: &Platform, org: Id<Org>) -> Result<View> {
    let view = platform.node.view(org).await?;
    let Some(store) = view.own_store() else {
        return Ok(view);
    };
    match platform.node.relations(&view, store).await {
        Ok((view, _)) => Ok(view),
        Err(error) => {
            tracing::error!(%error, %org, %store, "relations permit nothing: the organization's own store cannot be loaded");
            platform.node.view(org).await
        }
    }
}

/// Lets an answer leave while the state that it was decided on is known to be current, and not longer after its moment
/// than state may be old.
///
/// # Errors
/// `stale_state`.
fn leaves(platform: &Platform, view: &View) -> Result<()> {
    platform.node.require_fresh(view.id())?;
    if platform.clock.now().since(view.now) <= limits::STALENESS {
        return Ok(());
    }
    let detail =
        "the answer took longer than the state it is of may be old; ask again, or ask less at once";
    Err(Error::new(Code::StaleState, detail))
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
