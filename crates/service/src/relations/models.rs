//! Versions of authorization models: written once, never changed, the latest meant where none is named. A model is read
//! and compiled for its store before it is kept, so that no version is there that cannot be asked.

use super::{
    Answered, Fault, asked::unknown, conditions, decided, permit, scopes, store_of, token,
};
use crate::{Act, Cx, Error};
use authz::model::{Model, Problem};
use domain::{AuthorizationModel, AuthorizationModelCore, Permission};
use kernel::{Code, Id, limits};
use proto::fga::{ErrorName, ModelResponse, ModelsResponse, WrittenModel};
use serde_json::{Map, Value, json};

/// Types that begin so are the platform's own.
const RESERVED: &str = "cardea_";
/// How many problems are told at once.
const TOLD: usize = 8;

/// Keeps a version of a store's model, as the latest.
///
/// # Errors
/// When the model is none, or may not be written.
pub async fn write_model(
    cx: &mut Cx,
    store: &str,
    body: Map<String, Value>,
) -> Answered<WrittenModel> {
    let name = "relations.write_model";
    decided!(cx, name, Permission::RelationsModels, {
        keep(cx, store, &body).await
    })
}

async fn keep(cx: &Cx, store: &str, body: &Map<String, Value>) -> Answered<WrittenModel> {
    let (view, store) = store_of(cx, cx.view()?, store).await?;
    let model = read(body)?;
    scopes::may_steer(cx, "relations.write_model", &view, store, Some(&model)).await?;
    let (view, relations) = cx.platform.node.relations(&view, store).await?;
    // Numbers are given to names as in the store itself: what is too much for it is refused here.
    let compiled = relations.tuples().clone().compile(&model);
    compiled.map_err(|problems| invalid(&problems))?;
    let text = serde_json::to_string(&model).map_err(Error::internal)?;
    if text.len() > limits::MODEL_BYTES {
        return Err(Fault::new(
            ErrorName::ExceededEntityLimit,
            format!("a model may have at most {} bytes", limits::MODEL_BYTES),
        ));
    }
    let id = after(cx.id(), relations.latest());
    let stream = cx.stream()?;
    let kept = AuthorizationModel {
        core: AuthorizationModelCore {
            id,
            store,
            model: text,
        },
        created_at: view.now,
    };
    let act = Act::create("authorization_model.written").on(id).after(
        json!({ "schema_version": model.schema, "store": store, "types": model.types.len() }),
    );
    let done = cx.commit(act, move |tx| {
        let latest = tx.latest_model(stream, store)?;
        if latest.is_some_and(|latest| latest.core.id >= id) {
            // Another node wrote one meanwhile: the later one must be the greater one.
            return Err(store::Refusal::new(Code::ConcurrentChange, "decide again"));
        }
        tx.insert(stream, &kept)
    });
    match done.await {
        Ok(_) => Ok(WrittenModel {
            authorization_model_id: id.ulid(),
        }),
        Err(error) if error.code == Code::ConcurrentChange => Err(Error::moved().into()),
        Err(error) => Err(error.into()),
    }
}

/// An identifier that is greater than that of the latest version, whatever the clocks of two nodes say.
fn after(
    id: Id<kernel::AuthorizationModel>,
    latest: Option<Id<kernel::AuthorizationModel>>,
) -> Id<kernel::AuthorizationModel> {
    let Some(latest) = latest.filter(|latest| *latest >= id) else {
        return id;
    };
    let next = u128::from_be_bytes(latest.bytes()).saturating_add(1);
    Id::from_bytes(next.to_be_bytes())
}

/// Reads and checks a model as it is sent.
fn read(body: &Map<String, Value>) -> Answered<Model> {
    let mut wanted = Map::new();
    for name in ["schema_version", "type_definitions", "conditions"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
            wanted.insert(name.into(), value.clone());
        }
    }
    let model: Result<Model, _> = serde_path_to_error::deserialize(Value::Object(wanted));
    let model = model.map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner().to_string());
        match path.as_str() {
            "." => Fault::new(ErrorName::InvalidModel, inner),
            path => Fault::new(ErrorName::InvalidModel, format!("`{path}`: {inner}")),
        }
    })?;
    if !["1.1", "1.2"].contains(&model.schema.as_str()) {
        let message = "`schema_version` must be `1.1` or `1.2`";
        return Err(Fault::new(ErrorName::UnsupportedSchema, message));
    }
    if let Some(reserved) = model.types.iter().find(|of| of.name.starts_with(RESERVED)) {
        return Err(Fault::new(
            ErrorName::InvalidModel,
            format!(
                "type `{}`: names that begin with `{RESERVED}` are the platform's; choose another",
                reserved.name
            ),
        ));
    }
    if let Some(problem) = conditions::problem(&model) {
        return Err(Fault::new(ErrorName::InvalidModel, problem));
    }
    if model.problems().is_empty() {
        return Ok(model);
    }
    // JSON has no lines of its own that anybody wrote; the same model as text has.
    match Model::read(&model.to_string()) {
        Err(problems) => Err(invalid(&problems)),
        Ok(_) => Err(invalid(&model.problems())),
    }
}

fn invalid(problems: &[Problem]) -> Fault {
    let told: Vec<String> = problems.iter().take(TOLD).map(Problem::to_string).collect();
    let more = match problems.len().checked_sub(TOLD) {
        Some(more @ 1..) => format!("; and {more} more"),
        _ => String::new(),
    };
    let message = format!("the model, as text, is wrong: {}{more}", told.join("; "));
    Fault::new(ErrorName::InvalidModel, message)
}

fn shown(model: &AuthorizationModel) -> Answered<Value> {
    let mut value: Value = serde_json::from_str(&model.core.model).map_err(Error::internal)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("id".into(), model.core.id.ulid().into());
    }
    Ok(value)
}

/// One version of a store's model.
///
/// # Errors
/// When the store has no such version.
pub async fn read_model(cx: &Cx, store: &str, model: &str) -> Answered<ModelResponse> {
    permit(cx, "relations.read_model", Permission::RelationsRead).await?;
    let stream = cx.stream()?;
    let (_, store) = store_of(cx, cx.view()?, store).await?;
    let id: Id<kernel::AuthorizationModel> = Id::from_ulid(model).ok_or_else(|| unknown(model))?;
    let read =
        move |reader: &mut store::Reader<'_>| reader.get::<AuthorizationModel>(stream, id.bytes());
    let row = cx.platform.store.read(stream, read).await;
    let row = row.map_err(Error::from)?;
    let row = row.filter(|row| row.value.core.store == store);
    let row = row.ok_or_else(|| unknown(model))?;
    Ok(ModelResponse {
        authorization_model: shown(&row.value)?,
    })
}

/// The versions of a store's model, newest first.
///
/// # Errors
/// When they may not be seen.
pub async fn read_models(
    cx: &Cx,
    store: &str,
    page: super::PageRequest,
) -> Answered<ModelsResponse> {
    permit(cx, "relations.read_models", Permission::RelationsRead).await?;
    let (stream, size) = (cx.stream()?, token::size(page.page_size)?);
    let (_, store) = store_of(cx, cx.view()?, store).await?;
    let list = format!("models {store}");
    let before = token::take(cx, &list, &page.continuation_token)?;
    let read = move |reader: &mut store::Reader<'_>| reader.models(stream, store, before, size + 1);
    let rows = cx.platform.store.read(stream, read).await;
    let rows = rows.map_err(Error::from)?;
    let last = (rows.len() > size).then(|| rows.get(size - 1)).flatten();
    let continuation_token = match last {
        Some(last) => token::give(cx, &list, &last.value.core.id)?,
        None => String::new(),
    };
    let models = rows.iter().take(size).map(|row| shown(&row.value));
    Ok(ModelsResponse {
        authorization_models: models.collect::<Answered<_>>()?,
        continuation_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_greater_whatever_the_clock_says() {
        let id = |n: u8| Id::from_bytes([n; 16]);
        assert_eq!(after(id(3), None), id(3));
        assert_eq!(after(id(3), Some(id(2))), id(3));
        assert!(after(id(3), Some(id(3))) > id(3));
        assert!(after(id(3), Some(id(9))) > id(9));
    }
}
