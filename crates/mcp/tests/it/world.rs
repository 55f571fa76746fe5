//! One organization on a temporary database, and requests to the door as the layer that authenticates sends them.

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kernel::{
    Clock, Entropy, ExposeSecret,
    ambient::{SystemClock, SystemEntropy},
};
use mcp::Session;
use serde_json::{Value, json};
use service::{
    Failures, Node, Peer, Platform, Store, StoreOptions, SubjectKeys, oauth::KeyCache,
    sealing::Keyring,
};
use std::sync::Arc;
use tower::ServiceExt;

/// The revision without `initialize`.
pub const STATELESS: &str = "2026-07-28";

/// The door of a fresh instance.
pub struct World {
    pub owner: Session,
    door: mcp::McpService,
    _folder: tempfile::TempDir,
}

fn platform(store: Store, node: Arc<Node>) -> Platform {
    Platform {
        store,
        node,
        keyring: Keyring::new(&[7; 32]).unwrap(),
        keys: KeyCache::default(),
        addresses: Default::default(),
        decided: Default::default(),
        journal: Default::default(),
        signatures: Default::default(),
        subjects: SubjectKeys::default(),
        failures: Failures::default(),
        gate: Arc::default(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        public_url: "https://iam.example".into(),
        node_name: "test".into(),
        build: "test",
    }
}

async fn session(platform: &Platform, token: &str) -> Session {
    let peer = Peer {
        request_id: "req_1".into(),
        door: "api",
        ..Peer::default()
    };
    let view = platform.node.view_of("acme").await.unwrap();
    let caller = service::authenticate(platform, &view, token, &peer)
        .await
        .unwrap();
    Session { caller, view, peer }
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let options = StoreOptions {
            clock: clock.clone(),
            entropy,
            connections: 2,
        };
        let store = Store::sqlite(&folder.path().join("cardea.db"), options).unwrap();
        let node = Arc::new(Node::start(store.clone(), clock).await.unwrap());
        tokio::spawn(node.clone().follow());
        let platform = Arc::new(platform(store, node));
        service::setup::prepare_instance(&platform).await.unwrap();
        let done = service::setup::init(&platform, "acme", "owner@acme.example", true);
        let token = done.await.unwrap().token.unwrap();
        let owner = session(&platform, token.expose_secret()).await;
        let door = mcp::service(platform, vec!["inner.example:9000".into()]);
        Self {
            owner,
            door,
            _folder: folder,
        }
    }

    /// A message of the revision without `initialize`.
    pub async fn ask(
        &self,
        session: Option<&Session>,
        method: &str,
        params: Value,
    ) -> (StatusCode, Value) {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut request = post().header("mcp-method", method);
        if let Some(name) = params.get("name").and_then(Value::as_str) {
            request = request.header("mcp-name", name);
        }
        self.send(
            session,
            request.header("mcp-protocol-version", STATELESS),
            method,
            params,
        )
        .await
    }

    /// A message of an earlier revision; no session id is ever sent.
    pub async fn ask_as(&self, revision: &str, method: &str, params: Value) -> (StatusCode, Value) {
        let request = post().header("mcp-protocol-version", revision);
        self.send(Some(&self.owner), request, method, params).await
    }

    /// Sends a message with these headers.
    pub async fn send(
        &self,
        session: Option<&Session>,
        mut request: http::request::Builder,
        method: &str,
        params: Value,
    ) -> (StatusCode, Value) {
        if let Some(session) = session {
            request = request.extension(session.clone());
        }
        if request
            .headers_ref()
            .is_some_and(|headers| !headers.contains_key("host"))
        {
            request = request.header("host", "iam.example");
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = request.body(message.to_string()).unwrap();
        let answer = self.door.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The names of the tools that a caller sees.
    pub async fn listed(&self, session: &Session) -> Vec<String> {
        let (_, answer) = self.ask(Some(session), "tools/list", json!({})).await;
        let tools = answer["result"]["tools"].as_array().expect("tools").clone();
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A call's result.
    pub async fn call(&self, session: &Session, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let (_, answer) = self.ask(Some(session), "tools/call", params).await;
        answer["result"].clone()
    }
}

/// A request's head, without `Host`.
pub fn post() -> http::request::Builder {
    Request::post("/o/acme/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
}

/// The refusal inside a result.
pub fn refusal(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().expect("text");
    serde_json::from_str::<Value>(text).unwrap()["error"].clone()
}
