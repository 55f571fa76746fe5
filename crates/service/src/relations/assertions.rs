//! What somebody expects of a version of a model: kept beside it and given back. Nothing here asks whether it is so.

use super::{Answered, Fault, asked::unknown, decided, permit, store_of};
use crate::{Act, Cx, Error};
use domain::{AuthorizationModel, Permission, RelationAssertions};
use kernel::{Code, Id, RelationStore, limits};
use proto::fga::{Assertions, ErrorName, WriteAssertionsRequest};
use serde_json::{Value, json};

/// Most bytes of all assertions of a version.
const BYTES: usize = 64 * 1024;

fn usable(assertions: &[Value]) -> Answered<()> {
    if assertions.len() > limits::MODEL_ASSERTIONS {
        let most = limits::MODEL_ASSERTIONS;
        return Err(Fault::new(
            ErrorName::ExceededEntityLimit,
            format!("a model has at most {most} assertions"),
        ));
    }
    let whole = |one: &Value| {
        let parts = ["user", "relation", "object"];
        let text = |part: &str| {
            one.pointer(&format!("/tuple_key/{part}"))
                .is_some_and(Value::is_string)
        };
        parts.into_iter().all(text) && one.get("expectation").is_none_or(Value::is_boolean)
    };
    if !assertions.iter().all(whole) {
        let message =
            "each assertion has a `tuple_key` with user, relation and object, and an `expectation`";
        return Err(Fault::invalid(message));
    }
    let size: usize = assertions.iter().map(|one| one.to_string().len()).sum();
    if size > BYTES {
        return Err(Fault::new(
            ErrorName::ExceededEntityLimit,
            format!("assertions may have at most {BYTES} bytes"),
        ));
    }
    Ok(())
}

/// Keeps the assertions of a version, in the place of those before.
///
/// # Errors
/// When the store has no such version, or they may not be written.
pub async fn write_assertions(
    cx: &mut Cx,
    store: &str,
    model: &str,
    request: WriteAssertionsRequest,
) -> Answered<()> {
    usable(&request.assertions)?;
    let name = "relations.write_assertions";
    decided!(cx, name, Permission::RelationsModels, {
        let (_, store) = store_of(cx, cx.view()?, store).await?;
        let id = Id::from_ulid(model).ok_or_else(|| unknown(model))?;
        match keep(cx, store, id, &request.assertions).await {
            Err(error) if error.code == Code::NotFound => Err(unknown(model)),
            done => Ok(done?),
        }
    })
}

async fn keep(
    cx: &Cx,
    store: Id<RelationStore>,
    model: Id<kernel::AuthorizationModel>,
    assertions: &[Value],
) -> Result<(), Error> {
    let stream = cx.stream()?;
    let kept = RelationAssertions {
        model,
        assertions: assertions.to_vec(),
    };
    let act = Act::update("relation_assertions.written")
        .on(model)
        .after(json!({ "count": assertions.len() }));
    let done = cx.commit(act, move |tx| {
        let known = tx.get::<AuthorizationModel>(stream, model.bytes())?;
        let known = known.filter(|row| row.value.core.store == store);
        known.ok_or_else(|| store::Refusal::new(Code::NotFound, "no such model"))?;
        tx.put(stream, &kept).map(|_| ())
    });
    done.await.map(|_| ())
}

/// The assertions of a version.
///
/// # Errors
/// When the store has no such version.
pub async fn read_assertions(cx: &Cx, store: &str, model: &str) -> Answered<Assertions> {
    permit(cx, "relations.read_assertions", Permission::RelationsRead).await?;
    let stream = cx.stream()?;
    let (_, store) = store_of(cx, cx.view()?, store).await?;
    let id: Id<kernel::AuthorizationModel> = Id::from_ulid(model).ok_or_else(|| unknown(model))?;
    let look = move |reader: &mut store::Reader<'_>| {
        let known = reader.get::<AuthorizationModel>(stream, id.bytes())?;
        let known = known.is_some_and(|row| row.value.core.store == store);
        Ok((known, reader.get::<RelationAssertions>(stream, id.bytes())?))
    };
    let found = cx.platform.store.read(stream, look).await;
    let (known, row) = found.map_err(Error::from)?;
    if !known {
        return Err(unknown(model));
    }
    Ok(Assertions {
        authorization_model_id: id.ulid(),
        assertions: row.map(|row| row.value.assertions).unwrap_or_default(),
    })
}
