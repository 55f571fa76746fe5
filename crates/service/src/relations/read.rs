//! Stored tuples as they are, without what follows from them.

use super::{Answered, Fault, permit, store_of, token};
use crate::{Cx, Error};
use domain::{Permission, RelationTuple, Stream};
use kernel::limits;
use proto::fga::{Condition, Consistency, ReadRequest, ReadResponse, Tuple, TupleKey};
use store::TupleFilter;

/// A tuple as this API gives it.
pub(super) fn shown(tuple: RelationTuple) -> TupleKey {
    TupleKey {
        user: tuple.key.subject,
        relation: tuple.key.relation,
        object: tuple.key.object,
        condition: tuple.condition.map(|condition| Condition {
            name: condition.name,
            context: condition.context,
        }),
    }
}

/// What is wanted: an object or its type with a user, and what else is given.
fn filter(key: Option<TupleKey>) -> Answered<TupleFilter> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let key = key.unwrap_or_default();
    let (object, relation, subject) = (given(key.object), given(key.relation), given(key.user));
    let parts = [&object, &relation, &subject];
    let long = |text: &String| text.len() > 2 * limits::TUPLE_OBJECT_BYTES || text.contains('\0');
    if parts.into_iter().flatten().any(long) {
        return Err(Fault::invalid("a part of `tuple_key` is too long"));
    }
    let of = object.as_deref().map(|object| object.split_once(':'));
    match of {
        None if relation.is_none() && subject.is_none() => {}
        Some(Some((of, id))) if !of.is_empty() && (!id.is_empty() || subject.is_some()) => {}
        _ => {
            return Err(Fault::invalid(
                "`tuple_key` names an `object`, or its type as `type:` together with a `user`",
            ));
        }
    }
    Ok(TupleFilter {
        object,
        relation,
        subject,
    })
}

/// Stored tuples, in the order of their objects.
///
/// # Errors
/// When they may not be seen.
pub async fn read(cx: &Cx, store: &str, request: ReadRequest) -> Answered<ReadResponse> {
    permit(cx, "relations.read", Permission::RelationsRead).await?;
    let stream = cx.stream()?;
    if request.consistency == Consistency::HigherConsistency {
        cx.platform.node.reach_head(stream).await?;
    }
    let (_, store) = store_of(cx, cx.view()?, store).await?;
    let filter = filter(request.tuple_key)?;
    let size = token::size(request.page_size)?;
    let list = format!("tuples {store} {filter:?}");
    let after = token::take(cx, &list, &request.continuation_token)?;
    let look = move |reader: &mut store::Reader<'_>| {
        reader.tuples(stream, store, &filter, after.as_ref(), size + 1)
    };
    let rows = page(cx, stream, look).await?;
    let last = (rows.len() > size).then(|| rows.get(size - 1)).flatten();
    let continuation_token = match last {
        Some(last) => token::give(cx, &list, &last.tuple.key)?,
        None => String::new(),
    };
    let tuples = rows.into_iter().take(size).map(|row| Tuple {
        timestamp: row.time,
        key: shown(row.tuple),
    });
    Ok(ReadResponse {
        tuples: tuples.collect(),
        continuation_token,
    })
}

async fn page<T: Send + 'static>(
    cx: &Cx,
    stream: Stream,
    look: impl FnOnce(&mut store::Reader<'_>) -> Result<T, store::StoreError> + Send + 'static,
) -> Answered<T> {
    Ok(cx
        .platform
        .store
        .read(stream, look)
        .await
        .map_err(Error::from)?)
}
