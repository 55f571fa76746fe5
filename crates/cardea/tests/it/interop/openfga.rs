//! OpenFGA's own clients, unchanged, at the door of relation stores: both SDKs and the command line.

use super::{run, said, script};
use crate::world::{Engine, World};
use authz::model::Model;
use kernel::ExposeSecret;
use serde_json::{Value, json};
use std::{path::Path, process::Command};
use testkit::tools::{Tool, node_modules, require};

const MODEL: &str = "model
  schema 1.1
type user
type document
  relations
    define viewer: [user, user with in_office]
condition in_office(address: ipaddress, from: string) {
  address.in_cidr(from)
}
";

fn environment<'a>(world: &World, command: &'a mut Command) -> &'a mut Command {
    let model = serde_json::to_string(&Model::read(MODEL).unwrap()).unwrap();
    command
        .env("ISSUER", format!("{}/o/acme", world.url))
        .env("API_TOKEN", world.owner.api.token.expose_secret())
        .env("MODEL", model)
}

/// What either SDK is told.
fn expected() -> Value {
    json!({
        "anne": true, "nobody": false, "in the office": true, "elsewhere": false,
        "batch": { "one": true, "two": false },
        "objects": ["document:1"], "users": ["anne"], "expanded": ["user:anne"],
        "taken away": false,
        "changes": [
            ["TUPLE_OPERATION_WRITE", "document:1"], ["TUPLE_OPERATION_WRITE", "document:2"],
            ["TUPLE_OPERATION_DELETE", "document:1"],
        ],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_3_the_python_sdk_works_unchanged() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let world = World::start(Engine::Sqlite).await.unwrap();
    let mut command = Command::new(python);
    command.arg(script("openfga_client.py"));
    let told = said(&run(environment(&world, &mut command), ""));
    assert_eq!(told, expected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_3_the_javascript_sdk_works_unchanged() {
    let Some(node) = require(Tool::Node) else {
        return;
    };
    let world = World::start(Engine::Sqlite).await.unwrap();
    let source = std::fs::read_to_string(script("openfga_client.mjs")).unwrap();
    let mut command = Command::new(node);
    command
        .args(["--input-type=module", "-"])
        .current_dir(node_modules().unwrap());
    let told = said(&run(environment(&world, &mut command), &source));
    assert_eq!(told, expected());
}

/// The command line, beside the Python that it was installed with.
struct Fga<'a> {
    world: &'a World,
    python: &'a Path,
}

impl Fga<'_> {
    fn say(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(self.python.with_file_name("fga"));
        command
            .args(arguments)
            .env("FGA_API_URL", format!("{}/o/acme/fga", self.world.url))
            .env("FGA_API_TOKEN", self.world.owner.api.token.expose_secret());
        said(&run(&mut command, ""))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_3_the_command_line_works_unchanged() {
    let Some(python) = require(Tool::Python) else {
        return;
    };
    let world = World::start(Engine::Sqlite).await.unwrap();
    let (world, python) = (&world, python.as_path());
    let fga = Fga { world, python };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.fga");
    std::fs::write(&file, MODEL).unwrap();

    let made = fga.say(&["store", "create", "--name", "cli"]);
    let store = made["store"]["id"].as_str().unwrap();
    let in_store = |arguments: &[&str]| fga.say(&[arguments, &["--store-id", store]].concat());
    in_store(&["model", "write", "--file", file.to_str().unwrap()]);
    let written = in_store(&["tuple", "write", "user:anne", "viewer", "document:1"]);
    assert_eq!(written["successful"][0]["user"], "user:anne", "{written}");
    let office = [
        "--condition-name",
        "in_office",
        "--condition-context",
        r#"{"from":"10.0.0.0/8"}"#,
    ];
    in_store(
        &[
            &["tuple", "write", "user:bob", "viewer", "document:2"][..],
            &office,
        ]
        .concat(),
    );

    let check = |arguments: &[&str]| {
        in_store(&[&["query", "check"], arguments].concat())["allowed"].clone()
    };
    assert_eq!(check(&["user:anne", "viewer", "document:1"]), true);
    assert_eq!(check(&["user:anne", "viewer", "document:2"]), false);
    let from = |address: &str| {
        check(&[
            "user:bob",
            "viewer",
            "document:2",
            "--context",
            &json!({ "address": address }).to_string(),
        ])
    };
    assert_eq!(
        (from("10.1.2.3"), from("192.0.2.1")),
        (json!(true), json!(false))
    );
    let objects = in_store(&["query", "list-objects", "user:anne", "viewer", "document"]);
    assert_eq!(objects["objects"], json!(["document:1"]));
    let users = in_store(&[
        "query",
        "list-users",
        "--object",
        "document:1",
        "--relation",
        "viewer",
        "--user-filter",
        "user",
    ]);
    assert_eq!(users["users"][0]["object"]["id"], "anne", "{users}");
    let relations = in_store(&["query", "list-relations", "user:anne", "document:1"]);
    assert_eq!(relations["relations"], json!(["viewer"]));
    let tree = in_store(&["query", "expand", "viewer", "document:1"]);
    assert_eq!(
        tree["tree"]["root"]["leaf"]["users"]["users"],
        json!(["user:anne"])
    );
    let read = in_store(&["tuple", "read", "--object", "document:1"]);
    assert_eq!(read["tuples"][0]["key"]["user"], "user:anne", "{read}");
    in_store(&["tuple", "delete", "user:anne", "viewer", "document:1"]);
    let changes = in_store(&["tuple", "changes", "--type", "document"]);
    assert_eq!(changes["changes"].as_array().unwrap().len(), 3, "{changes}");
}
