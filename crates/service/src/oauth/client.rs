//! Client authentication at the protocol endpoints: secret by basic or post, or a signed assertion (RFC 7523).
//! Two methods at once are refused; a miss costs as much as a hit and is told the same.

use super::OAuthError;
use crate::{
    Act, Peer, Platform, audit, sealing,
    secret::{self, SecretKind},
};
use authz::Facts;
use domain::{
    AgentCore, AuthMethod, ConnectionCore, Holder, Lineage, Principal, SecretState, Stream,
};
use jose::{AssertionPolicy, Jwk, KeySet, VerifyingKey};
use kernel::{Micros, Timestamp, limits};
use live::View;
use proto::oauth::ErrorName;
use serde::Deserialize;
use std::sync::Arc;
use store::{CommitError, Once, Record};

/// The assertion type of RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_LIFE: Micros = Micros::seconds(3_600);

/// Client parameters of a form.
#[derive(Clone, Default, Deserialize)]
pub struct ClientForm {
    /// The client.
    pub client_id: Option<String>,
    /// Its secret (RFC 6749 section 2.3.1).
    pub client_secret: Option<String>,
    /// The type of its assertion.
    pub client_assertion_type: Option<String>,
    /// Its assertion.
    pub client_assertion: Option<String>,
}

/// Client id and secret of an `Authorization: Basic` header, already decoded.
#[derive(Clone)]
pub struct Basic {
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// An authenticated client.
#[derive(Clone, Debug)]
pub enum Client {
    /// An agent.
    Agent {
        /// What decisions need of it.
        agent: Arc<AgentCore>,
        /// The grants of the credential.
        lineage: Lineage,
        /// When the credential ends.
        ends_at: Option<Timestamp>,
        /// What must be used only once.
        once: Option<Once>,
        /// How it authenticated.
        method: &'static str,
        /// When a secret that is being replaced stops being accepted.
        retiring: Option<Timestamp>,
    },
    /// A connection.
    Connection(Arc<ConnectionCore>),
}

/// Believes a client.
///
/// # Errors
/// `invalid_client`, the same for every cause; `invalid_request` for two methods at once.
pub async fn authenticate(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    basic: Option<&Basic>,
    form: &ClientForm,
) -> Result<Client, OAuthError> {
    let outcome = believe(platform, view, basic, form);
    if matches!(&outcome, Err(error) if error.name == ErrorName::InvalidClient) {
        let claimed = basic
            .map(|b| b.client_id.as_str())
            .or(form.client_id.as_deref())
            .unwrap_or_default();
        record_failed(platform, view, peer, claimed).await;
    }
    outcome
}

async fn record_failed(platform: &Platform, view: &View, peer: &Peer, claimed: &str) {
    let act = Act::read("authentication.failed")
        .by(Principal::Anonymous, "none")
        .claimed("client_id", Some(claimed))
        .failed(
            "invalid_client",
            "the client is unknown here or did not authenticate",
        );
    audit::record_failure(
        platform,
        Stream::org(view.id()),
        peer,
        claimed,
        "invalid_client",
        act,
    )
    .await;
}

/// An assertion that was used before: the refusal of any failed authentication, with its entry.
pub(crate) async fn replayed(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    agent: &AgentCore,
) -> OAuthError {
    record_failed(platform, view, peer, &agent.id.to_string()).await;
    OAuthError::invalid_client()
}

/// Uses up the assertion of a client that is given no token, so that nobody else gets one with it (OAU-7). A
/// secret is not used up, and nothing is then written.
///
/// # Errors
/// `invalid_client` when it was used before.
pub(crate) async fn spend(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    client: &Client,
) -> Result<(), OAuthError> {
    match client {
        Client::Agent {
            agent,
            once: Some(once),
            method,
            ..
        } => use_up(platform, view, peer, agent, *once, method).await,
        _ => Ok(()),
    }
}

pub(crate) async fn use_up(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    agent: &AgentCore,
    once: Once,
    method: &'static str,
) -> Result<(), OAuthError> {
    let stream = Stream::org(view.id());
    let act = Act::read("client.authenticated")
        .on(agent.id)
        .by(Principal::Agent(agent.id), method);
    let entry = audit::prepare(platform, stream, None, peer, act).await?;
    match platform
        .store
        .record(Record {
            stream,
            entry,
            decided_at: None,
            once: Some(once),
        })
        .await
    {
        Ok(_) => Ok(()),
        Err(CommitError::AlreadyUsed) => Err(replayed(platform, view, peer, agent).await),
        Err(error) => Err(crate::Error::from(error).into()),
    }
}

fn believe(
    platform: &Platform,
    view: &View,
    basic: Option<&Basic>,
    form: &ClientForm,
) -> Result<Client, OAuthError> {
    let methods = [
        basic.is_some(),
        form.client_secret.is_some(),
        form.client_assertion.is_some(),
    ];
    if methods.into_iter().filter(|used| *used).count() > 1 {
        let text = "authenticate by one method only: basic, post or assertion";
        return Err(OAuthError::new(ErrorName::InvalidRequest, text));
    }
    if let Some(basic) = basic {
        if form
            .client_id
            .as_ref()
            .is_some_and(|id| *id != basic.client_id)
        {
            let text = "`client_id` in the body names another client than the header";
            return Err(OAuthError::new(ErrorName::InvalidRequest, text));
        }
        return by_secret(
            platform,
            view,
            &basic.client_id,
            &basic.client_secret,
            "client_secret_basic",
        );
    }
    match (&form.client_id, &form.client_secret, &form.client_assertion) {
        (Some(id), Some(secret), _) => by_secret(platform, view, id, secret, "client_secret_post"),
        (id, None, Some(assertion)) => by_assertion(
            view,
            id.as_deref(),
            form.client_assertion_type.as_deref(),
            assertion,
        ),
        _ => Err(OAuthError::invalid_client()),
    }
}

fn by_secret(
    platform: &Platform,
    view: &View,
    client_id: &str,
    text: &str,
    method: &'static str,
) -> Result<Client, OAuthError> {
    let presented =
        secret::parse(SecretKind::Client, text).ok_or_else(OAuthError::invalid_client)?;
    let stored = view.org.secret(presented.key_id);
    let row = stored.map(|stored| (stored.id.bytes(), stored.hash.as_str()));
    let stream = Stream::org(view.id());
    let genuine = secret::verify(
        &platform.keyring,
        SecretKind::Client,
        stream,
        row,
        &presented,
    );
    let live = |end: Option<Timestamp>| end.is_none_or(|end| end > view.now);
    let stored = stored
        .filter(|stored| genuine && stored.state != SecretState::Revoked && live(stored.not_after))
        .filter(|stored| !view.revoked(domain::RevocationCore::grant_node(stored.grant)))
        .ok_or_else(OAuthError::invalid_client)?;
    match stored.holder {
        Holder::Agent(id) if id.to_string() == client_id => {
            let agent = view
                .org
                .agent_core(id)
                .filter(|agent| agent.method == AuthMethod::ClientSecret);
            Ok(Client::Agent {
                agent: agent.ok_or_else(OAuthError::invalid_client)?.clone(),
                lineage: Lineage::union([stored.grant]).unwrap_or_default(),
                ends_at: stored.not_after,
                once: None,
                method,
                retiring: stored
                    .not_after
                    .filter(|_| stored.state == SecretState::Retiring),
            })
        }
        Holder::Connection(id) if id.to_string() == client_id => view
            .org
            .connection_core(id)
            .map(|connection| Client::Connection(connection.clone()))
            .ok_or_else(OAuthError::invalid_client),
        _ => Err(OAuthError::invalid_client()),
    }
}

fn by_assertion(
    view: &View,
    client_id: Option<&str>,
    kind: Option<&str>,
    assertion: &str,
) -> Result<Client, OAuthError> {
    if kind != Some(ASSERTION_TYPE) {
        let text = "`client_assertion_type` must be the JWT bearer type of RFC 7523";
        return Err(OAuthError::new(ErrorName::InvalidRequest, text));
    }
    let claimed = client_id
        .map(str::to_owned)
        .or_else(|| subject(assertion))
        .ok_or_else(OAuthError::invalid_client)?;
    let id = claimed.parse().map_err(|_| OAuthError::invalid_client())?;
    let agent = view
        .org
        .agent_core(id)
        .filter(|agent| agent.method == AuthMethod::PrivateKeyJwt);
    let agent = agent.ok_or_else(OAuthError::invalid_client)?;
    let keys: Vec<VerifyingKey> = agent
        .keys
        .iter()
        .filter_map(|key| Jwk::parse(key.jwk.as_bytes()).ok())
        .filter_map(|jwk| VerifyingKey::from_jwk(&jwk).ok())
        .collect();
    let issuer = &view.organization.issuer;
    let endpoint = format!("{issuer}/oauth2/token");
    let policy = AssertionPolicy {
        audience: &[issuer, &endpoint],
        client_id: &claimed,
        now_unix: view.now.seconds(),
        skew: limits::CLOCK_SKEW.as_seconds(),
        max_life: ASSERTION_LIFE.as_seconds(),
    };
    let checked = jose::verify_client_assertion(assertion, &KeySet::new(keys), &policy)
        .map_err(|_| OAuthError::invalid_client())?;
    let hash = sealing::sha256(format!("{claimed}\n{}", checked.jti).as_bytes());
    let expires_at = Timestamp::from_seconds(checked.exp).plus(limits::CLOCK_SKEW);
    Ok(Client::Agent {
        agent: agent.clone(),
        lineage: Lineage::default(),
        ends_at: None,
        once: Some(Once {
            kind: "client_assertion",
            hash,
            expires_at,
        }),
        method: "private_key_jwt",
        retiring: None,
    })
}

/// The client an assertion says it is from; believed only after its signature.
fn subject(assertion: &str) -> Option<String> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let payload = assertion
        .split('.')
        .nth(1)
        .filter(|_| assertion.len() <= limits::TOKEN_BYTES)?;
    serde_json::from_slice::<Subject>(&B64URL.decode(payload).ok()?)
        .ok()
        .map(|claims| claims.sub)
}
