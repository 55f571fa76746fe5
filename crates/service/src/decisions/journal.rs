//! The decision log: every decision becomes part of an entry of its organization's log. A decision waits for nothing
//! and is not held up by the log: it is put into a bounded queue, and whoever writes takes many at a time. What finds no
//! room, or cannot be written, is counted, and the next entry of the organization says how many there were.

use super::waiting::{By, Made, TAKEN};
use crate::{Act, Error, Peer, Platform, Result, audit};
use domain::{Principal, Stream};
use futures::future::join_all;
use kernel::{Id, Org, limits::DECISIONS_PER_ENTRY};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::Record;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(200);
/// Bytes of decisions in one entry, unless one has more alone.
const ENTRY_BYTES: usize = 64 * 1_024;

/// Writes for as long as the task lives. What was begun is finished by a task of its own.
pub async fn enter_decisions(platform: Arc<Platform>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let platform = platform.clone();
        let written = tokio::spawn(async move { write_decisions(&platform).await });
        if let Err(error) = written.await {
            tracing::error!(%error, "writing of decisions ended; it is begun again");
        }
    }
}

/// Writes entries about every decision that waits now, and about what was lost. It ends when it has written them, or
/// could not: what could not be written is lost, and counted.
pub async fn write_decisions(platform: &Platform) {
    let _alone = platform.journal.writing.lock().await;
    loop {
        let (taken, lost) = platform.journal.take();
        let last = taken.len() < TAKEN;
        let mut all: BTreeMap<Id<Org>, OfOrganization> = BTreeMap::new();
        for made in taken {
            let of = all.entry(made.org).or_default();
            of.made.entry(made.by).or_default().push(made);
        }
        for (org, count) in lost {
            all.entry(org).or_default().dropped = count;
        }
        join_all(all.into_iter().map(|(org, of)| of.write(platform, org))).await;
        if last {
            return;
        }
    }
}

/// What is to be told in the log of one organization.
#[derive(Default)]
struct OfOrganization {
    made: BTreeMap<By, Vec<Made>>,
    dropped: u64,
}

impl OfOrganization {
    /// One entry after the other, so that a caller's decisions are in the log in their order.
    async fn write(mut self, platform: &Platform, org: Id<Org>) {
        for (by, all) in &self.made {
            let (mut some, mut bytes) = (Vec::new(), 0);
            for made in all {
                let told = match told(platform, Stream::org(org), made).await {
                    Ok(told) => told,
                    Err(error) => {
                        lost(platform, org, &error, 1, 0);
                        continue;
                    }
                };
                let size = told.to_string().len();
                if some.len() == DECISIONS_PER_ENTRY || bytes + size > ENTRY_BYTES {
                    let dropped = std::mem::take(&mut self.dropped);
                    write(platform, org, *by, std::mem::take(&mut some), dropped).await;
                    bytes = 0;
                }
                bytes += size;
                some.push(told);
            }
            let dropped = std::mem::take(&mut self.dropped);
            write(platform, org, *by, some, dropped).await;
        }
        if self.dropped > 0 {
            let by = (Principal::System, "job");
            write(platform, org, by, Vec::new(), self.dropped).await;
        }
    }
}

async fn write(platform: &Platform, org: Id<Org>, by: By, some: Vec<Value>, dropped: u64) {
    let count = some.len() as u64;
    if count == 0 && dropped == 0 {
        return;
    }
    if let Err(error) = entered(platform, org, by, some, dropped).await {
        lost(platform, org, &error, count, dropped);
    }
}

/// So many more are lost, beside those of which no entry told yet.
fn lost(platform: &Platform, org: Id<Org>, error: &Error, count: u64, dropped: u64) {
    let journal = &platform.journal;
    tracing::error!(%error, count, "decisions could not be entered in the log");
    journal.losses().increment(count);
    journal.lose(org, count + dropped);
}

async fn entered(
    platform: &Platform,
    org: Id<Org>,
    by: By,
    some: Vec<Value>,
    dropped: u64,
) -> Result<()> {
    let stream = Stream::org(org);
    let act = Act::read("decisions.made")
        .by(by.0, by.1)
        .after(json!({ "count": some.len(), "dropped": dropped, "decisions": some }));
    let peer = Peer {
        request_id: "counted".into(),
        door: "authzen",
        ..Peer::default()
    };
    let entry = audit::prepare(platform, stream, None, &peer, act).await?;
    let record = Record {
        stream,
        entry,
        decided_at: None,
        once: None,
    };
    platform.store.record(record).await.map_err(Error::from)?;
    Ok(())
}

/// One decision. The address by which a person was named is not told where the person is known, and else it is sealed,
/// as is what looks like one in any other place.
async fn told(platform: &Platform, stream: Stream, made: &Made) -> Result<Value> {
    let sealed = async |text: &str| match text.contains('@') {
        true => {
            let means = (&platform.store, &platform.keyring, &*platform.entropy);
            let label = stream.to_string();
            let subjects = &platform.subjects;
            let sealed = subjects.seal(means, stream, stream.bytes(), &label, text);
            Ok::<_, Error>(json!(sealed.await?))
        }
        false => Ok(json!(text)),
    };
    let (of, id) = &made.subject;
    let id = match &made.principal {
        Some(known) => json!(known),
        None => sealed(id).await?,
    };
    let subject = json!({ "type": sealed(of).await?, "id": id });
    let (of, id) = &made.resource;
    let resource = json!({ "type": sealed(of).await?, "id": sealed(id).await? });
    let action = sealed(&made.action).await?;
    Ok(json!({
        "at": made.at, "subject": subject, "action": action, "resource": resource,
        "decision": made.permit, "reason": made.reason, "revision": made.revision,
    }))
}
