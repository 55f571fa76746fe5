//! Searches: who may do something, to what somebody may do it, and what they may do. Each candidate is decided like
//! any other question, so a search finds what an evaluation would permit. Pages come in the order of the texts; a page
//! may end before it is full, and only an empty token is the end.

use super::{Asker, evaluate};
use crate::{Error, Platform, Result, sealing};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::Stream;
use kernel::limits::{PAGE_MAX, SEARCH_CANDIDATES};
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
    for candidate in search.candidates(after) {
        if results.len() == limit || looked == SEARCH_CANDIDATES {
            let next_token = last.map_or_else(String::new, |last: String| cursor.write(&last));
            return Ok(search.page(results, next_token, every));
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
    Ok(search.page(results, String::new(), every))
}

/// A question whose sought part is put in later.
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
        let question = Question {
            subject: &self.whole.subject,
            action: &self.whole.action,
            resource: &self.whole.resource,
            context: self.whole.context.as_ref(),
        };
        Ok(visible && evaluate::permits(self.view, self.asker, who, &question))
    }

    /// Everything that may be found after a text, in order.
    fn candidates(&self, after: Option<String>) -> Candidates<'a> {
        match self.whole.sought {
            Sought::Subject => subjects(self.view, &self.whole.subject.type_name, after),
            Sought::Resource => Box::new(std::iter::empty()),
            Sought::Action => {
                let mut actions = actions(self.view, &self.whole.resource.type_name);
                if let Some(after) = after {
                    actions = actions.split_off(&after);
                    actions.remove(&after);
                }
                Box::new(actions.into_iter())
            }
        }
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

    fn page(&self, results: Vec<Found>, next_token: String, every: bool) -> Results {
        Results {
            page: NextPage {
                next_token,
                count: results.len(),
            },
            context: ResultsContext {
                revision: self.view.revision.state,
                every,
            },
            results,
        }
    }
}

/// The principals of a type, whose ids sort as their texts do.
fn subjects<'a>(view: &'a View, of: &str, after: Option<String>) -> Candidates<'a> {
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

/// What may be done to a type of resource, as connections declare it.
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
    named.map(str::to_owned).collect()
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
