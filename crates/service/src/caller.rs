//! Who is calling: the credential is believed here and nowhere else, then cut to what its human holds now.
//! A caller never holds more than the credential says, nor more than its human holds.

use crate::{Act, Error, Peer, Platform, Result, audit, oauth, secret};
use authz::Facts;
use domain::{Held, Lineage, Permission, Permissions, Principal, ScopePattern, Stream};
use kernel::{Id, Org, Run, Timestamp, Token, User};
use live::View;
use secret::SecretKind;
use std::net::IpAddr;

/// An authenticated principal with what it may do at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The credential, for entries.
    pub credential: String,
    /// The API token, when it is one.
    pub token: Option<Id<Token>>,
    /// The run of an agent's token.
    pub run: Option<Id<Run>>,
    /// The agent's token, when it is one.
    pub leaf: Option<Leaf>,
    /// The grants above whatever this caller starts.
    pub lineage: Lineage,
    /// When the credential ends; nothing started with it lives longer.
    pub ends_at: Timestamp,
    /// What may be done.
    pub held: Held,
    /// Whether this counts as proof of a recent sign-in; until sign-in exists, only a bootstrap token.
    pub sudo: bool,
    /// Whether the human administers the instance and the credential carries that.
    pub instance: Permissions,
}

/// What must be known of an agent's token to see that it was revoked meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// Its identifier.
    pub jti: [u8; 16],
    /// The state revision it was decided on.
    pub rev: u64,
}

impl Caller {
    /// The human, when the caller is one.
    pub const fn user(&self) -> Option<Id<User>> {
        match self.principal {
            Principal::User(user) => Some(user),
            _ => None,
        }
    }
    /// The agent, when the caller is one.
    pub const fn agent(&self) -> Option<Id<kernel::Agent>> {
        match self.principal {
            Principal::Agent(agent) => Some(agent),
            _ => None,
        }
    }
}

/// What an agent may do with a control-plane token: only to itself.
pub(crate) fn agent_permissions() -> Permissions {
    use Permission as P;
    [
        P::AgentsRead,
        P::RunsRead,
        P::RunsCreate,
        P::DispatchEvaluate,
        P::DecisionsEvaluate,
        P::AgentsReport,
    ]
    .into_iter()
    .collect()
}

/// Believes a bearer credential within one organization. An attempt that fails is in the log.
///
/// # Errors
/// `unauthenticated`, the same for every cause.
pub async fn authenticate(
    platform: &Platform,
    view: &View,
    bearer: &str,
    peer: &Peer,
) -> Result<Caller> {
    let outcome = if bearer.starts_with("cdt_") {
        by_api_token(platform, view, bearer, peer)
    } else {
        by_control_token(platform, view, bearer)
    };
    if outcome.is_err() {
        record_failed(platform, view, bearer, peer).await;
    }
    outcome
}

/// Names an API token that is known here, so that tries with one that was revoked or stolen can be found.
async fn record_failed(platform: &Platform, view: &View, bearer: &str, peer: &Peer) {
    let presented = secret::parse(SecretKind::ApiToken, bearer);
    let known = presented.and_then(|presented| view.org.token_by_key(presented.key_id));
    let who = known.map_or_else(|| "bearer".to_owned(), |token| token.id.to_string());
    let act = Act::read("authentication.failed").by(Principal::Anonymous, "none");
    let act = match known {
        Some(token) => act.on(token.id),
        None => act,
    };
    let act = act.failed(
        "unauthenticated",
        "the bearer credential is unknown here, ended or not allowed from there",
    );
    audit::record_failure(
        platform,
        Stream::org(view.id()),
        peer,
        &who,
        "unauthenticated",
        act,
    )
    .await;
}

fn by_api_token(platform: &Platform, view: &View, bearer: &str, peer: &Peer) -> Result<Caller> {
    let presented =
        secret::parse(SecretKind::ApiToken, bearer).ok_or_else(Error::unauthenticated)?;
    let token = view.org.token_by_key(presented.key_id);
    let stored = token.map(|token| (token.id.bytes(), token.hash.as_str()));
    let stream = Stream::org(view.id());
    let genuine = secret::verify(
        &platform.keyring,
        SecretKind::ApiToken,
        stream,
        stored,
        &presented,
    );
    let token = token
        .filter(|_| genuine)
        .ok_or_else(Error::unauthenticated)?;
    let lineage = token.above.with([token.grant]);
    let lineage = lineage.map_err(|_| Error::unauthenticated())?;
    let nodes = || lineage.iter().map(domain::RevocationCore::grant_node);
    let dead = token.revoked
        || token.expires_at <= view.now
        || nodes().any(|grant| view.revoked(grant))
        || !authz::stands(view, token.user)
        || !from_allowed_network(&token.networks, peer.ip);
    if dead {
        return Err(Error::unauthenticated());
    }
    let holds = authz::held(view, token.user, view.now);
    Ok(Caller {
        principal: Principal::User(token.user),
        credential: token.id.to_string(),
        token: Some(token.id),
        run: None,
        leaf: None,
        lineage,
        ends_at: token.expires_at,
        held: cut(&holds, token),
        sudo: token.bootstrap,
        instance: instance_permissions(view, token),
    })
}

/// What the token carries of the instance, while its human administers it.
fn instance_permissions(view: &View, token: &domain::ApiTokenCore) -> Permissions {
    let administers = view.instance.administers(token.user);
    let carried = if administers {
        token.permissions
    } else {
        Permissions::NONE
    };
    carried.and(Permissions::where_(Permission::is_instance))
}

/// What the human holds, cut to what the token declares (TOK-1).
fn cut(holds: &Held, token: &domain::ApiTokenCore) -> Held {
    let declared = token.scopes.iter().filter(|scope| holds.holds(scope));
    let scopes = declared.filter_map(|scope| ScopePattern::parse(scope.as_str()).ok());
    Held {
        all: holds.all.and(token.permissions),
        own: holds.own.and(token.permissions),
        every_scope: holds.every_scope && token.bootstrap,
        scopes: if token.bootstrap {
            holds.scopes.clone()
        } else {
            scopes.collect()
        },
    }
}

fn from_allowed_network(networks: &[String], ip: Option<IpAddr>) -> bool {
    let inside = |network: &String| {
        let parsed = network.parse::<ipnet::IpNet>().ok();
        parsed
            .zip(ip)
            .is_some_and(|(network, ip)| network.contains(&ip.to_canonical()))
    };
    networks.is_empty() || networks.iter().any(inside)
}

fn by_control_token(platform: &Platform, view: &View, bearer: &str) -> Result<Caller> {
    let token = oauth::verify_control(platform, view, bearer).ok_or_else(Error::unauthenticated)?;
    Ok(Caller {
        principal: Principal::Agent(token.agent),
        credential: token.jti,
        token: None,
        run: token.run,
        leaf: Some(token.leaf),
        lineage: token.lineage,
        ends_at: token.expires_at,
        held: Held {
            own: agent_permissions(),
            ..Held::default()
        },
        sudo: false,
        instance: Permissions::NONE,
    })
}

/// The organization to which an API token belongs, for paths that name none.
///
/// # Errors
/// `unauthenticated` when the token is no token of any organization.
pub async fn organization_of(platform: &Platform, bearer: &str) -> Result<Id<Org>> {
    let presented =
        secret::parse(SecretKind::ApiToken, bearer).ok_or_else(Error::unauthenticated)?;
    let key_id = presented.key_id.to_owned();
    let found = platform
        .store
        .read(Stream::INSTANCE, move |reader| {
            reader.claimed(Stream::INSTANCE, CREDENTIAL_CLAIM, &key_id)
        })
        .await?;
    found.map(Id::from_bytes).ok_or_else(Error::unauthenticated)
}

/// The claim by which a key id leads to its organization.
pub const CREDENTIAL_CLAIM: &str = "credential";

/// Who may be said to own an agent: its owner, and the agent itself.
pub fn owners_of(agent: &domain::AgentCore) -> Vec<Principal> {
    vec![Principal::User(agent.owner.0), Principal::Agent(agent.id)]
}

/// Reads an agent that must exist in this organization.
///
/// # Errors
/// `not_found`.
pub fn known_agent(view: &View, id: Id<kernel::Agent>) -> Result<&domain::AgentCore> {
    view.agent(id).ok_or_else(|| Error::not_found("agent"))
}

fn denied(view: &View, agent: &domain::AgentCore, caller: &Caller, leaf: Leaf) -> bool {
    let presented = authz::Presented {
        jti: leaf.jti,
        agent: agent.id,
        connection: None,
        run: caller.run,
        lineage: &caller.lineage,
        scopes: &[],
        rev: leaf.rev,
        expires_at: caller.ends_at,
    };
    let run = caller.run.and_then(|run| view.run(run));
    authz::denied(view, &presented, agent, run)
}

/// The same caller after the state moved: cut again to what is held now, or gone.
///
/// # Errors
/// `unauthenticated` when the credential or its holder no longer stands.
pub fn still(view: &View, caller: &Caller) -> Result<Caller> {
    let mut grants = caller
        .lineage
        .iter()
        .map(domain::RevocationCore::grant_node);
    if caller.ends_at <= view.now || grants.any(|grant| view.revoked(grant)) {
        return Err(Error::unauthenticated());
    }
    match (caller.token, caller.agent()) {
        (Some(id), _) => {
            let token = view
                .api_token(id)
                .filter(|token| !token.revoked && authz::stands(view, token.user));
            let token = token.ok_or_else(Error::unauthenticated)?;
            let holds = authz::held(view, token.user, view.now);
            let instance = instance_permissions(view, token);
            Ok(Caller {
                held: cut(&holds, token),
                instance,
                ..caller.clone()
            })
        }
        (None, Some(agent)) => {
            let agent = known_agent(view, agent)?;
            authz::may_act(view, agent).map_err(|_| Error::unauthenticated())?;
            if caller
                .leaf
                .is_none_or(|leaf| denied(view, agent, caller, leaf))
            {
                return Err(Error::unauthenticated());
            }
            Ok(caller.clone())
        }
        (None, None) => Ok(caller.clone()),
    }
}
