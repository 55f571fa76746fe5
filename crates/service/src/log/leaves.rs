//! The entries' hashes in order, as the leaves that proofs are made from. Read in pages, so that no reading
//! transaction is long; the log only grows, so the pages fit together.

use crate::{Cx, Error, Result};
use kernel::Code;

/// The largest log that proofs are made over on request.
const MOST: u64 = 1_000_000;
const PAGE: usize = 1_000;

/// The size of the log now.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn size(cx: &Cx) -> Result<u64> {
    let stream = cx.stream()?;
    let read = cx
        .platform
        .store
        .read(stream, move |reader| reader.frontier(stream));
    Ok(read.await?.0.seq)
}

/// The hashes of the first `size` entries.
///
/// # Errors
/// When there are fewer, or more than a proof is made over on request.
pub(super) async fn first(cx: &Cx, field: &str, size: u64) -> Result<Vec<[u8; 32]>> {
    let has = self::size(cx).await?;
    if size > has {
        return Err(Error::invalid(
            field,
            format!("the log has {has} entries; ask for at most that"),
        ));
    }
    if size > MOST {
        let detail = format!(
            "proofs over more than {MOST} entries are not made on request; run `cardea audit verify`"
        );
        return Err(Error::new(Code::LimitReached, detail));
    }
    let stream = cx.stream()?;
    let wanted = usize::try_from(size).map_err(Error::internal)?;
    let mut hashes = Vec::with_capacity(wanted);
    while hashes.len() < wanted {
        let after = u64::try_from(hashes.len()).map_err(Error::internal)?;
        let page = PAGE.min(wanted - hashes.len());
        let rows = cx
            .platform
            .store
            .read(stream, move |reader| reader.event_rows(stream, after, page))
            .await?;
        if rows.is_empty() {
            return Err(Error::internal("the log is shorter than its head says"));
        }
        hashes.extend(rows.into_iter().map(|row| row.hash));
    }
    Ok(hashes)
}
