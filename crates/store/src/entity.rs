//! One set of statements for every governed table: they all have the same shape, and a row's body is the
//! entity's serde form. Nothing here knows what an entity means.

use crate::{
    Engine, Refusal, StoreError,
    conn::Conn,
    value::{Cells, Param, Row},
};
use domain::{Change, Entity, Stream, Table};
use kernel::Timestamp;
use std::{collections::HashMap, fmt::Write as _, sync::LazyLock};

/// An entity with what the table knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<E> {
    /// 1 when it was made, one more with every change.
    pub version: u64,
    /// When the row was made.
    pub created_at: Timestamp,
    /// The entity.
    pub value: E,
}

/// Which rows to list, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The key after which to begin.
    pub after: Option<[u8; 16]>,
    /// At most this many.
    pub limit: usize,
    /// Members of the body, such as `core.state`, and the text each must have; all must hold.
    pub filter: Vec<(&'static str, String)>,
}

struct Statements {
    get: String,
    insert: String,
    put: String,
    remove: String,
}

static STATEMENTS: LazyLock<HashMap<Table, Statements>> = LazyLock::new(|| {
    let all = Table::ALL.iter();
    all.map(|table| (*table, statements(table.name())))
        .collect()
});

fn statements(t: &str) -> Statements {
    let insert = format!(
        "INSERT INTO {t} (stream, id, version, created_at, body) VALUES ($1, $2, 1, $3, $4) ON CONFLICT (stream, id) DO "
    );
    Statements {
        get: format!(
            "SELECT stream, id, version, created_at, body FROM {t} WHERE stream = $1 AND id = $2"
        ),
        put: format!(
            "{insert}UPDATE SET version = {t}.version + 1, body = excluded.body RETURNING version"
        ),
        insert: format!("{insert}NOTHING"),
        remove: format!("DELETE FROM {t} WHERE stream = $1 AND id = $2"),
    }
}

fn statement(table: Table) -> Result<&'static Statements, StoreError> {
    let known = STATEMENTS.get(&table);
    known.ok_or_else(|| StoreError::Database(format!("table `{}` is unknown", table.name())))
}

/// Refuses to store an entity in a stream that is not its own.
pub(crate) fn belongs<E: Entity>(stream: Stream) -> Result<(), Refusal> {
    if E::fixed_stream().is_some_and(|own| own != stream) {
        let name = E::TABLE.name();
        return Err(Refusal::bug(format!(
            "`{name}` cannot be stored in {stream}"
        )));
    }
    Ok(())
}

/// PostgreSQL cannot look inside JSON with an escaped NUL anywhere: one such row would make a list unreadable.
fn body<E: Entity>(entity: &E) -> Result<String, StoreError> {
    let text =
        serde_json::to_string(entity).map_err(|error| StoreError::Value(error.to_string()))?;
    if text.replace("\\\\", "").contains("\\u0000") {
        return Err(StoreError::Value("take out the NUL character".into()));
    }
    Ok(text)
}

pub(crate) fn decode<E: Entity>(row: Row) -> Result<Versioned<E>, StoreError> {
    let mut cells = Cells::new(E::TABLE.name(), row);
    let _stream = cells.array::<16>("stream")?;
    let id = cells.array::<16>("id")?;
    let version = cells.count("version")?;
    let created_at = cells.time("created_at")?;
    let text = cells.text("body")?;
    let value: E = serde_json::from_str(&text).map_err(|error| cells.corrupt("body", error))?;
    if value.key() != id {
        return Err(cells.corrupt("id", "the body names another"));
    }
    Ok(Versioned {
        version,
        created_at,
        value,
    })
}

pub(crate) fn get<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    key: [u8; 16],
) -> Result<Option<Versioned<E>>, StoreError> {
    let sql = &statement(E::TABLE)?.get;
    let rows = conn.query(sql, &[stream.into(), key.into()])?;
    rows.into_iter().next().map(decode).transpose()
}

/// Writes the entity whether or not it is there; returns its new version.
pub(crate) fn put<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    entity: &E,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let body = body(entity)?;
    let row = conn.query(
        &statement(E::TABLE)?.put,
        &[
            stream.into(),
            entity.key().into(),
            now.into(),
            body.as_str().into(),
        ],
    )?;
    Cells::new(E::TABLE.name(), row.into_iter().next().unwrap_or_default()).count("version")
}

/// Writes the entity if it is not there; says whether it was written. Held back, it fails the transaction instead,
/// which then runs again without.
pub(crate) fn insert<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    entity: &E,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let body = body(entity)?;
    if let Some(outbox) = conn.outbox() {
        outbox.row(E::TABLE, (stream, entity.key()), now, body);
        return Ok(true);
    }
    let written = conn.execute(
        &statement(E::TABLE)?.insert,
        &[
            stream.into(),
            entity.key().into(),
            now.into(),
            body.as_str().into(),
        ],
    )?;
    Ok(written > 0)
}

/// Says whether there was something to remove.
pub(crate) fn remove<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    key: [u8; 16],
) -> Result<bool, StoreError> {
    let sql = &statement(E::TABLE)?.remove;
    let gone = conn.execute(sql, &[stream.into(), key.into()])?;
    Ok(gone > 0)
}

pub(crate) fn list<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    query: &Query,
) -> Result<Vec<Versioned<E>>, StoreError> {
    let mut params: Vec<Param<'_>> = vec![stream.into()];
    let columns = "stream, id, version, created_at, body";
    let mut sql = format!(
        "SELECT {columns} FROM {} WHERE stream = $1",
        E::TABLE.name()
    );
    if let Some(after) = query.after {
        params.push(after.into());
        sql.push_str(" AND id > $2");
    }
    narrow(conn.engine(), &query.filter, &mut sql, &mut params)?;
    params.push(Param::Int(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    let _infallible = write!(sql, " ORDER BY id LIMIT ${}", params.len());
    let rows = conn.query(&sql, &params)?;
    rows.into_iter().map(decode).collect()
}

pub(crate) fn count<E: Entity>(
    conn: &mut dyn Conn,
    stream: Stream,
    filter: &[(&'static str, String)],
) -> Result<u64, StoreError> {
    let mut params: Vec<Param<'_>> = vec![stream.into()];
    let name = E::TABLE.name();
    let mut sql = format!("SELECT count(*) FROM {name} WHERE stream = $1");
    narrow(conn.engine(), filter, &mut sql, &mut params)?;
    let row = conn.query(&sql, &params)?.into_iter().next();
    Cells::new(name, row.unwrap_or_default()).count("count")
}

/// How many rows of a kind did not end: `users`, `agents` or `tokens`. Triggers on their tables keep the figure.
pub(crate) fn tally(
    conn: &mut dyn Conn,
    stream: Stream,
    kind: &'static str,
) -> Result<u64, StoreError> {
    let sql = "SELECT count FROM tally WHERE stream = $1 AND kind = $2";
    let row = conn.query(sql, &[stream.into(), kind.into()])?;
    match row.into_iter().next() {
        Some(row) => Cells::new("tally", row).count("count"),
        None => Ok(0),
    }
}

/// How many API tokens are neither revoked nor past their end at `now`, found by an index of those alone.
pub(crate) fn live_tokens(
    conn: &mut dyn Conn,
    stream: Stream,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let live = match conn.engine() {
        Engine::Sqlite => {
            "json_extract(body, '$.core.revoked') IS NOT 1 AND json_extract(body, '$.core.expires_at') > $2"
        }
        Engine::Postgres => "cardea_lives('tokens', body) AND cardea_ends(body) COLLATE \"C\" > $2",
    };
    let sql = format!("SELECT count(*) FROM api_token WHERE stream = $1 AND {live}");
    let now = now.to_string();
    let row = conn.query(&sql, &[stream.into(), now.as_str().into()])?;
    let row = row.into_iter().next().unwrap_or_default();
    Cells::new("api_token", row).count("count")
}

/// Adds a condition for each member. A member's place stands in the statement, so it may hold nothing but names.
fn narrow<'a>(
    engine: Engine,
    filter: &'a [(&'static str, String)],
    sql: &mut String,
    params: &mut Vec<Param<'a>>,
) -> Result<(), StoreError> {
    for (path, text) in filter {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'.';
        if !path.bytes().all(plain) {
            return Err(StoreError::Value(format!(
                "`{path}` does not name a member"
            )));
        }
        params.push(text.as_str().into());
        let place = params.len();
        // SQLite shows true as 1, PostgreSQL as `true`; both are asked for `true`.
        let _infallible = match engine {
            Engine::Sqlite => write!(
                sql,
                " AND CASE json_type(body, '$.{path}') WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' \
                 ELSE CAST(json_extract(body, '$.{path}') AS TEXT) END = ${place}"
            ),
            Engine::Postgres => {
                let path = path.replace('.', ",");
                write!(sql, " AND (body::json #>> '{{{path}}}') = ${place}")
            }
        };
    }
    Ok(())
}

/// The rows of people who administer the instance, found by an index of just these. In a body's text a quote of
/// somebody's words is never bare, so nobody's name looks like the member.
const ADMINISTRATORS: [(Engine, &str); 2] = [
    (
        Engine::Sqlite,
        "SELECT stream, id, version, created_at, body FROM account \
            WHERE stream = $1 AND instr(body, '\"instance_administrator\":true') > 0 ORDER BY id",
    ),
    (
        Engine::Postgres,
        "SELECT stream, id, version, created_at, body FROM account \
            WHERE stream = $1 AND strpos(body, '\"instance_administrator\":true') > 0 ORDER BY id",
    ),
];

/// The changes that a cell needs of this table: all, but of a million accounts those few that decisions ask for, and
/// nothing of what relation stores hold.
pub(crate) fn needed(
    conn: &mut dyn Conn,
    stream: Stream,
    table: Table,
) -> Result<Vec<Change>, StoreError> {
    match table {
        Table::Account => {}
        // Only who asks a relation store needs its models.
        Table::AuthorizationModel | Table::RelationAssertions => return Ok(Vec::new()),
        _ => return changes(conn, stream, table),
    }
    let engine = conn.engine();
    let mut found = Vec::new();
    for (_, sql) in ADMINISTRATORS.iter().filter(|(on, _)| *on == engine) {
        for row in conn.query(sql, &[stream.into()])? {
            found.extend(decode::<domain::Account>(row)?.value.change());
        }
    }
    Ok(found)
}

/// The changes that every row of this table stands for (I4).
pub(crate) fn changes(
    conn: &mut dyn Conn,
    stream: Stream,
    table: Table,
) -> Result<Vec<Change>, StoreError> {
    match table {
        Table::Organization => of::<domain::Organization>(conn, stream),
        Table::Account => of::<domain::Account>(conn, stream),
        Table::Membership => of::<domain::Membership>(conn, stream),
        Table::Role => of::<domain::Role>(conn, stream),
        Table::Assignment => of::<domain::Assignment>(conn, stream),
        Table::Agent => of::<domain::Agent>(conn, stream),
        Table::Secret => of::<domain::Secret>(conn, stream),
        Table::ApiToken => of::<domain::ApiToken>(conn, stream),
        Table::Connection => of::<domain::Connection>(conn, stream),
        Table::Run => of::<domain::Run>(conn, stream),
        Table::TrustEvent => of::<domain::trust::TrustEvent>(conn, stream),
        Table::KillSwitch => of::<domain::KillSwitch>(conn, stream),
        Table::Settings => of::<domain::Settings>(conn, stream),
        Table::SigningKey => of::<domain::SigningKey>(conn, stream),
        Table::SubjectKey => of::<domain::SubjectKey>(conn, stream),
        Table::Revocation => of::<domain::Revocation>(conn, stream),
        Table::SetupSecret => of::<domain::SetupSecret>(conn, stream),
        Table::RelationStore => of::<domain::RelationStore>(conn, stream),
        Table::AuthorizationModel => of::<domain::AuthorizationModel>(conn, stream),
        Table::RelationAssertions => of::<domain::RelationAssertions>(conn, stream),
    }
}

fn of<E: Entity>(conn: &mut dyn Conn, stream: Stream) -> Result<Vec<Change>, StoreError> {
    let all = Query {
        limit: usize::MAX,
        ..Query::default()
    };
    let rows = list::<E>(conn, stream, &all)?;
    Ok(rows.iter().filter_map(|row| row.value.change()).collect())
}
