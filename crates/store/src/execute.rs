//! One governed command inside a transaction that the engine opened: lock, compare, run, complete. The engine
//! commits or rolls back. Written once for both engines.

use crate::{
    CommitError, Refusal, StoreError, artefacts,
    command::{Command, Done, Moved, Plan},
    conn::Conn,
    head::Heads,
    tx::Tx,
};
use domain::Stream;
use kernel::Timestamp;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs the command. On any error the engine rolls back the statements and calls `Heads::rollback`.
pub(crate) fn execute(
    conn: &mut dyn Conn,
    heads: &mut Heads,
    command: &mut dyn Command,
    now: Timestamp,
) -> Result<Done, CommitError> {
    heads.begin();
    let plan = command.plan().clone();
    prepare(conn, heads, &plan, now)?;
    let mut tx = Tx {
        conn,
        heads,
        scope: plan.scope,
        now,
        touched: BTreeMap::new(),
        answer: None,
        failure: None,
        proof: None,
    };
    let ran = catch_unwind(AssertUnwindSafe(|| command.run(&mut tx)));
    if let Some(failure) = tx.failure.take() {
        return Err(failure.into());
    }
    let Ok(ran) = ran else {
        tracing::error!(stream = %plan.scope, "a governed closure panicked; nothing was written");
        return Err(StoreError::Panicked.into());
    };
    ran.map_err(refused)?;
    complete(&mut tx, &plan)
}

fn refused(refusal: Refusal) -> CommitError {
    if refusal.is_already_used() {
        return CommitError::AlreadyUsed;
    }
    CommitError::Refused(refusal)
}

/// Locks what the plan names and compares it with what was decided on (I14).
fn prepare(
    conn: &mut dyn Conn,
    heads: &mut Heads,
    plan: &Plan,
    now: Timestamp,
) -> Result<(), CommitError> {
    let locks = plan.locks();
    if locks.iter().any(|stream| !plan.covers(*stream)) {
        return Err(StoreError::OutOfScope.into());
    }
    if let Some(seen) = plan.instance_at {
        heads.still_at(conn, Stream::INSTANCE, seen)?;
    }
    for stream in locks {
        heads.lock(conn, stream)?;
    }
    for (stream, seen) in &plan.decided_at {
        heads.still_at(conn, *stream, *seen)?;
    }
    plan.idempotency
        .as_ref()
        .map_or(Ok(()), |key| artefacts::unanswered(conn, key, now))
}

/// Refuses writes without an entry (I2), stores the answer and says what moved.
fn complete(tx: &mut Tx<'_>, plan: &Plan) -> Result<Done, CommitError> {
    let told = |touched: &crate::touched::Touched| {
        touched.open.is_empty() && (!touched.wrote || touched.entries > 0)
    };
    if let Some((stream, _)) = tx.touched.iter().find(|(_, touched)| !told(touched)) {
        let detail = format!("{stream} was written without an entry after it");
        return Err(Refusal::bug(detail).into());
    }
    let logged = tx.touched.values().any(|touched| touched.entries > 0);
    if let Some(key) = plan.idempotency.as_ref().filter(|_| logged) {
        let answer = tx.answer.take().unwrap_or_else(|| "null".to_owned());
        artefacts::remember(tx.conn, key, &answer)?;
    }
    let mut done = Done {
        proof: tx.proof,
        ..Done::default()
    };
    for (stream, touched) in std::mem::take(&mut tx.touched) {
        if touched.entries > 0 {
            let head = tx.heads.lock(tx.conn, stream)?.head;
            let changes = touched.told;
            done.moved.push(Moved {
                stream,
                head,
                changes,
            });
        }
    }
    Ok(done)
}
