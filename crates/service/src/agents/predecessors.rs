//! What an agent takes over from those it follows: who registers the same name or the same key again after a
//! revocation starts with what happened to the predecessor, and gains nothing by it (TRU-8).

use crate::{Cx, Error, Result};
use authz::Facts;
use domain::{
    AgentCore, AgentState, Stream,
    trust::{Severity, TrustEvent, TrustEventCore},
};
use jose::Jwk;
use kernel::{Agent, Id, Micros};
use live::View;
use store::{Refusal, Tx};

/// The claim that remembers whose a name was last.
const FORMER_CLAIM: &str = "agent.former_name";
/// How far back counts.
const WINDOW: Micros = Micros::days(90);
/// More than this takes all there is to take.
const MOST: usize = 50;

/// Remembers that this agent had the name, when it is revoked.
///
/// # Errors
/// When the database fails.
pub(super) fn remember(
    tx: &mut Tx<'_>,
    stream: Stream,
    name_key: &str,
    agent: Id<Agent>,
) -> Result<(), Refusal> {
    tx.release(stream, FORMER_CLAIM, name_key)?;
    tx.claim(stream, FORMER_CLAIM, name_key, agent.bytes())
}

/// What a new agent starts with: the gravest of what counts against its predecessors, under its own id.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn taken_over(
    cx: &Cx,
    agent: &AgentCore,
    name_key: &str,
) -> Result<Vec<TrustEvent>> {
    let (view, stream, key) = (cx.view()?, cx.stream()?, name_key.to_owned());
    let former = cx
        .platform
        .store
        .read(stream, move |reader| {
            reader.claimed(stream, FORMER_CLAIM, &key)
        })
        .await
        .map_err(Error::from)?;
    let former = former.map(Id::<Agent>::from_bytes);
    let follows = |of: &&std::sync::Arc<AgentCore>| {
        of.state == AgentState::Revoked && (Some(of.id) == former || share_a_key(of, agent))
    };
    let all = view.org.agents().filter(follows);
    let mut events: Vec<_> = all.flat_map(|of| counting(view, of.id)).collect();
    events.sort_by_key(|event| std::cmp::Reverse((event.severity.penalty(), event.at)));
    events.truncate(MOST);
    let own = |event: &TrustEventCore| TrustEvent {
        core: TrustEventCore {
            id: cx.id(),
            agent: agent.id,
            ..event.clone()
        },
        run: None,
        evidence: Some(format!("taken over from `{}`", event.agent)),
    };
    Ok(events.into_iter().map(own).collect())
}

fn counting(view: &View, agent: Id<Agent>) -> impl Iterator<Item = &TrustEventCore> {
    let since = view.now.minus(WINDOW);
    let counts =
        move |event: &&TrustEventCore| event.severity != Severity::Clean && event.at >= since;
    view.trust_events(agent).iter().filter(counts)
}

/// Whether both sign with one key, whatever it is called.
fn share_a_key(a: &AgentCore, b: &AgentCore) -> bool {
    let thumbprints = |agent: &AgentCore| -> Vec<String> {
        let parsed = agent.keys.iter().map(|key| Jwk::parse(key.jwk.as_bytes()));
        parsed
            .filter_map(|jwk| Some(jwk.ok()?.thumbprint()))
            .collect()
    };
    let theirs = thumbprints(b);
    thumbprints(a).iter().any(|one| theirs.contains(one))
}
