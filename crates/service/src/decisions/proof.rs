//! Why an answer is what it is, for who may be told: which scopes were in question, by which roles a person holds
//! them, by which tuples the subject is in the relation, what an agent's ceiling and trust leave, and the same of its
//! owner. It is worked out from the view on which was decided, decides nothing, and shows nobody what they may not read.

use super::{asker::Sees, evaluate};
use authz::{
    Facts,
    decide::{Ask, Moment, Who, declared, related},
    relation::Subject,
};
use domain::{AgentCore, ConnectionCore, Scope};
use kernel::{Id, Timestamp, User};
use live::View;
use serde::Serialize;
use serde_json::Value;

/// Everything that led to an answer.
#[derive(Serialize)]
struct Proof {
    /// The principal; none where the organization knows nobody of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// What the question may be called, as connections declare it.
    scopes: Vec<Declared>,
    /// The roles of a person that give one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Given>,
    /// The tuples by which the subject is in the relation, from the resource to the subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tuples: Vec<String>,
    /// What an agent brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<OfAgent>,
    /// The same question about the person who answers for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Box<Proof>>,
}

#[derive(Serialize)]
struct Declared {
    scope: Scope,
    connection: Id<kernel::Connection>,
}

#[derive(Serialize)]
struct Given {
    scope: Scope,
    role: Id<kernel::Role>,
    assignment: Id<kernel::Assignment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct OfAgent {
    /// Its trust now.
    trust: u8,
    /// The organization's floor.
    floor: u8,
    /// What its ceiling has of it.
    ceiling: Vec<Granted>,
}

#[derive(Serialize)]
struct Granted {
    scope: Scope,
    connection: Id<kernel::Connection>,
    /// The trust that the connection asks for.
    connection_minimum: u8,
    /// The trust that the class of the scope asks for.
    class_minimum: u8,
}

/// The proof of an answer.
pub(super) fn proof(moment: &Moment<'_, View>, ask: &Ask<'_>, sees: Sees) -> Value {
    serde_json::to_value(about(moment, ask, sees)).unwrap_or_default()
}

fn about(moment: &Moment<'_, View>, ask: &Ask<'_>, sees: Sees) -> Proof {
    let view = moment.facts;
    let found = declared(view, ask);
    let scopes = found.iter().map(|(scope, connection)| Declared {
        scope: (*scope).clone(),
        connection: connection.id,
    });
    let path = sees.relations.then(|| {
        related(moment, |query| {
            query.path(ask.resource, ask.action, Subject::Object(ask.subject))
        })
    });
    let path = path.flatten();
    let shown = match ask.who {
        Who::User(_) => sees.users,
        Who::Agent(_) => sees.agents,
        Who::Unknown | Who::Stranger => false,
    };
    let mut proof = Proof {
        principal: evaluate::principal(ask.who).filter(|_| shown),
        scopes: scopes.collect(),
        roles: Vec::new(),
        tuples: path.and_then(Result::ok).flatten().unwrap_or_default(),
        agent: None,
        owner: None,
    };
    match ask.who {
        Who::User(user) if shown && sees.roles => proof.roles = roles(view, user, &found),
        Who::Agent(id) if shown => {
            if let Some(agent) = view.agent(id) {
                let owner = agent.owner.0.to_string();
                let of_owner = ask.about_owner(agent.owner.0, &owner);
                proof.agent = Some(of_agent(view, agent, &found));
                let of_owner = sees
                    .users
                    .then(|| about(&moment.about_owner(), &of_owner, sees));
                proof.owner = of_owner.map(Box::new);
            }
        }
        Who::User(_) | Who::Agent(_) | Who::Unknown | Who::Stranger => {}
    }
    proof
}

fn roles(view: &View, user: Id<User>, found: &[(&Scope, &ConnectionCore)]) -> Vec<Given> {
    let given = view.org.assignments_of(user);
    let current = given.filter(|given| given.expires_at.is_none_or(|end| end > view.now));
    let mut roles = Vec::new();
    for given in current {
        let Some(held) = view.org.role(given.role).map(domain::RoleCore::held) else {
            continue;
        };
        for (scope, _) in found.iter().filter(|(scope, _)| held.holds(scope)) {
            roles.push(Given {
                scope: (*scope).clone(),
                role: given.role,
                assignment: given.id,
                expires_at: given.expires_at,
            });
        }
    }
    roles.dedup_by(|a, b| a.assignment == b.assignment && a.scope == b.scope);
    roles
}

fn of_agent(view: &View, agent: &AgentCore, found: &[(&Scope, &ConnectionCore)]) -> OfAgent {
    let settings = view.settings();
    let in_ceiling = |(scope, connection): &&(&Scope, &ConnectionCore)| {
        let mut grants = agent.ceiling.iter();
        grants.any(|grant| grant.connection == connection.id && grant.scope == **scope)
    };
    let granted = found.iter().filter(in_ceiling);
    let granted = granted.map(|(scope, connection)| Granted {
        scope: (*scope).clone(),
        connection: connection.id,
        connection_minimum: connection.min_trust,
        class_minimum: settings.class_minimum(connection.scope_class(scope)),
    });
    OfAgent {
        trust: authz::trust_now(view, agent, view.now),
        floor: settings.trust_floor,
        ceiling: granted.collect(),
    }
}
