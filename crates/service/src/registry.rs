//! Every operation, in the order of the documentation. What is not here exists at no door.

use crate::operation::{Erased, Typed};

macro_rules! registry {
    ($($operation:path,)*) => {
        /// Every operation.
        pub static OPERATIONS: &[&dyn Erased] = &[$(&Typed::<$operation>::NEW,)*];
    };
}

registry! {
    crate::setup::Redeem,
    crate::setup::CreateOrganization,
    crate::setup::ReadOrganization,
    crate::directory::CreateUser,
    crate::directory::ListUsers,
    crate::directory::ReadUser,
    crate::directory::UpdateUser,
    crate::directory::SuspendUser,
    crate::directory::ResumeUser,
    crate::directory::DeactivateUser,
    crate::access::EffectivePermissions,
    crate::access::ListRoles,
    crate::access::CreateRole,
    crate::access::Assign,
    crate::access::ListAssignments,
    crate::access::Unassign,
    crate::tokens::CreateToken,
    crate::tokens::ListTokens,
    crate::tokens::RevokeToken,
    crate::tokens::RotateToken,
    crate::settings::ReadSettings,
    crate::settings::UpdateSettings,
    crate::settings::ListKillSwitches,
    crate::settings::SetKillSwitch,
    crate::settings::SetInstanceKillSwitch,
    crate::keys::ListKeys,
    crate::keys::RotateKeys,
    crate::log::ListEvents,
    crate::log::ReadCheckpoint,
    crate::log::ProveInclusion,
    crate::log::ProveConsistency,
}
