//! The tiles of the logs' trees: a projection that can be thrown away and made again from the entries. It keeps
//! what it is given; whether that is right shows when a root is made from it.

use crate::{
    Reader, Store, StoreError,
    conn::{Conn, Role},
    log::merkle::tile::{Tile, Tiles},
    value::{Cells, Param},
};
use domain::Stream;

const LAST: &str = "SELECT stream, level, tile FROM log_tile WHERE stream = $1 AND level = 0 ORDER BY tile DESC LIMIT 1";
const GET: &str = "SELECT stream, level, tile, hashes FROM log_tile WHERE stream = $1 AND level = $2 AND tile = $3";
const LEAVES: &str = "SELECT stream, seq, hash FROM audit_events WHERE stream = $1 AND seq > $2 \
    ORDER BY seq LIMIT $3";
const PUT: &str = "INSERT INTO log_tile (stream, level, tile, hashes) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (stream, level, tile) DO UPDATE SET hashes = excluded.hashes \
    WHERE length(excluded.hashes) > length(log_tile.hashes)";
const FORGET: &str = "DELETE FROM log_tile WHERE stream = $1";

impl Store {
    /// Keeps tiles of a log's tree; one that is kept wider already stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_tiles(&self, stream: Stream, tiles: Tiles) -> Result<(), StoreError> {
        let run = move |conn: &mut dyn Conn| put(conn, stream, &tiles);
        self.write(Role::Tenant(stream), run).await
    }

    /// Forgets every tile of a log's tree.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_tiles(&self, stream: Stream) -> Result<(), StoreError> {
        let run = move |conn: &mut dyn Conn| forget(conn, stream);
        self.write(Role::Tenant(stream), run).await
    }
}

impl Reader<'_> {
    /// How many full tiles of leaves are kept.
    ///
    /// # Errors
    /// When the stream is out of scope, a row is unreadable or the database fails; so for every call here.
    pub fn full_tiles(&mut self, stream: Stream) -> Result<u64, StoreError> {
        let Some(row) = self.on(stream)?.query(LAST, &[stream.into()])?.pop() else {
            return Ok(0);
        };
        let mut cells = Cells::new("log_tile", row);
        let _place = (cells.array::<16>("stream")?, cells.count("level")?);
        Ok(cells.count("tile")?.saturating_add(1))
    }

    /// The hashes of a tile that is kept, full or not.
    ///
    /// # Errors
    /// As for `full_tiles`.
    pub fn tile(
        &mut self,
        stream: Stream,
        tile: Tile,
    ) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
        let params = [
            stream.into(),
            u64::from(tile.level).into(),
            tile.index.into(),
        ];
        let Some(row) = self.on(stream)?.query(GET, &params)?.pop() else {
            return Ok(None);
        };
        let mut cells = Cells::new("log_tile", row);
        let _stream = cells.array::<16>("stream")?;
        let _place = (cells.count("level")?, cells.count("tile")?);
        let bytes = cells.bytes("hashes")?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(cells.corrupt("hashes", "expected 32 bytes each"));
        }
        Ok(Some(hashes.to_vec()))
    }

    /// The hashes of the entries after `after`, in order.
    ///
    /// # Errors
    /// As for `full_tiles`.
    pub fn entry_hashes(
        &mut self,
        stream: Stream,
        after: u64,
        limit: u64,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let params = [stream.into(), after.into(), limit.into()];
        let rows = self.on(stream)?.query(LEAVES, &params)?.into_iter();
        let each = |row| {
            let mut cells = Cells::new("audit_events", row);
            let _place = (cells.array::<16>("stream")?, cells.count("seq")?);
            cells.array("hash")
        };
        rows.map(each).collect()
    }
}

pub(crate) fn put(conn: &mut dyn Conn, stream: Stream, tiles: &Tiles) -> Result<(), StoreError> {
    for (tile, hashes) in tiles {
        let params: [Param<'_>; 4] = [
            stream.into(),
            u64::from(tile.level).into(),
            tile.index.into(),
            hashes.as_flattened().into(),
        ];
        conn.execute(PUT, &params)?;
    }
    Ok(())
}

pub(crate) fn forget(conn: &mut dyn Conn, stream: Stream) -> Result<(), StoreError> {
    conn.execute(FORGET, &[stream.into()]).map(|_| ())
}
