//! Signing checkpoints of the log: an organization's own on request, hourly and at shutdown, and one of the
//! instance over the heads that moved, at most once a second. The keys are the log's own, never the tokens'.

use crate::{Error, Platform, Result, oauth::open_log_key, witness::Witnesses};
use domain::{KeyPurpose, KeyState, SigningKey, SigningKeyCore, Stream};
use kernel::{Code, Micros, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use store::{
    Query, Reader, Root, StoreError,
    log::note::{Checkpoint, Head as NoteHead, InstanceCheckpoint, sign, sign_instance},
};

const EVERY: Duration = Duration::from_secs(1);
const OWN_EVERY: u64 = 3_600;
/// While fewer heads than this move, the instance signs every so many seconds only: its notes are kept for ever.
const MANY: usize = 16;
const QUIET: u64 = 10;
/// Every so many seconds streams are looked at whose entries would be older than those looked at last.
const WHOLE: u64 = 300;
/// How much later than its time an entry may be committed.
const LATE: Micros = Micros::seconds(60);

/// The name under which a stream's checkpoints are signed, which is also their origin.
pub fn origin(stream: Stream) -> String {
    format!("cardea/{stream}")
}

/// The key that signs a stream's checkpoints. Read where it is stored: an organization is not loaded to sign its log,
/// and in the snapshot of what it signs, because a key that handed over signs nothing from there on.
fn key_of(
    reader: &mut Reader<'_>,
    stream: Stream,
) -> std::result::Result<Option<SigningKeyCore>, StoreError> {
    let all = Query {
        limit: usize::MAX,
        ..Query::default()
    };
    let keys = reader.list::<SigningKey>(stream, &all)?.into_iter();
    let signs =
        |key: &SigningKeyCore| key.purpose == KeyPurpose::Log && key.state == KeyState::Active;
    let keys = keys.map(|row| row.value.core).filter(signs);
    Ok(keys.max_by_key(|key| key.id))
}

fn no_key() -> Error {
    let detail = "this log has no key that signs checkpoints; rotate its keys";
    Error::new(Code::InvalidState, detail)
}

/// The key that signs a stream's checkpoints now.
///
/// # Errors
/// When the database does not answer or the log has no key.
pub(crate) async fn log_key(platform: &Platform, stream: Stream) -> Result<SigningKeyCore> {
    let read = move |reader: &mut Reader<'_>| key_of(reader, stream);
    platform.store.read(stream, read).await?.ok_or_else(no_key)
}

fn checkpoint(
    platform: &Platform,
    stream: Stream,
    head: &store::Head,
    root: [u8; 32],
    time: Timestamp,
) -> Checkpoint {
    Checkpoint {
        origin: origin(stream),
        size: head.seq,
        root,
        chain: head.hash,
        time,
        epoch: platform.node.epoch(),
    }
}

/// The checkpoint of a stream as it is now; the stored one when nothing was added since.
///
/// # Errors
/// When the database does not answer or the log has no key.
pub async fn sign_now(platform: &Platform, stream: Stream) -> Result<String> {
    signed_now(platform, stream).await.map(|(note, _)| note)
}

/// The same, with the key that signs at that size.
///
/// # Errors
/// As `sign_now`.
pub(crate) async fn signed_now(
    platform: &Platform,
    stream: Stream,
) -> Result<(String, SigningKeyCore)> {
    let read = platform.store.read(stream, move |reader| {
        let (own, latest) = (reader.frontier(stream)?, reader.checkpoints(stream, 1)?);
        Ok((own, latest, key_of(reader, stream)?))
    });
    let ((head, frontier), latest, core) = read.await?;
    let core = core.ok_or_else(no_key)?;
    if let Some(latest) = latest
        .into_iter()
        .find(|latest| latest.size == head.seq && stream != Stream::INSTANCE)
    {
        return Ok((latest.note, core));
    }
    let key = open_log_key(&platform.keyring, stream, &core)?;
    let now = platform.clock.now();
    let note = sign(
        &checkpoint(platform, stream, &head, frontier.root(), now),
        &origin(stream),
        &key,
    );
    platform
        .store
        .save_checkpoint(stream, head.seq, now, note.clone())
        .await?;
    Ok((note, core))
}

/// Signs the checkpoint of every organization whose log moved since its last one, as at shutdown. One that fails
/// does not stop the others.
///
/// # Errors
/// When the heads cannot be read.
pub async fn sign_all(platform: &Platform) -> Result<()> {
    let unsigned = platform.store.unsigned().await?.into_iter();
    for stream in unsigned.filter(|stream| *stream != Stream::INSTANCE) {
        if let Err(error) = sign_now(platform, stream).await {
            tracing::warn!(%stream, %error, "a checkpoint could not be signed");
        }
    }
    Ok(())
}

/// What the last instance checkpoint covered.
#[derive(Default)]
pub struct Covered(Mutex<Cover>);

#[derive(Clone, Default)]
struct Cover {
    sizes: HashMap<Stream, u64>,
    /// Streams without an entry since then are not looked at.
    since: Timestamp,
}

/// Signs the instance's checkpoint over every head that moved since the one before; none when nothing moved.
///
/// # Errors
/// When the database does not answer or the instance has no key.
pub async fn sign_instance_now(platform: &Platform, covered: &Covered) -> Result<Option<String>> {
    sign_instance_when(platform, covered, 1).await
}

/// The same, when at least so many heads moved.
async fn sign_instance_when(
    platform: &Platform,
    covered: &Covered,
    least: usize,
) -> Result<Option<String>> {
    let before = covered
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let now = platform.clock.now();
    let roots = platform.store.roots(before.since).await?;
    let moved: Vec<Root> = roots
        .into_iter()
        .filter(|(stream, head, _)| before.sizes.get(stream) != Some(&head.seq))
        .collect();
    if moved.len() < least {
        return Ok(None);
    }
    let note = sign_heads(platform, &moved, now).await?;
    let mut next = before;
    next.sizes
        .extend(moved.iter().map(|(stream, head, _)| (*stream, head.seq)));
    next.since = now.minus(LATE);
    *covered.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    Ok(Some(note))
}

async fn sign_heads(platform: &Platform, moved: &[Root], now: Timestamp) -> Result<String> {
    let stream = Stream::INSTANCE;
    let heads = moved.iter().filter_map(|(stream, head, root)| {
        Some(NoteHead {
            org: stream.organization()?,
            size: head.seq,
            root: *root,
            chain: head.hash,
        })
    });
    let read = platform.store.read(stream, move |reader| {
        Ok((reader.frontier(stream)?, key_of(reader, stream)?))
    });
    let ((head, frontier), core) = read.await?;
    let key = open_log_key(&platform.keyring, stream, &core.ok_or_else(no_key)?)?;
    let instance = checkpoint(platform, stream, &head, frontier.root(), now);
    let heads = heads.collect();
    let whole = InstanceCheckpoint { instance, heads };
    let note = sign_instance(&whole, &origin(stream), &key);
    let kept = platform
        .store
        .save_checkpoint(stream, head.seq, now, note.clone());
    kept.await?;
    Ok(note)
}

/// Of several nodes the one that started first signs and makes tiles, so that one note a time is kept and not one of
/// each.
pub(crate) async fn is_first(platform: &Platform) -> Result<bool> {
    let Some(own) = platform.node.member() else {
        return Ok(true);
    };
    let nodes = platform.store.nodes().await?;
    Ok(nodes.first().is_none_or(|first| first.id == own.id))
}

async fn tick(
    platform: &Platform,
    covered: &Covered,
    witnesses: &Witnesses,
    tick: u64,
) -> Result<()> {
    if !is_first(platform).await? {
        return Ok(());
    }
    let least = if tick.is_multiple_of(QUIET) { 1 } else { MANY };
    if tick.is_multiple_of(WHOLE) {
        covered
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .since = Timestamp::default();
    }
    let whole = witnesses.lack();
    if whole {
        covered.forget();
    }
    if let Some(note) = sign_instance_when(platform, covered, least).await? {
        witnesses.offer(&note, whole);
    }
    if tick.is_multiple_of(OWN_EVERY) {
        sign_all(platform).await?;
    }
    Ok(())
}

impl Covered {
    /// Forgets it: the next instance checkpoint covers every log.
    fn forget(&self) {
        let mut covered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *covered = Cover::default();
    }
}

/// Signs for as long as the task lives, and shows the instance's checkpoints to the witnesses.
pub async fn run(platform: Arc<Platform>, witnesses: Arc<Witnesses>) {
    let covered = Covered::default();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for at in 1u64.. {
        every.tick().await;
        if let Err(error) = tick(&platform, &covered, &witnesses, at).await {
            tracing::warn!(%error, "checkpoints could not be signed");
        }
    }
}
