//! The inputs themselves, label by label.

use super::{Stage, connection, unique};
use crate::world::{World, text};
use kernel::ExposeSecret;
use serde_json::{Value, json};

impl Stage {
    /// An input that the operation takes, about things that exist and are not yet used up.
    pub async fn input(&self, world: &World, label: &str) -> Value {
        match label.split('.').next().unwrap_or_default() {
            "setup" | "orgs" | "users" => self.of_people(world, label).await,
            "roles" | "role_assignments" | "tokens" => self.of_rights(label).await,
            "connections" => self.of_connections(label).await,
            "agents" | "trust" => self.of_agents(label).await,
            "runs" | "dispatch" => self.of_runs(label).await,
            _ => self.of_settings(label).await,
        }
    }

    async fn of_people(&self, world: &World, label: &str) -> Value {
        let email = format!("{}@people.example", unique("new"));
        match label {
            "setup.redeem" => {
                let (_, _, secret) =
                    service::setup::recover(world.server.platform(), Some(&self.slug))
                        .await
                        .unwrap();
                json!({ "secret": secret.expose_secret() })
            }
            "orgs.create" => json!({ "slug": unique("org") }),
            "orgs.read" | "users.list" => json!({}),
            "users.create" => json!({ "email": email, "name": "new" }),
            "users.create (as an owner)" => {
                json!({ "email": email, "name": "new", "roles": ["owner"] })
            }
            "users.read" | "users.effective_permissions" => json!({ "id": self.holder.id }),
            "users.update" => json!({ "id": self.holder.id, "name": "renamed" }),
            "users.suspend" | "users.deactivate" => json!({ "id": self.person(&[]).await }),
            "users.suspend (an owner)" | "users.deactivate (an owner)" => {
                json!({ "id": self.person(&["owner"]).await })
            }
            "users.resume" => json!({ "id": self.suspended_person(&[]).await }),
            "users.resume (an administrator)" => {
                json!({ "id": self.suspended_person(&["administrator"]).await })
            }
            "users.resume (an owner)" => json!({ "id": self.suspended_person(&["owner"]).await }),
            other => missing(other),
        }
    }

    async fn of_rights(&self, label: &str) -> Value {
        let role =
            |permissions: Value| json!({ "name": unique("role"), "permissions": permissions });
        let token =
            |principal: &str| json!({ "name": "new", "principal": principal, "permissions": [] });
        match label {
            "roles.list" | "role_assignments.list" | "tokens.list" => json!({}),
            "roles.create" => role(json!([])),
            "roles.create (that pays)" => role(json!(["billing.update"])),
            "role_assignments.create" => {
                let made = self.post("/roles", role(json!([]))).await;
                json!({ "subject": self.holder.id, "role": text(&made, "id") })
            }
            "role_assignments.create (administrator)" => {
                json!({ "subject": self.person(&[]).await, "role": "administrator" })
            }
            "role_assignments.create (owner)" => {
                json!({ "subject": self.person(&[]).await, "role": "owner" })
            }
            "role_assignments.delete" => json!({ "id": self.an_assignment("viewer").await }),
            "role_assignments.delete (an owner's)" => {
                json!({ "id": self.an_assignment("owner").await })
            }
            "tokens.create" => token(&self.holder.id),
            "tokens.create (for an owner)" => token(&self.owner.id),
            "tokens.revoke" | "tokens.rotate" => {
                json!({ "id": self.a_token(&self.holder.id).await })
            }
            "tokens.revoke (an owner's)" | "tokens.rotate (an owner's)" => {
                json!({ "id": self.a_token(&self.owner.id).await })
            }
            other => missing(other),
        }
    }

    async fn of_connections(&self, label: &str) -> Value {
        match label {
            "connections.list" => json!({}),
            "connections.create" => connection(),
            "connections.read" => json!({ "id": self.connection }),
            "connections.update" => json!({ "id": self.connection, "name": unique("orders") }),
            "connections.update (for less trust)" => {
                let mut strict = connection();
                strict["min_trust"] = json!(90);
                json!({ "id": text(&self.post("/connections", strict).await, "id"), "min_trust": 10 })
            }
            other => missing(other),
        }
    }

    async fn of_agents(&self, label: &str) -> Value {
        match label {
            "agents.list" => json!({}),
            "agents.register" => self.registration(&[]),
            "agents.accept" if self.agent.is_none() => {
                json!({ "id": text(&self.post("/agents", self.registration(&[])).await, "id") })
            }
            "agents.read" | "trust.read" | "agents.secrets" | "agents.suspend"
            | "agents.revoke" | "agents.accept" => {
                json!({ "id": self.an_agent().await })
            }
            "agents.update" => json!({ "id": self.an_agent().await, "version": "2" }),
            "agents.update (a wider ceiling)" => {
                json!({ "id": self.an_agent().await, "scope_ceiling": ["orders:read"] })
            }
            "agents.resume" => json!({ "id": self.suspended(&self.holder.api).await }),
            "agents.resume (suspended by an owner)" => {
                json!({ "id": self.suspended(&self.owner.api).await })
            }
            "agents.rotate_secret" => json!({ "id": self.an_agent().await, "overlap_seconds": 60 }),
            "agents.rotate_secret (with scopes)" if self.agent.is_none() => {
                json!({ "id": text(&self.registered(&["orders:read"]).await, "id") })
            }
            "agents.rotate_secret (with scopes)" => json!({ "id": self.an_agent().await }),
            "agents.promote_rotation" | "agents.cancel_rotation" => {
                json!({ "id": self.a_rotation().await })
            }
            "agents.revoke_secret" => {
                let (id, key_id) = self.a_secret().await;
                json!({ "id": id, "key_id": key_id })
            }
            "agents.report_event" => {
                let body = json!({ "agent": self.an_agent().await, "purpose": "a test", "deadline_seconds": 600 });
                let run = self.post("/runs", body).await;
                json!({ "id": run["agent"], "type": "guardrail.blocked", "severity": "minor", "run": run["id"] })
            }
            other => missing(other),
        }
    }

    async fn of_runs(&self, label: &str) -> Value {
        match label {
            "runs.list" => json!({}),
            "runs.start" => {
                json!({ "agent": self.an_agent().await, "purpose": "a test", "deadline_seconds": 600 })
            }
            "runs.read" | "runs.heartbeat" | "runs.terminate" => {
                json!({ "id": self.a_run().await })
            }
            "runs.end" => json!({ "id": self.a_run().await, "outcome": "completed" }),
            "dispatch.evaluate" => {
                json!({ "agent": self.an_agent().await, "connection": self.connection, "operation": "orders.list" })
            }
            other => missing(other),
        }
    }

    async fn of_settings(&self, label: &str) -> Value {
        match label {
            "settings.read" | "kill_switches.list" | "keys.list" | "keys.rotate"
            | "keys.rotate_log" => json!({}),
            "settings.update" => json!({ "agents": {} }),
            "settings.update (for less trust)" => {
                self.owner
                    .api
                    .put(
                        "/settings/security",
                        json!({ "agents": { "trust_floor": 20 } }),
                    )
                    .await
                    .ok();
                json!({ "agents": { "trust_floor": 19 } })
            }
            "kill_switches.set" => {
                json!({ "scope": self.an_agent().await, "on": true, "reason": "a test" })
            }
            "kill_switches.set (lifted)" => {
                json!({ "scope": self.an_agent().await, "on": false, "reason": "a test" })
            }
            "quotas.set" => json!({ "organization": self.slug, "agents": 1_000_000 }),
            "kill_switches.set_instance" => json!({ "on": true, "reason": "a test" }),
            "kill_switches.set_instance (lifted)" => json!({ "on": false, "reason": "a test" }),
            "audit.events" | "audit.checkpoint" | "audit.export" => json!({}),
            "audit.tile" => json!({ "tile": "0/000.p/1" }),
            "audit.proof_inclusion" => json!({ "sequence": 1 }),
            "audit.proof_consistency" => json!({ "from": 1 }),
            other => missing(other),
        }
    }
}

fn missing(label: &str) -> Value {
    panic!("`{label}` has no request in calls.rs; add one")
}
