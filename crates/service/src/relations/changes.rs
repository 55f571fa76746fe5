//! What happened to the tuples of a store, in order, for whoever reads along.

use super::{Answered, Fault, permit, read::shown, store_of, token};
use crate::{Cx, Error};
use domain::Permission;
use kernel::{Timestamp, limits};
use proto::fga::{ChangeOperation, ChangesResponse, ErrorName, TupleChange};
use serde::{Deserialize, Serialize};

/// Which changes are wanted.
#[derive(Clone, Debug, Default)]
pub struct ChangesRequest {
    /// Only to objects of this type.
    pub of: Option<String>,
    /// At most so many.
    pub page_size: Option<i64>,
    /// Where the page before ended.
    pub continuation_token: String,
    /// Only those at this moment or later, RFC 3339.
    pub start_time: Option<String>,
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Place {
    at: (u64, u64),
    of: Option<String>,
}

/// What happened to the tuples of a store after a place.
///
/// # Errors
/// When it may not be seen.
pub async fn read_changes(
    cx: &Cx,
    store: &str,
    request: ChangesRequest,
) -> Answered<ChangesResponse> {
    permit(cx, "relations.read_changes", Permission::RelationsRead).await?;
    let (stream, size) = (cx.stream()?, token::size(request.page_size)?);
    let (_, store) = store_of(cx, cx.view()?, store).await?;
    let of = request.of.filter(|of| !of.is_empty());
    if of
        .as_ref()
        .is_some_and(|of| of.len() > limits::TYPE_NAME_CHARS || of.contains([':', '#', '\0']))
    {
        return Err(Fault::invalid("`type` is not the name of a type"));
    }
    let since = match request.start_time.filter(|text| !text.is_empty()) {
        Some(text) => Some(moment(&text)?),
        None => None,
    };
    let list = format!("changes {store}");
    let place: Option<Place> = token::take(cx, &list, &request.continuation_token)?;
    if place.as_ref().is_some_and(|place| place.of != of) {
        return Err(Fault::new(
            ErrorName::TokenOfOtherType,
            "`type` is another than that of the page before",
        ));
    }
    let (from, wanted) = (place.map(|place| place.at), of.clone());
    let look = move |reader: &mut store::Reader<'_>| {
        let from = match (from, since) {
            (Some(from), _) => from,
            (None, Some(since)) => reader.tuple_changes_since(stream, store, since)?,
            (None, None) => (0, 0),
        };
        let rows = reader.tuple_changes(stream, store, from, wanted.as_deref(), size)?;
        Ok((from, rows))
    };
    let found = cx.platform.store.read(stream, look).await;
    let (from, rows) = found.map_err(Error::from)?;
    let at = rows.last().map_or(from, |last| last.place);
    let continuation_token = token::give(cx, &list, &Place { at, of })?;
    let changes = rows.into_iter().map(|row| TupleChange {
        operation: match row.deleted {
            true => ChangeOperation::Delete,
            false => ChangeOperation::Write,
        },
        timestamp: row.at.time,
        tuple_key: shown(row.at.tuple),
    });
    Ok(ChangesResponse {
        changes: changes.collect(),
        continuation_token,
    })
}

fn moment(text: &str) -> Answered<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| {
        let message = "`start_time` must be a moment as RFC 3339 writes it";
        Fault::new(ErrorName::InvalidStartTime, message)
    })
}
