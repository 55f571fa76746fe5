//! Makes an entry of an act: the actor as authenticated, the request around it, personal values sealed under the
//! subject's key before anything is hashed.

use super::{
    Act,
    failures::{Failing, Failures, Write},
};
use crate::{Caller, Cx, Error, Peer, Platform, Result};
use domain::{
    Entry, Principal, Stream,
    entry::{Action, Actor, Context, Outcome, Sealed, Security},
};
use kernel::Timestamp;
use serde_json::Value;
use store::{Prepared, Record};

const CLAIM_CHARS: usize = 256;

/// The subject whose key seals what an actor brings: the actor, or the organization for people nobody knows.
fn subject(principal: Principal, stream: Stream) -> [u8; 16] {
    match principal {
        Principal::User(id) => id.bytes(),
        Principal::Agent(id) => id.bytes(),
        Principal::Connection(id) => id.bytes(),
        Principal::System | Principal::Anonymous => stream.bytes(),
    }
}

async fn sealed(
    platform: &Platform,
    stream: Stream,
    who: Principal,
    text: Option<&str>,
) -> Result<Option<Sealed>> {
    let Some(text) = text else { return Ok(None) };
    let means = (&platform.store, &platform.keyring, &*platform.entropy);
    let bounded = match text.char_indices().nth(CLAIM_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    };
    let label = who.to_string();
    platform
        .subjects
        .seal(means, stream, subject(who, stream), &label, bounded)
        .await
        .map(Some)
}

/// Fills in an act and makes its canonical bytes.
pub(crate) async fn prepare(
    platform: &Platform,
    stream: Stream,
    caller: Option<&Caller>,
    peer: &Peer,
    act: Act,
) -> Result<Prepared> {
    let who = act
        .actor
        .or(caller.map(|caller| caller.principal))
        .unwrap_or(Principal::Anonymous);
    let ip = peer.ip.map(|ip| ip.to_string());
    let actor = Actor {
        authentication: method(caller, &act),
        device_id: None,
        ip_address: sealed(platform, stream, who, ip.as_deref()).await?,
        location: None,
        session_id: caller.map(|caller| caller.credential.clone()),
        user_agent: sealed(platform, stream, who, peer.user_agent.as_deref()).await?,
        user_id: who,
        user_type: who.kind().into(),
    };
    let mut claimed = std::collections::BTreeMap::new();
    for (name, text) in &act.claimed {
        let value = sealed(platform, stream, who, text.as_str()).await?;
        claimed.insert(
            name.clone(),
            serde_json::to_value(value).map_err(Error::internal)?,
        );
    }
    let entry = entry(platform, peer, act, actor, claimed);
    Prepared::new(&entry).map_err(Error::internal)
}

fn method(caller: Option<&Caller>, act: &Act) -> Vec<String> {
    match caller {
        _ if !act.authentication.is_empty() => act.authentication.clone(),
        Some(caller) if caller.token.is_some() => vec!["api_token".into()],
        Some(_) => vec!["access_token".into()],
        None => Vec::new(),
    }
}

fn entry(
    platform: &Platform,
    peer: &Peer,
    act: Act,
    actor: Actor,
    claimed: std::collections::BTreeMap<String, Value>,
) -> Entry {
    let (error_code, error_message) = act.failure.unzip();
    Entry {
        action: Action {
            details: act.details,
            lifecycle: act.lifecycle.unwrap_or(act.verb.lifecycle()).into(),
            resource: act.resource,
            resource_type: act.resource_type.map(Into::into),
            verb: act.verb.as_str().into(),
        },
        actor,
        build: platform.build.into(),
        context: Context {
            api_version: "v1".into(),
            application: peer.door.into(),
            claimed,
            request_id: peer.request_id.clone(),
            run_id: act.run,
            trust_score: act.trust,
            ..Context::default()
        },
        delegation_chain: act.chain,
        event_id: platform.id(),
        node: platform.node_name.clone(),
        outcome: Outcome {
            result: if error_code.is_some() {
                "failure"
            } else {
                "success"
            }
            .into(),
            error_code,
            error_message,
            rollback: None,
            verification: None,
        },
        security: Security::default(),
        timestamp: platform.clock.now(),
        kind: act.kind.into(),
        v: 1,
    }
}

/// Writes an entry about a failed attempt, bounded per source; failing to write it does not turn a refusal into a permit.
pub(crate) async fn record_failure(
    platform: &Platform,
    stream: Stream,
    peer: &Peer,
    who: &str,
    reason: &'static str,
    act: Act,
) {
    let client = who.chars().take(64).collect();
    let failing = Failing {
        stream,
        source: peer.ip,
        client,
        reason,
    };
    if platform
        .failures
        .count(failing.clone(), platform.clock.now())
        == Write::Single
    {
        write(platform, Owing::new(platform, failing, 1), peer, act).await;
    }
}

/// Writes one entry for every source whose failures of a minute before that of `until` no entry tells of. Call it
/// now and then with the present, and with a minute later before the process ends, so that no count is lost.
pub async fn flush_failures(platform: &Platform, until: Timestamp) {
    let taken = platform.failures.take_past(until).into_iter();
    // Whoever ends before the last is written owes the others again.
    let taken: Vec<Owing> = taken
        .map(|(failing, count)| Owing::new(platform, failing, count))
        .collect();
    for owing in taken {
        let Some((failing, count, _)) = owing.owed.clone() else {
            continue;
        };
        let peer = Peer {
            ip: failing.source,
            request_id: "counted".into(),
            door: "oauth",
            ..Peer::default()
        };
        let act = Act::read("authentication.failures_counted")
            .after(serde_json::json!({ "count": count, "reason": failing.reason }))
            .claimed("client", Some(&failing.client));
        write(platform, owing, &peer, act).await;
    }
}

/// Writes an entry that tells of so many failures; they are owed when it is not written. A peer that goes away
/// changes nothing: once the entry is on its way, its end is waited for by nobody's request.
async fn write(platform: &Platform, owing: Owing, peer: &Peer, act: Act) {
    let (stream, count) = (owing.stream(), owing.count());
    let entry = match prepare(platform, stream, None, peer, act).await {
        Ok(entry) => entry,
        Err(error) => return unwritten(&error, count),
    };
    let record = Record {
        stream,
        entry,
        decided_at: None,
        once: None,
    };
    let store = platform.store.clone();
    let written = tokio::spawn(async move {
        match store.record(record).await {
            Ok(_) => owing.settle(),
            Err(error) => unwritten(&error.into(), count),
        }
    });
    if written.await.is_err() {
        tracing::error!(count, "writing of failed attempts ended; it is tried again");
    }
}

fn unwritten(error: &Error, count: u64) {
    tracing::error!(%error, count, "failed attempts could not be written; it is tried again");
}

/// What no entry tells of unless somebody says so.
struct Owing {
    failures: Failures,
    owed: Option<(Failing, u64, Timestamp)>,
}

impl Owing {
    fn new(platform: &Platform, failing: Failing, count: u64) -> Self {
        Self {
            failures: platform.failures.clone(),
            owed: Some((failing, count, platform.clock.now())),
        }
    }

    fn count(&self) -> u64 {
        self.owed.as_ref().map_or(0, |(_, count, _)| *count)
    }

    /// An entry tells of it.
    fn settle(mut self) {
        self.owed = None;
    }

    fn stream(&self) -> Stream {
        let owed = self.owed.as_ref();
        owed.map_or(Stream::INSTANCE, |(failing, ..)| failing.stream)
    }
}

impl Drop for Owing {
    fn drop(&mut self) {
        if let Some((failing, count, now)) = self.owed.take() {
            self.failures.owe(failing, count, now);
        }
    }
}

/// Writes an entry in the instance's log about something the server did by itself. Where that is impossible, the
/// process's own log says so.
pub async fn record_own(platform: &Platform, act: Act) {
    record_own_in(platform, Stream::INSTANCE, act).await;
}

/// The same in the log of this stream.
pub(crate) async fn record_own_in(platform: &Platform, stream: Stream, act: Act) {
    let act = act.by(Principal::System, "job");
    let written = match prepare(platform, stream, None, &Peer::job(), act).await {
        Ok(entry) => {
            let record = Record {
                stream,
                entry,
                decided_at: None,
                once: None,
            };
            let recorded = platform.store.record(record).await;
            recorded.map(|_| ()).map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        tracing::error!(%error, "an entry could not be written");
    }
}

/// Writes an entry about something a known caller may not do.
pub(crate) async fn record_refusal(cx: &Cx, operation: &'static str, refusal: &Error) {
    let (Ok(stream), Ok(caller)) = (cx.stream(), cx.caller()) else {
        return;
    };
    if !crate::pipeline::is_denial(refusal) {
        return;
    }
    let act = Act::read("access.denied")
        .on_text("operation", operation)
        .by(
            caller.principal,
            if caller.token.is_some() {
                "api_token"
            } else {
                "access_token"
            },
        )
        .failed(refusal.code.as_str(), &refusal.detail);
    let who = caller.principal.to_string();
    record_failure(
        &cx.platform,
        stream,
        &cx.peer,
        &who,
        refusal.code.as_str(),
        act,
    )
    .await;
}
