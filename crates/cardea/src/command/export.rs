//! `cardea audit export`: the entries of a log in a file that `cardea audit verify --file` reads. From a server, or
//! beside none from the data folder or database itself. A file that is not whole is not left behind.

use super::{
    exit::{self, Failure},
    global::Global,
    keys, operation, output,
};
use clap::{Arg, ArgMatches, Command, value_parser};
use domain::Stream;
use egress::{Client, ClientOptions};
use serde_json::json;
use service::log::Export;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const NAME: &str = "audit export";
/// How long a server may take for all of it.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// Adds the flags.
pub fn flags(command: Command) -> Command {
    let file = Arg::new("file")
        .long("file")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where to write; must not be there yet");
    keys::beside(command).arg(file)
}

/// Exports.
///
/// # Errors
/// When the file is there or cannot be written, or the export is refused.
pub async fn run(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let missing = || Failure::usage("name the file with `--file`");
    let path = matches.get_one::<PathBuf>("file").ok_or_else(missing)?;
    let mut file = Unfinished::create(path)?;
    if keys::is_offline(matches) {
        beside(global, matches, &mut file).await?;
    } else {
        from_server(global, matches, &mut file).await?;
    }
    let bytes = file.finish()?;
    let told = json!({ "file": path.display().to_string(), "bytes": bytes });
    output::print(&global.format.render(&told));
    Ok(exit::OK)
}

async fn from_server(
    global: &Global,
    matches: &ArgMatches,
    file: &mut Unfinished,
) -> Result<(), Failure> {
    let operation =
        operation::find(NAME).ok_or_else(|| Failure::usage("there is no such command"))?;
    let input = operation::input(operation, global, matches)?;
    let path = "/orgs/{org}/log/export";
    let request = operation::request_at(path, operation, global, matches, input)?;
    let client = Client::operator(ClientOptions {
        timeout: PATIENCE,
        ..ClientOptions::default()
    })?;
    let answer = client
        .send_into(request, &mut |bytes| file.write(bytes))
        .await?;
    if answer.is_success() {
        return Ok(());
    }
    Err(operation::refusal(global, &answer))
}

async fn beside(
    global: &Global,
    matches: &ArgMatches,
    file: &mut Unfinished,
) -> Result<(), Failure> {
    let (instance, answered) = keys::ask(NAME, global, matches).await?;
    let written = async {
        let (view, told) = answered?;
        let told = serde_json::from_value(told).map_err(service::Error::internal)?;
        let (platform, stream) = (instance.platform.clone(), Stream::org(view.id()));
        let mut export = Export::begin(platform, stream, told, None).await?;
        while let Some(page) = export.next().await? {
            file.write(&page).map_err(service::Error::internal)?;
        }
        Ok(())
    };
    let written: service::Result<()> = written.await;
    instance.sign().await;
    instance.close().await;
    written.map_err(|error| Failure::new(Failure::of_code(error.code.as_str()), error))
}

/// A file that is removed again unless it was finished.
struct Unfinished {
    path: PathBuf,
    file: File,
    bytes: u64,
    finished: bool,
}

impl Unfinished {
    fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(path);
        let failed = |error: io::Error| {
            Failure::usage(format!("{} cannot be made: {error}", path.display()))
        };
        Ok(Self {
            path: path.to_owned(),
            file: opened.map_err(failed)?,
            bytes: 0,
            finished: false,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        self.file.write_all(bytes)
    }

    fn finish(mut self) -> Result<u64, Failure> {
        let shown = self.path.display().to_string();
        let failed = |error: io::Error| Failure::refused(format!("{shown}: {error}"));
        self.file.sync_all().map_err(failed)?;
        self.finished = true;
        Ok(self.bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // What is left behind then is a file that does not verify.
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}
