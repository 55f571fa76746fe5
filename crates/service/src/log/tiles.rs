//! The tree of a log as proofs read it: kept tiles, the leaves after the last of them, and the head that all of it
//! is held against. A tile that does not lead to the head's root is forgotten and made again.

use crate::{Error, Platform, Result, checkpoint::is_first};
use domain::Stream;
use kernel::Code;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use store::{
    Reader, StoreError,
    log::merkle::{
        leaf_hash,
        tile::{self, Builder, Run, Tile, Tiles, WIDTH, open_tiles, tiles_of},
        verify_consistency,
    },
};
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(5);
/// How many tiles are made in one transaction: the writer is never held for long.
const AT_ONCE: u64 = 16;
/// How many tiles a request makes before it is answered; more are left to the background.
const MOST: u64 = 256;

/// How many times `AT_ONCE` the background makes of one log before it looks at the next.
const TURN: usize = 64;

/// A tree at its head, with the tiles that somebody asked for.
pub(super) struct Tree {
    /// How many entries there are.
    pub(super) size: u64,
    root: [u8; 32],
    tiles: Tiles,
}

impl Tree {
    /// How many entries there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn size(platform: &Platform, stream: Stream) -> Result<u64> {
        let read = move |reader: &mut Reader<'_>| reader.frontier(stream);
        Ok(platform.store.read(stream, read).await?.0.seq)
    }

    /// What is wanted, and what it takes to hold a tree of its size against the head. Nothing here is believed yet.
    async fn read(platform: &Platform, stream: Stream, wanted: &Wanted<'_>) -> Result<Self> {
        let (size, runs, tiles) = (wanted.size, wanted.runs.to_vec(), wanted.tiles.to_vec());
        let read = move |reader: &mut Reader<'_>| {
            let (head, frontier) = reader.frontier(stream)?;
            let held = tile::consistency_runs(size, head.seq).unwrap_or_default();
            let all = runs.into_iter().chain(held).chain([(0, size)]);
            let all: BTreeSet<Tile> = all.flat_map(tiles_of).chain(tiles).collect();
            let mut tiles = Tiles::new();
            for tile in all {
                tiles.insert(tile, hashes(reader, stream, tile)?);
            }
            Ok(Self {
                size: head.seq,
                root: frontier.root(),
                tiles,
            })
        };
        Ok(platform.store.read(stream, read).await?)
    }

    /// The hash over a run, if the tiles at hand reach as far.
    pub(super) fn hash(&self, run: Run) -> Option<[u8; 32]> {
        tile::hash(run, &self.tiles)
    }

    /// The hashes over runs.
    pub(super) fn hashes(&self, runs: &[Run]) -> Option<Vec<[u8; 32]>> {
        runs.iter().map(|run| self.hash(*run)).collect()
    }

    /// A tile's first hashes, if the log's head bears them out.
    pub(super) fn tile(&self, tile: Tile, width: u64) -> Option<&[[u8; 32]]> {
        self.root(tile::end(tile, width)?)?;
        let hashes = self.tiles.get(&tile)?.get(..usize::try_from(width).ok()?);
        hashes.filter(|_| tile::agrees(tile, width, &self.tiles))
    }

    /// The root of the first `size` entries, if the log's head bears it out.
    pub(super) fn root(&self, size: u64) -> Option<[u8; 32]> {
        let root = self.hash((0, size))?;
        let proof = self.hashes(&tile::consistency_runs(size, self.size)?)?;
        verify_consistency(size, &root, self.size, &self.root, &proof).then_some(root)
    }
}

/// What somebody wants of a tree.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    /// How many entries it is over, and the field that says so.
    pub(super) field: &'a str,
    pub(super) size: u64,
    pub(super) runs: &'a [Run],
    pub(super) tiles: &'a [Tile],
}

/// What `make` makes of the tree with what is wanted at hand. When it makes nothing the tiles are wrong: they are
/// made again, once.
///
/// # Errors
/// When there are fewer entries, tiles are still being made, or the entries themselves do not lead to the head.
pub(super) async fn with<T>(
    platform: &Platform,
    stream: Stream,
    wanted: Wanted<'_>,
    make: impl Fn(&Tree) -> Option<T>,
) -> Result<T> {
    let has = Tree::size(platform, stream).await?;
    if wanted.size > has {
        let detail = format!("the log has {has} entries; ask for at most that");
        return Err(Error::invalid(wanted.field, detail));
    }
    for _ in 0..2 {
        if !catch_up(platform, stream, MOST).await? {
            let detail = "the tree of this log is still being made; try again shortly";
            return Err(Error::new(Code::Overloaded, detail));
        }
        let tree = Tree::read(platform, stream, &wanted).await?;
        if let Some(made) = make(&tree) {
            return Ok(made);
        }
        tracing::error!(%stream, "the tiles of a log do not lead to its head; they are made again");
        platform.store.forget_tiles(stream).await?;
    }
    Err(Error::internal("the entries do not lead to the log's head"))
}

/// A tile's hashes; of leaves that are in no tile yet, those of the entries.
fn hashes(
    reader: &mut Reader<'_>,
    stream: Stream,
    tile: Tile,
) -> std::result::Result<Vec<[u8; 32]>, StoreError> {
    match reader.tile(stream, tile)? {
        Some(hashes) => Ok(hashes),
        None if tile.level == 0 => {
            let entries = reader.entry_hashes(stream, tile.index.saturating_mul(WIDTH), WIDTH)?;
            Ok(entries.iter().map(leaf_hash).collect())
        }
        None => Ok(Vec::new()),
    }
}

/// Makes up to `most` tiles of leaves, and those above them. Gives whether none is left to make.
async fn catch_up(platform: &Platform, stream: Stream, most: u64) -> Result<bool> {
    let mut made = 0;
    while made < most {
        let Some((tiles, more)) = next(platform, stream).await? else {
            return Ok(true);
        };
        platform.store.put_tiles(stream, tiles).await?;
        if !more {
            return Ok(true);
        }
        made += AT_ONCE;
    }
    Ok(false)
}

/// The next tiles, and whether there are more; nothing when there are none.
async fn next(platform: &Platform, stream: Stream) -> Result<Option<(Tiles, bool)>> {
    let read = move |reader: &mut Reader<'_>| {
        let full = reader.full_tiles(stream)?;
        let entries = reader.entry_hashes(stream, full.saturating_mul(WIDTH), AT_ONCE * WIDTH)?;
        let mut open = Tiles::new();
        for tile in open_tiles(full) {
            open.insert(tile, reader.tile(stream, tile)?.unwrap_or_default());
        }
        Ok((full, entries, open))
    };
    let (full, entries, open) = platform.store.read(stream, read).await?;
    let (chunks, rest) = entries.as_chunks::<256>();
    if chunks.is_empty() {
        return Ok(None);
    }
    let (mut builder, mut tiles) = (Builder::new(full, open), Tiles::new());
    for chunk in chunks {
        let Some(changed) = builder.push(chunk) else {
            tracing::error!(%stream, "a tile of a log is narrower than it was; all are made again");
            platform.store.forget_tiles(stream).await?;
            return Ok(Some((Tiles::new(), true)));
        };
        tiles.extend(changed);
    }
    Ok(Some((tiles, rest.is_empty())))
}

/// Makes tiles for as long as the task lives, of the logs that grew by one and while nobody waits for the database.
pub async fn run(platform: Arc<Platform>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: HashMap<Stream, u64> = HashMap::new();
    loop {
        every.tick().await;
        if let Err(error) = round(&platform, &mut known).await {
            tracing::warn!(%error, "tiles of the logs were not made; tried again shortly");
        }
    }
}

async fn round(platform: &Platform, known: &mut HashMap<Stream, u64>) -> Result<()> {
    if !is_first(platform).await? {
        return Ok(());
    }
    for (stream, head) in platform.store.heads(None).await? {
        let full = head.seq / WIDTH;
        let before = known.get(&stream).copied().unwrap_or(0);
        if full > before && follow(platform, stream).await? {
            known.insert(stream, full);
        }
    }
    Ok(())
}

/// Makes the tiles of one log, unhurried; whether none is left to make. Another log has its turn after a while.
async fn follow(platform: &Platform, stream: Stream) -> Result<bool> {
    for _ in 0..TURN {
        platform.gate.quiet().await;
        let from = platform.clock.boot();
        if catch_up(platform, stream, AT_ONCE).await? {
            return Ok(true);
        }
        platform.gate.rest(platform.clock.boot().since(from)).await;
    }
    Ok(false)
}
