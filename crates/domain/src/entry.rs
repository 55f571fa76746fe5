//! Entries: what the log says happened. The body is canonical JSON (RFC 8785): members in order, whole numbers
//! only, so that the bytes that are hashed are the bytes anybody would write. Secrets never enter one;
//! personal values enter sealed.

use crate::{Lineage, Principal};
use kernel::{Event, Id, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// A word of the product's own, or text that was read back.
pub type Word = Cow<'static, str>;

/// A personal value, sealed under its subject's key: AES-256-GCM, base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Nonce, ciphertext and tag.
    pub c: String,
    /// The subject whose key opens it.
    pub k: String,
}

/// What was done to what. Members are in canonical order here and below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Before and after, without secrets and without names of people.
    pub details: Details,
    /// `provision`, `deprovision`, `modify` or `access`.
    pub lifecycle: Word,
    /// The identifier of what it was done to.
    pub resource: Option<String>,
    /// What sort of thing that is.
    pub resource_type: Option<Word>,
    /// `create`, `read`, `update`, `delete`, `login` or `logout`.
    pub verb: Word,
}

/// The state before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// After the act.
    pub after: Option<After>,
    /// Before the act.
    pub before: Option<Value>,
}

/// The state after an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum After {
    /// A token that was issued. Most entries are of this form, so it is never made into a [`Value`] on the way.
    Issued(Box<Issued>),
    /// Anything else; its members are in canonical order because `Value` keeps them so.
    Value(Value),
}

impl After {
    /// As a value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Issued(issued) => serde_json::to_value(issued).unwrap_or_default(),
            Self::Value(value) => value.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::Value)
    }
}

/// Who did it and how they were known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The methods by which they proved who they are.
    pub authentication: Vec<String>,
    /// The registered device.
    pub device_id: Option<String>,
    /// The peer's address.
    pub ip_address: Option<Sealed>,
    /// Country, region and network.
    pub location: Option<Value>,
    /// Session, API token or credential.
    pub session_id: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<Sealed>,
    /// The principal.
    pub user_id: Principal,
    /// `human`, `agent`, `service` or `system`.
    pub user_type: Word,
}

/// Around the act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The version of the interface.
    pub api_version: Word,
    /// The door it came through.
    pub application: Word,
    /// Approvals it relied on.
    pub approvals: Vec<String>,
    /// Why, as the organization records it.
    pub business_justification: Option<Sealed>,
    /// What the caller said of itself; nothing relies on it.
    pub claimed: std::collections::BTreeMap<String, Value>,
    /// What ties several entries together.
    pub correlation_id: Option<String>,
    /// Results of guardrails.
    pub guardrails: Vec<Value>,
    /// The entry that led to this one.
    pub parent_event_id: Option<Id<Event>>,
    /// The request.
    pub request_id: String,
    /// The run.
    pub run_id: Option<String>,
    /// The outside system it came from.
    pub source_system: Option<String>,
    /// The agent's trust at that moment.
    pub trust_score: Option<u8>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The stable code of a failure.
    pub error_code: Option<String>,
    /// The failure in words.
    pub error_message: Option<String>,
    /// `success`, `failure` or `partial`.
    pub result: Word,
    /// How it was undone.
    pub rollback: Option<Value>,
    /// How it was checked.
    pub verification: Option<Value>,
}

/// What detection said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// Anomalies.
    pub anomaly_flags: Vec<String>,
    /// Compliance marks.
    pub compliance_flags: Vec<String>,
    /// 0 to 100.
    pub risk_score: u8,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// Who did it.
    pub actor: Actor,
    /// The build that wrote it.
    pub build: Word,
    /// Around the act.
    pub context: Context,
    /// From the caller back to the human or workflow it acts for.
    pub delegation_chain: Vec<String>,
    /// Identifier, sortable by time.
    pub event_id: Id<Event>,
    /// The node that wrote it.
    pub node: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What detection said.
    pub security: Security,
    /// When.
    pub timestamp: Timestamp,
    /// `noun.past-verb`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The version of this form.
    pub v: u32,
}

/// The columns that the log's table shows of an entry, so that it can be searched and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The entry's type.
    pub kind: Word,
    /// The principal in text.
    pub actor: String,
    /// The resource in text.
    pub resource: Option<String>,
    /// The agent a token was issued to.
    pub agent: Option<Id<kernel::Agent>>,
    /// The lineage of an issued token.
    pub lineage: Option<Lineage>,
    /// When an issued token ends.
    pub expires_at: Option<Timestamp>,
}

/// What an entry about an issued token says under `details.after`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The agent it was issued to.
    pub agent: Id<kernel::Agent>,
    /// Its audience.
    pub aud: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its identifier.
    pub jti: String,
    /// `access`, `run` or `capability`.
    pub kind: Word,
    /// The grants above it.
    pub lineage: Lineage,
    /// Its scopes, joined by spaces.
    pub scope: String,
}

/// The type of entries about issued tokens.
pub const TOKEN_ISSUED: &str = "token.issued";

/// The type of entries in which a log's key hands over to the next. `details.after.statement` is a note that the old
/// key signed, and names the new one.
pub const LOG_KEY_ROTATED: &str = "log_key.rotated";

impl Entry {
    /// The canonical bytes.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which the types here exclude.
    pub fn to_canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        // Most entries fit, so that the bytes are not moved while they grow.
        let mut bytes = Vec::with_capacity(1_536);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }

    /// The columns shown of this entry.
    pub fn projection(&self) -> Projection {
        let read;
        let issued = match &self.action.details.after {
            _ if self.kind != TOKEN_ISSUED => None,
            Some(After::Issued(issued)) => Some(&**issued),
            Some(After::Value(value)) => {
                read = Issued::deserialize(value).ok();
                read.as_ref()
            }
            None => None,
        };
        Projection {
            kind: self.kind.clone(),
            actor: self.actor.user_id.to_string(),
            resource: self.action.resource.clone(),
            agent: issued.map(|issued| issued.agent),
            lineage: issued.map(|issued| issued.lineage.clone()),
            expires_at: issued.map(|issued| issued.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GrantId;

    fn entry() -> Entry {
        let issued = Issued {
            agent: Id::from_bytes([3; 16]),
            aud: "https://a".into(),
            expires_at: Timestamp::from_seconds(9),
            jti: "j".into(),
            kind: "access".into(),
            lineage: Lineage::union([GrantId::from_number(2)]).unwrap(),
            scope: "orders:read \u{1f600}\u{7f}\u{1}\"\\/".into(),
        };
        Entry {
            action: Action {
                details: Details {
                    after: Some(After::Issued(Box::new(issued))),
                    before: None,
                },
                lifecycle: "access".into(),
                resource: Some("tok".into()),
                resource_type: None,
                verb: "create".into(),
            },
            actor: Actor {
                authentication: vec!["secret".into()],
                device_id: None,
                ip_address: Some(Sealed {
                    c: "AA==".into(),
                    k: "x".into(),
                }),
                location: None,
                session_id: None,
                user_agent: None,
                user_id: Principal::System,
                user_type: "system".into(),
            },
            build: "0".into(),
            context: Context::default(),
            delegation_chain: vec![],
            event_id: Id::from_bytes([1; 16]),
            node: "n".into(),
            outcome: Outcome {
                error_code: None,
                error_message: None,
                result: "success".into(),
                rollback: None,
                verification: None,
            },
            security: Security::default(),
            timestamp: Timestamp::from_seconds(1),
            kind: TOKEN_ISSUED.into(),
            v: 1,
        }
    }

    #[test]
    fn bytes_are_canonical_by_an_independent_writer() {
        let bytes = entry().to_canonical().unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes);
    }

    #[test]
    fn an_issued_token_shows_agent_lineage_and_end() {
        let shown = entry().projection();
        assert_eq!(shown.agent, Some(Id::from_bytes([3; 16])));
        assert_eq!(shown.expires_at, Some(Timestamp::from_seconds(9)));
        assert!(
            shown
                .lineage
                .is_some_and(|lineage| lineage.contains(GrantId::from_number(2)))
        );
    }
}
