//! Clients of other projects, unchanged, at the product's doors: what they refuse is our mistake. Their scripts are in
//! `interop/` at the root; `cargo xtask test` installs them, and without them these tests skip by name.

use crate::world::{AgentClient, Answer, Engine, World, text};
use cardea::server::{Options, Server};
use kernel::ExposeSecret;
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};
use testkit::{
    clock::MockClock,
    tools::{Tool, node_modules, require},
};

mod openfga;

const AUDIENCE: &str = "https://orders.example";

fn script(name: &str) -> PathBuf {
    testkit::workspace().join("interop").join(name)
}

/// Runs a program with something on its input, while the server goes on on the other threads.
fn run(command: &mut Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    tokio::task::block_in_place(|| {
        let mut child = command.spawn().unwrap();
        // A program that ends early has read what it wanted.
        let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    })
}

#[track_caller]
fn said(output: &Output) -> Value {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaints}"))
}

struct Shop {
    world: World,
    agent: AgentClient,
    issuer: String,
}

impl Shop {
    /// A connection, and an agent of the owner's that may use it.
    async fn open(world: World) -> Self {
        world.orders(AUDIENCE, 30).await;
        let agent = world
            .agent(&world.owner, "order bot", &["orders:read", "orders:write"])
            .await;
        let issuer = format!("{}/o/acme", world.url);
        Self {
            world,
            agent,
            issuer,
        }
    }
    async fn new() -> Self {
        Self::open(World::start(Engine::Sqlite).await.unwrap()).await
    }
    async fn token(&self, more: &[(&str, &str)]) -> String {
        text(
            &self.world.token(&self.agent, more).await.ok(),
            "access_token",
        )
    }
    fn environment<'a>(&'a self, command: &'a mut Command) -> &'a mut Command {
        let owner = &self.world.owner;
        command
            .env("ISSUER", &self.issuer)
            .env("API", format!("{}/api/v1/orgs/acme", self.world.url))
            .env("API_TOKEN", owner.api.token.expose_secret())
            .env("OWNER", &owner.id)
            .env("CLIENT_ID", &self.agent.id)
            .env("CLIENT_SECRET", self.agent.secret.expose_secret())
            .env("RESOURCE", AUDIENCE)
            .env("SCOPE", "orders:read")
    }
    fn verify(&self, python: &Path, token: &str, audience: &str, scope: &str) -> Output {
        let mut command = Command::new(python);
        command
            .arg(script("verify_token.py"))
            .args([&self.issuer, audience, scope]);
        run(&mut command, token)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joserfc_believes_tokens_and_capabilities_by_the_published_keys_alone() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let shop = Shop::new().await;
    let access = shop
        .token(&[("resource", AUDIENCE), ("scope", "orders:read")])
        .await;
    let claims = said(&shop.verify(&python, &access, AUDIENCE, "orders:read"));
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["sub"]),
        (&json!(shop.issuer), &json!(AUDIENCE), &json!(shop.agent.id))
    );
    assert_eq!(
        (&claims["scope"], &claims["client_id"]),
        (&json!("orders:read"), &json!(shop.agent.id))
    );

    let ask = json!({ "agent": shop.agent.id, "connection": connection(&shop).await, "operation": "orders.list" });
    let dispatched = shop.world.owner.api.post("/dispatch", ask).await.ok();
    let capability = said(&shop.verify(
        &python,
        &text(&dispatched, "capability_token"),
        AUDIENCE,
        "orders:read",
    ));
    assert_eq!(
        (&capability["cap"], &capability["run_id"]),
        (&json!(true), &dispatched["run"])
    );

    let (body, signature) = access.rsplit_once('.').unwrap();
    let turned = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{body}.{turned}{}", &signature[1..]);
    let wrong = [
        (forged.as_str(), AUDIENCE, "orders:read", "BadSignature"),
        (&access, "https://other.example", "orders:read", "aud"),
        (
            &access,
            AUDIENCE,
            "orders:write",
            "not good for orders:write",
        ),
    ];
    for (token, audience, scope, why) in wrong {
        let refused = shop.verify(&python, token, audience, scope);
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && complaint.contains(why),
            "{why}: {complaint}"
        );
    }
}

async fn connection(shop: &Shop) -> String {
    text(
        &shop.world.owner.api.get("/connections").await.ok()["items"][0],
        "id",
    )
}

/// The server lives in a past in which its tokens have long ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joserfc_refuses_a_token_that_has_ended() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let options = Options {
        clock: Arc::new(MockClock::default()),
        ..Options::new(folder.path())
    };
    let shop = Shop::open(
        World::of(
            Server::start(options).await.unwrap(),
            Engine::Sqlite,
            folder,
        )
        .await,
    )
    .await;
    let token = shop.token(&[("resource", AUDIENCE)]).await;
    let refused = shop.verify(&python, &token, AUDIENCE, "orders:read");
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && complaint.contains("expired_token"),
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authlib_gets_introspects_and_revokes_with_basic_authentication() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let shop = Shop::new().await;
    let mut command = Command::new(python);
    let done = said(&run(
        shop.environment(&mut command)
            .arg(script("client_credentials.py")),
        "",
    ));
    assert_eq!(
        (&done["scope"], &done["revoked"]),
        (&json!("orders:read"), &json!(200))
    );
    let before = &done["before"];
    assert_eq!(
        (&before["active"], &before["aud"], &before["sub"]),
        (&json!(true), &json!(AUDIENCE), &json!(shop.agent.id))
    );
    assert_eq!(done["after"], json!({ "active": false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openid_client_discovers_both_ways_and_authenticates_each_way() {
    let Some(node) = require(Tool::Node) else {
        return;
    };
    let shop = Shop::new().await;
    let source = std::fs::read_to_string(script("client_credentials.mjs")).unwrap();
    let mut command = Command::new(node);
    // Read from the input, a module finds its packages from the working directory.
    command
        .args(["--input-type=module", "-"])
        .current_dir(node_modules().unwrap());
    let done = said(&run(shop.environment(&mut command), &source));
    let ways = done.as_object().unwrap();
    assert_eq!(
        ways.len(),
        8,
        "four ways of authenticating, two forms of discovery: {done}"
    );
    for (way, seen) in ways {
        assert_eq!(
            (&seen["type"], &seen["scope"]),
            (&json!("bearer"), &json!("orders:read")),
            "{way}: {seen}"
        );
        let before = &seen["before"];
        assert_eq!(
            (&before["active"], &before["client_id"], &before["aud"]),
            (&json!(true), &seen["client"], &json!(AUDIENCE)),
            "{way}"
        );
        assert_eq!(seen["after"], json!({ "active": false }), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_authzen_asks_as_it_asks_any_decision_point() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let shop = Shop::new().await;
    let mut command = Command::new(python);
    command.arg(script("authzen_client.py"));
    let told = said(&run(shop.environment(&mut command), ""));
    assert_eq!(
        told,
        json!({
            "owner": [true, ["role"]], "agent": [true, ["role"]],
            "undeclared": [false, ["no_permit"]], "nobody": [false, ["no_permit"]],
            "wrong token": 401, "incomplete": 400,
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastmcp_lists_what_its_caller_may_use_and_calls_it() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let world = World::start(Engine::Sqlite).await.unwrap();
    let viewer = world.member("vera@acme.example", &["viewer"]).await;
    let mut command = Command::new(python);
    command
        .arg(script("mcp_tools.py"))
        .env("MCP_URL", format!("{}/o/acme/mcp", world.url));
    command
        .env("OWNER_TOKEN", world.owner.api.token.expose_secret())
        .env("VIEWER_TOKEN", viewer.api.token.expose_secret());
    let seen = said(&run(&mut command, ""));

    let tools =
        |who: &str| -> Vec<String> { serde_json::from_value(seen[who]["tools"].clone()).unwrap() };
    let (owner, viewer) = (tools("owner"), tools("viewer"));
    assert!(
        viewer.len() < owner.len() && viewer.iter().all(|tool| owner.contains(tool)),
        "{viewer:?}"
    );
    assert!(viewer.contains(&"list-agents".to_owned()));
    for tool in ["revoke-agent", "list-audit-events", "create-user"] {
        assert!(
            owner.iter().any(|known| known == tool) && viewer.iter().all(|known| known != tool),
            "{tool}"
        );
    }
    for who in ["owner", "viewer"] {
        let organization = &seen[who]["organization"];
        assert_eq!(
            (&organization["id"], &organization["slug"]),
            (&json!(world.org), &json!("acme"))
        );
    }
    let metadata = format!(
        "{}/.well-known/oauth-protected-resource/o/acme/mcp",
        world.url
    );
    assert_eq!(seen["nobody"]["status"], 401);
    let challenge = text(&seen["nobody"], "challenge");
    assert!(
        challenge.starts_with("Bearer ")
            && challenge.contains(&format!("resource_metadata=\"{metadata}\"")),
        "{challenge}"
    );
    assert_ne!(seen["refused"], "it was let in");
    let described: Answer = world
        .get("/.well-known/oauth-protected-resource/o/acme/mcp")
        .await;
    assert_eq!(
        described.ok()["authorization_servers"],
        json!([format!("{}/o/acme", world.url)])
    );
}
