//! Roles, who holds them and what they give: making, giving and taking them, and what a person holds because of
//! them. What a caller may give is decided in `giving`, and that an owner stays in `owners`.

mod assign;
mod assignments;
mod create;
mod effective;
pub(crate) mod giving;
mod list;
pub(crate) mod owners;
pub(crate) mod roles;
mod table;
mod unassign;

pub use assign::Assign;
pub use assignments::ListAssignments;
pub use create::CreateRole;
pub use effective::EffectivePermissions;
pub use list::ListRoles;
pub use table::table;
pub use unassign::Unassign;

use domain::AssignmentCore;
use kernel::{Assignment, Id, Role, Timestamp, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role given to somebody, as it is shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Given {
    /// Identifier.
    id: Id<Assignment>,
    /// Who holds the role.
    subject: Id<User>,
    /// The role.
    role: Id<Role>,
    /// The role's name.
    role_name: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was given.
    created_at: Timestamp,
}

impl Given {
    fn new(core: &AssignmentCore, role_name: String, created_at: Timestamp) -> Self {
        let AssignmentCore {
            id,
            subject,
            role,
            expires_at,
        } = *core;
        Self {
            id,
            subject,
            role,
            role_name,
            expires_at,
            created_at,
        }
    }
}
