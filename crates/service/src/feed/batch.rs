//! Batches: the events of a range of revisions in one security event token (RFC 8417), signed with the key that signs
//! tokens. One signature covers the range, so that a receiver applies all of it or nothing and sees every gap.

use super::{
    event::{self, Event},
    hub::Channel,
};
use crate::{Error, Platform, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::Stream;
use kernel::{Code, limits};
use live::View;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The event type of RFC 8417 section 2.2.
pub const EVENT_TYPE: &str = "urn:cardea:secevent:revocations";
/// The media type of one batch (RFC 8417 section 7.3).
pub const MEDIA_TYPE: &str = "application/secevent+jwt";
const TYP: &str = "secevent+jwt";
/// How many revisions one batch covers at most.
const ROWS: usize = 500;

/// A signed batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The revision after which it begins.
    pub from: u64,
    /// The revision at which it ends.
    pub to: u64,
    /// Whether anything of the organization may be good, as the batch says.
    pub(super) active: bool,
    /// The token.
    pub jwt: Arc<str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: String,
    iat: i64,
    jti: String,
    events: BTreeMap<&'static str, Body<'a>>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
    from: u64,
    to: u64,
    active: bool,
    changes: &'a [Event],
}

fn sign(platform: &Platform, view: &View, body: Body<'_>) -> Result<Batch> {
    let issuer = view.organization.issuer.as_str();
    let (from, to, active) = (body.from, body.to, body.active);
    let claims = Claims {
        iss: issuer,
        aud: format!("{issuer}/revocations"),
        iat: platform.clock.now().seconds(),
        jti: B64URL.encode(platform.entropy.bytes::<16>()),
        events: BTreeMap::from([(EVENT_TYPE, body)]),
    };
    let text = serde_json::to_vec(&claims).map_err(Error::internal)?;
    let keys = platform.keys.of(platform, view)?;
    let jwt = keys
        .signer()
        .sign_jwt(TYP, &text)
        .map_err(Error::internal)?;
    Ok(Batch {
        from,
        to,
        active,
        jwt: jwt.into(),
    })
}

/// A batch without events: the feed is alive, and this is where it stands.
pub(super) fn heartbeat(platform: &Platform, view: &View) -> Result<Batch> {
    let at = view.revision.state;
    let body = Body {
        snapshot: false,
        from: at,
        to: at,
        active: event::open(view),
        changes: &[],
    };
    sign(platform, view, body)
}

/// Everything that is not good now, with the revision from which the feed leads on.
pub(super) fn everything(platform: &Platform, view: &View) -> Result<Batch> {
    let body = Body {
        snapshot: true,
        from: 0,
        to: view.revision.state,
        active: event::open(view),
        changes: &event::all(view),
    };
    sign(platform, view, body)
}

fn gap() -> Error {
    let text =
        "the feed does not lead on from this revision; take a snapshot and follow from there";
    Error::new(Code::FeedGap, text)
}

/// The next batch after a revision, at most up to the view; none when the view is there.
///
/// # Errors
/// `feed_gap` when the revision is too far behind, or one that this organization never had.
pub(super) async fn after(
    platform: &Platform,
    channel: &Channel,
    view: &View,
    at: u64,
) -> Result<Option<Batch>> {
    let head = view.revision.state;
    if at == head {
        return Ok(None);
    }
    let far = u64::try_from(limits::FEED_BEHIND).unwrap_or(u64::MAX);
    if at > head || head - at > far {
        return Err(gap());
    }
    let mut last = channel.last.lock().await;
    if let Some(same) = last
        .as_ref()
        .filter(|last| last.from == at && last.to == head)
    {
        return Ok(Some(same.clone()));
    }
    let stream = Stream::org(view.id());
    let rows = platform.store.changes_after(stream, at, ROWS).await?;
    let mut to = at;
    let mut changes = Vec::new();
    for row in rows.iter().take_while(|row| row.state_rev <= head) {
        if row.state_rev != to + 1 {
            return Err(gap());
        }
        to = row.state_rev;
        changes.extend(
            row.changes
                .iter()
                .flat_map(|change| event::of(view, change)),
        );
    }
    if to == at {
        return Err(gap());
    }
    let body = Body {
        snapshot: false,
        from: at,
        to,
        active: event::open(view),
        changes: &changes,
    };
    let batch = sign(platform, view, body)?;
    *last = Some(batch.clone());
    Ok(Some(batch))
}
