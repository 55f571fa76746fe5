//! The revocation feed as resource servers use it: who may follow, what it says and in which order, on both engines,
//! and a client of another language that refuses by it, also after the server was killed.

use crate::{
    program::{Place, Serving, cardea},
    world::{Answer, Api, client, text},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use egress::Request;
use kernel::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};
use testkit::tools::{Tool, require};

const AUDIENCE: &str = "https://orders.example";
const FEED: &str = "/o/acme/revocations";

/// What a batch says, read without its signature; the Python client verifies that.
#[track_caller]
fn said(answer: Answer) -> Value {
    let kind = answer
        .response
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    assert_eq!(
        (answer.status, kind.as_str()),
        (200, "application/secevent+jwt"),
        "{}",
        answer.response.text()
    );
    let text = answer.response.text().to_string();
    let part = |n: usize| -> Value {
        let decoded = B64URL.decode(text.split('.').nth(n).unwrap()).unwrap();
        serde_json::from_slice(&decoded).unwrap()
    };
    assert_eq!(part(0)["typ"], "secevent+jwt");
    let claims = part(1);
    assert!(claims["exp"].is_null() && claims["aud"].as_str().unwrap().ends_with(FEED));
    claims["events"]["urn:cardea:secevent:revocations"].clone()
}

async fn ask(url: &str, path: &str, basic: Option<&(String, String)>) -> Answer {
    let mut request = Request::get(&format!("{url}{path}")).unwrap();
    if let Some((id, secret)) = basic {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        request = request
            .header("authorization", &format!("Basic {pair}"))
            .unwrap();
    }
    client().send(request).await.unwrap().into()
}

async fn connection(
    api: &Api,
    name: &str,
    audience: &str,
    introspection: bool,
) -> (String, (String, String)) {
    let body = json!({
        "name": name, "audience": audience, "min_trust": 0, "scopes": ["orders:read"],
        "operations": { "orders.list": "read" }, "introspection": introspection,
    });
    let made = api.post("/connections", body).await.ok();
    let of = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
    (of("id"), (of("client_id"), of("client_secret")))
}

fn kinds(batch: &Value) -> Vec<String> {
    let changes = batch["changes"].as_array().unwrap().iter();
    changes
        .map(|change| match &change["active"] {
            Value::Bool(active) => format!("{} {active}", text(change, "type")),
            _ => text(change, "type"),
        })
        .collect()
}

on_both_engines! { a_feed_tells_its_own_readers_what_stopped_being_good, world => {
    let owner = &world.owner;
    let (orders, reader) = connection(&owner.api, "orders", AUDIENCE, true).await;
    let agent = world.agent(owner, "bot", &["orders:read"]).await;
    let at = async || said(owner.api.get(&format!("!{FEED}/snapshot")).await)["to"].as_u64().unwrap();

    // Who may follow.
    assert_eq!(ask(&world.url, FEED, None).await.refused(401), "unauthenticated");
    let wrong = (reader.0.clone(), format!("{}x", reader.1));
    assert_eq!(ask(&world.url, FEED, Some(&wrong)).await.refused(401), "unauthenticated");
    let (_, silent) = connection(&owner.api, "silent", "https://silent.example", false).await;
    if !silent.1.is_empty() {
        let answer = ask(&world.url, FEED, Some(&silent)).await;
        assert!([401, 403].contains(&answer.status), "{}", answer.status);
    }
    let own = (agent.id.clone(), agent.secret.expose_secret().to_owned());
    assert_eq!(ask(&world.url, FEED, Some(&own)).await.refused(403), "permission_denied");
    let control = world.control(&agent).await;
    assert_eq!(control.get(&format!("!{FEED}")).await.refused(403), "permission_denied");
    let member = world.member("dev@acme.example", &["member"]).await;
    assert_eq!(member.api.get(&format!("!{FEED}")).await.refused(403), "permission_denied");
    let other = json!({ "slug": "other", "owner_email": "o@other.example" });
    let _made = owner.api.post("!/api/v1/orgs", other).await;
    let foreign = ask(&world.url, "/o/other/revocations", Some(&reader)).await;
    assert!([401, 404].contains(&foreign.status), "{}", foreign.status);

    // What it says, in order.
    let begun = at().await;
    let quiet = said(ask(&world.url, &format!("{FEED}?after={begun}"), Some(&reader)).await);
    assert_eq!((&quiet["from"], &quiet["to"], &quiet["changes"]), (&json!(begun), &json!(begun), &json!([])));
    let token = text(&world.token(&agent, &[("resource", AUDIENCE)]).await.ok(), "access_token");
    let waiting = {
        let (url, path, reader) = (world.url.clone(), format!("{FEED}?after={begun}&wait=20"), reader.clone());
        tokio::spawn(async move { said(ask(&url, &path, Some(&reader)).await) })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    let form = [("token", token.as_str()), ("client_id", agent.id.as_str()), ("client_secret", agent.secret.expose_secret())];
    assert_eq!(world.form("/o/acme/oauth2/revoke", &form).await.status, 200);
    let woken = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(kinds(&woken), ["revoked"]);
    let id = &agent.id;
    for act in ["suspend", "resume", "revoke"] {
        owner.api.post(&format!("/agents/{id}/{act}"), json!({})).await.ok();
    }
    let stop = json!({ "on": true, "reason": "drill" });
    owner.api.put(&format!("/kill-switches/{orders}"), stop.clone()).await.ok();
    owner.api.put("/kill-switches/org", stop).await.ok();
    let all = said(ask(&world.url, &format!("{FEED}?after={begun}"), Some(&reader)).await);
    let told = kinds(&all);
    // Each event tells how the agent is now: revoked, and not what it was in between.
    assert_eq!(told, ["revoked", "agent false", "agent false", "agent false", "revoked", "audience false"], "{all}");
    assert_eq!(all["active"], false);
    let snapshot = said(ask(&world.url, &format!("{FEED}/snapshot"), Some(&reader)).await);
    let mut held = kinds(&snapshot);
    held.sort();
    assert_eq!(held, ["agent false", "audience false", "revoked", "revoked"]);
    assert_eq!((&snapshot["to"], &snapshot["snapshot"]), (&all["to"], &json!(true)));

    // Whoever loses the right while they wait is not told what they waited for.
    let input = json!({ "name": "resource server", "permissions": ["tokens.introspect"] });
    let made = owner.api.post("/tokens", input).await.ok();
    let lost = owner.api.with(SecretString::from(text(&made, "token")));
    let path = format!("!{FEED}?after={}&wait=20", at().await);
    let waiting = tokio::spawn(async move { lost.get(&path).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    owner.api.post(&format!("/tokens/{}/revoke", text(&made, "id")), json!({})).await.ok();
    let told = tokio::time::timeout(Duration::from_secs(15), waiting).await.unwrap().unwrap();
    assert_eq!(told.refused(401), "unauthenticated");

    // A revision it never had, and one too far behind.
    let ahead = format!("{FEED}?after={}", at().await + 1);
    assert_eq!(ask(&world.url, &ahead, Some(&reader)).await.refused(410), "feed_gap");
}}

/// The Python client, spoken to line by line.
struct Follower {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Follower {
    fn start(python: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(python)
            .arg(testkit::workspace().join("interop/revocation_feed.py"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            input,
            output,
        }
    }

    /// The answer to one command; it comes, or the client says why not and ends.
    fn ask(&mut self, command: &str) -> Value {
        tokio::task::block_in_place(|| {
            writeln!(self.input, "{command}").unwrap();
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no answer to `{command}`"))
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn serve(place: &Place, port: u16) -> Serving {
    let mut command = cardea();
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .args(place.flags());
    Serving::start(command, &place.data.with_extension("err"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_refuses_within_a_second_and_nothing_comes_back_after_a_kill() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(&folder.path().join("data"));
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://localhost:{port}");
    let init = [
        "init",
        "--org",
        "acme",
        "--owner",
        "owner@acme.example",
        "--token",
        "--output",
        "json",
        "--public-url",
        &url,
    ];
    let init = place.run(&init).with(0).json();
    let serving = serve(&place, port);
    let api = Api::new(&url, "acme", SecretString::from(text(&init, "token")));
    let (_, (connection, secret)) = connection(&api, "orders", AUDIENCE, true).await;
    let role = json!({ "name": "reader", "permissions": [], "scopes": ["orders:read"] });
    let role = text(&api.post("/roles", role).await.ok(), "id");
    let owner = text(&init, "owner");
    api.post(
        "/role-assignments",
        json!({ "subject": owner, "role": role }),
    )
    .await
    .ok();
    let register = json!({ "name": "bot", "owner": owner, "scope_ceiling": ["orders:read"], "auth": { "method": "client_secret" } });
    let bot = api.post("/agents", register).await.ok();
    let (id, key) = (text(&bot, "client_id"), text(&bot, "client_secret"));
    let issuer = format!("{url}/o/acme");
    let environment = [
        ("ISSUER", issuer.as_str()),
        ("RESOURCE", AUDIENCE),
        ("CLIENT_ID", id.as_str()),
        ("CLIENT_SECRET", key.as_str()),
        ("CONNECTION_ID", connection.as_str()),
        ("CONNECTION_SECRET", secret.as_str()),
    ];
    let mut follower = Follower::start(&python, &environment);
    follower.ask("ready");
    for mode in ["stream", "poll"] {
        let figures = follower.ask(&format!("latency {mode} 100"));
        println!("revoked -> refused at the resource server, ms, {mode}: {figures}");
        assert!(figures["p99"].as_f64().unwrap() < 1_000.0, "{figures}");
    }

    assert_eq!(follower.ask("gap stream")["snapshots"], 1);

    // One token revoked before the kill, one kept, and one revoked after it.
    let asking = [
        ("grant_type", "client_credentials"),
        ("resource", AUDIENCE),
        ("client_id", id.as_str()),
        ("client_secret", key.as_str()),
    ];
    let (gone, kept) = (token(&url, &asking).await, token(&url, &asking).await);
    give_back(&url, &gone, &asking).await;
    serving.kill();
    let serving = serve(&place, port);
    let introspect = [
        ("token", gone.as_str()),
        ("client_id", connection.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let first = post(&url, "introspect", &introspect).await.ok();
    assert_eq!(
        first,
        json!({ "active": false }),
        "the first request after the start"
    );
    // The kill may have come before the feed told of it: then it is told once the follower is back.
    follower.ask(&format!("refused {gone}"));
    give_back(&url, &kept, &asking).await;
    follower.ask(&format!("refused {kept}"));
    assert_eq!(serving.stop(), 0, "an open stream does not hold the server");
}

async fn post(url: &str, endpoint: &str, form: &[(&str, &str)]) -> Answer {
    let request = Request::post(&format!("{url}/o/acme/oauth2/{endpoint}")).unwrap();
    client()
        .send(request.form(&form).unwrap())
        .await
        .unwrap()
        .into()
}

async fn token(url: &str, asking: &[(&str, &str)]) -> String {
    text(&post(url, "token", asking).await.ok(), "access_token")
}

async fn give_back(url: &str, token: &str, asking: &[(&str, &str)]) {
    let mut form = vec![("token", token)];
    form.extend(
        asking
            .iter()
            .filter(|(name, _)| name.starts_with("client_")),
    );
    assert_eq!(post(url, "revoke", &form).await.status, 200);
}
