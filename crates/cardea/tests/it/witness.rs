//! Witnesses are given every checkpoint, however often they fail, and what they keep anchors the log.

use crate::program::{PUBLIC_URL, Place, run};
use crate::world::{Api, text};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// A witness that fails twice, then keeps what it is sent.
fn listening() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keep", listener.local_addr().unwrap());
    let (sender, kept) = channel();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap_or(0) > 2 {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = if turn < 2 { "503 No" } else { "204 Yes" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if turn >= 2 && sender.send(String::from_utf8(body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, kept)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aud_4_witnesses_keep_what_a_rewritten_log_is_held_against() {
    let folder = tempfile::tempdir().unwrap();
    let (url, kept) = listening();
    let file = folder.path().join("witness.jsonl");
    let config = folder.path().join("cardea.toml");
    fs::write(
        &config,
        format!(
            "[witness]\nfile = \"{}\"\nurl = \"{url}\"\n",
            file.display()
        ),
    )
    .unwrap();
    let place = Place::new(&folder.path().join("data"));
    let init = place.init();
    assert!(!PUBLIC_URL.is_empty());
    let mut command = crate::program::cardea();
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config",
            config.to_str().unwrap(),
        ])
        .args(place.flags());
    let serving = crate::program::Serving::start(command, &folder.path().join("err"));
    let api = Api::new(&serving.url, "acme", text(&init, "token").into());
    for n in 0..10 {
        let role = json!({ "name": format!("role {n}"), "permissions": [], "scopes": [] });
        api.post("/roles", role).await.ok();
    }
    let first: Value =
        serde_json::from_str(&kept.recv_timeout(Duration::from_secs(20)).unwrap()).unwrap();
    assert!(text(&first, "checkpoint").starts_with("cardea/instance\n"));
    let waited = std::time::Duration::from_millis(100);
    let ready = async || api.get("!/health/ready").await;
    for _ in 0..200 {
        let told = ready().await.body["witnesses"].to_string();
        if told.contains("url: last success 2") && told.contains("file: last success 2") {
            break;
        }
        tokio::time::sleep(waited).await;
    }
    let told = ready().await;
    assert_eq!(told.status, 200);
    assert!(
        told.body["witnesses"]
            .to_string()
            .contains("url: last success 2"),
        "{}",
        told.body
    );
    let metrics = api.get("!/metrics").await.response.text();
    assert!(
        metrics.contains("cardea_witness_failures_total{witness=\"url\"} 2"),
        "{metrics}"
    );
    let last = json!({ "name": "the last", "permissions": [], "scopes": [] });
    api.post("/roles", last).await.ok();
    assert_eq!(serving.stop(), 0);

    let file = file.to_str().unwrap();
    let verify =
        |more: &[&str]| place.run(&[&["audit", "verify", "--anchor", file][..], more].concat());
    let whole = verify(&["--require-anchor", "--org", "acme"]).with(0);
    assert!(whole.out.contains("ANCHORED"), "{}", whole.out);
    // The end of the process is witnessed, too.
    let told = verify(&["--org", "acme", "--output", "json"])
        .with(0)
        .json();
    let log = &told["logs"][0];
    assert_eq!(log["anchored_size"], log["entries"], "{log}");
    // A line that a full disk or the end of a process cut is written again, and harms none after it.
    let mut open = fs::OpenOptions::new().append(true).open(file).unwrap();
    open.write_all(b"{\"checkpoint\":\"cardea/inst").unwrap();
    drop(open);
    let lines = fs::read_to_string(file).unwrap().lines().count();
    let mut command = crate::program::cardea();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config)
        .args(place.flags());
    let serving = crate::program::Serving::start(command, &folder.path().join("err"));
    assert_eq!(serving.stop(), 0);
    assert!(fs::read_to_string(file).unwrap().lines().count() > lines);
    verify(&["--require-anchor"]).with(0);
    let intruder = testkit::sqlite::Intruder::open(&place.data.join("cardea.db"));
    intruder.batch("DELETE FROM checkpoint; DELETE FROM audit_events WHERE seq > 3");
    drop(intruder);
    let cut = verify(&[]).with(1);
    assert!(cut.out.contains("3 entries, but "), "{}", cut.out);
    fs::write(folder.path().join("none"), "{\"checkpoint\":1}\n").unwrap();
    let none = folder.path().join("none");
    run(&["audit", "verify", "--anchor", none.to_str().unwrap()]).with(64);
}
