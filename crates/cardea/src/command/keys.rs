//! `cardea keys` beside no server: the same operations on the data folder or database itself, in the name of the
//! operator at the machine. With `--server` in mind they are ordinary commands.

use super::{
    exit::{self, Failure},
    global::Global,
    operation, output, place,
};
use crate::{
    data::DataError,
    instance::{Instance, OpenError},
};
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use domain::{Held, Lineage, Permission, Permissions, Principal};
use kernel::limits;
use serde_json::{Map, Value};
use service::{Caller, Cx, Envelope, Erased, Peer, Platform, View};
use std::sync::Arc;

/// The verbs that work beside no server.
pub const VERBS: [&str; 3] = ["list", "rotate", "rotate-log"];

/// Adds the flags that say which instance.
pub fn beside(command: Command) -> Command {
    place::flags(command)
}

/// Adds the flag that means the instance's own log instead of an organization's.
pub fn of_instance(command: Command) -> Command {
    let about = "The instance's own log, on the machine itself, beside its server or without one";
    let flag = Arg::new("instance")
        .long("instance")
        .action(ArgAction::SetTrue);
    command.arg(flag.help(about).help_heading("Instance"))
}

/// Whether the instance's own log is meant.
pub fn is_of_instance(matches: &ArgMatches) -> bool {
    matches.get_flag("instance")
}

/// Whether somebody named an instance instead of a server.
pub fn is_offline(matches: &ArgMatches) -> bool {
    let given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    given("data") || given("database-url") || given("config")
}

/// Runs the operation on the instance.
///
/// # Errors
/// When a server holds the folder, or the operation refuses.
pub async fn run(words: &str, global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let (instance, answer) = ask(words, global, matches).await?;
    instance.sign().await;
    instance.close().await;
    let answer =
        answer.map_err(|error| Failure::new(Failure::of_code(error.code.as_str()), error))?;
    output::print(&global.format.render(&answer.1));
    Ok(exit::OK)
}

/// What an operation answers, and the organization as it was seen.
type Answered = service::Result<(View, Value)>;

/// Opens the instance and asks an operation there. Whoever asked signs and closes the instance.
///
/// # Errors
/// When the command line is wrong or a server holds the folder.
pub async fn ask(
    words: &str,
    global: &Global,
    matches: &ArgMatches,
) -> Result<(Instance, Answered), Failure> {
    let operation =
        operation::find(words).ok_or_else(|| Failure::usage("there is no such command"))?;
    let org = global
        .org
        .clone()
        .ok_or_else(|| Failure::usage("name the organization with `--org` or set CARDEA_ORG"))?;
    let settings = place::settings(matches)?;
    place::made_already(&settings).await?;
    let input = operation::input(operation, global, matches)?;
    let opened = Instance::open(place::opening(&settings), &place::default_url(&settings)).await;
    let instance = opened.map_err(|error| match error {
        OpenError::Data(DataError::Held(_)) => Failure::refused(format!(
            "{error}, or leave out `--data` to ask the running server with an API token"
        )),
        other => Failure::refused(other),
    })?;
    let answer = call(&instance.platform, &org, operation, input).await;
    Ok((instance, answer))
}

async fn call(
    platform: &Arc<Platform>,
    org: &str,
    operation: &'static dyn Erased,
    input: Map<String, Value>,
) -> Answered {
    let view = platform.node.view_of(org).await?;
    let peer = Peer {
        request_id: "local".into(),
        door: "cli",
        ..Peer::default()
    };
    let cx = Cx::new(
        platform.clone(),
        peer,
        Envelope::default(),
        operator(platform),
        view.clone(),
    );
    let answer = operation.call(cx, Value::Object(input)).await?;
    let value = serde_json::from_slice(&answer.body).map_err(service::Error::internal)?;
    Ok((view, value))
}

/// Whoever may read the instance key may do what it protects.
fn operator(platform: &Platform) -> Caller {
    let all: Permissions = Permission::ALL.iter().copied().collect();
    Caller {
        principal: Principal::System,
        credential: "operator".into(),
        token: None,
        run: None,
        leaf: None,
        lineage: Lineage::default(),
        ends_at: platform.clock.now().plus(limits::SETUP_LIFE),
        held: Held {
            all,
            own: all,
            ..Held::default()
        },
        sudo: true,
        instance: Permissions::NONE,
    }
}
