//! What every command takes: which server, which organization, which credential, in which form to answer. The
//! credential comes from a file or the environment, never from the command line, where others could read it.

use super::{exit::Failure, output::Format};
use clap::{Arg, ArgMatches, Command};
use kernel::SecretString;
use std::path::PathBuf;

/// Where a server is looked for when nothing is said.
const SERVER: &str = "http://localhost:8080";

/// What every command takes.
#[derive(Clone, Debug)]
pub struct Global {
    /// The server, without a slash at the end.
    pub server: String,
    /// The organization, by slug or id.
    pub org: Option<String>,
    /// The API token.
    pub token: Option<SecretString>,
    /// Where the token comes from, for whoever must correct it.
    pub token_from: Option<String>,
    /// The form of answers.
    pub format: Format,
}

/// Adds the flags.
pub fn flags(command: Command) -> Command {
    let flag = |name: &'static str| {
        Arg::new(name)
            .long(name)
            .global(true)
            .help_heading("Global")
    };
    let outputs = clap::builder::PossibleValuesParser::new(["table", "json", "yaml"]);
    command
        .arg(
            flag("server")
                .value_name("URL")
                .env("CARDEA_SERVER")
                .default_value(SERVER)
                .help("The server"),
        )
        .arg(
            flag("org")
                .value_name("ORG")
                .env("CARDEA_ORG")
                .help("The organization, by slug or id"),
        )
        .arg(
            flag("token-file")
                .value_name("FILE")
                .help("A file that holds the API token; else CARDEA_TOKEN"),
        )
        .arg(
            flag("output")
                .value_name("FORM")
                .value_parser(outputs)
                .default_value("table")
                .help("The form of the answer"),
        )
}

impl Global {
    /// Reads the flags.
    ///
    /// # Errors
    /// When the token's file cannot be read.
    pub fn read(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let file = text("token-file");
        let token = token(file.clone().map(PathBuf::from))?;
        let token_from = token
            .is_some()
            .then(|| file.unwrap_or_else(|| "CARDEA_TOKEN".into()));
        Ok(Self {
            token,
            token_from,
            server: text("server")
                .unwrap_or_else(|| SERVER.into())
                .trim_end_matches('/')
                .to_owned(),
            org: text("org"),
            format: Format::named(&text("output").unwrap_or_default()),
        })
    }
}

fn token(file: Option<PathBuf>) -> Result<Option<SecretString>, Failure> {
    let kept = |text: String| {
        let trimmed = text.trim();
        (!trimmed.is_empty()).then(|| SecretString::from(trimmed))
    };
    match file {
        None => Ok(std::env::var("CARDEA_TOKEN").ok().and_then(kept)),
        Some(path) => {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|error| {
                Failure::usage(format!("{} cannot be read: {error}", path.display()))
            })?;
            kept(text)
                .map(Some)
                .ok_or_else(|| Failure::usage(format!("{} is empty", path.display())))
        }
    }
}
