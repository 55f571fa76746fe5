//! The tuples of relation stores: rows that lie in the order of their objects, an index in that of their subjects, and
//! what happened to them, one row a tuple. What a tuple means and whether it may be written is decided elsewhere.

use crate::{
    Refusal, StoreError,
    conn::Conn,
    tx::Tx,
    value::{Cell, Cells, Param},
};
use domain::{Change, RelationCondition, RelationKey, RelationTuple, RelationsCore, Stream};
use kernel::{Code, Id, RelationStore, Timestamp};
use std::fmt::Write as _;

mod read;

pub use read::{Changed, KnownTuple, TupleAt, TupleFilter};

/// Rows of one statement. Fewer are filled up with the last to a power of two, so that there are few statements.
const ROWS: usize = 128;
const INSERT: &str = "INSERT INTO relation_tuple (stream, store, object, relation, subject, condition, context, \
    valid_from, valid_until, time) VALUES ";
const TELL: &str = "INSERT INTO relation_change (stream, store, state_rev, item, deleted, object, relation, subject, \
    condition, context, valid_from, valid_until, time) VALUES ";
const AMONG: &str = "SELECT object, relation, subject, condition, context, valid_from, valid_until, time \
    FROM relation_tuple WHERE stream = $1 AND store = $2 AND (object, relation, subject) IN (VALUES ";
const DELETE: &str = "DELETE FROM relation_tuple WHERE stream = $1 AND store = $2 \
    AND (object, relation, subject) IN (VALUES ";
const KEPT: &str = " ON CONFLICT DO NOTHING";

/// `($3, $4, $5), ($6, …)` for so many rows of so many columns, after `before` parameters.
fn places(rows: usize, columns: usize, before: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            let _infallible = write!(text, "{comma}${}", before + row * columns + column);
        }
        text.push(')');
    }
    text
}

/// So many items, the last repeated until their number is a power of two. Every statement here does the same for
/// the same row twice as for it once.
fn filled<T>(items: &[T]) -> impl Iterator<Item = &T> {
    let wanted = items.len().next_power_of_two();
    let last = items.last().into_iter().cycle();
    items.iter().chain(last).take(wanted)
}

/// A tuple's columns after its key.
struct Limits<'a> {
    condition: Option<&'a str>,
    context: Option<String>,
}

impl<'a> Limits<'a> {
    fn of(tuple: &'a RelationTuple) -> Result<Self, StoreError> {
        let condition = tuple.condition.as_ref();
        let context = condition.and_then(|condition| condition.context.as_ref());
        let context = context.map(serde_json::to_string).transpose();
        Ok(Self {
            condition: condition.map(|condition| condition.name.as_str()),
            context: context.map_err(|error| StoreError::Value(error.to_string()))?,
        })
    }
}

fn plain(key: &RelationKey) -> Result<(), StoreError> {
    let parts = [&key.object, &key.relation, &key.subject];
    if parts.into_iter().any(|part| part.contains('\0')) {
        return Err(StoreError::Value("take out the NUL character".into()));
    }
    Ok(())
}

fn keyed(key: &RelationKey) -> [Param<'_>; 3] {
    [
        key.object.as_str().into(),
        key.relation.as_str().into(),
        key.subject.as_str().into(),
    ]
}

/// The tuples with these keys, as they are.
fn among(
    conn: &mut dyn Conn,
    stream: Stream,
    store: Id<RelationStore>,
    keys: &[RelationKey],
) -> Result<Vec<RelationTuple>, StoreError> {
    let mut found = Vec::new();
    for some in keys.chunks(ROWS) {
        some.iter().try_for_each(plain)?;
        let mut params: Vec<Param<'_>> = vec![stream.into(), store.bytes().into()];
        params.extend(filled(some).flat_map(keyed));
        let places = places(some.len().next_power_of_two(), 3, 2);
        for row in conn.query(&format!("{AMONG}{places})"), &params)? {
            found.push(decode(&mut Cells::new("relation_tuple", row))?.tuple);
        }
    }
    Ok(found)
}

fn delete(
    conn: &mut dyn Conn,
    stream: Stream,
    store: Id<RelationStore>,
    keys: &[RelationKey],
) -> Result<usize, StoreError> {
    let mut gone = 0;
    for some in keys.chunks(ROWS) {
        some.iter().try_for_each(plain)?;
        let mut params: Vec<Param<'_>> = vec![stream.into(), store.bytes().into()];
        params.extend(filled(some).flat_map(keyed));
        let places = places(some.len().next_power_of_two(), 3, 2);
        let rows = conn.execute(&format!("{DELETE}{places})"), &params)?;
        gone += usize::try_from(rows).unwrap_or(usize::MAX);
    }
    Ok(gone)
}

fn insert(
    conn: &mut dyn Conn,
    stream: Stream,
    store: Id<RelationStore>,
    tuples: &[RelationTuple],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut made = 0;
    for some in tuples.chunks(ROWS) {
        some.iter().try_for_each(|tuple| plain(&tuple.key))?;
        let limits: Result<Vec<_>, _> = some.iter().map(Limits::of).collect();
        let rows: Vec<_> = some.iter().zip(limits?).collect();
        let mut params: Vec<Param<'_>> = Vec::new();
        for (tuple, limits) in filled(&rows) {
            params.extend::<[Param<'_>; 2]>([stream.into(), store.bytes().into()]);
            params.extend(keyed(&tuple.key));
            params.extend::<[Param<'_>; 2]>([
                limits.condition.into(),
                limits.context.as_deref().into(),
            ]);
            params.extend::<[Param<'_>; 3]>([
                tuple.valid_from.into(),
                tuple.valid_until.into(),
                now.into(),
            ]);
        }
        let places = places(some.len().next_power_of_two(), 10, 0);
        let rows = conn.execute(&format!("{INSERT}{places}{KEPT}"), &params)?;
        made += usize::try_from(rows).unwrap_or(usize::MAX);
    }
    Ok(made)
}

/// What is told to those who read along, from this item of the revision on.
fn tell(
    conn: &mut dyn Conn,
    stream: Stream,
    place: (u64, u64),
    change: &RelationsCore,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (rev, first) = place;
    let gone = change.deleted.iter().cloned().map(RelationTuple::always);
    let gone: Vec<_> = gone.map(|tuple| (1i64, tuple)).collect();
    let there = change.written.iter().map(|tuple| (0i64, tuple.clone()));
    let all: Vec<_> = gone.into_iter().chain(there).zip(first..).collect();
    for some in all.chunks(ROWS) {
        let limits: Result<Vec<_>, _> = some.iter().map(|((_, one), _)| Limits::of(one)).collect();
        let rows: Vec<_> = some.iter().zip(limits?).collect();
        let mut params: Vec<Param<'_>> = Vec::new();
        for (((deleted, tuple), item), limits) in filled(&rows) {
            params.extend::<[Param<'_>; 3]>([
                stream.into(),
                change.store.bytes().into(),
                rev.into(),
            ]);
            params.extend::<[Param<'_>; 2]>([(*item).into(), (*deleted).into()]);
            params.extend(keyed(&tuple.key));
            params.extend::<[Param<'_>; 2]>([
                limits.condition.into(),
                limits.context.as_deref().into(),
            ]);
            params.extend::<[Param<'_>; 3]>([
                tuple.valid_from.into(),
                tuple.valid_until.into(),
                now.into(),
            ]);
        }
        let places = places(some.len().next_power_of_two(), 13, 0);
        conn.execute(&format!("{TELL}{places}{KEPT}"), &params)?;
    }
    Ok(())
}

/// Key, what limits it, and when it was written.
fn decode(cells: &mut Cells) -> Result<TupleAt, StoreError> {
    let key = RelationKey {
        object: cells.text("object")?,
        relation: cells.text("relation")?,
        subject: cells.text("subject")?,
    };
    let condition = cells.optional_text("condition")?;
    let context = cells.optional_text("context")?;
    let context = context.map(|text| serde_json::from_str(&text)).transpose();
    let context = context.map_err(|error| cells.corrupt("context", error))?;
    let moment = |at: Option<i64>| at.map(Timestamp::from_micros);
    let tuple = RelationTuple {
        key,
        condition: condition.map(|name| RelationCondition { name, context }),
        valid_from: moment(cells.optional_int("valid_from")?),
        valid_until: moment(cells.optional_int("valid_until")?),
    };
    Ok(TupleAt {
        tuple,
        time: cells.time("time")?,
    })
}

/// The changes that the stored tuples stand for (I4): one for each store.
pub(crate) fn changes(conn: &mut dyn Conn, stream: Stream) -> Result<Vec<Change>, StoreError> {
    const ALL: &str = "SELECT store, object, relation, subject, condition, context, valid_from, valid_until, time \
        FROM relation_tuple WHERE stream = $1 ORDER BY store, object, relation, subject";
    let mut all: Vec<RelationsCore> = Vec::new();
    for row in conn.query(ALL, &[stream.into()])? {
        let mut cells = Cells::new("relation_tuple", row);
        let store = Id::from_bytes(cells.array("store")?);
        let tuple = decode(&mut cells)?.tuple;
        match all.last_mut() {
            Some(last) if last.store == store => last.written.push(tuple),
            _ => all.push(RelationsCore {
                store,
                deleted: Vec::new(),
                written: vec![tuple],
            }),
        }
    }
    Ok(all
        .into_iter()
        .map(|core| Change::Relations(Box::new(core)))
        .collect())
}

impl Tx<'_> {
    /// The tuples of a store with these keys, as they are. The stream is locked, so that they stay so.
    ///
    /// # Errors
    /// As for `put`.
    pub fn tuples_among(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        keys: &[RelationKey],
    ) -> Result<Vec<RelationTuple>, Refusal> {
        self.head(stream)?;
        self.sql(|conn| among(conn, stream, store, keys))
    }

    /// Deletes tuples, which must be there, and then writes others, which must not be. No key may come twice.
    ///
    /// # Errors
    /// `not_found`, `already_exists`.
    pub fn write_tuples(&mut self, stream: Stream, change: RelationsCore) -> Result<(), Refusal> {
        self.wrote(stream)?;
        let (store, now) = (change.store, self.now);
        if self.sql(|conn| delete(conn, stream, store, &change.deleted))? != change.deleted.len() {
            return Err(Refusal::new(
                Code::NotFound,
                "a tuple to delete is not there",
            ));
        }
        let made = self.sql(|conn| insert(conn, stream, store, &change.written, now))?;
        if made != change.written.len() {
            return Err(Refusal::new(
                Code::AlreadyExists,
                "a tuple to write is there already",
            ));
        }
        let rev = self.head(stream)?.state_rev + 1;
        let items = u64::from(u32::MAX);
        let open = self
            .touched
            .get(&stream)
            .map_or(0, |touched| touched.open.len());
        let first = u64::try_from(open)
            .unwrap_or_default()
            .saturating_mul(items);
        self.sql(|conn| tell(conn, stream, (rev, first), &change, now))?;
        self.changed(stream, Some(Change::Relations(Box::new(change))));
        Ok(())
    }
}

/// The text of a cell where the database keeps it.
fn text<'a>(cell: Option<&Cell<'a>>) -> Option<&'a str> {
    match cell {
        Some(Cell::Text(bytes)) => str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// The number of a cell.
fn moment(cell: Option<&Cell<'_>>) -> Option<Timestamp> {
    match cell {
        Some(Cell::Int(micros)) => Some(Timestamp::from_micros(*micros)),
        _ => None,
    }
}
