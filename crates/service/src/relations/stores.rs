//! An organization's relation stores. The first that is made by the name `main` is the organization's own: policy sets
//! and the decision API mean it. A deleted store answers as unknown at once; its rows stay until somebody sweeps them.

use super::{Answered, Fault, decided, permit, scopes, store_of, token};
use crate::{Act, Cx, Error};
use domain::{Permission, RelationStore, RelationStoreCore};
use kernel::{Code, Id, limits};
use proto::fga::{CreateStoreRequest, ErrorName, Store, StoresResponse};
use serde_json::json;
use store::Query;

/// The name of an organization's own store.
const MAIN: &str = "main";
const MAIN_CLAIM: &str = "relation_store.name";

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// At most so many.
    pub page_size: Option<i64>,
    /// Where the page before ended.
    pub continuation_token: String,
    /// Only those with this name.
    pub name: Option<String>,
}

fn shown(store: &RelationStore) -> Store {
    Store {
        id: store.core.id.ulid(),
        name: store.name.clone(),
        created_at: store.created_at,
        updated_at: store.created_at,
    }
}

fn usable(name: &str) -> Answered<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .-/^_&@".contains(c);
    if (3..=64).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(Fault::invalid(
        "`name` must be 3 to 64 letters, digits, spaces and `. - / ^ _ & @`",
    ))
}

/// Makes a store.
///
/// # Errors
/// When it may not be made, or the organization has as many as it may.
pub async fn create_store(cx: &mut Cx, request: CreateStoreRequest) -> Answered<Store> {
    let name = "relations.create_store";
    decided!(cx, name, Permission::RelationsModels, {
        make(cx, &request.name).await
    })
}

async fn make(cx: &Cx, name: &str) -> Answered<Store> {
    usable(name)?;
    let view = cx.view()?;
    if view.org.relation_stores().len() >= limits::RELATION_STORES {
        let most = limits::RELATION_STORES;
        return Err(Fault::new(
            ErrorName::ExceededEntityLimit,
            format!("the organization has {most} stores, and may have no more; delete one"),
        ));
    }
    let stream = cx.stream()?;
    let store = RelationStore {
        core: RelationStoreCore {
            id: cx.id(),
            main: name == MAIN,
            deleted: false,
        },
        name: name.to_owned(),
        created_at: view.now,
    };
    let act = Act::create("relation_store.created")
        .on(store.core.id)
        .after(json!({ "main": store.core.main, "name": store.name }));
    let made = store.clone();
    let done = cx.commit(act, move |tx| {
        if made.core.main {
            tx.claim(stream, MAIN_CLAIM, MAIN, made.core.id.bytes())?;
        }
        tx.insert(stream, &made)
    });
    match done.await {
        Ok(_) => Ok(shown(&store)),
        Err(error) if error.code == Code::AlreadyExists => Err(Fault::invalid(
            "`name`: the organization has its store `main` already; see the list of stores",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The organization's stores, oldest first.
///
/// # Errors
/// When they may not be seen.
pub async fn list_stores(cx: &Cx, page: PageRequest) -> Answered<StoresResponse> {
    permit(cx, "relations.list_stores", Permission::RelationsRead).await?;
    let (stream, size) = (cx.stream()?, token::size(page.page_size)?);
    let list = format!("stores {}", page.name.as_deref().unwrap_or_default());
    let after: Option<Id<kernel::RelationStore>> =
        token::take(cx, &list, &page.continuation_token)?;
    let named = page.name.filter(|name| !name.is_empty());
    let mut filter = vec![("core.deleted", "false".to_owned())];
    filter.extend(named.map(|name| ("name", name)));
    let query = Query {
        after: after.map(|id| id.bytes()),
        limit: size + 1,
        filter,
    };
    let read = move |reader: &mut store::Reader<'_>| reader.list::<RelationStore>(stream, &query);
    let rows = cx.platform.store.read(stream, read).await;
    let rows = rows.map_err(Error::from)?;
    let last = (rows.len() > size).then(|| rows.get(size - 1)).flatten();
    let continuation_token = match last {
        Some(last) => token::give(cx, &list, &last.value.core.id)?,
        None => String::new(),
    };
    let stores = rows.iter().take(size).map(|row| shown(&row.value));
    Ok(StoresResponse {
        stores: stores.collect(),
        continuation_token,
    })
}

/// One store.
///
/// # Errors
/// When the organization has no such store.
pub async fn get_store(cx: &Cx, store: &str) -> Answered<Store> {
    permit(cx, "relations.get_store", Permission::RelationsRead).await?;
    let stream = cx.stream()?;
    let (_, id) = store_of(cx, cx.view()?, store).await?;
    let read =
        move |reader: &mut store::Reader<'_>| reader.get::<RelationStore>(stream, id.bytes());
    let row = cx.platform.store.read(stream, read).await;
    let row = row
        .map_err(Error::from)?
        .filter(|row| !row.value.core.deleted);
    let unknown = || Fault::new(ErrorName::StoreNotFound, "there is no such store here");
    row.map(|row| shown(&row.value)).ok_or_else(unknown)
}

/// Deletes a store, with everything in it.
///
/// # Errors
/// When the organization has no such store, or it may not be deleted.
pub async fn delete_store(cx: &mut Cx, store: &str) -> Answered<()> {
    let name = "relations.delete_store";
    decided!(cx, name, Permission::RelationsModels, {
        let (view, id) = store_of(cx, cx.view()?, store).await?;
        scopes::may_steer(cx, name, &view, id, None).await?;
        delete(cx, id).await
    })
}

async fn delete(cx: &Cx, id: Id<kernel::RelationStore>) -> Answered<()> {
    let stream = cx.stream()?;
    let act = Act::delete("relation_store.deleted").on(id);
    let done = cx.commit(act, move |tx| {
        let known = tx.get::<RelationStore>(stream, id.bytes())?;
        let known = known.filter(|row| !row.value.core.deleted);
        let known = known.ok_or_else(|| store::Refusal::new(Code::NotFound, "no such store"))?;
        let mut gone = known.value;
        gone.core.deleted = true;
        if gone.core.main {
            tx.release(stream, MAIN_CLAIM, MAIN)?;
        }
        tx.put(stream, &gone).map(|_| ())
    });
    match done.await {
        Ok(_) => Ok(()),
        Err(error) if error.code == Code::NotFound => {
            let message = "there is no such store here";
            Err(Fault::new(ErrorName::StoreNotFound, message))
        }
        Err(error) => Err(error.into()),
    }
}
