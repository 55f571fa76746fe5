//! The log's tree as tiles, for those who follow a log by C2SP's tlog-tiles: 256 hashes at a time, or the entries'
//! hashes that the leaves are made of. Full tiles never change.

use super::tiles::{self, Tree, Wanted};
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Permission;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{
    Reader,
    log::merkle::tile::{self, Tile, WIDTH},
};

/// Reads a tile.
pub struct ReadTile;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The tile's path after `tile/`: level or `entries`, index in groups of three digits, and `.p/` with a width
    /// for one that is not full, such as `0/x001/234` or `entries/000.p/17`.
    tile: String,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The path that was asked for.
    tile: String,
    /// The tile's bytes in base64: hashes of 32 bytes, or for `entries` each with its length in two bytes in front.
    bytes: String,
}

/// A tile as its path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    /// None for the entries themselves.
    level: Option<u8>,
    index: u64,
    width: u64,
}

impl Operation for ReadTile {
    const META: Meta = Meta {
        summary: "Read a tile of the log's tree",
        command: "audit tile",
        ..Meta::read(
            "audit.tile",
            "/orgs/{org}/audit/tile",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let named = named(&input.tile).ok_or_else(|| {
            let why = "must be a path such as `0/x001/234` or `entries/000.p/17`";
            Error::invalid("tile", why)
        })?;
        let (platform, stream) = (&cx.platform, cx.stream()?);
        let size = Tree::size(platform, stream).await?;
        let end = tile::end(named.tile(), named.width).filter(|end| *end <= size);
        let end = end.ok_or_else(|| Error::not_found("tile"))?;
        let hashes = match named.level {
            None => {
                let (after, width) = (named.index * WIDTH, named.width);
                let read = move |reader: &mut Reader<'_>| reader.entry_hashes(stream, after, width);
                platform.store.read(stream, read).await?
            }
            Some(_) => {
                let (at, width) = (named.tile(), named.width);
                let wanted = Wanted {
                    field: "tile",
                    size: end,
                    runs: &[],
                    tiles: &tile::path(at, width),
                };
                let make = |tree: &Tree| tree.tile(at, width).map(<[_]>::to_vec);
                tiles::with(platform, stream, wanted, make).await?
            }
        };
        let length: &[u8] = if named.level.is_none() { &[0, 32] } else { &[] };
        let bytes: Vec<u8> = hashes
            .iter()
            .flat_map(|hash| [length, hash].concat())
            .collect();
        Ok(Output {
            tile: input.tile,
            bytes: STANDARD.encode(bytes),
        })
    }
}

impl Named {
    const fn tile(self) -> Tile {
        let level = match self.level {
            Some(level) => level,
            None => 0,
        };
        let index = self.index;
        Tile { level, index }
    }
}

/// Reads a path, which has one spelling.
fn named(path: &str) -> Option<Named> {
    let (level, rest) = path.split_once('/')?;
    let level = match level {
        "entries" => None,
        level => Some(
            level
                .parse()
                .ok()
                .filter(|at: &u8| at.to_string() == level && *at < 64)?,
        ),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (
            index,
            width
                .parse()
                .ok()
                .filter(|at: &u64| at.to_string() == width)?,
        ),
        None => (rest, WIDTH),
    };
    let partial = rest.contains(".p/");
    let fits = if partial {
        (1..WIDTH).contains(&width)
    } else {
        true
    };
    let digits: String = index
        .split('/')
        .map(|group| group.trim_start_matches('x'))
        .collect();
    let index_read: u64 = digits.parse().ok()?;
    (fits && spelled(index_read) == index).then_some(Named {
        level,
        index: index_read,
        width,
    })
}

/// An index in groups of three digits, all but the last with an `x` in front.
fn spelled(index: u64) -> String {
    let mut text = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1_000);
        rest /= 1_000;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_path() {
        let tile = |level, index, width| {
            Some(Named {
                level,
                index,
                width,
            })
        };
        assert_eq!(named("0/000"), tile(Some(0), 0, 256));
        assert_eq!(named("2/x001/x234/067"), tile(Some(2), 1_234_067, 256));
        assert_eq!(named("entries/x001/234.p/17"), tile(None, 1_234, 17));
        for wrong in [
            "",
            "0",
            "0/0",
            "00/000",
            "0/001/000",
            "0/x000/001",
            "64/000",
            "-1/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/x001/x002",
            "0/xx01",
            "a/000",
            "0/000/",
            "0/+01",
            "0/99999999999999999999999",
        ] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
