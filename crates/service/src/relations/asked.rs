//! A question on its way: the store, the version of the model, how current the answer must be, and the tuples that it
//! brings along. All of it is one revision, and the answer leaves only while that is known to be current.

use super::{Answered, Fault, conditions, permit, store_of};
use crate::{Cx, Error};
use authz::relation::{
    Budget, Conditions, Context, Object, Query, Subject, Tuple, TupleError, TupleKey, Tuples,
    Unsettled,
};
use domain::{Permission, Stream};
use kernel::{Id, limits};
use live::{Compiled, Relations, View};
use proto::fga::{self, Consistency, ErrorName};
use std::sync::Arc;

/// Where a question is asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub view: View,
    pub relations: Arc<Relations>,
    pub compiled: Arc<Compiled>,
}

/// What a question names.
pub(super) struct Place<'a> {
    pub store: &'a str,
    pub model: &'a str,
    pub consistency: Consistency,
}

/// Finds where a question is asked, once it is known that the caller may ask it.
pub(super) async fn ask(
    cx: &Cx,
    name: &'static str,
    permission: Permission,
    place: Place<'_>,
) -> Answered<Asked> {
    permit(cx, name, permission).await?;
    let node = &cx.platform.node;
    let mut view = cx.view()?.clone();
    if place.consistency == Consistency::HigherConsistency {
        node.reach_head(Stream::org(view.id())).await?;
        view = node.view(view.id()).await?;
    }
    let (view, store) = store_of(cx, &view, place.store).await?;
    let wanted = match place.model {
        "" => None,
        text => Some(Id::from_ulid(text).ok_or_else(|| unknown(text))?),
    };
    let found = node.compiled(&view, store, wanted).await?;
    let (view, relations, compiled) = found.ok_or_else(|| match wanted {
        Some(_) => unknown(place.model),
        None => Fault::new(
            ErrorName::LatestModelNotFound,
            "the store has no authorization model; write one first",
        ),
    })?;
    Ok(Asked {
        view,
        relations,
        compiled,
    })
}

/// There is no such version.
pub(super) fn unknown(model: &str) -> Fault {
    let shown: String = model
        .chars()
        .take(40)
        .flat_map(char::escape_debug)
        .collect();
    let message = format!("authorization model `{shown}` is not in this store");
    Fault::new(ErrorName::AuthorizationModelNotFound, message)
}

/// A tuple of a request as the engine takes it.
pub(super) fn tuple(of: &fga::TupleKey) -> Result<Tuple<'_>, authz::relation::TupleError> {
    let key = TupleKey::parse(&of.object, &of.relation, &of.user)?;
    let condition = of.condition.as_ref().filter(|one| !one.name.is_empty());
    let context = condition.and_then(|condition| condition.context.clone());
    Ok(Tuple {
        condition: condition.map(|condition| condition.name.as_str()),
        context: context.map(Arc::new),
        ..key.always()
    })
}

/// Refuses a context that is too large.
pub(super) fn bounded(context: Option<&Context>) -> Answered<()> {
    if let Some(name) = context.and_then(policy::cel::unprintable) {
        let name: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        return Err(Fault::invalid(format!(
            "`context`: `{name}` holds control characters"
        )));
    }
    let size = |context| serde_json::to_string(context).map_or(usize::MAX, |text| text.len());
    if context.map_or(0, size) > limits::CONDITION_CONTEXT_BYTES {
        let most = limits::CONDITION_CONTEXT_BYTES;
        return Err(Fault::invalid(format!(
            "`context` may have at most {most} bytes"
        )));
    }
    Ok(())
}

impl Asked {
    /// The stored tuples, and those that a question brings along.
    pub(super) fn with(&self, more: &[fga::TupleKey]) -> Answered<Tuples> {
        if more.len() > limits::CONTEXTUAL_TUPLES {
            return Err(Fault::invalid(format!(
                "`contextual_tuples` may hold at most {} tuples",
                limits::CONTEXTUAL_TUPLES
            )));
        }
        // Whatever is wrong with a tuple that a question brings along, its code is this one.
        let wrong = |error: TupleError| Fault::new(ErrorName::InvalidTuple, error.to_string());
        let mut tuples: Vec<Tuple<'_>> = Vec::with_capacity(more.len());
        for one in more {
            bounded(one.condition.as_ref().and_then(|one| one.context.as_ref()))?;
            let one = tuple(one).map_err(wrong)?;
            self.accepts(&one, ErrorName::InvalidTuple)?;
            // Bringing a tuple twice says nothing more.
            if tuples.iter().all(|known| known.key != one.key) {
                tuples.push(one);
            }
        }
        let stored = self.relations.tuples();
        stored.with(&self.compiled.plan, &tuples).map_err(wrong)
    }

    /// Refuses a tuple whose condition could not be evaluated with what it carries.
    pub(super) fn accepts(&self, tuple: &Tuple<'_>, name: ErrorName) -> Answered<()> {
        let accepted =
            conditions::accepts(&self.compiled, tuple.condition, tuple.context.as_deref());
        accepted.map_err(|failure| Fault::new(name, format!("`{}`: {failure}", tuple.key)))
    }

    /// What is asked about.
    pub(super) fn query<'a, C: Conditions>(
        &'a self,
        tuples: &'a Tuples,
        conditions: &'a C,
    ) -> Query<'a, C> {
        Query {
            tuples,
            plan: &self.compiled.plan,
            conditions,
            now: self.view.now,
            budget: Budget::default(),
        }
    }

    /// Lets an answer leave while the state is known to be current.
    pub(super) fn leave<T>(&self, cx: &Cx, answer: T) -> Answered<T> {
        cx.platform.node.require_fresh(self.view.id())?;
        Ok(answer)
    }
}

/// An object of a request.
pub(super) fn object(text: &str) -> Answered<Object<'_>> {
    Object::parse(text).map_err(|error| Fault::invalid(format!("`object`: {error}")))
}

/// A user of a request.
pub(super) fn subject(text: &str) -> Answered<Subject<'_>> {
    Subject::parse(text).map_err(|error| Fault::invalid(format!("`user`: {error}")))
}

/// Why conditions leave a question open.
pub(super) fn lacking(why: &Unsettled) -> Fault {
    Fault::invalid(conditions::undecided(why))
}

/// Runs what may take long beside the tasks that answer others.
pub(super) async fn aside<T: Send + 'static>(
    run: impl FnOnce() -> Answered<T> + Send + 'static,
) -> Answered<T> {
    let done = tokio::task::spawn_blocking(run).await;
    done.unwrap_or_else(|error| Err(Error::internal(error).into()))
}
