//! What was answered is on the disk: seen from outside, in the server's own system calls. Every answer with a token
//! leaves after the write-ahead log was synchronized, and after nothing more was written to it.

use crate::{
    program::{Place, cardea, wrapped},
    world::{AgentClient, Api, client, text},
};
use egress::{Client, Request};
use kernel::{ExposeSecret, SecretString};
use serde_json::json;
use std::{collections::HashMap, path::Path, process::Command};
use testkit::tools::{Tool, require};

const REQUESTS: usize = 20;
const AUDIENCE: &str = "https://orders.example";
const CALLS: &str = "trace=fdatasync,fsync,sendto,write,writev,pwrite64,sendmsg";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_leaves_after_its_entry_is_on_the_disk() {
    let Some(strace) = require(Tool::Strace) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (place, trace) = (
        Place::new(&folder.path().join("data")),
        folder.path().join("trace"),
    );
    let init = place.init();
    let serving = place.serve();
    let agent = agent(
        &serving.url,
        &text(&init, "owner"),
        &text(&init, "token").into(),
    )
    .await;
    assert_eq!(serving.stop(), 0);

    let mut traced = wrapped(Command::new(strace));
    traced
        .args(["-f", "-y", "-s", "48", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(cardea().get_program());
    let serving = place.serve_by(traced);
    let client = client();
    for _ in 0..REQUESTS {
        token(&client, &serving.url, &agent).await;
    }
    // The signal is for the server, which is strace's child; a dropped tracer would let it run on.
    let child =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", serving.pid())).unwrap();
    let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::TERM).unwrap();
    assert_eq!(serving.ended(), 0);

    let answers = answers(&trace);
    assert_eq!(answers.len(), REQUESTS, "answers in the trace");
    for (at, answer) in answers.iter().enumerate() {
        assert!(
            answer.wrote > 0,
            "answer {at}: nothing was written to the log before it"
        );
        assert!(
            answer.synced,
            "answer {at} left before the write-ahead log was synchronized"
        );
    }
}

async fn agent(url: &str, owner: &str, token: &SecretString) -> AgentClient {
    let api = Api::new(url, "acme", token.clone());
    let body = json!({ "name": "orders", "audience": AUDIENCE, "min_trust": 0, "scopes": ["orders:read"] });
    api.post("/connections", body).await.ok();
    let role = api
        .post(
            "/roles",
            json!({ "name": "reader", "permissions": [], "scopes": ["orders:read"] }),
        )
        .await
        .ok();
    api.post(
        "/role-assignments",
        json!({ "subject": owner, "role": role["id"] }),
    )
    .await
    .ok();
    let body = json!({ "name": "bot", "owner": owner, "scope_ceiling": ["orders:read"], "auth": { "method": "client_secret" } });
    let made = api.post("/agents", body).await.ok();
    AgentClient {
        id: text(&made, "client_id"),
        secret: text(&made, "client_secret").into(),
    }
}

async fn token(client: &Client, url: &str, agent: &AgentClient) {
    let secret = agent.secret.expose_secret();
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", AUDIENCE),
        ("client_id", &agent.id),
        ("client_secret", secret),
    ];
    let request = Request::post(&format!("{url}/o/acme/oauth2/token"))
        .unwrap()
        .form(&form)
        .unwrap();
    let answer = client.send(request).await.unwrap();
    assert!(
        answer.status == 200 && answer.text().contains("access_token"),
        "{}",
        answer.text()
    );
}

/// What happened to the write-ahead log before an answer and after the one before.
#[derive(Default)]
struct Answer {
    wrote: usize,
    /// Whether everything written to it was synchronized.
    synced: bool,
}

/// Reads a trace: a line is a call that ended without another's in between, or its beginning, or its end.
fn answers(trace: &Path) -> Vec<Answer> {
    let text = String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned();
    let (mut answers, mut now) = (Vec::new(), Answer::default());
    let mut begun: HashMap<&str, &str> = HashMap::new();
    for line in text.lines() {
        let (thread, call) = line.trim_start().split_once(' ').unwrap();
        let call = call.trim_start();
        let resumed = call.starts_with("<...");
        let whole = if resumed {
            begun.remove(thread).unwrap_or_default()
        } else {
            call
        };
        let ended = !call.ends_with("<unfinished ...>");
        if !ended {
            begun.insert(thread, call);
        }
        let log = whole.contains("cardea.db-wal>");
        // A write counts from its beginning, a synchronization from its good end, an answer from its beginning.
        if log && whole.starts_with("pwrite64(") && !resumed {
            now.wrote += 1;
            now.synced = false;
        } else if log
            && ["fdatasync(", "fsync("]
                .iter()
                .any(|name| whole.starts_with(name))
            && ended
        {
            assert!(call.ends_with("= 0"), "{line}");
            now.synced = true;
        } else if !resumed && whole.contains("\"HTTP/1.1 200 OK") {
            answers.push(std::mem::take(&mut now));
        }
    }
    answers
}
