//! Management commands: one form of answer for people and two for programs, exit codes, and hostile servers.

use super::Office;
use crate::{
    program::{Ended, cardea, run},
    world::text,
};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
};

#[test]
fn a_command_answers_in_the_form_asked_for_and_ends_with_a_code_of_its_own() {
    let office = Office::open();
    let ada = [
        "user",
        "create",
        "--email",
        "ada@acme.example",
        "--name",
        "Ada",
        "--roles",
        "member",
    ];
    let made = office
        .run(&[&ada[..], &["--output", "json"]].concat())
        .with(0)
        .json();
    let id = text(&made, "id");
    let table = office.run(&["user", "list"]).with(0).out;
    let heading: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert!(
        heading.starts_with(&["ID", "NAME", "EMAIL"]) && table.lines().count() == 3,
        "{table}"
    );
    let listed = office
        .run(&["user", "list", "--output", "json"])
        .with(0)
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let yaml = office
        .run(&["user", "get", &id, "--output", "yaml"])
        .with(0)
        .out;
    assert!(
        yaml.contains(&format!("\"id\": \"{id}\"\n")) && yaml.contains("\"name\": \"Ada\"\n"),
        "{yaml}"
    );
    let input = office.place.data.with_extension("json");
    fs::write(
        &input,
        json!({ "email": "bob@acme.example", "name": "Bob" }).to_string(),
    )
    .unwrap();
    office
        .run(&["user", "create", "--input", input.to_str().unwrap()])
        .with(0);

    let refused = office
        .run(&["user", "create", "--email", "no address", "--name", "x"])
        .with(1);
    assert!(
        refused.err.matches("`email`").count() == 1 && refused.err.contains("request req_"),
        "{}",
        refused.err
    );
    let refused = office
        .run(&[
            "user",
            "create",
            "--email",
            "no address",
            "--name",
            "x",
            "--output",
            "json",
        ])
        .with(1);
    assert!(
        serde_json::from_str::<serde_json::Value>(&refused.err).unwrap()["code"] == "invalid_input"
            && refused.out.is_empty(),
        "{}",
        refused.said()
    );
    let last = office.run(&["user", "deactivate", &office.owner]);
    assert!(
        matches!(last.code, 1 | 3) && last.err.contains("owner"),
        "the last owner: {}",
        last.said()
    );
    for usage in [
        ["user", "list", "--nonsense"].as_slice(),
        &["user", "get"],
        &["user", "get", "../agents"],
        &["user"],
        &["user", "list", "--limit", "x"],
    ] {
        office.run(usage).with(2);
    }
    let bare = run(&[
        "user",
        "list",
        "--org",
        "acme",
        "--server",
        &office.serving.url,
    ])
    .with(2);
    assert!(
        bare.err.contains("--token-file") && bare.err.contains("CARDEA_TOKEN"),
        "{}",
        bare.err
    );
    office
        .run(&["user", "get", "usr_01m81jb7tfe2f9d4mwj5x7z6hj"])
        .with(3);
    office.run(&ada).with(3);
    office
        .run(&["user", "update", &id, "--name", "Ada L", "--if-match", "99"])
        .with(3);
    let mut wrong = cardea();
    wrong
        .args([
            "user",
            "list",
            "--org",
            "acme",
            "--server",
            &office.serving.url,
        ])
        .env("CARDEA_TOKEN", "cdt_wrong");
    let said = Ended::of(&mut wrong).with(1).err;
    assert!(said.contains("the API token in CARDEA_TOKEN is"), "{said}");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut gone = cardea();
    gone.args([
        "user",
        "list",
        "--org",
        "acme",
        "--server",
        &format!("http://{nobody}"),
    ])
    .env("CARDEA_TOKEN", "cdt_x");
    Ended::of(&mut gone).with(4);
    assert!(run(&["--version"]).with(0).out.starts_with("cardea "));
    assert!(run(&["openapi"]).with(0).json()["paths"].is_object());
}

/// The server is one that wants to take over the terminal.
#[test]
fn nothing_that_a_server_says_steers_the_terminal() {
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}a\u{9b}31mb\u{202e}c\r";
    let page = json!({ "items": [{ "id": "usr_1", "name": hostile, hostile: 1 }], "next_cursor": hostile });
    let problem = json!({ "type": "/problems/x", "title": hostile, "status": 400, "detail": hostile, "code": "invalid_input",
        "errors": [{ "field": hostile, "code": "invalid", "detail": hostile }], "request_id": hostile });
    let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    for (status, kind, body) in [
        ("200 OK", "application/json", &page),
        ("400 Bad Request", "application/problem+json", &problem),
    ] {
        for form in ["table", "json", "yaml"] {
            let url = answering(status, kind, &body.to_string());
            let mut list = cardea();
            list.args([
                "user", "list", "--org", "acme", "--server", &url, "--output", form,
            ])
            .env("CARDEA_TOKEN", "cdt_x");
            let said = Ended::of(&mut list)
                .with(i32::from(status != "200 OK"))
                .said();
            assert!(said.contains("owned"), "{form}: {said}");
            assert_eq!(said.chars().find(|c| steers(*c)), None, "{form}: {said:?}");
        }
    }
}

/// A server that gives one answer.
fn answering(status: &str, kind: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 8_192];
        let _asked = stream.read(&mut asked).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}
