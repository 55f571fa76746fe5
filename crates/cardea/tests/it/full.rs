//! A disk without room, and one that fails. Without room nothing is issued or changed, decisions go on, what takes
//! authority away goes on out of the reserve, and everything goes on by itself when there is room. A disk that fails
//! ends the process: nobody knows what it holds, and the next start reads it.

use crate::{
    kill::wire::{AUDIENCE, Log, Owner, Wire, jti, prepare},
    program::{Place, cardea, wrapped},
    world::{AgentClient, Answer, text},
};
use egress::Request;
use kernel::ExposeSecret;
use serde_json::json;
use std::{path::Path, process::Command, time::Duration};
use testkit::{
    disk::Disk,
    tools::{Tool, require},
};

const RESERVE: u64 = kernel::limits::DISK_RESERVE_BYTES as u64;
/// Room for the reserve, as much again and a database.
const MEBIBYTES: u32 = 160;
/// More writes than a log that was made longer before can take.
const WRITES: usize = 5_000;
/// So many acts out of the reserve are no accident.
const TAKINGS: usize = 200;

async fn agent(wire: &Wire, name: &str) -> AgentClient {
    let auth = json!({ "method": "client_secret" });
    let body = json!({ "name": name, "owner": wire.owner, "scope_ceiling": ["orders:read"], "auth": auth });
    let made = wire.api.post("/agents", body).await.ok();
    AgentClient {
        id: text(&made, "client_id"),
        secret: text(&made, "client_secret").into(),
    }
}

/// One request to a protocol endpoint, whatever the answer.
async fn form(
    wire: &Wire,
    endpoint: &str,
    agent: &AgentClient,
    more: &[(&str, &str)],
) -> Result<Answer, egress::Error> {
    let own = [
        ("client_id", agent.id.as_str()),
        ("client_secret", agent.secret.expose_secret()),
    ];
    let fields: Vec<_> = own.iter().chain(more).collect();
    let url = format!("{}/o/acme/oauth2/{endpoint}", wire.url);
    Ok(wire
        .client
        .send(Request::post(&url)?.form(&fields)?)
        .await?
        .into())
}

async fn issue(wire: &Wire, agent: &AgentClient) -> Result<Answer, egress::Error> {
    let asked = [("grant_type", "client_credentials"), ("resource", AUDIENCE)];
    form(wire, "token", agent, &asked).await
}

async fn token(wire: &Wire, agent: &AgentClient) -> String {
    text(&issue(wire, agent).await.unwrap().ok(), "access_token")
}

async fn ready(wire: &Wire) -> Answer {
    let url = format!("{}/health/ready", wire.url);
    wire.client
        .send(Request::get(&url).unwrap())
        .await
        .unwrap()
        .into()
}

/// Everything that would give or change something is refused by name; reading and deciding go on.
async fn nothing_is_issued(wire: &Wire, agent: &AgentClient, orders: &str) {
    let refused = issue(wire, agent).await.unwrap();
    assert_eq!(refused.refused(503), "temporarily_unavailable");
    assert!(text(&refused.body, "error_description").contains("disk is full"));
    let id = &agent.id;
    let writes = [
        (
            "/users",
            json!({ "email": "new@acme.example", "name": "New" }),
        ),
        (
            "/roles",
            json!({ "name": "new", "permissions": [], "scopes": [] }),
        ),
        (
            "/runs",
            json!({ "agent": id, "purpose": "x", "scopes": ["orders:read"], "deadline_seconds": 60 }),
        ),
        (
            "/dispatch",
            json!({ "agent": id, "connection": orders, "operation": "orders.list" }),
        ),
        ("/keys/rotate", json!({})),
    ];
    for (path, body) in writes {
        let refused = wire.api.post(path, body).await;
        assert_eq!(refused.refused(503), "storage_full", "{path}");
        assert!(
            text(&refused.body, "detail").contains("make room"),
            "{path}"
        );
    }
    let unseen = wire.api.get("/audit/events").await;
    assert_eq!(
        unseen.refused(503),
        "storage_full",
        "reading the log leaves an entry"
    );
    wire.api.get("/agents").await.ok();
    let ready = ready(wire).await;
    assert_eq!(
        (ready.status, &ready.body["limited"]),
        (200, &json!(["storage_full"]))
    );
}

async fn stop(wire: &Wire, agent: &AgentClient, on: bool) -> Answer {
    let path = format!("/kill-switches/{}", agent.id);
    wire.api
        .put(&path, json!({ "on": on, "reason": "full" }))
        .await
}

/// What takes authority away is done and seen at once.
async fn taking_goes_on(
    wire: &Wire,
    agents: &[AgentClient; 3],
    tokens: &[String; 3],
    person: &str,
) {
    let active = async |at: usize| wire.introspect(&tokens[at]).await["active"] == true;
    assert!(active(0).await && active(1).await && active(2).await);
    form(wire, "revoke", &agents[0], &[("token", &tokens[0])])
        .await
        .unwrap()
        .ok();
    let path = format!("/agents/{}/revoke", agents[1].id);
    wire.api.post(&path, json!({})).await.ok();
    stop(wire, &agents[2], true).await.ok();
    assert!(!active(0).await && !active(1).await && !active(2).await);
    let path = format!("/users/{person}/suspend");
    let gone = wire.api.post(&path, json!({})).await.ok();
    assert_eq!(gone["status"], "suspended");
    for n in 0..TAKINGS {
        stop(wire, &agents[0], n % 2 == 0).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_16_a_full_disk_refuses_by_name_lets_take_away_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), MEBIBYTES) else {
        return;
    };
    // The server's log lies on the same disk: it is lost while there is no room, and nothing else is.
    let place = Place::new(&folder.path().join("data"));
    let owner = Owner::of(&place.init());
    let serving = place.serve();
    let orders = prepare(&serving.url, &owner).await;
    let wire = Wire::new(&serving.url, &owner);
    let agents = [
        agent(&wire, "a").await,
        agent(&wire, "b").await,
        agent(&wire, "c").await,
    ];
    let last = agent(&wire, "last").await;
    let tokens = [
        token(&wire, &agents[0]).await,
        token(&wire, &agents[1]).await,
        token(&wire, &agents[2]).await,
    ];
    let kept = token(&wire, &last).await;
    let person = json!({ "email": "ada@acme.example", "name": "Ada", "roles": ["member"] });
    let person = text(&wire.api.post("/users", person).await.ok(), "id");
    let reserve = folder.path().join("data/cardea.db-reserve");
    let held = || std::fs::metadata(&reserve).unwrap().len();
    assert_eq!(held(), RESERVE);

    disk.fill();
    let mut given = Vec::new();
    let refused = loop {
        let answer = issue(&wire, &last).await.unwrap();
        if answer.status != 200 {
            break answer;
        }
        given.push(jti(&text(&answer.body, "access_token")));
        assert!(given.len() < WRITES, "the disk is never full");
    };
    assert_eq!(refused.refused(503), "temporarily_unavailable");
    assert_eq!(held(), 0, "the reserve was given back");
    nothing_is_issued(&wire, &last, &orders).await;
    taking_goes_on(&wire, &agents, &tokens, &person).await;
    nothing_is_issued(&wire, &last, &orders).await;

    serving.kill();
    place.run(&["audit", "verify", "--deep"]).with(0);
    let serving = place.serve();
    let wire = Wire::new(&serving.url, &owner);
    assert_eq!(wire.introspect(&kept).await["active"], true);
    assert_eq!(wire.introspect(&tokens[1]).await["active"], false);
    stop(&wire, &agents[0], true).await.ok();
    nothing_is_issued(&wire, &last, &orders).await;

    disk.empty();
    let mut answer = issue(&wire, &last).await.unwrap();
    for _ in 0..100 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = issue(&wire, &last).await.unwrap();
    }
    given.push(jti(&text(&answer.ok(), "access_token")));
    assert_eq!(
        (held(), &ready(&wire).await.body["limited"]),
        (RESERVE, &json!([]))
    );
    let mut log = Log::default();
    log.read(&wire).await;
    for jti in given {
        let issued = ("token.issued".to_owned(), jti);
        assert_eq!(
            log.seen.get(&issued),
            Some(&1),
            "{issued:?} was acknowledged"
        );
    }
    assert_eq!(serving.stop(), 0);
    place.run(&["audit", "verify", "--deep"]).with(0);
}

/// A server whose calls of this name on the write-ahead log fail from the `from`th on; what it acknowledged is there
/// after the next start.
async fn ends_when(call: &str, from: u32) {
    let Some(strace) = require(Tool::Strace) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(&folder.path().join("data"));
    let owner = Owner::of(&place.init());
    let serving = place.serve();
    prepare(&serving.url, &owner).await;
    let own = agent(&Wire::new(&serving.url, &owner), "bot").await;
    assert_eq!(serving.stop(), 0);

    let log = place.data.join("cardea.db-wal");
    let serving = place.serve_by(failing(&strace, &log, call, from));
    let wire = Wire::new(&serving.url, &owner);
    let mut given = Vec::new();
    while let Ok(answer) = issue(&wire, &own).await {
        given.push(jti(&text(&answer.ok(), "access_token")));
        assert!(given.len() < WRITES, "the disk never fails");
    }
    assert!(!given.is_empty(), "it failed before anything was given");
    assert_eq!(serving.ended(), 74, "{call}");
    let errors = std::fs::read_to_string(place.data.with_extension("err")).unwrap();
    assert!(errors.contains("the disk failed"), "{errors}");

    place.run(&["audit", "verify", "--deep"]).with(0);
    let serving = place.serve();
    let mut entries = Log::default();
    entries.read(&Wire::new(&serving.url, &owner)).await;
    for jti in given {
        let issued = ("token.issued".to_owned(), jti);
        assert_eq!(
            entries.seen.get(&issued),
            Some(&1),
            "{issued:?} was acknowledged"
        );
    }
}

fn failing(strace: &Path, file: &Path, call: &str, from: u32) -> Command {
    let mut traced = wrapped(Command::new(strace));
    traced
        .args(["-f", "-qq", "-o", "/dev/null", "-P"])
        .arg(file);
    traced.args(["-e", &format!("trace={call}")]);
    traced.args(["-e", &format!("inject={call}:error=EIO:when={from}+")]);
    traced.arg(cardea().get_program());
    traced
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_synchronize_ends_the_process() {
    ends_when("fsync,fdatasync", 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_write_ends_the_process() {
    ends_when("pwrite64", 60).await;
}
