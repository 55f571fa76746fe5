//! Reads questions out of JSON objects. What is missing or of another kind than the standard says is named by its
//! field; nothing is guessed, and nothing that is too long is kept.

use super::{Action, Entity, Object, Question};
use kernel::limits::{ENTITY_BYTES, EVALUATIONS};
use serde_json::Value;

/// What is wrong with a question, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field, as a path.
    pub field: String,
    /// A stable word for it: `missing`, `invalid`, `too_many`.
    pub code: &'static str,
    /// What it must be.
    pub detail: String,
}

/// Which entities must be named by an identifier; of the others it is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The subject.
    pub subject: bool,
    /// The resource.
    pub resource: bool,
}

impl Ids {
    /// Both, as an evaluation wants.
    pub const BOTH: Self = Self {
        subject: true,
        resource: true,
    };
}

/// The parts of a question, as far as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Who would do it.
    pub subject: Option<Entity>,
    /// What would be done.
    pub action: Option<Action>,
    /// To what.
    pub resource: Option<Entity>,
    /// The circumstances.
    pub context: Option<Object>,
}

/// When a batch is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantic {
    /// Once every question is answered.
    #[default]
    ExecuteAll,
    /// At the first that is denied or cannot be answered.
    DenyOnFirstDeny,
    /// At the first that is permitted.
    PermitOnFirstPermit,
}

/// Several questions at once.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What a question is completed with.
    pub defaults: Parts,
    /// The questions; none means that the defaults are the one question.
    pub questions: Vec<Result<Parts, Wrong>>,
    /// When it is settled.
    pub semantic: Semantic,
}

/// Which part of what is found is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Where the page before ended.
    pub token: Option<String>,
    /// How many at most.
    pub limit: Option<u64>,
}

fn wrong(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Wrong {
    Wrong {
        field: field.into(),
        code,
        detail: detail.into(),
    }
}

fn missing(field: &str) -> Wrong {
    wrong(field, "missing", "is required")
}

/// A member of an object, taken out of it; null counts as left out.
fn take(object: &mut Object, name: &str) -> Option<Value> {
    object.remove(name).filter(|value| !value.is_null())
}

fn take_object(object: &mut Object, of: &str, name: &str) -> Result<Option<Object>, Wrong> {
    match take(object, name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong(path(of, name), "invalid", "must be a JSON object")),
    }
}

fn take_text(object: &mut Object, of: &str, name: &str) -> Result<String, Wrong> {
    let field = || path(of, name);
    match take(object, name) {
        None => Err(missing(&field())),
        Some(Value::String(text)) if text.is_empty() => {
            Err(wrong(field(), "invalid", "must not be empty"))
        }
        Some(Value::String(text)) if text.len() <= ENTITY_BYTES => Ok(text),
        Some(Value::String(_)) => {
            let detail = format!("must have at most {ENTITY_BYTES} bytes");
            Err(wrong(field(), "invalid", detail))
        }
        Some(_) => Err(wrong(field(), "invalid", "must be a text")),
    }
}

fn path(of: &str, name: &str) -> String {
    match of {
        "" => name.to_owned(),
        _ => format!("{of}.{name}"),
    }
}

fn entity(object: &mut Object, name: &str, named: bool) -> Result<Option<Entity>, Wrong> {
    let Some(mut sent) = take_object(object, "", name)? else {
        return Ok(None);
    };
    Ok(Some(Entity {
        type_name: take_text(&mut sent, name, "type")?,
        id: match named {
            true => take_text(&mut sent, name, "id")?,
            false => String::new(),
        },
        properties: take_object(&mut sent, name, "properties")?,
    }))
}

fn action(object: &mut Object) -> Result<Option<Action>, Wrong> {
    let Some(mut sent) = take_object(object, "", "action")? else {
        return Ok(None);
    };
    Ok(Some(Action {
        name: take_text(&mut sent, "action", "name")?,
        properties: take_object(&mut sent, "action", "properties")?,
    }))
}

impl Parts {
    /// Reads what there is.
    ///
    /// # Errors
    /// What is there and cannot be read.
    pub fn read(object: &mut Object, ids: Ids) -> Result<Self, Wrong> {
        Ok(Self {
            subject: entity(object, "subject", ids.subject)?,
            action: action(object)?,
            resource: entity(object, "resource", ids.resource)?,
            context: take_object(object, "", "context")?,
        })
    }

    /// The question, completed with what is given for all.
    ///
    /// # Errors
    /// What is in neither.
    pub fn question<'a>(&'a self, defaults: &'a Self) -> Result<Question<'a>, Wrong> {
        let subject = self.subject.as_ref().or(defaults.subject.as_ref());
        let action = self.action.as_ref().or(defaults.action.as_ref());
        let resource = self.resource.as_ref().or(defaults.resource.as_ref());
        Ok(Question {
            subject: subject.ok_or_else(|| missing("subject"))?,
            action: action.ok_or_else(|| missing("action"))?,
            resource: resource.ok_or_else(|| missing("resource"))?,
            context: self.context.as_ref().or(defaults.context.as_ref()),
        })
    }
}

impl Semantic {
    fn read(object: &mut Object) -> Result<Self, Wrong> {
        const FIELD: &str = "options.evaluations_semantic";
        let mut options = take_object(object, "", "options")?.unwrap_or_default();
        let Some(named) = take(&mut options, "evaluations_semantic") else {
            return Ok(Self::default());
        };
        match named.as_str() {
            Some("execute_all") => Ok(Self::ExecuteAll),
            Some("deny_on_first_deny") => Ok(Self::DenyOnFirstDeny),
            Some("permit_on_first_permit") => Ok(Self::PermitOnFirstPermit),
            _ => Err(wrong(
                FIELD,
                "invalid",
                "must be `execute_all`, `deny_on_first_deny` or `permit_on_first_permit`",
            )),
        }
    }

    /// Whether an answer settles the batch.
    pub const fn is_settled_by(self, permit: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !permit,
            Self::PermitOnFirstPermit => permit,
        }
    }
}

impl Batch {
    /// Reads a batch. A question in it that cannot be read is kept as such; it spoils none of the others.
    ///
    /// # Errors
    /// What is wrong with the whole.
    pub fn read(object: &mut Object) -> Result<Self, Wrong> {
        let questions = match take(object, "evaluations") {
            None => Vec::new(),
            Some(Value::Array(questions)) => questions,
            Some(_) => return Err(wrong("evaluations", "invalid", "must be a JSON array")),
        };
        if questions.len() > EVALUATIONS {
            let detail = format!("may hold at most {EVALUATIONS} questions; send several requests");
            return Err(wrong("evaluations", "too_many", detail));
        }
        let questions = questions.into_iter().map(|question| match question {
            Value::Object(mut object) => Parts::read(&mut object, Ids::BOTH),
            _ => Err(wrong("evaluations", "invalid", "must hold JSON objects")),
        });
        Ok(Self {
            questions: questions.collect(),
            semantic: Semantic::read(object)?,
            defaults: Parts::read(object, Ids::BOTH)?,
        })
    }
}

impl Page {
    /// Reads which page is wanted.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(object: &mut Object) -> Result<Self, Wrong> {
        let mut sent = take_object(object, "", "page")?.unwrap_or_default();
        let token = match take(&mut sent, "token") {
            None => None,
            Some(Value::String(token)) => Some(token).filter(|token| !token.is_empty()),
            Some(_) => return Err(wrong("page.token", "invalid", "must be a text")),
        };
        let limit = take(&mut sent, "limit").map(|limit| {
            let limit = limit.as_u64().filter(|limit| *limit > 0);
            limit.ok_or_else(|| wrong("page.limit", "invalid", "must be a whole number above 0"))
        });
        Ok(Self {
            token,
            limit: limit.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            _ => unreachable!("tests send objects"),
        }
    }

    fn fault(value: Value) -> (String, &'static str) {
        let mut object = object(value);
        let read = Parts::read(&mut object, Ids::BOTH);
        let none = Parts::default();
        let whole = read.and_then(|parts| parts.question(&none).map(|_| ()));
        whole.map_or_else(|wrong| (wrong.field, wrong.code), |()| (String::new(), ""))
    }

    #[test]
    fn what_is_missing_or_mistyped_is_named() {
        let good = json!({ "subject": { "type": "user", "id": "alice" }, "action": { "name": "read" },
            "resource": { "type": "record", "id": "1" }, "future": [1] });
        assert_eq!(fault(good.clone()), (String::new(), ""));
        for (pointer, value, field, code) in [
            ("/subject", Value::Null, "subject", "missing"),
            ("/action", Value::Null, "action", "missing"),
            ("/resource", Value::Null, "resource", "missing"),
            ("/subject", json!("alice"), "subject", "invalid"),
            ("/subject/type", Value::Null, "subject.type", "missing"),
            ("/subject/id", Value::Null, "subject.id", "missing"),
            ("/subject/id", json!(""), "subject.id", "invalid"),
            ("/action/name", json!(123), "action.name", "invalid"),
            ("/resource/id", json!(["1"]), "resource.id", "invalid"),
            (
                "/resource/id",
                json!("x".repeat(ENTITY_BYTES + 1)),
                "resource.id",
                "invalid",
            ),
        ] {
            let mut sent = good.clone();
            *sent.pointer_mut(pointer).unwrap_or(&mut Value::Null) = value;
            assert_eq!(fault(sent), (field.to_owned(), code), "{pointer}");
        }
        let mut sent = good;
        sent["subject"]["properties"] = json!([]);
        assert_eq!(fault(sent), ("subject.properties".into(), "invalid"));
    }

    #[test]
    fn a_part_of_a_question_replaces_the_default_whole() {
        let mut sent = object(json!({
            "subject": { "type": "user", "id": "alice", "properties": { "role": "admin" } },
            "action": { "name": "read" }, "context": { "a": 1 },
            "evaluations": [
                { "resource": { "type": "record", "id": "1" } },
                { "subject": { "type": "user", "id": "bob" }, "context": {} },
                "nothing",
            ],
            "options": { "evaluations_semantic": "deny_on_first_deny", "more": 1 },
        }));
        let batch = Batch::read(&mut sent).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        assert_eq!(batch.semantic, Semantic::DenyOnFirstDeny);
        let whole = |n: usize| {
            let parts = batch.questions.get(n).and_then(|parts| parts.as_ref().ok());
            parts.map(|parts| parts.question(&batch.defaults))
        };
        let first = whole(0).and_then(Result::ok);
        assert_eq!(
            first.map(|q| (
                q.subject.id.as_str(),
                q.context.is_some_and(|c| c.len() == 1)
            )),
            Some(("alice", true))
        );
        assert_eq!(
            whole(1).and_then(Result::err).map(|wrong| wrong.field),
            Some("resource".into())
        );
        assert!(whole(2).is_none());
    }

    #[test]
    fn a_batch_is_bounded_and_its_options_are_known() {
        let read = |value: Value| Batch::read(&mut object(value)).map(|_| ());
        let many = vec![json!({}); EVALUATIONS + 1];
        let code = |value: Value| read(value).err().map(|wrong| (wrong.field, wrong.code));
        assert_eq!(
            code(json!({ "evaluations": many })),
            Some(("evaluations".into(), "too_many"))
        );
        assert_eq!(
            code(json!({ "evaluations": {} })),
            Some(("evaluations".into(), "invalid"))
        );
        assert_eq!(
            code(json!({ "options": { "evaluations_semantic": "some" } })),
            Some(("options.evaluations_semantic".into(), "invalid"))
        );
        assert_eq!(
            code(json!({ "options": [] })),
            Some(("options".into(), "invalid"))
        );
        assert_eq!(read(json!({})), Ok(()));
    }

    #[test]
    fn a_page_is_a_text_and_a_number_above_nothing() {
        let read = |page: Value| Page::read(&mut object(json!({ "page": page })));
        assert_eq!(
            read(json!({ "token": "t", "limit": 5 })),
            Ok(Page {
                token: Some("t".into()),
                limit: Some(5)
            })
        );
        assert_eq!(read(json!({ "token": "" })), Ok(Page::default()));
        for wrong in [
            json!({ "limit": 0 }),
            json!({ "limit": -1 }),
            json!({ "limit": 1.5 }),
            json!({ "limit": "5" }),
            json!({ "token": 5 }),
            json!([]),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
