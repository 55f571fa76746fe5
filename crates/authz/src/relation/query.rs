//! Questions about the tuples of one store at one revision, under one model, at one moment: check, batch, expand, list
//! objects and list users. Every answer is complete or an error; none is cut short silently.

use super::check::{Check, Who};
use super::names::{NONE, ObjectId, Symbol, WILDCARD};
use super::plan::{Place, Plan};
use super::segment::End;
use super::{Conditions, Object, Subject, Truth, Tuple, TupleError, Tuples, Unsettled};
use kernel::Timestamp;
use kernel::limits::{RELATION_DEPTH, RELATION_LIST_NODES, RELATION_LISTED, RELATION_NODES};
use std::collections::BTreeSet;

/// What one question may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Usersets, and operators inside operators, that lead from one to the next.
    pub depth: usize,
    /// Usersets that a check may look at.
    pub nodes: usize,
    /// Usersets that a listing may look at.
    pub list_nodes: usize,
    /// Names that a listing may find or an expansion name.
    pub listed: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            depth: RELATION_DEPTH,
            nodes: RELATION_NODES,
            list_nodes: RELATION_LIST_NODES,
            listed: RELATION_LISTED,
        }
    }
}

/// The question costs more than it may; there is no answer. With the usersets that led there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Too many led from one to the next.
    #[error("the question leads deeper than {0} usersets: {chain}", chain = chain(.1))]
    Depth(usize, Vec<String>),
    /// Too many were looked at.
    #[error("the question looks at more than {0} usersets: {chain}", chain = chain(.1))]
    Nodes(usize, Vec<String>),
    /// The answer is longer than it may be; none is cut short.
    #[error("the answer has more than {0} names; ask a narrower question")]
    Listed(usize),
}

impl Budget {
    /// Refuses an answer that grew too long, before all of it is made.
    pub(super) const fn names(&self, so_far: usize) -> Result<(), Exceeded> {
        if so_far > self.listed {
            return Err(Exceeded::Listed(self.listed));
        }
        Ok(())
    }
}

/// The ends of a chain say where it began and where it goes round.
fn chain(all: &[String]) -> String {
    const SHOWN: usize = 8;
    if all.len() <= 2 * SHOWN {
        return all.join(" → ");
    }
    let (first, rest) = all.split_at(SHOWN);
    let (left, last) = rest.split_at(rest.len() - SHOWN);
    format!(
        "{} → … {} more … → {}",
        first.join(" → "),
        left.len(),
        last.join(" → ")
    )
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The model has no such type.
    #[error("type `{0}` is not in the model")]
    UnknownType(String),
    /// The type has no such relation.
    #[error("type `{0}` has no relation `{1}` in the model")]
    UnknownRelation(String, String),
    /// It costs too much.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The plan was compiled for the tuples of another store.
    #[error("the model was compiled for another store")]
    OtherStore,
}

/// The answer to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The subject is in the relation.
    Allowed,
    /// It is not.
    Denied,
    /// It depends on conditions that say nothing, for these reasons. Not a permit.
    Conditional(Unsettled),
}

/// Everything that a listing found, each in order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What is certainly in.
    pub found: BTreeSet<String>,
    /// What depends on conditions that say nothing.
    pub conditional: BTreeSet<String>,
    /// Which conditions on the way said nothing, and why. Nothing here hangs on them while `conditional` is empty.
    pub unsettled: Unsettled,
}

impl Listing {
    pub(super) fn add(&mut self, truth: Truth, name: impl FnOnce() -> String) {
        match truth {
            Truth::True => self.found.insert(name()),
            Truth::Unknown => self.conditional.insert(name()),
            Truth::False => false,
        };
    }
}

/// What questions are asked about.
pub struct Query<'a, C> {
    /// The tuples of a store at a revision.
    pub tuples: &'a Tuples,
    /// A model, compiled for that store.
    pub plan: &'a Plan,
    /// The conditions, with the request's context.
    pub conditions: &'a C,
    /// The moment.
    pub now: Timestamp,
    /// What a question may cost.
    pub budget: Budget,
}

/// An object that no tuple names.
const NOWHERE: ObjectId = ObjectId::MAX;
/// A subject that no tuple names.
pub(super) const NOBODY: ObjectId = ObjectId::MAX - 1;

impl Tuples {
    /// These tuples and some more that a request brings, which the model must allow. The store's stay as they are.
    pub fn with(&self, plan: &Plan, more: &[Tuple<'_>]) -> Result<Self, TupleError> {
        let mut tuples = self.clone();
        for tuple in more {
            plan.allows(tuple)?;
            tuples.put(tuple)?;
        }
        Ok(tuples)
    }
}

impl<C: Conditions> Query<'_, C> {
    /// Whether the subject is in the relation of the object.
    pub fn check(
        &self,
        object: Object<'_>,
        relation: &str,
        subject: Subject<'_>,
    ) -> Result<Decision, QueryError> {
        let place = self.place(object.type_name, relation)?;
        let who = self.who(subject)?;
        let object = self.at(object, subject, who);
        let mut check = Check::new(self, who, self.budget.nodes);
        Ok(match check.truth(object, place)? {
            Truth::True => Decision::Allowed,
            Truth::False => Decision::Denied,
            Truth::Unknown => Decision::Conditional(check.unsettled),
        })
    }

    /// Several checks, each with its own answer.
    pub fn batch_check(
        &self,
        all: &[(Object<'_>, &str, Subject<'_>)],
    ) -> Vec<Result<Decision, QueryError>> {
        let check = |(object, relation, subject): &(Object<'_>, &str, Subject<'_>)| {
            self.check(*object, relation, *subject)
        };
        all.iter().map(check).collect()
    }

    pub(super) fn type_symbol(&self, name: &str) -> Result<Symbol, QueryError> {
        if !self.plan.symbols.akin(&self.tuples.symbols) {
            return Err(QueryError::OtherStore);
        }
        let symbol = self.plan.type_symbol(name);
        symbol.ok_or_else(|| QueryError::UnknownType(name.into()))
    }

    pub(super) fn place(&self, of: &str, relation: &str) -> Result<Place, QueryError> {
        let symbol = self.type_symbol(of)?;
        let relation_symbol = self.plan.symbol(relation);
        let place = relation_symbol.and_then(|relation| self.plan.place(symbol, relation));
        place.ok_or_else(|| QueryError::UnknownRelation(of.into(), relation.into()))
    }

    /// The subject as numbers; its type and relation must be the model's.
    pub(super) fn who(&self, subject: Subject<'_>) -> Result<Who, QueryError> {
        let of = self.type_symbol(subject.type_name())?;
        let known = |object: Object<'_>| self.tuples.objects.find(of, object.id).unwrap_or(NOBODY);
        let everyone = || self.everyone(of);
        Ok(match subject {
            Subject::Object(object) => Who {
                end: End::new(known(object), NONE),
                kind: of,
                everyone: everyone(),
                itself: None,
            },
            Subject::Wildcard(_) => Who {
                end: everyone().unwrap_or(End::new(NOBODY, NONE)),
                kind: of | WILDCARD,
                everyone: None,
                itself: None,
            },
            Subject::Userset(object, relation) => {
                let place = self.place(object.type_name, relation)?;
                self.userset(known(object), of, place)
            }
        })
    }

    /// All objects of a type, when the model lets a tuple name them and one does.
    pub(super) fn everyone(&self, of: Symbol) -> Option<End> {
        let named = self.plan.everyone(of).then(|| self.tuples.wildcard(of));
        named.flatten().map(|id| End::new(id, NONE))
    }

    pub(super) fn userset(&self, object: ObjectId, of: Symbol, place: Place) -> Who {
        let relation = self.plan.node(place).map_or(NONE, |node| node.relation);
        Who {
            end: End::new(object, relation),
            kind: of,
            everyone: None,
            itself: Some((object, place)),
        }
    }

    /// The object's number; one that no tuple names is still the subject's, when the subject is a userset of it.
    fn at(&self, object: Object<'_>, subject: Subject<'_>, who: Who) -> ObjectId {
        match subject {
            Subject::Userset(of, _) if of == object => who.end.object(),
            _ => {
                let of = self.plan.symbol(object.type_name);
                let known = of.and_then(|of| self.tuples.objects.find(of, object.id));
                known.unwrap_or(NOWHERE)
            }
        }
    }
}
