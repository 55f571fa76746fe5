//! Which objects a user is in a relation of, and which users are in a relation of an object. A list is complete or
//! refused; none is cut short.

use super::{
    Answered, Fault,
    asked::{self, Place, ask},
    conditions::Given,
};
use crate::Cx;
use authz::relation::{Listing, Object, QueryError, Subject, Unsettled, UserFilter};
use domain::Permission;
use proto::fga::{
    ListObjectsRequest, ListObjectsResponse, ListUsersRequest, ListUsersResponse, ObjectRef, User,
};

/// What was found, when nothing of it depends on values that nobody gave.
fn whole(listing: Listing) -> Answered<Vec<String>> {
    if !listing.conditional.is_empty() {
        return Err(asked::lacking(&listing.unsettled));
    }
    Ok(listing.found.into_iter().collect())
}

/// The objects of a type that a user is in a relation of.
///
/// # Errors
/// When it cannot be asked, or has no complete answer.
pub async fn list_objects(
    cx: &Cx,
    store: &str,
    request: ListObjectsRequest,
) -> Answered<ListObjectsResponse> {
    let place = Place {
        store,
        model: &request.authorization_model_id,
        consistency: request.consistency,
    };
    let name = "relations.list_objects";
    let asked = ask(cx, name, Permission::RelationsRead, place).await?;
    let here = asked.clone();
    let objects = asked::aside(move || {
        let context = request.context.as_ref();
        asked::bounded(context)?;
        let subject = asked::subject(&request.user)?;
        let tuples = here.with(&request.contextual_tuples.tuple_keys)?;
        let given = Given::of(&here.compiled, context);
        let given = given.request();
        let query = here.query(&tuples, &given);
        let asked_for = (request.type_name.as_str(), request.relation.as_str());
        let listing = query.list_objects(asked_for.0, asked_for.1, subject);
        whole(listing.map_err(|error| of_user(error, asked_for))?)
    });
    let objects = objects.await?;
    asked.leave(cx, ListObjectsResponse { objects })
}

/// What the list is of has codes of its own; a user that the model does not know is an invalid question.
fn of_user(error: QueryError, (of, relation): (&str, &str)) -> Fault {
    let named = match &error {
        QueryError::UnknownType(unknown) => unknown == of,
        QueryError::UnknownRelation(unknown, one) => unknown == of && one == relation,
        _ => true,
    };
    match named {
        true => error.into(),
        false => Fault::invalid(format!("`user`: {error}")),
    }
}

/// The users of a kind that are in a relation of an object.
///
/// # Errors
/// When it cannot be asked, or has no complete answer.
pub async fn list_users(
    cx: &Cx,
    store: &str,
    request: ListUsersRequest,
) -> Answered<ListUsersResponse> {
    let place = Place {
        store,
        model: &request.authorization_model_id,
        consistency: request.consistency,
    };
    let name = "relations.list_users";
    let asked = ask(cx, name, Permission::RelationsRead, place).await?;
    let here = asked.clone();
    let users = asked::aside(move || {
        let context = request.context.as_ref();
        asked::bounded(context)?;
        let [filter] = request.user_filters.as_slice() else {
            return Err(Fault::invalid("`user_filters` holds exactly one filter"));
        };
        let filter = UserFilter {
            type_name: &filter.type_name,
            relation: Some(filter.relation.as_str()).filter(|relation| !relation.is_empty()),
        };
        let object = format!("{}:{}", request.object.type_name, request.object.id);
        let object: Object<'_> = asked::object(&object)?;
        let tuples = here.with(&request.contextual_tuples)?;
        let given = Given::of(&here.compiled, context);
        let given = given.request();
        let query = here.query(&tuples, &given);
        let listing = query.list_users(object, &request.relation, filter)?;
        // A condition on any way to the object that says nothing leaves the whole list open, as in OpenFGA.
        if listing.unsettled != Unsettled::default() {
            return Err(asked::lacking(&listing.unsettled));
        }
        whole(listing)
    });
    let users = users.await?.iter().filter_map(|name| user(name)).collect();
    asked.leave(cx, ListUsersResponse { users })
}

/// A subject in the parts in which this list gives it.
fn user(name: &str) -> Option<User> {
    Some(match Subject::parse(name).ok()? {
        Subject::Object(of) => User::Object(ObjectRef {
            type_name: of.type_name.into(),
            id: of.id.into(),
        }),
        Subject::Userset(of, relation) => User::Userset {
            type_name: of.type_name.into(),
            id: of.id.into(),
            relation: relation.into(),
        },
        Subject::Wildcard(of) => User::Wildcard {
            type_name: of.into(),
        },
    })
}
