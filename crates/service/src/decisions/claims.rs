//! What a caller claims in a question, as the conditions of relations see it: `context` as it is, and the properties of
//! subject, resource and action as `subject_x`, `resource_x` and `action_x`. A value that a tuple carries wins over each.

use crate::relations::Given;
use authz::{
    decide::Moment,
    relation::{Conditions, Context, Holds},
};
use live::View;
use proto::authzen::Question;

const SUBJECT: &str = "subject_";

/// No condition says anything; a model that has none asks none.
struct Silent;

impl Conditions for Silent {
    fn holds(&self, _: &str, _: Option<&Context>) -> Holds {
        Holds::Missing(Vec::new())
    }
}

/// Answers with what a question claims.
pub(super) fn with_claims<T>(
    view: &View,
    question: &Question<'_>,
    answer: impl FnOnce(&Moment<'_, View>) -> T,
) -> T {
    let latest = view.relation_model();
    let Some(latest) = latest.filter(|latest| !latest.model.conditions.is_empty()) else {
        return answer(&at(view, &Silent, &Silent));
    };
    let claimed = claims(question);
    let of_others = without_subject(&claimed);
    let (given, of_owner) = (
        Given::of(latest, Some(&claimed)),
        Given::of(latest, Some(&of_others)),
    );
    answer(&at(view, &given.request(), &of_owner.request()))
}

const fn at<'a>(
    view: &'a View,
    conditions: &'a dyn Conditions,
    of_owner: &'a dyn Conditions,
) -> Moment<'a, View> {
    Moment {
        facts: view,
        conditions,
        of_owner,
        now: view.now,
    }
}

fn claims(question: &Question<'_>) -> Context {
    let mut claims = question.context.cloned().unwrap_or_default();
    for (prefix, properties) in [
        (SUBJECT, &question.subject.properties),
        ("resource_", &question.resource.properties),
        ("action_", &question.action.properties),
    ] {
        for (name, value) in properties.iter().flatten() {
            claims.insert(format!("{prefix}{name}"), value.clone());
        }
    }
    claims
}

fn without_subject(claims: &Context) -> Context {
    let others = claims.iter().filter(|(name, _)| !name.starts_with(SUBJECT));
    others
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::authzen::{Action, Entity};
    use serde_json::json;

    #[test]
    fn properties_are_named_after_what_they_are_of() {
        let properties = |value: serde_json::Value| value.as_object().cloned();
        let entity = |of: serde_json::Value| Entity {
            type_name: "t".into(),
            id: "1".into(),
            properties: properties(of),
        };
        let context = properties(json!({ "ip": "192.0.2.1", "subject_role": "guest" }));
        let question = Question {
            subject: &entity(json!({ "role": "admin" })),
            action: &Action {
                name: "a".into(),
                properties: properties(json!({ "soft": true })),
            },
            resource: &entity(json!({ "status": "archived" })),
            context: context.as_ref(),
        };
        let claimed = claims(&question);
        assert_eq!(
            json!(claimed),
            json!({ "ip": "192.0.2.1", "subject_role": "admin", "resource_status": "archived", "action_soft": true })
        );
        assert_eq!(
            json!(without_subject(&claimed)),
            json!({ "ip": "192.0.2.1", "resource_status": "archived", "action_soft": true })
        );
    }
}
