//! What somebody needs who writes what decisions read: the organization's own store gives what declared scopes name, so
//! whoever writes its tuples or its model holds those scopes (RBAC-4). Other stores give nothing and ask nothing.

use super::Answered;
use crate::{Cx, Error, access::giving, audit};
use authz::model::Model;
use domain::{AuthorizationModel, Scope};
use kernel::{Id, RelationStore};
use live::View;
use std::collections::BTreeSet;

/// Refuses whoever does not hold every declared scope that a relation of the organization's own store stands for, in the
/// latest version of its model or in one that is to be. A refusal is in the log.
pub(super) async fn may_steer(
    cx: &Cx,
    name: &'static str,
    view: &View,
    store: Id<RelationStore>,
    to_be: Option<&Model>,
) -> Answered<()> {
    let own = view.org.relation_store(store).is_some_and(|own| own.main);
    let held = &cx.caller()?.held;
    let declared = view.org.declared_scopes();
    let lacking: Vec<&Scope> = declared.filter(|scope| !held.holds(scope)).collect();
    if !own || lacking.is_empty() {
        return Ok(());
    }
    let latest = latest(cx, view, store).await?;
    let stood_for: BTreeSet<(&str, &str)> =
        latest.iter().chain(to_be).flat_map(relations).collect();
    let Some(scope) = lacking.into_iter().find(|one| names(one, &stood_for)) else {
        return Ok(());
    };
    let refusal = giving::beyond(scope.as_str());
    audit::record_refusal(cx, name, &refusal).await;
    Err(refusal.into())
}

/// The latest version, which is kept whether or not the store could be loaded.
async fn latest(cx: &Cx, view: &View, store: Id<RelationStore>) -> Answered<Option<Model>> {
    let loaded = view
        .relation_model()
        .filter(|_| view.own_store() == Some(store));
    if let Some(loaded) = loaded {
        return Ok(Some(loaded.model.clone()));
    }
    let stream = cx.stream()?;
    let read = move |reader: &mut store::Reader<'_>| reader.models(stream, store, None, 1);
    let rows = cx.platform.store.read(stream, read).await;
    let rows: Vec<store::Versioned<AuthorizationModel>> = rows.map_err(Error::from)?;
    let model = rows
        .first()
        .map(|row| serde_json::from_str(&row.value.core.model));
    Ok(model.transpose().map_err(Error::internal)?)
}

fn relations(model: &Model) -> impl Iterator<Item = (&str, &str)> {
    model.types.iter().flat_map(|of| {
        let named = of.relations.iter();
        named.map(|relation| (of.name.as_str(), relation.name.as_str()))
    })
}

/// Whether a scope is called after a type and one of its relations, in either order.
fn names(scope: &Scope, relations: &BTreeSet<(&str, &str)>) -> bool {
    let text = scope.as_str();
    text.match_indices(':').any(|(at, colon)| {
        let (first, last) = text.split_at(at);
        let last = last.strip_prefix(colon).unwrap_or_default();
        relations.contains(&(first, last)) || relations.contains(&(last, first))
    })
}
