//! Filled instances, made once by `loadkit seed` and kept under `target/bench/seeds` by size and schema, so that a
//! measurement begins with a copy. A copy is used by one server and thrown away.

use super::{Bench, Engine, scenario::Size};
use crate::shell;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every issuer of a filled instance begins with.
pub const PUBLIC_URL: &str = "http://localhost:8080";
const AGENTS: usize = 10;
const DONE: &str = "done";

/// A filled instance that nobody changes.
pub struct Seed {
    pub folder: PathBuf,
    /// The database on the server, when it is one.
    pub database: Option<String>,
}

impl Seed {
    /// The instance of this size, made now if it is not there.
    pub fn ensure(bench: &Bench, size: Size) -> Result<Self> {
        let key = key(&bench.root, bench.engine)?;
        let Size {
            organizations,
            people,
        } = size;
        let engine = bench.engine.name();
        let name = format!("{engine}-{organizations}-{people}-{AGENTS}-{key:016x}");
        let folder = bench.root.join("target/bench/seeds").join(&name);
        let database = match bench.engine {
            Engine::Sqlite => None,
            Engine::Postgresql => Some(format!("seed_{organizations}_{people}_{key:016x}")),
        };
        let seed = Self { folder, database };
        if !seed.folder.join(DONE).exists() {
            seed.make(bench, size)?;
        }
        Ok(seed)
    }

    fn make(&self, bench: &Bench, size: Size) -> Result<()> {
        eprintln!("filling {} …", self.folder.display());
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        let mut command = Command::new(&bench.loadkit);
        command
            .args(["seed", "--public-url", PUBLIC_URL])
            .args(["--organizations", &size.organizations.to_string()])
            .args(["--people", &size.people.to_string()])
            .args(["--agents", &AGENTS.to_string()])
            .arg("--data")
            .arg(self.folder.join("data"))
            .arg("--credentials")
            .arg(self.credentials());
        if let (Some(cluster), Some(database)) = (&bench.cluster, &self.database) {
            cluster.create(database, None)?;
            command.args(["--database-url", &cluster.url(database)]);
        }
        shell::run(&mut command)?;
        fs::write(self.folder.join(DONE), "").context("marking a filled instance")
    }

    /// The file of credentials, the first line of each organization's.
    pub fn credentials(&self) -> PathBuf {
        self.folder.join("credentials.tsv")
    }

    /// A copy of the data folder that a server may change.
    pub fn copy(&self, to: &Path) -> Result<()> {
        shell::run(
            Command::new("cp")
                .args(["-a", "--reflink=auto"])
                .arg(self.folder.join("data"))
                .arg(to),
        )?;
        // What is still to be written of the copy must not be written during a measurement.
        shell::run(&mut Command::new("sync"))
    }
}

/// Changes with the schema, so that an instance of another schema is not taken.
fn key(root: &Path, engine: Engine) -> Result<u64> {
    let folder = match engine {
        Engine::Sqlite => "crates/store/migrations/sqlite",
        Engine::Postgresql => "crates/store/migrations/postgres",
    };
    let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
