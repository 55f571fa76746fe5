//! How far a token may reach: permissions, scopes, networks and time within those of its maker, also when its
//! maker is itself a token. Another person's token needs everything that person can do (RBAC-8).

use crate::{Cx, Error, Result, access::giving};
use domain::{ApiTokenCore, Permission, Permissions, Reach, Scope};
use ipnet::IpNet;
use kernel::{Id, Timestamp, User, limits};
use std::net::IpAddr;

/// Refuses permissions and scopes that the caller does not hold.
///
/// # Errors
/// `beyond_own_permissions`.
pub(super) fn within_caller(cx: &Cx, permissions: Permissions, scopes: &[Scope]) -> Result<()> {
    let caller = cx.caller()?;
    let holds = |permission: Permission| match permission.is_instance() {
        true => caller.instance.has(permission),
        false => caller.held.has(permission, Reach::Own),
    };
    if let Some(permission) = permissions.iter().find(|permission| !holds(*permission)) {
        return Err(giving::beyond(permission.as_str()));
    }
    let unheld = scopes.iter().find(|scope| !caller.held.holds(scope));
    unheld.map_or(Ok(()), |scope| Err(giving::beyond(scope.as_str())))
}

/// Refuses unless the caller is this person, or just signed in and holds everything this person can exercise.
///
/// # Errors
/// `sudo_required`, `beyond_own_permissions`.
pub(super) fn may_act_for(cx: &Cx, user: Id<User>) -> Result<()> {
    let (caller, view) = (cx.caller()?, cx.view()?);
    if caller.user() == Some(user) {
        return Ok(());
    }
    cx.require_sudo()?;
    giving::within(&caller.held, &authz::held(view, user, view.now))
}

/// The scopes, sorted, each once and each declared by a connection.
///
/// # Errors
/// `invalid_input`.
pub(super) fn scopes(cx: &Cx, mut wanted: Vec<Scope>) -> Result<Vec<Scope>> {
    let view = cx.view()?;
    wanted.sort();
    wanted.dedup();
    if wanted.len() > limits::SCOPES {
        return Err(Error::invalid(
            "scopes",
            format!("must hold at most {} scopes", limits::SCOPES),
        ));
    }
    let declared = |scope: &Scope| {
        view.org
            .connections()
            .any(|connection| connection.scopes.contains(scope))
    };
    match wanted.iter().find(|scope| !declared(scope)) {
        Some(scope) => Err(Error::invalid(
            "scopes",
            format!("no connection declares `{scope}`; declare it there first"),
        )),
        None => Ok(wanted),
    }
}

/// When a new token ends: the longest life there is unless a nearer moment is named.
///
/// # Errors
/// `invalid_input`.
pub(super) fn end(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp> {
    let latest = now.plus(limits::API_TOKEN_LIFE);
    match wanted {
        None => Ok(latest),
        Some(end) if end <= now => Err(Error::invalid("expires_at", "must lie in the future")),
        Some(end) if end > latest => {
            let days = limits::API_TOKEN_LIFE.as_seconds() / 86_400;
            Err(Error::invalid(
                "expires_at",
                format!("must lie at most {days} days ahead; rotate the token before it ends"),
            ))
        }
        Some(end) => Ok(end),
    }
}

/// Networks in canonical form, within those that the caller's own token is bound to; its own when none is named.
///
/// # Errors
/// `invalid_input`, `beyond_own_permissions`.
pub(super) fn networks(cx: &Cx, wanted: &[String]) -> Result<Vec<String>> {
    let own = cx
        .caller()?
        .token
        .and_then(|id| cx.view().ok()?.org.token(id).cloned());
    bound_to(&parsed(wanted)?, own.as_deref())
}

fn bound_to(wanted: &[IpNet], own: Option<&ApiTokenCore>) -> Result<Vec<String>> {
    let own = own
        .map(|token| token.networks.as_slice())
        .unwrap_or_default();
    let text = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect();
    if own.is_empty() {
        return Ok(text(wanted));
    }
    if wanted.is_empty() {
        return Ok(own.to_vec());
    }
    let own = parsed(own)?;
    match wanted
        .iter()
        .find(|network| !own.iter().any(|mine| mine.contains(*network)))
    {
        Some(network) => Err(giving::beyond(&network.to_string())),
        None => Ok(text(wanted)),
    }
}

fn parsed(networks: &[String]) -> Result<Vec<IpNet>> {
    let parse = |text: &String| {
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(single);
        let wrong = || {
            Error::invalid(
                "networks",
                format!("`{text}` is no network; write one such as `10.0.0.0/8`"),
            )
        };
        network.map(|network| network.trunc()).ok_or_else(wrong)
    };
    networks.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::GrantId;
    use kernel::Code;

    fn token(networks: &[&str]) -> ApiTokenCore {
        ApiTokenCore {
            id: Id::from_bytes([1; 16]),
            key_id: "k".into(),
            hash: "h".into(),
            user: Id::from_bytes([2; 16]),
            permissions: Permissions::NONE,
            scopes: vec![],
            networks: networks.iter().map(ToString::to_string).collect(),
            grant: GrantId::from_number(1),
            expires_at: Timestamp::from_seconds(1),
            revoked: false,
            above: domain::Lineage::default(),
            bootstrap: false,
        }
    }

    #[test]
    fn a_token_bound_to_a_network_makes_none_that_is_not() {
        let bound = token(&["10.0.0.0/8"]);
        let asked = |wanted: &[&str], own| {
            let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            bound_to(&parsed(&wanted)?, own)
        };
        assert_eq!(asked(&[], Some(&bound)), Ok(vec!["10.0.0.0/8".into()]));
        assert_eq!(
            asked(&["10.1.2.3/16"], Some(&bound)),
            Ok(vec!["10.1.0.0/16".into()])
        );
        assert_eq!(asked(&["10.1.2.3"], None), Ok(vec!["10.1.2.3/32".into()]));
        for wider in ["0.0.0.0/0", "11.0.0.0/8", "::/0"] {
            assert_eq!(
                asked(&[wider], Some(&bound)).map_err(|error| error.code),
                Err(Code::BeyondOwnPermissions),
                "{wider}"
            );
        }
        assert_eq!(
            asked(&["everywhere"], None).map_err(|error| error.code),
            Err(Code::InvalidInput)
        );
    }

    #[test]
    fn a_token_lives_ninety_days_at_most() {
        let now = Timestamp::from_seconds(1_000);
        let latest = now.plus(limits::API_TOKEN_LIFE);
        assert_eq!(end(None, now), Ok(latest));
        assert_eq!(end(Some(latest), now), Ok(latest));
        for wrong in [now, latest.plus(kernel::Micros::new(1))] {
            assert_eq!(
                end(Some(wrong), now).map_err(|error| error.code),
                Err(Code::InvalidInput)
            );
        }
    }
}
