//! Writing tuples: all of a request or none of it, with an entry that says which. Whether a tuple is there is decided in
//! the transaction; where a request says that it does not matter, the entry names only what really changed.

use super::{
    Answered, Fault,
    asked::{self, Asked, Place, ask, bounded},
    decided, scopes, store_of,
};
use crate::{Act, Cx, Error};
use authz::relation::{Subject, TupleKey};
use domain::{Permission, RelationCondition, RelationKey, RelationTuple, RelationsCore, Stream};
use kernel::{Code, Id, RelationStore, limits};
use proto::fga::{self, Consistency, ErrorName, WriteRequest};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use store::{Refusal, Tx};

/// What a write makes of a tuple that is there, or is not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Refuse,
    Ignore,
}

impl Otherwise {
    fn read(field: &str, text: &str) -> Answered<Self> {
        match text {
            "" | "error" => Ok(Self::Refuse),
            "ignore" => Ok(Self::Ignore),
            _ => Err(Fault::invalid(format!("`{field}` is `error` or `ignore`"))),
        }
    }
}

/// Writes and deletes tuples of a store.
///
/// # Errors
/// When a tuple is none, is not allowed by the model, or is there, or is not there.
pub async fn write(cx: &mut Cx, store: &str, request: WriteRequest) -> Answered<()> {
    let name = "relations.write";
    decided!(cx, name, Permission::RelationsWrite, {
        once(cx, store, &request).await
    })
}

async fn once(cx: &Cx, store: &str, request: &WriteRequest) -> Answered<()> {
    let (view, steered) = store_of(cx, cx.view()?, store).await?;
    scopes::may_steer(cx, "relations.write", &view, steered, None).await?;
    let (writes, deletes) = (&request.writes, &request.deletes);
    let duplicate = Otherwise::read("on_duplicate", &writes.on_duplicate)?;
    let missing = Otherwise::read("on_missing", &deletes.on_missing)?;
    counted(writes.tuple_keys.len() + deletes.tuple_keys.len())?;
    let (store, model) = if writes.tuple_keys.is_empty() {
        (steered, None)
    } else {
        let place = Place {
            store,
            model: &request.authorization_model_id,
            consistency: Consistency::Unspecified,
        };
        let asked = ask(cx, "relations.write", Permission::RelationsWrite, place).await?;
        for one in &writes.tuple_keys {
            allowed(&asked, one)?;
        }
        let room = limits::RELATION_TUPLES.saturating_sub(asked.relations.tuples().len());
        if writes.tuple_keys.len() > room {
            let most = limits::RELATION_TUPLES;
            return Err(Fault::new(
                ErrorName::ExceededEntityLimit,
                format!("the store may hold at most {most} tuples"),
            ));
        }
        (steered, Some(asked.compiled.id))
    };
    let mut change = RelationsCore {
        store,
        deleted: deletes
            .tuple_keys
            .iter()
            .map(gone)
            .collect::<Answered<_>>()?,
        written: writes.tuple_keys.iter().map(kept).collect(),
    };
    apart(&change)?;
    let narrows = duplicate == Otherwise::Ignore || missing == Otherwise::Ignore;
    let whole = change.clone();
    if narrows {
        change = narrowed(cx, change, duplicate, missing).await?;
    }
    if change.deleted.is_empty() && change.written.is_empty() {
        return Ok(());
    }
    match commit(cx, change.clone(), model).await {
        Err(refused @ Fault::Own(ErrorName::WriteFailed, _)) if narrows => {
            // What was there, or was not, may have changed since it was looked at; if not, the refusal stands.
            match narrowed(cx, whole, duplicate, missing).await? == change {
                true => Err(refused),
                false => Err(Error::moved().into()),
            }
        }
        done => done,
    }
}

fn counted(count: usize) -> Answered<()> {
    match count {
        0 => Err(Fault::new(
            ErrorName::InvalidWriteInput,
            "send at least one tuple in `writes` or `deletes`",
        )),
        1..=limits::RELATION_WRITES => Ok(()),
        _ => Err(Fault::new(
            ErrorName::ExceededEntityLimit,
            format!(
                "a request writes and deletes at most {} tuples",
                limits::RELATION_WRITES
            ),
        )),
    }
}

/// Whether the model allows a tuple to be written.
fn allowed(asked: &Asked, of: &fga::TupleKey) -> Answered<()> {
    let wrong = |error| Fault::tuple(&error, ErrorName::ValidationError);
    bounded(of.condition.as_ref().and_then(|one| one.context.as_ref()))?;
    let tuple = asked::tuple(of).map_err(wrong)?;
    asked.compiled.plan.allows(&tuple).map_err(wrong)?;
    asked.accepts(&tuple, ErrorName::ValidationError)?;
    let key = &tuple.key;
    if key.subject == Subject::Userset(key.object, key.relation) {
        return Err(Fault::invalid(format!(
            "`{key}` says nothing: every userset is in itself"
        )));
    }
    Ok(())
}

fn key(of: &fga::TupleKey) -> RelationKey {
    RelationKey {
        object: of.object.clone(),
        relation: of.relation.clone(),
        subject: of.user.clone(),
    }
}

/// What is to be deleted need not be allowed by any model, but must be a tuple.
fn gone(of: &fga::TupleKey) -> Answered<RelationKey> {
    let read = TupleKey::parse(&of.object, &of.relation, &of.user);
    read.map_err(|error| Fault::invalid(error.to_string()))?;
    Ok(key(of))
}

fn kept(of: &fga::TupleKey) -> RelationTuple {
    let condition = of.condition.as_ref().filter(|one| !one.name.is_empty());
    RelationTuple {
        condition: condition.map(|condition| RelationCondition {
            name: condition.name.clone(),
            context: condition.context.clone(),
        }),
        ..RelationTuple::always(key(of))
    }
}

fn told(key: &RelationKey) -> String {
    format!("{}#{}@{}", key.object, key.relation, key.subject)
}

/// No tuple comes twice.
fn apart(change: &RelationsCore) -> Answered<()> {
    let mut seen = BTreeSet::new();
    let written = change.written.iter().map(|tuple| &tuple.key);
    for key in change.deleted.iter().chain(written) {
        if !seen.insert(key) {
            return Err(Fault::new(
                ErrorName::DuplicateTuples,
                format!("`{}` comes twice in one request", told(key)),
            ));
        }
    }
    Ok(())
}

/// Without what is there already, or is not there, where that does not matter.
async fn narrowed(
    cx: &Cx,
    change: RelationsCore,
    duplicate: Otherwise,
    missing: Otherwise,
) -> Answered<RelationsCore> {
    let (stream, store) = (cx.stream()?, change.store);
    let keys = keys(&change);
    let read = move |reader: &mut store::Reader<'_>| reader.tuples_among(stream, store, &keys);
    let found = cx.platform.store.read(stream, read).await;
    let found = found.map_err(Error::from)?;
    let there: BTreeMap<_, _> = found.iter().map(|tuple| (&tuple.key, tuple)).collect();
    let RelationsCore {
        store,
        mut deleted,
        mut written,
    } = change;
    if missing == Otherwise::Ignore {
        deleted.retain(|key| there.contains_key(key));
    }
    if duplicate == Otherwise::Ignore {
        let other = |tuple: &&RelationTuple| {
            let known = there.get(&tuple.key);
            known.is_some_and(|known| known.condition != tuple.condition)
        };
        if let Some(other) = written.iter().find(other) {
            return Err(Fault::new(
                ErrorName::Aborted,
                format!("`{}` is there with another condition", told(&other.key)),
            ));
        }
        written.retain(|tuple| !there.contains_key(&tuple.key));
    }
    Ok(RelationsCore {
        store,
        deleted,
        written,
    })
}

fn keys(change: &RelationsCore) -> Vec<RelationKey> {
    let written = change.written.iter().map(|tuple| &tuple.key);
    change.deleted.iter().chain(written).cloned().collect()
}

async fn commit(
    cx: &Cx,
    change: RelationsCore,
    model: Option<Id<kernel::AuthorizationModel>>,
) -> Answered<()> {
    let stream = cx.stream()?;
    let written = change.written.iter().map(|tuple| told(&tuple.key));
    let act = Act::update("relations.written")
        .on(change.store)
        .after(json!({
            "deleted": change.deleted.iter().map(told).collect::<Vec<_>>(),
            "model": model,
            "written": written.collect::<Vec<_>>(),
        }));
    let done = cx.commit(act, move |tx| put(tx, stream, &change)).await;
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.code == Code::AlreadyExists || error.code == Code::NotFound => Err(
            Fault::new(ErrorName::WriteFailed, error.detail.into_owned()),
        ),
        Err(error) => Err(error.into()),
    }
}

fn put(tx: &mut Tx<'_>, stream: Stream, change: &RelationsCore) -> Result<(), Refusal> {
    let deleted = |id: Id<RelationStore>, tx: &mut Tx<'_>| {
        let row = tx.get::<domain::RelationStore>(stream, id.bytes())?;
        Ok::<_, Refusal>(row.is_none_or(|row| row.value.core.deleted))
    };
    if deleted(change.store, tx)? {
        return Err(Refusal::new(Code::NotFound, "the store was deleted"));
    }
    let there = tx.tuples_among(stream, change.store, &keys(change))?;
    let there: BTreeSet<&RelationKey> = there.iter().map(|tuple| &tuple.key).collect();
    if let Some(absent) = change.deleted.iter().find(|key| !there.contains(key)) {
        let detail = format!("`{}` cannot be deleted: it is not there", told(absent));
        return Err(Refusal::new(Code::NotFound, detail));
    }
    let mut written = change.written.iter().map(|tuple| &tuple.key);
    if let Some(known) = written.find(|key| there.contains(key)) {
        let detail = format!("`{}` cannot be written: it is there already", told(known));
        return Err(Refusal::new(Code::AlreadyExists, detail));
    }
    tx.write_tuples(stream, change.clone())
}
