//! Tiles: stretches of 256 neighbouring hashes of one height, as C2SP's tlog-tiles cuts a tree, so that a proof over
//! millions of entries reads a handful of them. Pure; what a stored tile says is not believed before its root is.

use super::{Frontier, leaf_hash, node_hash};
use std::collections::BTreeMap;

/// How many hashes a full tile holds.
pub const WIDTH: u64 = 256;
/// How many levels of the tree one tile spans.
const HEIGHT: u32 = 8;

/// A tile's place: hashes `256 * index` and on of the nodes over `256^level` leaves each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for leaves.
    pub level: u8,
    /// From the left.
    pub index: u64,
}

/// Tiles at hand, some of them not full.
pub type Tiles = BTreeMap<Tile, Vec<[u8; 32]>>;

/// Neighbouring leaves `from..to` whose subtree is named in a proof.
pub type Run = (u64, u64);

/// The runs whose hashes are the proof that leaf `index` is in the tree of `size`; nothing when it is not.
pub fn inclusion_runs(index: u64, size: u64) -> Option<Vec<Run>> {
    (index < size).then(|| {
        let (mut runs, mut from, mut to) = (Vec::new(), 0, size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                runs.push((middle, to));
                to = middle;
            } else {
                runs.push((from, middle));
                from = middle;
            }
        }
        runs.reverse();
        runs
    })
}

/// The runs whose hashes are the proof that the tree of `old` leaves is the beginning of that of `new`; nothing when
/// it cannot be.
pub fn consistency_runs(old: u64, new: u64) -> Option<Vec<Run>> {
    if old == 0 || old > new {
        return (old == 0).then(Vec::new);
    }
    let (mut runs, mut from, mut to, mut whole) = (Vec::new(), 0, new, true);
    while old < to {
        let middle = from + split(to - from);
        if old <= middle {
            runs.push((middle, to));
            to = middle;
        } else {
            runs.push((from, middle));
            (from, whole) = (middle, false);
        }
    }
    runs.extend((!whole).then_some((from, to)));
    runs.reverse();
    Some(runs)
}

/// The largest power of two below `len`, which must be above one.
const fn split(len: u64) -> u64 {
    len.next_power_of_two() / 2
}

/// The full subtrees that a run consists of, from the left: height and index.
fn nodes((from, to): Run) -> impl Iterator<Item = (u32, u64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let height = to.checked_sub(at)?.checked_ilog2()?;
        let index = at >> height;
        at += 1 << height;
        Some((height, index))
    })
}

/// Where a node's hash comes from: `count` hashes of a tile from `from` on.
struct Part {
    tile: Tile,
    from: usize,
    count: usize,
}

fn part((height, index): (u32, u64)) -> Option<Part> {
    let first = index << (height % HEIGHT);
    Some(Part {
        tile: Tile {
            level: u8::try_from(height / HEIGHT).ok()?,
            index: first / WIDTH,
        },
        from: usize::try_from(first % WIDTH).ok()?,
        count: 1 << (height % HEIGHT),
    })
}

/// The tiles that a run's hash is made from.
pub fn tiles_of(run: Run) -> impl Iterator<Item = Tile> {
    nodes(run).filter_map(|node| Some(part(node)?.tile))
}

/// The hash over a run; nothing when a tile is not at hand or does not reach as far.
pub fn hash(run: Run, tiles: &Tiles) -> Option<[u8; 32]> {
    if run.0 == run.1 {
        return Some(Frontier::new().root());
    }
    let each = nodes(run).map(|node| {
        let Part { tile, from, count } = part(node)?;
        let to = from.checked_add(count)?;
        Some(over(tiles.get(&tile)?.get(from..to)?))
    });
    let all = each.collect::<Option<Vec<_>>>()?;
    all.into_iter()
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
}

/// Whether a tile is what those above it in its `path` say. The root over `end(tile, width)` leaves, which is made of
/// the last of them, tells of that one.
pub fn agrees(tile: Tile, width: u64, tiles: &Tiles) -> bool {
    let full = |tile: &Tile| Some(over(tiles.get(tile)?.get(..256)?));
    path(tile, width).windows(2).all(|pair| {
        let [at, above] = pair else { return false };
        let place = usize::try_from(at.index % WIDTH).ok();
        let told = || tiles.get(above)?.get(place?).copied();
        told().is_some_and(|told| full(at) == Some(told))
    })
}

/// A tile and, when all of it is meant, those above it, up to the first in which it is not at the end.
pub fn path(tile: Tile, width: u64) -> Vec<Tile> {
    let (mut path, mut at) = (vec![tile], tile);
    while let Some(level) = at.level.checked_add(1).filter(|_| width == WIDTH) {
        let index = at.index / WIDTH;
        path.push(Tile { level, index });
        if at.index % WIDTH != WIDTH - 1 {
            break;
        }
        at = Tile { level, index };
    }
    path
}

/// How many leaves there are up to a tile's hash `width`; nothing when no log has as many.
pub fn end(tile: Tile, width: u64) -> Option<u64> {
    let each = WIDTH.checked_pow(tile.level.into())?;
    let hashes = tile.index.checked_mul(WIDTH)?.checked_add(width)?;
    hashes.checked_mul(each)
}

/// The node over neighbours.
fn over(hashes: &[[u8; 32]]) -> [u8; 32] {
    let mut frontier = Frontier::new();
    hashes.iter().for_each(|hash| frontier.push_leaf(*hash));
    frontier.root()
}

/// The tiles above level 0 that are not full after so many full ones of level 0, lowest first: what must be at hand
/// to go on.
pub fn open_tiles(full: u64) -> Vec<Tile> {
    let (mut open, mut width, mut level) = (Vec::new(), full, 1);
    while width > 0 {
        if !width.is_multiple_of(WIDTH) {
            let index = width / WIDTH;
            open.push(Tile { level, index });
        }
        (width, level) = (width / WIDTH, level.saturating_add(1));
    }
    open
}

/// Makes tiles as a log grows. Above level 0 a tile is there as soon as it has a hash, and grows.
pub struct Builder {
    full: u64,
    open: Tiles,
}

impl Builder {
    /// Goes on after `full` tiles of level 0, with `open_tiles(full)` at hand.
    pub const fn new(full: u64, open: Tiles) -> Self {
        Self { full, open }
    }

    /// Takes the next 256 entries' hashes. Gives nothing when there is another number of them, or an open tile is
    /// not as wide as it must be; else the tiles that are new or wider.
    pub fn push(&mut self, entries: &[[u8; 32]]) -> Option<Tiles> {
        let mut hashes: Vec<_> = entries.iter().map(leaf_hash).collect();
        (hashes.len() == usize::try_from(WIDTH).ok()?).then_some(())?;
        let (mut changed, mut index, mut level) = (Tiles::new(), self.full, 0);
        loop {
            let root = over(&hashes);
            let full = u64::try_from(hashes.len()).ok()? == WIDTH;
            changed.insert(Tile { level, index }, hashes.clone());
            level = u8::checked_add(level, 1)?;
            if !full {
                break;
            }
            let above = Tile {
                level,
                index: index / WIDTH,
            };
            hashes = self.open.remove(&above).unwrap_or_default();
            (u64::try_from(hashes.len()).ok()? == index % WIDTH).then_some(())?;
            hashes.push(root);
            if u64::try_from(hashes.len()).ok()? < WIDTH {
                self.open.insert(above, hashes.clone());
            }
            index = above.index;
        }
        self.full += 1;
        Some(changed)
    }
}
