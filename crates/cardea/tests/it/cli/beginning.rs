//! How an instance begins: by `init` or by a first start, once each, with secrets that nobody else has.

use super::place;
use crate::{
    program::{Ended, PUBLIC_URL, Place, Serving, cardea, run, wrapped},
    world::text,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};
use testkit::tools::{Tool, require};

#[test]
fn init_says_what_was_made_and_that_it_exists() {
    let (_folder, place) = place();
    let made = place.init();
    let fields: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["issuer", "org", "owner", "setup_url", "token"]);
    assert_eq!(made["issuer"], format!("{PUBLIC_URL}/o/acme"));
    assert!(
        text(&made, "org").starts_with("org_") && text(&made, "owner").starts_with("usr_"),
        "{made}"
    );
    assert!(
        text(&made, "setup_url").starts_with(&format!("{PUBLIC_URL}/setup#")),
        "{made}"
    );

    let again = place
        .run(&["init", "--org", "acme", "--owner", "owner@acme.example"])
        .with(3);
    assert!(
        again.out.is_empty() && again.err.contains("slug"),
        "{}",
        again.said()
    );
    let second = place
        .run(&[
            "init",
            "--org",
            "second",
            "--owner",
            "two@acme.example",
            "--output",
            "json",
        ])
        .with(0)
        .json();
    assert_eq!(
        second.get("token"),
        None,
        "a token is made when it is asked for"
    );
    for wrong in [
        ["init", "--owner", "a@b.example"].as_slice(),
        &["init", "--org", "third"],
        &["init", "--nonsense"],
        &["nonsense"],
        &[],
    ] {
        place.run(wrong).with(2);
    }
    place
        .run(&["init", "--org", "NOT A SLUG", "--owner", "a@b.example"])
        .with(1);
}

#[test]
fn a_first_run_tells_its_secret_to_a_private_file_and_the_curl_in_it_works_once() {
    if require(Tool::Curl).is_none() {
        return;
    }
    let (_folder, place) = place();
    let mut serving = place.serve();
    serving.line("set-up link");
    assert!(
        !serving.said().contains("/setup#") && !serving.said().contains("secret"),
        "{}",
        serving.said()
    );
    let file = place.data.join("setup.txt");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let told = fs::read_to_string(&file).unwrap();
    let curl = told
        .lines()
        .find(|line| line.starts_with("curl "))
        .unwrap()
        .replacen("curl ", "curl -sS --fail ", 1);
    let redeem = || Ended::of(wrapped(Command::new("sh")).args(["-c", &curl]));
    let made = redeem().with(0).json();
    assert!(text(&made, "issuer").ends_with("/o/acme"), "{made}");
    let again = redeem();
    assert!(
        again.code != 0 && again.err.contains("401"),
        "{}",
        again.said()
    );
    let token = place.data.with_extension("token");
    fs::write(&token, text(&made, "token")).unwrap();
    let mine = [
        "user",
        "list",
        "--org",
        "acme",
        "--server",
        &serving.url,
        "--token-file",
        token.to_str().unwrap(),
    ];
    assert!(run(&mine).with(0).out.contains("you@example.com"));
    assert_eq!(serving.stop(), 0);

    let mut serving = place.serve();
    serving.line("data folder");
    assert!(!file.exists(), "there is nothing to set up any more");
    assert!(!serving.said().contains("set-up"), "{}", serving.said());
}

/// The terminal is one of `script`'s.
#[test]
fn a_first_run_tells_its_secret_to_a_terminal() {
    let Some(script) = require(Tool::Script) else {
        return;
    };
    let (folder, place) = place();
    let mut command = wrapped(Command::new(script));
    let serve = format!(
        "exec {} serve --listen 127.0.0.1:0 --data {}",
        cardea().get_program().display(),
        place.data.display()
    );
    command
        .args(["-qefc", &serve])
        .arg(folder.path().join("typescript"));
    let mut serving = Serving::start(command, &folder.path().join("err"));
    let curl = serving.line("curl ");
    assert!(
        serving.said().contains("/setup#") && curl.contains("\"secret\""),
        "{}",
        serving.said()
    );
    assert!(!place.data.join("setup.txt").exists());
}

#[test]
fn an_owner_gets_back_in_beside_a_running_server_and_without_one() {
    let (_folder, place) = place();
    place.init();
    for beside in [false, true] {
        let serving = beside.then(|| place.serve());
        let made = place
            .run(&["recover-admin", "--org", "acme", "--output", "json"])
            .with(0)
            .json();
        let secret = text(&made, "setup_url")
            .split_once('#')
            .unwrap()
            .1
            .to_owned();
        let serving = serving.unwrap_or_else(|| place.serve());
        let redeem = [
            "setup",
            "redeem",
            "--server",
            &serving.url,
            "--secret",
            &secret,
            "--output",
            "json",
        ];
        let token = text(&run(&redeem).with(0).json(), "token");
        let mut list = cardea();
        list.args(["user", "list", "--org", "acme", "--server", &serving.url])
            .env("CARDEA_TOKEN", token);
        assert!(
            Ended::of(&mut list)
                .with(0)
                .out
                .contains("owner@acme.example")
        );
        run(&redeem).with(1);
    }
    place.run(&["recover-admin", "--org", "nobody"]).with(3);
}

#[test]
fn a_folder_has_one_server_and_a_server_one_public_url() {
    let (_folder, place) = place();
    place.init();
    let serving = place.serve();
    let second = place.run(&["serve", "--listen", "127.0.0.1:0"]).with(1);
    assert!(
        second.err.contains("another cardea holds the data folder"),
        "{}",
        second.err
    );
    assert!(second.err.contains("--data"), "no remedy: {}", second.err);
    place
        .run(&["init", "--org", "beside", "--owner", "b@acme.example"])
        .with(0);
    assert_eq!(serving.stop(), 0);
    let other = place
        .run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--public-url",
            "https://other.example",
        ])
        .with(1);
    assert!(
        other.err.contains(PUBLIC_URL) && other.err.contains("https://other.example"),
        "{}",
        other.err
    );
    let same = place.run(&[
        "init",
        "--org",
        "more",
        "--owner",
        "c@acme.example",
        "--public-url",
        PUBLIC_URL,
    ]);
    same.with(0);
}

#[test]
fn neg_f7_every_folder_has_keys_of_its_own_and_no_default_secret_works() {
    let ((_a, first), (_b, second)) = (place(), place());
    let (one, two) = (first.init(), second.init());
    let key = |place: &Place| fs::read(place.data.join("instance.key")).unwrap();
    assert_ne!(key(&first), key(&second));
    let kids = |place: &Place| {
        place
            .run(&["keys", "list", "--org", "acme", "--output", "json"])
            .with(0)
            .json()["items"]
            .clone()
    };
    let (ours, theirs) = (kids(&first), kids(&second));
    for ours in ours.as_array().unwrap() {
        assert!(
            theirs
                .as_array()
                .unwrap()
                .iter()
                .all(|key| key["kid"] != ours["kid"]
                    && key["public_jwk"]["x"] != ours["public_jwk"]["x"])
        );
    }
    let serving = first.serve();
    let list = |token: &str| {
        let mut list = cardea();
        list.args(["user", "list", "--org", "acme", "--server", &serving.url])
            .env("CARDEA_TOKEN", token);
        Ended::of(&mut list).code
    };
    assert_eq!(
        (list(&text(&one, "token")), list(&text(&two, "token"))),
        (0, 1),
        "another instance's token"
    );
    let well_known = [
        "admin",
        "password",
        "changeme",
        "secret",
        "cardea",
        "root",
        "default",
        "cdt_admin",
        "test",
    ];
    for guess in well_known {
        assert_eq!(list(guess), 1, "{guess}");
        run(&[
            "setup",
            "redeem",
            "--server",
            &serving.url,
            "--secret",
            guess,
            "--org",
            "x",
            "--email",
            "x@x.example",
        ])
        .with(1);
    }
    let theirs = text(&two, "setup_url")
        .split_once('#')
        .unwrap()
        .1
        .to_owned();
    run(&[
        "setup",
        "redeem",
        "--server",
        &serving.url,
        "--secret",
        &theirs,
    ])
    .with(1);
    assert!(
        private(&first.data) && private(&second.data),
        "what is in the folders is their owner's alone"
    );
}

fn private(folder: &Path) -> bool {
    let own = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0;
    own(folder)
        && fs::read_dir(folder)
            .unwrap()
            .all(|entry| own(&entry.unwrap().path()))
}
