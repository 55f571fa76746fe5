//! One organization on a temporary database, and requests as a client on the wire sends them.

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use kernel::{
    Clock, Entropy, ExposeSecret,
    ambient::{SystemClock, SystemEntropy},
};
use serde_json::Value;
use service::{
    Failures, Node, Platform, Store, StoreOptions, SubjectKeys, oauth::KeyCache, sealing::Keyring,
};
use std::{net::SocketAddr, sync::Arc};
use tower::ServiceExt;
use web::{Door, DoorConfig, Readiness, Socket};

/// The public origin.
pub const PUBLIC: &str = "https://iam.example";
/// A peer that is no proxy.
pub const STRANGER: &str = "203.0.113.5:4711";
/// A peer that is a trusted proxy.
pub const PROXY: &str = "10.0.0.1:4711";

/// The doors of a fresh instance.
pub struct World {
    pub router: Router,
    pub platform: Arc<Platform>,
    /// A bootstrap token of the owner.
    pub token: String,
    _folder: tempfile::TempDir,
}

/// An answer, whole.
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answered {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
    /// Status and stable code of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_str().unwrap_or_default(),
        )
    }
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
        public_url: PUBLIC.into(),
        node_name: "test".into(),
        build: "test",
    }
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
        let done = service::setup::init(&platform, "acme", "owner@acme.example", true).await;
        let token = done.unwrap().token.unwrap().expose_secret().to_owned();
        let watched = platform.clone();
        let config = DoorConfig {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            metrics: Arc::new(|| "cardea_test 1\n".into()),
            ready: Arc::new(move || Readiness::of(&watched)),
        };
        let held = platform.clone();
        let router = web::router(Arc::new(Door { platform, config }));
        Self {
            router,
            platform: held,
            token,
            _folder: folder,
        }
    }

    /// A request from a peer, as it stands.
    pub async fn send_from(&self, peer: &str, mut request: Request<Body>) -> Answered {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(Socket(peer));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answered {
            status: parts.status,
            headers: parts.headers,
            text,
            body,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answered {
        self.send_from(STRANGER, request).await
    }

    /// A request without a credential or body.
    pub async fn plain(&self, method: &str, path: &str) -> Answered {
        self.send(bare(method, path).body(Body::empty()).unwrap())
            .await
    }

    /// A request of the owner's, with more headers.
    pub async fn asked(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let mut request =
            bare(method, path).header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A JSON request of the owner's.
    pub async fn json(&self, method: &str, path: &str, body: &str) -> Answered {
        self.asked(method, path, &[("content-type", "application/json")], body)
            .await
    }

    /// A form without a credential.
    pub async fn form(&self, path: &str, body: &str) -> Answered {
        let request =
            bare("POST", path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }
}

/// The head of a request to the right host.
pub fn bare(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "iam.example")
}
