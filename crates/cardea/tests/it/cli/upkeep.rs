//! What an operator checks and renews: the key, the configuration, the machine, signing keys.

use super::{Office, place};
use crate::{program::run, world::text};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

#[test]
fn key_4_an_instance_key_that_others_reach_or_that_is_anothers_is_refused() {
    let (folder, place) = place();
    place.init();
    let key = place.data.join("instance.key");
    let kept = fs::read(&key).unwrap();
    let refused = |why: &str| {
        let said = place.run(&["serve", "--listen", "127.0.0.1:0"]).with(1).err;
        assert!(said.contains(why), "`{why}` is not in: {said}");
        let encoded = String::from_utf8(kept.clone()).unwrap();
        assert!(
            !said.contains(encoded.split(' ').nth(1).unwrap().trim()),
            "the key was told: {said}"
        );
        place.run(&["doctor"]).with(1);
    };
    for mode in [0o640, 0o604, 0o666] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        refused("can be reached by others");
    }
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&key, &elsewhere).unwrap();
    refused("is missing");
    symlink(&elsewhere, &key).unwrap();
    refused("is a symbolic link");
    fs::remove_file(&key).unwrap();
    let (_other, others) = super::place();
    others.init();
    fs::copy(others.data.join("instance.key"), &key).unwrap();
    refused("not the one this database was made with");
    fs::write(&key, &kept).unwrap();
    place.run(&["doctor"]).with(0);
    assert_eq!(place.serve().stop(), 0);
}

#[test]
fn config_check_names_file_line_and_field_and_repeats_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cardea.toml");
    let path = file.to_str().unwrap();
    let table = [
        (
            "listen = \"127.0.0.1:1\"\n\n[proxy]\ntrust = []\n",
            "4",
            "proxy.trust",
        ),
        (
            "[database]\nurl = \"postgres://u:hunter2@db/x\"\n",
            "2",
            "database.url",
        ),
        ("[redis]\nurl = \"redis://:hunter2@r\"\n", "2", "redis.url"),
        ("listen = \"hunter2\"\n", "1", "listen"),
        ("public_url = \"https://id.example/a\"\n", "1", "public_url"),
        ("\npassword = \"hunter2\"\n", "2", "password"),
    ];
    for (content, line, field) in table {
        fs::write(&file, content).unwrap();
        let said = run(&["config", "check", path]).with(1);
        assert!(
            said.err.contains(&format!("{path}:{line}:"))
                && said.err.contains(&format!("`{field}`")),
            "{}",
            said.err
        );
        assert!(!said.said().contains("hunter2"), "{}", said.said());
        let served = run(&["serve", "--listen", "127.0.0.1:0", "--config", path]);
        assert!(
            served.code != 0 && served.err.contains(&format!("`{field}`")),
            "{}",
            served.said()
        );
    }
    fs::write(&file, "listen = \"127.0.0.1:1\"\n").unwrap();
    assert_eq!(
        run(&["config", "check", path, "--output", "json"])
            .with(0)
            .json()["valid"],
        true
    );
    run(&["config", "check", "/not/there.toml"]).with(3);
    config_check_opens_what_is_named(&file);
    run(&["config", "check"]).with(2);
}

/// Everything that is wrong with the files that are named, each with its line, and nothing that is in them.
fn config_check_opens_what_is_named(file: &Path) {
    let folder = file.parent().unwrap();
    let (path, at) = (file.to_str().unwrap(), |name: &str| {
        folder.join(name).display().to_string()
    });
    let tls = testkit::certificates::Authority::new().issue(&["localhost"]);
    for (name, text) in [
        ("db", "postgres://u:hunter2@db.example/x?sslmode=disable"),
        ("good-db", "postgres://u:hunter2@localhost/x"),
        ("redis", "hunter2"),
        ("key", "hunter2"),
        ("empty", " \n"),
        ("tls.crt", &tls.certificate),
        ("tls.key", &tls.key),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let wrong = format!(
        "data = \"{}\"\n\n[redis]\nurl_file = \"{}\"\n[database]\nurl_file = \"{}\"\n[keys]\ninstance_file = \"{}\"\n\
         [tls]\ncertificate = \"{}\"\nkey = \"{}\"\n[witness]\nfile = \"{}\"\n",
        at("key"),
        at("redis"),
        at("db"),
        at("key"),
        at("tls.crt"),
        at("redis"),
        at("none/witness"),
    );
    fs::write(file, wrong).unwrap();
    let said = run(&["config", "check", path]).with(1);
    for told in [
        "1: `data`",
        "4: `redis.url_file`",
        "6: `database.url_file`",
        "8: `keys.instance_file`",
        "10: `tls.certificate`",
        "13: `witness.file`",
    ] {
        assert!(
            said.err.contains(&format!("{path}:{told} ")),
            "{told}: {}",
            said.err
        );
    }
    assert!(!said.said().contains("hunter2"), "{}", said.said());
    for missing in ["nowhere", "empty"] {
        fs::write(
            file,
            format!("[database]\nurl_file = \"{}\"\n", at(missing)),
        )
        .unwrap();
        let said = run(&["config", "check", path]).with(1);
        assert!(
            said.err
                .contains(&format!("{path}:2: `database.url_file` ")),
            "{}",
            said.err
        );
    }
    let right = format!(
        "data = \"{}\"\n[database]\nurl_file = \"{}\"\n[keys]\ninstance_file = \"{}\"\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\
         [witness]\nfile = \"{}\"\n",
        at("data"),
        at("good-db"),
        at("new-key"),
        at("tls.crt"),
        at("tls.key"),
        at("witness"),
    );
    fs::write(file, right).unwrap();
    run(&["config", "check", path]).with(0);
    for made in ["data", "new-key", "witness"] {
        assert!(!folder.join(made).exists(), "{made} was made");
    }
}

#[test]
fn doctor_looks_at_every_part_and_changes_nothing() {
    let (_folder, place) = place();
    let none = place.run(&["doctor"]).with(1);
    assert!(
        none.out.contains("is not there") && !place.data.exists(),
        "{}",
        none.out
    );
    place.init();
    let well = place.run(&["doctor", "--output", "json"]).with(0).json();
    let parts: Vec<&str> = well["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        parts,
        [
            "configuration",
            "data folder",
            "database",
            "instance key",
            "clock",
            "public URL",
            "server",
            "TLS"
        ]
    );
    let serving = place.serve();
    let beside = place.run(&["doctor", "--server", &serving.url]).with(0);
    assert!(beside.out.contains("is ready"), "{}", beside.out);
}

#[test]
fn a_folder_without_a_database_is_named_and_stays_as_it_is() {
    let (_folder, place) = place();
    let bad = ["init", "--org", "Not A Slug", "--owner", "o@acme.example"];
    let said = place.run(&bad).with(1).err;
    assert!(said.contains("`slug`") && !place.data.exists(), "{said}");
    fs::create_dir(&place.data).unwrap();
    for (command, code) in [
        (&["recover-admin"][..], 3),
        (&["keys", "list", "--org", "acme"], 3),
        (&["keys", "rotate", "--org", "acme"], 3),
        (&["audit", "verify"], 2),
        (&["doctor"], 1),
    ] {
        let said = place.run(command).with(code).said();
        let left = fs::read_dir(&place.data).unwrap().count();
        assert!(
            said.contains("there is no database in") && left == 0,
            "{command:?} left {left}: {said}"
        );
    }
}

#[test]
fn keys_are_listed_and_rotated_in_the_folder_and_on_a_server() {
    let office = Office::open();
    let kids = |listed: &Value| -> Vec<String> {
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| text(key, "kid"))
            .collect()
    };
    let before = kids(
        &office
            .run(&["keys", "list", "--output", "json"])
            .with(0)
            .json(),
    );
    assert_eq!(before.len(), 3, "two for tokens and one for the log");
    let held = office.place.run(&["keys", "list", "--org", "acme"]).with(1);
    assert!(held.err.contains("another cardea holds"), "{}", held.err);
    let rotated = office.run(&["keys", "rotate", "--output", "json"]);
    rotated.with(0);
    let after = kids(
        &office
            .run(&["keys", "list", "--output", "json"])
            .with(0)
            .json(),
    );
    assert!(
        after.len() > before.len() && before.iter().all(|kid| after.contains(kid)),
        "{after:?}"
    );
    let Office {
        serving,
        place,
        _folder,
        ..
    } = office;
    assert_eq!(serving.stop(), 0);
    place
        .run(&["keys", "rotate", "--org", "acme", "--algorithm", "ES256"])
        .with(0);
    let offline = kids(
        &place
            .run(&["keys", "list", "--org", "acme", "--output", "json"])
            .with(0)
            .json(),
    );
    assert!(offline.len() > after.len(), "{offline:?}");
    place.run(&["keys", "list", "--org", "nobody"]).with(3);
    place.run(&["audit", "verify", "--deep"]).with(0);
}
