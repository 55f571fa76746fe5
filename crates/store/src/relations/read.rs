//! Reading relation stores: all tuples for whoever holds them in memory, pages of them for whoever looks, what happened
//! to them in order, and the versions of models. Every statement takes the stream, then the store.

use super::{decode, moment, text};
use crate::{
    Engine, Reader, StoreError, Versioned,
    conn::Conn,
    entity,
    tx::Tx,
    value::{Cells, Param},
};
use domain::{AuthorizationModel, RelationKey, RelationTuple, Stream};
use kernel::{Id, RelationStore, Timestamp};
use std::fmt::Write as _;

/// A tuple and when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TupleAt {
    /// The tuple.
    pub tuple: RelationTuple,
    /// When it was written.
    pub time: Timestamp,
}

/// What happened to a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The revision and the place in it: what follows is after this.
    pub place: (u64, u64),
    /// Whether it was deleted; else it was written as given.
    pub deleted: bool,
    /// The tuple and when.
    pub at: TupleAt,
}

/// Which tuples are wanted; all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TupleFilter {
    /// `type:id`, or `type:` for every object of a type.
    pub object: Option<String>,
    /// The relation.
    pub relation: Option<String>,
    /// The subject.
    pub subject: Option<String>,
}

/// A tuple that still lies where the database keeps it.
#[derive(Clone, Copy, Debug)]
pub struct KnownTuple<'a> {
    /// `type:id`.
    pub object: &'a str,
    /// The relation.
    pub relation: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// The name of its condition.
    pub condition: Option<&'a str>,
    /// Values for the condition, JSON.
    pub context: Option<&'a str>,
    /// The moment from which it counts.
    pub valid_from: Option<Timestamp>,
    /// The moment from which it no longer counts.
    pub valid_until: Option<Timestamp>,
}

const COLUMNS: &str =
    "object, relation, subject, condition, context, valid_from, valid_until, time";
const MODEL: &str =
    "SELECT stream, id, version, created_at, body FROM authorization_model WHERE stream = $1 AND ";

/// What comes after every object of the type in order, byte by byte.
fn past(prefix: &str) -> String {
    let of = prefix.strip_suffix(':').unwrap_or(prefix);
    format!("{of};")
}

/// Adds the condition that the object is this one, or of this type.
fn narrow<'a>(sql: &mut String, params: &mut Vec<Param<'a>>, object: &'a str, end: &'a str) {
    params.push(object.into());
    let place = params.len();
    let _infallible = if end.is_empty() {
        write!(sql, " AND object = ${place}")
    } else {
        params.push(end.into());
        write!(sql, " AND object >= ${place} AND object < ${}", place + 1)
    };
}

fn end_of(object: Option<&str>) -> String {
    let of_a_type = object.filter(|object| object.ends_with(':'));
    of_a_type.map(past).unwrap_or_default()
}

fn models(
    conn: &mut dyn Conn,
    stream: Stream,
    store: Id<RelationStore>,
    before: Option<Id<kernel::AuthorizationModel>>,
    limit: usize,
) -> Result<Vec<Versioned<AuthorizationModel>>, StoreError> {
    let of = match conn.engine() {
        Engine::Sqlite => "json_extract(body, '$.core.store')",
        Engine::Postgres => "cardea_model_store(body)",
    };
    let name = store.to_string();
    let before = before.map_or([0xff; 16], |id| id.bytes());
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let sql = format!("{MODEL}{of} = $2 AND id < $3 ORDER BY id DESC LIMIT $4");
    let params = [
        stream.into(),
        name.as_str().into(),
        before.into(),
        limit.into(),
    ];
    let rows = conn.query(&sql, &params)?;
    rows.into_iter().map(entity::decode).collect()
}

impl Tx<'_> {
    /// The latest version of a store's model.
    ///
    /// # Errors
    /// As for `put`.
    pub fn latest_model(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
    ) -> Result<Option<AuthorizationModel>, crate::Refusal> {
        self.head(stream)?;
        let found = self.sql(|conn| models(conn, stream, store, None, 1))?;
        Ok(found.into_iter().next().map(|row| row.value))
    }
}

impl Reader<'_> {
    /// Shows the tuples of a store where they lie, at most `limit`, those after a key. Says the last key when there
    /// may be more.
    ///
    /// # Errors
    /// As for `get`.
    pub fn each_tuple(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        after: Option<&RelationKey>,
        limit: usize,
        show: &mut dyn FnMut(KnownTuple<'_>),
    ) -> Result<Option<RelationKey>, StoreError> {
        let conn = self.on(stream)?;
        let mut params: Vec<Param<'_>> = vec![stream.into(), store.bytes().into()];
        let mut sql =
            format!("SELECT {COLUMNS} FROM relation_tuple WHERE stream = $1 AND store = $2");
        if let Some(after) = after {
            sql.push_str(" AND (object, relation, subject) > ($3, $4, $5)");
            params.extend(super::keyed(after));
        }
        params.push(u64::try_from(limit).unwrap_or(u64::MAX).into());
        let _infallible = write!(
            sql,
            " ORDER BY object, relation, subject LIMIT ${}",
            params.len()
        );
        let (mut count, mut wrong) = (0, false);
        let mut last = RelationKey {
            object: String::new(),
            relation: String::new(),
            subject: String::new(),
        };
        conn.each(&sql, &params, &mut |cells| {
            let key = (text(cells.first()), text(cells.get(1)), text(cells.get(2)));
            let (Some(object), Some(relation), Some(subject)) = key else {
                wrong = true;
                return;
            };
            count += 1;
            if count == limit {
                last.object.push_str(object);
                last.relation.push_str(relation);
                last.subject.push_str(subject);
            }
            show(KnownTuple {
                object,
                relation,
                subject,
                condition: text(cells.get(3)),
                context: text(cells.get(4)),
                valid_from: moment(cells.get(5)),
                valid_until: moment(cells.get(6)),
            });
        })?;
        if wrong {
            let row = Cells::new("relation_tuple", Vec::new());
            return Err(row.corrupt("object", "it is no text"));
        }
        Ok((count == limit).then_some(last))
    }

    /// Tuples in the order of object, relation and subject, those after a key.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tuples(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        filter: &TupleFilter,
        after: Option<&RelationKey>,
        limit: usize,
    ) -> Result<Vec<TupleAt>, StoreError> {
        let conn = self.on(stream)?;
        let mut params: Vec<Param<'_>> = vec![stream.into(), store.bytes().into()];
        let mut sql =
            format!("SELECT {COLUMNS} FROM relation_tuple WHERE stream = $1 AND store = $2");
        let end = end_of(filter.object.as_deref());
        if let Some(object) = &filter.object {
            narrow(&mut sql, &mut params, object, &end);
        }
        let parts = [("relation", &filter.relation), ("subject", &filter.subject)];
        for (column, wanted) in parts {
            if let Some(wanted) = wanted {
                params.push(wanted.as_str().into());
                let _infallible = write!(sql, " AND {column} = ${}", params.len());
            }
        }
        if let Some(after) = after {
            let n = params.len();
            let _infallible = write!(
                sql,
                " AND (object, relation, subject) > (${}, ${}, ${})",
                n + 1,
                n + 2,
                n + 3
            );
            params.extend(super::keyed(after));
        }
        params.push(u64::try_from(limit).unwrap_or(u64::MAX).into());
        let _infallible = write!(
            sql,
            " ORDER BY object, relation, subject LIMIT ${}",
            params.len()
        );
        let rows = conn.query(&sql, &params)?;
        rows.into_iter()
            .map(|row| decode(&mut Cells::new("relation_tuple", row)))
            .collect()
    }

    /// What happened to the tuples of a store after a place, in order; only to objects of a type, if so asked.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tuple_changes(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        after: (u64, u64),
        of: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Changed>, StoreError> {
        let conn = self.on(stream)?;
        let (rev, item) = after;
        let mut params: Vec<Param<'_>> =
            vec![stream.into(), store.bytes().into(), rev.into(), item.into()];
        let mut sql = format!(
            "SELECT state_rev, item, deleted, {COLUMNS} FROM relation_change \
             WHERE stream = $1 AND store = $2 AND (state_rev, item) > ($3, $4)"
        );
        let object = of.map(|of| format!("{of}:"));
        let end = end_of(object.as_deref());
        if let Some(object) = &object {
            narrow(&mut sql, &mut params, object, &end);
        }
        params.push(u64::try_from(limit).unwrap_or(u64::MAX).into());
        let _infallible = write!(sql, " ORDER BY state_rev, item LIMIT ${}", params.len());
        let rows = conn.query(&sql, &params)?;
        let decode = |row| {
            let mut cells = Cells::new("relation_change", row);
            Ok(Changed {
                place: (cells.count("state_rev")?, cells.count("item")?),
                deleted: cells.int("deleted")? != 0,
                at: decode(&mut cells)?,
            })
        };
        rows.into_iter().map(decode).collect()
    }

    /// The place before what happened at a moment or later. Looks at some forty rows, however many there are.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tuple_changes_since(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        time: Timestamp,
    ) -> Result<(u64, u64), StoreError> {
        const NEXT: &str = "SELECT state_rev, item, time FROM relation_change \
            WHERE stream = $1 AND store = $2 AND state_rev >= $3 ORDER BY state_rev, item LIMIT 1";
        let (head, _) = self.frontier(stream)?;
        let (mut early, mut late) = (0, head.state_rev + 1);
        while early < late {
            let middle = early + (late - early) / 2;
            let conn = self.on(stream)?;
            let rows = conn.query(NEXT, &[stream.into(), store.bytes().into(), middle.into()])?;
            let next = match rows.into_iter().next() {
                Some(row) => {
                    let mut cells = Cells::new("relation_change", row);
                    let (rev, _) = (cells.count("state_rev")?, cells.count("item")?);
                    Some((rev, cells.time("time")?))
                }
                None => None,
            };
            match next {
                Some((rev, at)) if at < time => early = rev + 1,
                _ => late = middle,
            }
        }
        Ok((
            early.saturating_sub(1),
            u64::try_from(i64::MAX).unwrap_or_default(),
        ))
    }

    /// The tuples of a store with these keys.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tuples_among(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        keys: &[RelationKey],
    ) -> Result<Vec<RelationTuple>, StoreError> {
        super::among(self.on(stream)?, stream, store, keys)
    }

    /// Versions of a store's model, newest first, those before one.
    ///
    /// # Errors
    /// As for `get`.
    pub fn models(
        &mut self,
        stream: Stream,
        store: Id<RelationStore>,
        before: Option<Id<kernel::AuthorizationModel>>,
        limit: usize,
    ) -> Result<Vec<Versioned<AuthorizationModel>>, StoreError> {
        models(self.on(stream)?, stream, store, before, limit)
    }
}
