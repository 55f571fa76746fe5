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
    crate::quotas::SetQuotas,
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
    crate::connections::Create,
    crate::connections::List,
    crate::connections::Read,
    crate::connections::Update,
    crate::agents::Register,
    crate::agents::List,
    crate::agents::Read,
    crate::agents::Update,
    crate::agents::Accept,
    crate::agents::Suspend,
    crate::agents::Resume,
    crate::agents::Revoke,
    crate::agents::Secrets,
    crate::agents::RevokeSecret,
    crate::agents::StartRotation,
    crate::agents::PromoteRotation,
    crate::agents::CancelRotation,
    crate::trust::Read,
    crate::trust::Report,
    crate::runs::Start,
    crate::runs::List,
    crate::runs::Read,
    crate::runs::Heartbeat,
    crate::runs::End,
    crate::runs::Terminate,
    crate::dispatch::Evaluate,
    crate::settings::ReadSettings,
    crate::settings::UpdateSettings,
    crate::settings::ListKillSwitches,
    crate::settings::SetKillSwitch,
    crate::settings::SetInstanceKillSwitch,
    crate::keys::ListKeys,
    crate::keys::RotateKeys,
    crate::keys::RotateLogKey,
    crate::log::ListEvents,
    crate::log::ReadCheckpoint,
    crate::log::ProveInclusion,
    crate::log::ProveConsistency,
    crate::log::ReadTile,
    crate::log::ExportEvents,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aud_9_whatever_takes_authority_away_is_urgent_and_nothing_else_is() {
        let takes = |name: &str| {
            let verb = name.split('.').next_back().unwrap_or_default();
            ["suspend", "revoke", "deactivate", "terminate"].contains(&verb)
                || (name.contains("kill") && !name.ends_with("list"))
                || verb == "revoke_secret"
        };
        for operation in OPERATIONS {
            let meta = operation.meta();
            let urgent = meta.class == crate::gate::Class::Revocation;
            assert_eq!(urgent, takes(meta.name), "{}", meta.name);
        }
    }
}
