//! The rows of the permission table: every operation, some of them again about what deserves a look of its own, and
//! every route that is no operation.

/// Operations in the order of the registry; what stands in brackets tells variants apart.
pub const ROWS: &[&str] = &[
    "setup.redeem",
    "orgs.create",
    "orgs.read",
    "quotas.set",
    "users.create",
    "users.create (as an owner)",
    "users.list",
    "users.read",
    "users.update",
    "users.suspend",
    "users.suspend (an owner)",
    "users.resume",
    "users.resume (an administrator)",
    "users.resume (an owner)",
    "users.deactivate",
    "users.deactivate (an owner)",
    "users.effective_permissions",
    "roles.list",
    "roles.create",
    "roles.create (that pays)",
    "role_assignments.create",
    "role_assignments.create (administrator)",
    "role_assignments.create (owner)",
    "role_assignments.list",
    "role_assignments.delete",
    "role_assignments.delete (an owner's)",
    "tokens.create",
    "tokens.create (for an owner)",
    "tokens.list",
    "tokens.revoke",
    "tokens.revoke (an owner's)",
    "tokens.rotate",
    "tokens.rotate (an owner's)",
    "connections.create",
    "connections.list",
    "connections.read",
    "connections.update",
    "connections.update (for less trust)",
    "agents.register",
    "agents.list",
    "agents.read",
    "agents.update",
    "agents.update (a wider ceiling)",
    "agents.accept",
    "agents.suspend",
    "agents.resume",
    "agents.resume (suspended by an owner)",
    "agents.revoke",
    "agents.secrets",
    "agents.revoke_secret",
    "agents.rotate_secret",
    "agents.rotate_secret (with scopes)",
    "agents.promote_rotation",
    "agents.cancel_rotation",
    "trust.read",
    "agents.report_event",
    "runs.start",
    "runs.list",
    "runs.read",
    "runs.heartbeat",
    "runs.end",
    "runs.terminate",
    "dispatch.evaluate",
    "settings.read",
    "settings.update",
    "settings.update (for less trust)",
    "kill_switches.list",
    "kill_switches.set",
    "kill_switches.set (lifted)",
    "kill_switches.set_instance",
    "kill_switches.set_instance (lifted)",
    "keys.list",
    "keys.rotate",
    "keys.rotate_log",
    "audit.events",
    "audit.checkpoint",
    "audit.proof_inclusion",
    "audit.proof_consistency",
    "audit.tile",
    "audit.export",
];

/// What is sent to a route that is no operation.
pub enum Sent {
    Nothing,
    /// A form about a live control token of an agent of the path's organization.
    Form(&'static [(&'static str, &'static str)]),
    /// The first message of MCP.
    Hello,
    /// A question about somebody of `acme` who is no caller.
    Question,
}

/// A route that is no operation.
pub struct DoorRow {
    pub method: &'static str,
    pub path: &'static str,
    pub sent: Sent,
}

const fn get(path: &'static str) -> DoorRow {
    DoorRow {
        method: "GET",
        path,
        sent: Sent::Nothing,
    }
}

const fn verb(method: &'static str, path: &'static str) -> DoorRow {
    DoorRow {
        method,
        path,
        sent: Sent::Nothing,
    }
}

const fn post(path: &'static str, sent: Sent) -> DoorRow {
    DoorRow {
        method: "POST",
        path,
        sent,
    }
}

/// Every route that is no operation.
pub const DOORS: &[DoorRow] = &[
    post(
        "/o/{org}/oauth2/token",
        Sent::Form(&[("grant_type", "client_credentials")]),
    ),
    post(
        "/o/{org}/oauth2/introspect",
        Sent::Form(&[("token", "{token}")]),
    ),
    post(
        "/o/{org}/oauth2/revoke",
        Sent::Form(&[("token", "{token}")]),
    ),
    post("/o/{org}/access/v1/evaluation", Sent::Question),
    post("/o/{org}/access/v1/evaluations", Sent::Question),
    post("/o/{org}/access/v1/search/subject", Sent::Question),
    post("/o/{org}/access/v1/search/resource", Sent::Question),
    post("/o/{org}/access/v1/search/action", Sent::Question),
    get("/o/{org}/access/v1/forward/{connection}/{scope}"),
    get("/o/{org}/access/v1/forward/{connection}/{scope}/"),
    get("/o/{org}/access/v1/forward/{connection}/{scope}/{*path}"),
    get("/o/{org}/revocations"),
    get("/o/{org}/revocations/snapshot"),
    get("/o/{org}/fga/stores"),
    post("/o/{org}/fga/stores", Sent::Nothing),
    get("/o/{org}/fga/stores/{store}"),
    verb("DELETE", "/o/{org}/fga/stores/{store}"),
    get("/o/{org}/fga/stores/{store}/authorization-models"),
    post(
        "/o/{org}/fga/stores/{store}/authorization-models",
        Sent::Nothing,
    ),
    get("/o/{org}/fga/stores/{store}/authorization-models/{model}"),
    post("/o/{org}/fga/stores/{store}/write", Sent::Nothing),
    post("/o/{org}/fga/stores/{store}/read", Sent::Nothing),
    get("/o/{org}/fga/stores/{store}/changes"),
    post("/o/{org}/fga/stores/{store}/check", Sent::Nothing),
    post("/o/{org}/fga/stores/{store}/batch-check", Sent::Nothing),
    post("/o/{org}/fga/stores/{store}/expand", Sent::Nothing),
    post("/o/{org}/fga/stores/{store}/list-objects", Sent::Nothing),
    post(
        "/o/{org}/fga/stores/{store}/streamed-list-objects",
        Sent::Nothing,
    ),
    post("/o/{org}/fga/stores/{store}/list-users", Sent::Nothing),
    get("/o/{org}/fga/stores/{store}/assertions/{model}"),
    verb("PUT", "/o/{org}/fga/stores/{store}/assertions/{model}"),
    get("/o/{org}/fga/{*rest}"),
    post("/o/{org}/mcp", Sent::Hello),
    post("/o/{org}/mcp/", Sent::Hello),
    get("/o/{org}/.well-known/openid-configuration"),
    get("/o/{org}/.well-known/oauth-authorization-server"),
    get("/.well-known/openid-configuration/o/{org}"),
    get("/.well-known/oauth-authorization-server/o/{org}"),
    get("/.well-known/oauth-protected-resource/o/{org}/mcp"),
    get("/o/{org}/.well-known/authzen-configuration"),
    get("/.well-known/authzen-configuration/o/{org}"),
    get("/o/{org}/jwks.json"),
    get("/api/v1/openapi.json"),
    get("/api/v1/orgs/{org}/log/checkpoint"),
    get("/api/v1/orgs/{org}/log/tile/{*tile}"),
    get("/api/v1/orgs/{org}/log/export"),
    get("/health/live"),
    get("/health/ready"),
    get("/health/startup"),
    get("/metrics"),
    get("/"),
    get("/setup"),
    get("/setup.js"),
    get("/problems/{code}"),
    get("/pages.css"),
];
