//! The binary's commands as scripts use them: what they print, in which form, and with which exit code they end.

mod beginning;
mod commands;
mod upkeep;

use crate::{
    program::{Ended, Place, Serving, cardea},
    world::text,
};
use std::{fs, path::PathBuf};

fn place() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(&folder.path().join("data"));
    (folder, place)
}

/// A running server with `acme`, and the flags by which its owner's commands reach it.
struct Office {
    serving: Serving,
    token: PathBuf,
    owner: String,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Office {
    fn open() -> Self {
        let (folder, place) = place();
        let init = place.init();
        let token = folder.path().join("token");
        fs::write(&token, text(&init, "token")).unwrap();
        Self {
            serving: place.serve(),
            token,
            owner: text(&init, "owner"),
            place,
            _folder: folder,
        }
    }
    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = cardea();
        command
            .args(arguments)
            .args([
                "--org",
                "acme",
                "--server",
                &self.serving.url,
                "--token-file",
            ])
            .arg(&self.token);
        Ended::of(&mut command)
    }
}
