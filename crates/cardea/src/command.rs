//! The command line: words of its own and one command for every management operation. It parses, calls and
//! prints; what is allowed is decided by the server or the service.

mod anchor;
mod check;
mod doctor;
mod exit;
mod export;
mod field;
mod global;
mod keys;
mod local;
mod operation;
pub mod output;
mod place;
mod serve;
mod tree;
mod verify;

pub use exit::Failure;

use clap::{ArgMatches, error::ErrorKind};
use global::Global;
use std::{
    ffi::OsString,
    io::{Write, stderr},
    process::ExitCode,
};

/// The exit code of a wrong command line of `audit verify`, whose own codes reach up to 3.
const VERIFY_USAGE: u8 = 64;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return ExitCode::from(exit::REFUSED);
        }
    };
    ExitCode::from(runtime.block_on(run(std::env::args_os())))
}

/// Runs a command line and gives its exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let usage = if is_verify(&arguments) {
        VERIFY_USAGE
    } else {
        exit::USAGE
    };
    let matches = match tree::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are asked for and go to the output; a reader that went away is no failure.
            let _gone = error.print();
            return if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) {
                exit::OK
            } else {
                usage
            };
        }
    };
    match dispatch(&matches).await {
        Ok(code) => code,
        Err(failure) => {
            if failure.machine {
                let _gone = writeln!(stderr().lock(), "{}", failure.text);
            } else {
                complain(&failure.text);
            }
            failure.exit
        }
    }
}

fn is_verify(arguments: &[OsString]) -> bool {
    let at = arguments.iter().position(|argument| argument == "audit");
    at.is_some_and(|at| {
        arguments
            .iter()
            .skip(at)
            .any(|argument| argument == "verify")
    })
}

async fn dispatch(matches: &ArgMatches) -> Result<u8, Failure> {
    let (words, last) = words(matches);
    let global = Global::read(last)?;
    match words.as_str() {
        "demo" => crate::demo::run(last).await,
        "serve" => serve::run(last).await,
        "init" => local::init(&global, last).await,
        "recover-admin" => local::recover(&global, last).await,
        "audit verify" => verify::run(&global, last).await,
        "audit export" => export::run(&global, last).await,
        "doctor" => doctor::run(&global, last).await,
        "config check" => check::run(&global, last),
        "openapi" => openapi(&global),
        "keys rotate-log" if keys::is_of_instance(last) => local::rotate_log(&global, last).await,
        "keys list" | "keys rotate" | "keys rotate-log" if keys::is_offline(last) => {
            keys::run(&words, &global, last).await
        }
        _ => {
            let unknown = || Failure::usage("there is no such command; see `cardea --help`");
            let operation = operation::find(&words).ok_or_else(unknown)?;
            operation::run(operation, &global, last)
                .await
                .map(|()| exit::OK)
        }
    }
}

/// The command's words and the matches of its last.
fn words(matches: &ArgMatches) -> (String, &ArgMatches) {
    let mut words: Vec<&str> = Vec::new();
    let mut last = matches;
    while let Some((word, inner)) = last.subcommand() {
        words.push(word);
        last = inner;
    }
    (words.join(" "), last)
}

fn openapi(global: &Global) -> Result<u8, Failure> {
    let document = web::openapi(&global.server);
    let form = if global.format == output::Format::Yaml {
        output::Format::Yaml
    } else {
        output::Format::Json
    };
    output::print(&form.render(&document));
    Ok(exit::OK)
}

fn complain(text: &str) {
    // Whoever closed the error stream does not want to know.
    let _gone = writeln!(stderr().lock(), "cardea: {text}");
}
