//! Searches: who may do something, to what somebody may do it, and what they may do. Each candidate is decided like
//! any other question, so a search finds what an evaluation would permit. Pages come in the order of the texts; a page
//! may end before it is full, and only an empty token is the end.

use super::{Asker, claims::with_claims, evaluate, leaves};
use crate::{Error, Platform, Result, sealing};
use authz::{
    Facts,
    decide::{Who, declared, related as relations},
    relation::{QueryError, Subject, UserFilter},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::Stream;
use kernel::{
    Code,
    limits::{PAGE_MAX, SEARCH_CANDIDATES},
};
use live::View;
use proto::authzen::{
    Action, Entity, Found, NextPage, Page, Parts, Question, Results, ResultsContext, Wrong,
};
use std::collections::BTreeSet;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Subjects of a type.
    Subject,
    /// Resources of a type.
    Resource,
    /// Actions.
    Action,
}

impl Sought {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Resource => "resource",
            Self::Action => "action",
        }
    }
}

/// A name that no resource has: what is permitted to it is permitted to every resource of the type.
const EVERY: &str = "*";

/// Finds a page.
///
/// # Errors
/// What is missing of the question, or a token that was not given for it.
pub async fn search(
    platform: &Platform,
    view: &View,
    asker: &Asker,
    sought: Sought,
    parts: Parts,
    page: &Page,
) -> Result<Results> {
    let cursor = Cursor::of(platform, view, sought, &parts)?;
    let after = page.token.as_deref().map(|token| cursor.read(token));
    let after = after.transpose()?;
    let limit = page.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.map_or(PAGE_MAX, |limit| limit.min(PAGE_MAX));
    let mut search = Search {
        platform,
        view,
        asker,
        whole: Whole::of(sought, parts)?,
    };
    let every = sought == Sought::Resource && search.permits(EVERY).await?;
    let (mut results, mut last, mut looked) = (Vec::new(), None, 0);
    for candidate in search.candidates(every, after.as_deref()).await? {
        if results.len() == limit || looked == SEARCH_CANDIDATES {
            let next_token = last.map_or_else(String::new, |last: String| cursor.write(&last));
            return search.page(results, next_token, every);
        }
        looked += 1;
        if looked % 256 == 0 {
            tokio::task::yield_now().await;
        }
        if search.permits(&candidate).await? {
            results.push(search.found(&candidate));
        }
        last = Some(candidate);
    }
    search.page(results, String::new(), every)
}

/// A question whose sought part is put in later.
#[derive(Clone)]
struct Whole {
    sought: Sought,
    subject: Entity,
    action: Action,
    resource: Entity,
    context: Option<proto::authzen::Object>,
}

impl Whole {
    fn of(sought: Sought, parts: Parts) -> Result<Self, Wrong> {
        let missing = |field: &str| Wrong {
            field: field.into(),
            code: "missing",
            detail: "is required".into(),
        };
        let nothing = || Action {
            name: String::new(),
            properties: None,
        };
        let action = match sought {
            Sought::Action => Some(nothing()),
            Sought::Subject | Sought::Resource => parts.action,
        };
        Ok(Self {
            sought,
            subject: parts.subject.ok_or_else(|| missing("subject"))?,
            action: action.ok_or_else(|| missing("action"))?,
            resource: parts.resource.ok_or_else(|| missing("resource"))?,
            context: parts.context,
        })
    }

    fn question(&self) -> Question<'_> {
        Question {
            subject: &self.subject,
            action: &self.action,
            resource: &self.resource,
            context: self.context.as_ref(),
        }
    }

    fn put(&mut self, candidate: &str) {
        let place = match self.sought {
            Sought::Subject => &mut self.subject.id,
            Sought::Resource => &mut self.resource.id,
            Sought::Action => &mut self.action.name,
        };
        candidate.clone_into(place);
    }
}

struct Search<'a> {
    platform: &'a Platform,
    view: &'a View,
    asker: &'a Asker,
    whole: Whole,
}

type Candidates<'a> = Box<dyn Iterator<Item = String> + Send + 'a>;

impl<'a> Search<'a> {
    /// Whether the question with this candidate is permitted, about somebody whom the caller may see.
    async fn permits(&mut self, candidate: &str) -> Result<bool> {
        self.whole.put(candidate);
        let who = evaluate::who(self.platform, self.view, &self.whole.subject).await?;
        let visible = self.whole.sought != Sought::Subject || self.asker.may_see(who);
        let question = self.whole.question();
        Ok(visible && evaluate::permits(self.view, self.asker, who, &question))
    }

    /// Everything that may be found after a text, in order.
    async fn candidates(&self, every: bool, after: Option<&str>) -> Result<Candidates<'a>> {
        let (view, whole) = (self.view, &self.whole);
        Ok(match whole.sought {
            Sought::Subject => self.subjects(after).await?,
            Sought::Resource => {
                let of = &whole.resource.type_name;
                Box::new(match every {
                    true => known(view, of, after).into_iter(),
                    false => later(related(view, whole).await?, after),
                })
            }
            Sought::Action => Box::new(later(actions(view, &whole.resource.type_name), after)),
        })
    }

    /// Those whom relations name, and principals where a role or a relation of everybody may permit them.
    async fn subjects(&self, after: Option<&str>) -> Result<Candidates<'a>> {
        let (view, whole) = (self.view, &self.whole);
        let of = &whole.subject.type_name;
        let mut named = related(view, whole).await?;
        let everybody = named.remove(EVERY);
        if everybody {
            named.extend(known(view, of, after));
        }
        let named = later(named, after);
        let question = whole.question();
        let ask = evaluate::asked(view, self.asker, Who::Unknown, &question);
        let declared = ask.is_some_and(|ask| !declared(view, &ask).is_empty());
        Ok(match everybody || declared {
            true => Box::new(merged(
                principals(view, of, after.map(str::to_owned)),
                named,
            )),
            false => Box::new(named),
        })
    }

    fn found(&self, candidate: &str) -> Found {
        let entity = |of: &Entity| Found::Entity {
            type_name: of.type_name.clone(),
            id: candidate.to_owned(),
        };
        match self.whole.sought {
            Sought::Subject => entity(&self.whole.subject),
            Sought::Resource => entity(&self.whole.resource),
            Sought::Action => Found::Action {
                name: candidate.to_owned(),
            },
        }
    }

    fn page(&self, results: Vec<Found>, next_token: String, every: bool) -> Result<Results> {
        leaves(self.platform, self.view)?;
        Ok(Results {
            page: NextPage {
                next_token,
                count: results.len(),
            },
            context: ResultsContext {
                revision: self.view.revision.state,
                every,
            },
            results,
        })
    }
}

/// What comes after a text.
fn later(mut all: BTreeSet<String>, after: Option<&str>) -> std::vec::IntoIter<String> {
    if let Some(after) = after {
        all = all.split_off(after);
        all.remove(after);
    }
    all.into_iter().collect::<Vec<_>>().into_iter()
}

/// Two orders in one.
fn merged(
    one: impl Iterator<Item = String>,
    other: impl Iterator<Item = String>,
) -> impl Iterator<Item = String> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if a == b => {
            other.next();
            one.next()
        }
        (Some(a), Some(b)) if a > b => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

/// The principals of a type, whose ids sort as their texts do.
fn principals<'a>(view: &'a View, of: &str, after: Option<String>) -> Candidates<'a> {
    let later = move |id: &String| after.as_ref().is_none_or(|after| id > after);
    match of {
        "user" => Box::new(view.org.members().map(|id| id.to_string()).filter(later)),
        "agent" => {
            let ids = view.org.agents().map(|agent| agent.id.to_string());
            let ids: BTreeSet<String> = ids.filter(later).collect();
            Box::new(ids.into_iter())
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// The objects of a type that relations know, as many after a text as one page looks at.
fn known(view: &View, of: &str, after: Option<&str>) -> Vec<String> {
    let known = view.relations();
    known.map_or_else(Vec::new, |(tuples, _)| {
        tuples.ids(of, after, SEARCH_CANDIDATES + 1)
    })
}

/// Whom or what relations name in answer to a question, `*` standing for everybody. It may take a while, so it holds up
/// no other request.
async fn related(view: &View, whole: &Whole) -> Result<BTreeSet<String>> {
    if view.relations().is_none() {
        return Ok(BTreeSet::new());
    }
    let (view, whole) = (view.clone(), whole.clone());
    let list = move || {
        let question = whole.question();
        with_claims(&view, &question, |moment| {
            relations(moment, |query| match whole.sought {
                Sought::Subject => query.list_users(
                    evaluate::object(&whole.resource),
                    &whole.action.name,
                    UserFilter {
                        type_name: &whole.subject.type_name,
                        relation: None,
                    },
                ),
                Sought::Resource | Sought::Action => query.list_objects(
                    &whole.resource.type_name,
                    &whole.action.name,
                    Subject::Object(evaluate::object(&whole.subject)),
                ),
            })
        })
    };
    let listed = tokio::task::spawn_blocking(list).await;
    match listed.map_err(Error::internal)? {
        Some(Ok(listing)) => Ok(listing.found.iter().filter_map(|name| id(name)).collect()),
        Some(Err(exceeded @ QueryError::Exceeded(_))) => {
            let detail = format!("the search costs more than it may: {exceeded}");
            Err(Error::new(Code::InvalidInput, detail))
        }
        Some(Err(_)) | None => Ok(BTreeSet::new()),
    }
}

/// The id of `type:id`.
fn id(name: &str) -> Option<String> {
    name.split_once(':').map(|(_, id)| id.to_owned())
}

/// What may be done to a type of resource: as connections declare it, and as relations of the type are called.
fn actions(view: &View, of: &str) -> BTreeSet<String> {
    let scopes = view.org.declared_scopes().map(domain::Scope::as_str);
    let named = scopes.flat_map(|scope| {
        let first = scope
            .strip_prefix(of)
            .and_then(|rest| rest.strip_prefix(':'));
        let last = scope
            .strip_suffix(of)
            .and_then(|rest| rest.strip_suffix(':'));
        first.into_iter().chain(last)
    });
    let model = view.relation_model();
    let types = model.into_iter().flat_map(|known| &known.model.types);
    let relations = types.filter(|one| one.name == of);
    let relations = relations.flat_map(|one| one.relations.iter().map(|one| one.name.as_str()));
    named.chain(relations).map(str::to_owned).collect()
}

/// Where a page ends, signed and bound to the organization and the question.
struct Cursor<'a> {
    platform: &'a Platform,
    bound: Vec<u8>,
}

impl<'a> Cursor<'a> {
    fn of(platform: &'a Platform, view: &View, sought: Sought, parts: &Parts) -> Result<Self> {
        let action = match sought {
            Sought::Action => None,
            Sought::Subject | Sought::Resource => parts.action.as_ref(),
        };
        let question = (&parts.subject, action, &parts.resource, &parts.context);
        let question = serde_json::to_vec(&question).map_err(Error::internal)?;
        let stream = Stream::org(view.id()).bytes();
        let bound = [
            b"search\0",
            sought.as_str().as_bytes(),
            &stream[..],
            &sealing::sha256(&question)[..],
        ]
        .concat();
        Ok(Self { platform, bound })
    }

    fn message(&self, last: &[u8]) -> Vec<u8> {
        [&self.bound[..], last].concat()
    }

    fn write(&self, last: &str) -> String {
        let last = last.as_bytes();
        let tag = self.platform.keyring.sign_cursor(&self.message(last));
        B64URL.encode([&tag[..], last].concat())
    }

    fn read(&self, token: &str) -> Result<String> {
        let wrong = || {
            let detail =
                "is not a token that was given for this very question; start again without it";
            Error::invalid("page.token", detail)
        };
        let bytes = B64URL.decode(token).map_err(|_| wrong())?;
        let (tag, last) = bytes.split_first_chunk::<32>().ok_or_else(wrong)?;
        let keyring = &self.platform.keyring;
        if !keyring.verify_cursor(&self.message(last), tag) {
            return Err(wrong());
        }
        String::from_utf8(last.to_vec()).map_err(|_| wrong())
    }
}
