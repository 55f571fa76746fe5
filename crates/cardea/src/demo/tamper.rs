//! The end of the story: the log verifies, and a copy of it in which one byte was changed does not, and says where.
//! It works on files; the running server is not touched.

use crate::{
    data::DATABASE,
    verify::{Asked, Verified, VerifyError, first_place, verify},
};
use domain::Stream;
use kernel::{Clock, Entropy};
use std::{fs, io, path::Path, sync::Arc};
use store::{Options, Store, StoreError};

/// Why the log could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum TamperError {
    /// The files.
    #[error("a copy cannot be made: {0}")]
    Io(#[from] io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The verifier.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A thread ended before its work.
    #[error("the file could not be opened or copied")]
    NoCopy,
    /// No entry could be chosen.
    #[error("no entry lies whole on a page of the file")]
    NoEntry,
}

/// Time and randomness for opening.
#[derive(Clone)]
pub struct Means {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Means {
    async fn open(&self, folder: &Path) -> Result<Store, TamperError> {
        let options = Options {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            connections: 1,
        };
        let file = folder.join(DATABASE);
        let opened =
            tokio::task::spawn_blocking(move || Store::sqlite_to_read(&file, options)).await;
        Ok(opened.map_err(|_| TamperError::NoCopy)??)
    }
}

async fn close(store: Store) {
    let _ended = tokio::task::spawn_blocking(move || store.close()).await;
}

/// Verifies a data folder's log, every column of it, without changing it.
///
/// # Errors
/// When it cannot be read.
pub async fn look(means: &Means, folder: &Path) -> Result<Verified, TamperError> {
    let store = means.open(folder).await?;
    let verified = verify(
        &store,
        Asked {
            deep: true,
            ..Asked::default()
        },
    )
    .await;
    close(store).await;
    Ok(verified?)
}

/// A copy of a data folder's database in another folder, all of it in one file.
///
/// # Errors
/// When none can be made.
pub async fn copy(from: &Path, to: &Path) -> Result<(), TamperError> {
    let (from, to) = (from.join(DATABASE), to.join(DATABASE));
    let copied = tokio::task::spawn_blocking(move || Store::sqlite_copy(&from, &to)).await;
    Ok(copied.map_err(|_| TamperError::NoCopy)??)
}

/// Changes one byte of one entry in the file; returns whose it is and which.
///
/// # Errors
/// When no entry can be changed by one byte.
pub async fn change_one_byte(means: &Means, folder: &Path) -> Result<(Stream, u64), TamperError> {
    let store = means.open(folder).await?;
    let mut streams: Vec<Stream> = store
        .heads(None)
        .await?
        .into_iter()
        .map(|(stream, _)| stream)
        .collect();
    streams.retain(|stream| *stream != Stream::INSTANCE);
    let mut entries = Vec::new();
    for stream in streams {
        let rows = store
            .read(stream, move |reader| reader.event_rows(stream, 1, 50))
            .await?;
        entries.extend(rows.into_iter().map(|row| {
            (
                stream,
                row.seq,
                format!("\"event_id\":\"{}\"", row.event_id).into_bytes(),
            )
        }));
    }
    close(store).await;
    let path = folder.join(DATABASE);
    let mut file = fs::read(&path)?;
    for (stream, seq, mark) in entries {
        let mut places = file
            .windows(mark.len())
            .enumerate()
            .filter(|(_, window)| *window == mark)
            .map(|(at, _)| at);
        if let (Some(at), None) = (places.next(), places.next())
            && let Some(byte) = file.get_mut(at + mark.len() - 2)
        {
            *byte = if *byte == b'0' { b'1' } else { b'0' };
            fs::write(&path, &file)?;
            return Ok((stream, seq));
        }
    }
    Err(TamperError::NoEntry)
}

/// Whether the change was found, at that entry and nowhere else.
pub fn found(verified: &Verified, place: (Stream, u64)) -> bool {
    verified.exit_code() == 1 && first_place(verified) == Some(place)
}
