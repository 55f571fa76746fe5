//! Signing checkpoints of the log: an organization's own on request, hourly and at shutdown, and one of the
//! instance over the heads that moved, at most once a second. The keys are the log's own, never the tokens'.

use crate::{Error, Platform, Result, oauth::open_log_key};
use domain::{KeyPurpose, KeyState, SigningKeyCore, Stream};
use kernel::{Code, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use store::log::note::{Checkpoint, Head as NoteHead, InstanceCheckpoint, sign, sign_instance};

const EVERY: Duration = Duration::from_secs(1);
const OWN_EVERY: u64 = 3_600;

/// The epoch of a log that was never restored.
const EPOCH: u64 = 1;

/// The name under which a stream's checkpoints are signed, which is also their origin.
pub fn origin(stream: Stream) -> String {
    format!("cardea/{stream}")
}

async fn log_key(platform: &Platform, stream: Stream) -> Result<Arc<SigningKeyCore>> {
    let signs = |key: &&Arc<SigningKeyCore>| {
        key.purpose == KeyPurpose::Log && key.state == KeyState::Active
    };
    let found = match stream.organization() {
        None => platform
            .node
            .cells()
            .instance()
            .keys()
            .filter(signs)
            .max_by_key(|key| key.id)
            .cloned(),
        Some(org) => platform
            .node
            .view(org)
            .await?
            .org
            .keys()
            .filter(signs)
            .max_by_key(|key| key.id)
            .cloned(),
    };
    found.ok_or_else(|| {
        Error::new(
            Code::InvalidState,
            "this log has no key that signs checkpoints; rotate its keys",
        )
    })
}

fn checkpoint(stream: Stream, head: &store::Head, root: [u8; 32], time: Timestamp) -> Checkpoint {
    Checkpoint {
        origin: origin(stream),
        size: head.seq,
        root,
        chain: head.hash,
        time,
        epoch: EPOCH,
    }
}

/// The checkpoint of a stream as it is now; the stored one when nothing was added since.
///
/// # Errors
/// When the database does not answer or the log has no key.
pub async fn sign_now(platform: &Platform, stream: Stream) -> Result<String> {
    let read = platform.store.read(stream, move |reader| {
        Ok((reader.frontier(stream)?, reader.checkpoints(stream, 1)?))
    });
    let ((head, frontier), latest) = read.await?;
    if let Some(latest) = latest
        .into_iter()
        .find(|latest| latest.size == head.seq && stream != Stream::INSTANCE)
    {
        return Ok(latest.note);
    }
    let key = open_log_key(
        &platform.keyring,
        stream,
        &*log_key(platform, stream).await?,
    )?;
    let now = platform.clock.now();
    let note = sign(
        &checkpoint(stream, &head, frontier.root(), now),
        &origin(stream),
        &key,
    );
    platform
        .store
        .save_checkpoint(stream, head.seq, now, note.clone())
        .await?;
    Ok(note)
}

/// Signs every organization's checkpoint, as at shutdown. One that fails does not stop the others.
///
/// # Errors
/// When the heads cannot be read.
pub async fn sign_all(platform: &Platform) -> Result<()> {
    for (stream, head) in platform.store.heads(None).await? {
        if stream == Stream::INSTANCE || head.seq == 0 {
            continue;
        }
        if let Err(error) = sign_now(platform, stream).await {
            tracing::warn!(%stream, %error, "a checkpoint could not be signed");
        }
    }
    Ok(())
}

/// What the last instance checkpoint covered.
#[derive(Default)]
pub struct Covered(Mutex<HashMap<Stream, u64>>);

/// Signs the instance's checkpoint over every head that moved since the one before; none when nothing moved.
///
/// # Errors
/// When the database does not answer or the instance has no key.
pub async fn sign_instance_now(platform: &Platform, covered: &Covered) -> Result<Option<String>> {
    let heads = platform.store.heads(None).await?;
    let before = covered
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let moved: Vec<Stream> = heads
        .iter()
        .filter(|(stream, head)| before.get(stream) != Some(&head.seq))
        .map(|(stream, _)| *stream)
        .collect();
    if moved.is_empty() {
        return Ok(None);
    }
    let mut covers = Vec::new();
    for stream in moved
        .into_iter()
        .filter(|stream| *stream != Stream::INSTANCE)
    {
        let (head, frontier) = platform
            .store
            .read(stream, move |reader| reader.frontier(stream))
            .await?;
        covers.extend(stream.organization().map(|org| NoteHead {
            org,
            size: head.seq,
            root: frontier.root(),
            chain: head.hash,
        }));
    }
    let stream = Stream::INSTANCE;
    let (head, frontier) = platform
        .store
        .read(stream, move |reader| reader.frontier(stream))
        .await?;
    let now = platform.clock.now();
    let key = open_log_key(
        &platform.keyring,
        stream,
        &*log_key(platform, stream).await?,
    )?;
    let instance = checkpoint(stream, &head, frontier.root(), now);
    let mut next = before;
    next.insert(stream, head.seq);
    next.extend(covers.iter().map(|head| (Stream::org(head.org), head.size)));
    let note = sign_instance(
        &InstanceCheckpoint {
            instance,
            heads: covers,
        },
        &origin(stream),
        &key,
    );
    platform
        .store
        .save_checkpoint(stream, head.seq, now, note.clone())
        .await?;
    *covered.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    Ok(Some(note))
}

/// Signs for as long as the task lives.
pub async fn run(platform: Arc<Platform>) {
    let covered = Covered::default();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 1u64.. {
        every.tick().await;
        if let Err(error) = sign_instance_now(&platform, &covered).await {
            tracing::warn!(%error, "the instance's checkpoint could not be signed");
        }
        if tick % OWN_EVERY == 0 {
            let _ = sign_all(&platform).await;
        }
    }
}
