//! Unique names, one-time artefacts and idempotency keys: the small governed tables beside the entities.
//! All of them answer with a value where a name is taken; none lets a unique index fail a transaction.

use crate::{CommitError, Idempotency, StoreError, conn::Conn, value::Cells};
use domain::Stream;
use kernel::Timestamp;

const CLAIM: &str =
    "INSERT INTO claim (stream, kind, value, id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const CLAIMED: &str = "SELECT id FROM claim WHERE stream = $1 AND kind = $2 AND value = $3";
const RELEASE: &str = "DELETE FROM claim WHERE stream = $1 AND kind = $2 AND value = $3";
const CONSUME: &str = "INSERT INTO once (stream, kind, hash, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const ANSWERED: &str = "SELECT stream, key, body_digest, expires_at, answer FROM idempotency WHERE stream = $1 AND key = $2";
const ANSWER: &str = "INSERT INTO idempotency (stream, key, body_digest, answer, expires_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (stream, key) DO UPDATE SET body_digest = excluded.body_digest, answer = excluded.answer, \
    expires_at = excluded.expires_at";

/// Says whether `id` holds the name now.
pub(crate) fn claim(
    conn: &mut dyn Conn,
    stream: Stream,
    kind: &str,
    value: &str,
    id: [u8; 16],
) -> Result<bool, StoreError> {
    let params = [stream.into(), kind.into(), value.into(), id.into()];
    if conn.execute(CLAIM, &params)? > 0 {
        return Ok(true);
    }
    Ok(claimed(conn, stream, kind, value)? == Some(id))
}

pub(crate) fn claimed(
    conn: &mut dyn Conn,
    stream: Stream,
    kind: &str,
    value: &str,
) -> Result<Option<[u8; 16]>, StoreError> {
    let params = [stream.into(), kind.into(), value.into()];
    let row = conn.query(CLAIMED, &params)?.into_iter().next();
    row.map(|row| Cells::new("claim", row).array("id"))
        .transpose()
}

pub(crate) fn release(
    conn: &mut dyn Conn,
    stream: Stream,
    kind: &str,
    value: &str,
) -> Result<(), StoreError> {
    let params = [stream.into(), kind.into(), value.into()];
    conn.execute(RELEASE, &params).map(|_| ())
}

/// Says whether it is consumed now and was not before.
pub(crate) fn consume(
    conn: &mut dyn Conn,
    stream: Stream,
    kind: &str,
    hash: &[u8; 32],
    expires: Timestamp,
) -> Result<bool, StoreError> {
    let params = [stream.into(), kind.into(), hash.into(), expires.into()];
    Ok(conn.execute(CONSUME, &params)? > 0)
}

/// Refuses a key that was used and has not expired.
pub(crate) fn unanswered(
    conn: &mut dyn Conn,
    key: &Idempotency,
    now: Timestamp,
) -> Result<(), CommitError> {
    match answered(conn, key, now)? {
        None => Ok(()),
        Some((digest, _)) if digest != key.body_digest => Err(CommitError::IdempotencyMismatch),
        Some((_, answer)) => Err(CommitError::Replay { answer }),
    }
}

/// What a key that has not expired was used for, as a digest, and answered with.
pub(crate) fn answered(
    conn: &mut dyn Conn,
    key: &Idempotency,
    now: Timestamp,
) -> Result<Option<([u8; 32], String)>, StoreError> {
    let params = [key.stream.into(), (&key.key).into()];
    let Some(row) = conn.query(ANSWERED, &params)?.into_iter().next() else {
        return Ok(None);
    };
    let mut cells = Cells::new("idempotency", row);
    let _stream = cells.array::<16>("stream")?;
    let _key = cells.array::<32>("key")?;
    let digest = cells.array::<32>("body_digest")?;
    if cells.time("expires_at")? <= now {
        return Ok(None);
    }
    Ok(Some((digest, cells.text("answer")?)))
}

pub(crate) fn remember(
    conn: &mut dyn Conn,
    key: &Idempotency,
    answer: &str,
) -> Result<(), StoreError> {
    let params = [
        key.stream.into(),
        (&key.key).into(),
        (&key.body_digest).into(),
        answer.into(),
        key.expires_at.into(),
    ];
    conn.execute(ANSWER, &params).map(|_| ())
}
