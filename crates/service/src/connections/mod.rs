//! Connections: making and changing the configured ways from agents to downstream systems. A change that lets
//! agents do more asks for a recent sign-in (CAP-5); nothing here issues a token.

mod answer;
mod create;
mod list;
mod origin;
mod read;
mod shape;
mod update;

pub use answer::ConnectionAnswer;
pub use create::Create;
pub use list::List;
pub use read::Read;
pub use update::Update;

use crate::{Cx, Result};
use authz::Access;
use domain::ConnectionCore;
use live::View;

/// The claim by which connections' names are unique.
const NAME_CLAIM: &str = "connection.name";
/// The claim by which audiences are unique.
const AUDIENCE_CLAIM: &str = "connection.audience";

/// Whether the caller may know of a connection: with own reach, when they hold a scope of it or an agent of theirs
/// may use it.
fn is_visible(cx: &Cx, view: &View, connection: &ConnectionCore, access: Access) -> Result<bool> {
    let caller = cx.caller()?;
    Ok(match access {
        Access::All => true,
        Access::None => false,
        Access::Own => {
            let mut agents = view
                .org
                .agents()
                .filter(|agent| Some(agent.owner.0) == caller.user());
            connection
                .scopes
                .iter()
                .any(|scope| caller.held.holds(scope))
                || agents.any(|agent| agent.may_use(connection.id))
        }
    })
}
