//! What is to go wrong next, as the test tells it to the server in the other process: a small file, read at each
//! COMMIT. Never read by anything that ships.

use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};
use store::faults::{Commit, Fault, Faults};

pub const PLAN: &str = "plan";
pub const FIRED: &str = "fired";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The engine's answer is an error, once.
    Fail,
    /// The process ends as if its machine had lost power.
    Crash,
    /// There is no room, once.
    Full,
    /// The disk fails to write.
    Io,
    /// The disk fails to make durable.
    Sync,
}

/// Whether the engine has carried it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    Before,
    After,
}

/// What goes wrong, and at which COMMIT from now on; at none when it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub serial: u32,
    pub what: What,
    pub when: When,
    pub at: u32,
}

impl Plan {
    pub fn write(&self, folder: &Path) {
        let (new, place) = (folder.join("new"), folder.join(PLAN));
        std::fs::write(&new, serde_json::to_vec(self).unwrap()).unwrap();
        std::fs::rename(new, place).unwrap();
    }
    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(PLAN)).ok()?).ok()
    }
    /// Whether what this plan says has happened.
    pub fn fired(&self, folder: &Path) -> bool {
        std::fs::read_to_string(folder.join(FIRED))
            .is_ok_and(|serial| serial == self.serial.to_string())
    }
}

/// Does what the plan says in the process that installs it.
pub struct Planned {
    folder: std::path::PathBuf,
    /// The plan that is being followed, and how many COMMITs it has seen.
    seen: Mutex<(u32, u32)>,
}

impl Planned {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            seen: Mutex::default(),
        }
    }

    fn at(&self, commit: Commit, when: When) -> Option<Fault> {
        let plan = Plan::read(&self.folder).filter(|plan| plan.at > 0 && commit.logged)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != plan.serial {
            *seen = (plan.serial, 0);
        }
        seen.1 += u32::from(when == When::Before);
        if seen.1 != plan.at || when != plan.when {
            return None;
        }
        std::fs::write(self.folder.join(FIRED), plan.serial.to_string()).unwrap();
        match plan.what {
            What::Fail => Some(Fault::Broken),
            What::Full => Some(Fault::Full),
            What::Io => Some(Fault::Io),
            What::Sync => Some(Fault::Sync),
            What::Crash => std::process::abort(),
        }
    }
}

impl Faults for Planned {
    fn before(&self, commit: Commit) -> Option<Fault> {
        self.at(commit, When::Before)
    }
    fn after(&self, commit: Commit) -> Option<Fault> {
        self.at(commit, When::After)
    }
}
