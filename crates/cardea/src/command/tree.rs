//! The tree of commands, built from the words of the product and of every operation, so that an operation that
//! exists has a command and none is written twice.

use super::{export, global, keys, operation, place, serve, verify};
use clap::{Arg, ArgAction, Command};
use service::OPERATIONS;
use std::collections::BTreeMap;

/// The whole command line.
pub fn command() -> Command {
    let about = "Identity and access control for an organization's people and AI agents";
    let root = Command::new("cardea")
        .about(about)
        .version(env!("CARGO_PKG_VERSION"));
    let root = global::flags(root)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    let nouns = nouns().into_iter().map(|(noun, verbs)| {
        let about = format!("{} commands", noun.replace('-', " "));
        let command = Command::new(noun)
            .about(about)
            .subcommand_required(true)
            .arg_required_else_help(true);
        command.subcommands(verbs)
    });
    root.subcommands(own()).subcommands(nouns)
}

/// Commands of one word.
fn own() -> Vec<Command> {
    let doctor = Command::new("doctor")
        .about("Check configuration, keys, clock and database of this machine's instance");
    let recover = Command::new("recover-admin").about("Make a link that lets an owner back in");
    let openapi = Command::new("openapi").about("Print the management API's OpenAPI document");
    vec![
        serve::command(),
        init(),
        crate::demo::command(),
        place::flags(recover),
        place::flags(doctor).arg(place::redis()),
        openapi,
    ]
}

fn init() -> Command {
    let command = Command::new("init")
        .about("Prepare an organization with its owner, without a running server");
    let owner = Arg::new("owner")
        .long("owner")
        .value_name("EMAIL")
        .required(true)
        .help("The owner's address");
    let token = Arg::new("token")
        .long("token")
        .action(ArgAction::SetTrue)
        .help("Also make an API token of the owner, for a day");
    place::flags(command).arg(owner).arg(token)
}

/// Commands of two words, by the first.
fn nouns() -> BTreeMap<&'static str, Vec<Command>> {
    let mut nouns: BTreeMap<&'static str, Vec<Command>> = BTreeMap::new();
    for operation in OPERATIONS.iter().copied() {
        if let Some((noun, verb)) = operation.meta().command.split_once(' ') {
            let command = operation::command(operation, verb);
            nouns.entry(noun).or_default().push(match (noun, verb) {
                ("keys", "rotate-log") => keys::of_instance(keys::beside(command)),
                ("keys", verb) if keys::VERBS.contains(&verb) => keys::beside(command),
                ("audit", "export") => export::flags(command),
                _ => command,
            });
        }
    }
    nouns.entry("audit").or_default().push(verify::command());
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .help("The configuration file");
    let check = Command::new("check")
        .about("Check a configuration file; problems name file, line and field")
        .arg(file);
    nouns.entry("config").or_default().push(check);
    nouns
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_tree_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_operation_has_a_command_of_its_own() {
        let mut seen = HashSet::new();
        for operation in OPERATIONS {
            let meta = operation.meta();
            let known = operation::find(meta.command).map(|found| found.meta().name);
            assert_eq!(known, Some(meta.name), "`{}`", meta.command);
            assert!(
                meta.command.split(' ').count() == 2 && seen.insert(meta.command),
                "`{}`",
                meta.command
            );
        }
    }
}
