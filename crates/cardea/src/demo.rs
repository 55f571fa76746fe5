//! `cardea demo`: the whole story on a server of its own, in a temporary folder, over real HTTP. Each step says a
//! sentence and how it was done; the exit code is 0 only if every one of them held.

mod acts;
mod downstream;
mod player;
mod story;
pub mod tamper;

pub use story::{Stage, Step, StepOutcome, story};

use crate::{
    command::{Failure, output},
    server::{Options, Server},
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use kernel::{ExposeSecret, SecretString};
use service::setup;
use tamper::Means;

const TOKENS: usize = 1_000;
const TOKEN_FILE: &str = "token.txt";

/// The command.
pub fn command() -> Command {
    let keep = Arg::new("keep")
        .long("keep")
        .action(ArgAction::SetTrue)
        .help("Leave the server running until Ctrl-C");
    Command::new("demo")
        .about("Play the whole story on a server of its own")
        .arg(keep)
}

/// Plays.
///
/// # Errors
/// When the server does not start or a step does not hold.
pub async fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::refused)?;
    let options = Options::new(folder.path().join("data"));
    let means = Means {
        clock: options.clock.clone(),
        entropy: options.entropy.clone(),
    };
    let server = Server::start(options).await.map_err(Failure::refused)?;
    let played = play(&server, &means).await;
    if let (Ok(stage), true) = (&played, matches.get_flag("keep")) {
        keep(&server, stage).await?;
    }
    server.shutdown().await;
    played.map(|_| 0)
}

async fn play(server: &Server, means: &Means) -> Result<Stage, Failure> {
    let stage = stage(server, means).await?;
    let mut number = 1;
    let outcomes = story(stage.clone(), &mut |outcome| {
        tell(
            number,
            outcome.step.sentence(),
            &outcome.curl,
            &outcome.seen,
            outcome.held,
        );
        number += 1;
    })
    .await;
    let held = outcomes.len() == Step::ALL.len() && outcomes.iter().all(|outcome| outcome.held);
    if !held {
        return Err(Failure::refused("a step did not hold"));
    }
    verified(server, means, number).await?;
    output::print("\nEvery step held.\n");
    Ok(stage)
}

async fn stage(server: &Server, means: &Means) -> Result<Stage, Failure> {
    let made = setup::init(server.platform(), "acme", "olga@example.com", true)
        .await
        .map_err(Failure::refused)?;
    let token = made
        .token
        .ok_or_else(|| Failure::refused("no token was made"))?;
    let base_url = format!("http://localhost:{}", server.address().port());
    output::print(&format!(
        "A fresh instance at {base_url}, in {}.\nOlga owns the organization `acme`, issuer {}.\n",
        server.data().path().display(),
        made.issuer
    ));
    Ok(Stage {
        base_url,
        org: "acme".into(),
        owner: made.owner.to_string(),
        token,
        clock: means.clock.clone(),
        tokens: TOKENS,
    })
}

/// The log is whole; a copy with one byte changed is not, and the place is told.
async fn verified(server: &Server, means: &Means, number: usize) -> Result<(), Failure> {
    let data = server.data().path();
    let whole = tamper::look(means, data).await.map_err(Failure::refused)?;
    let held = whole.exit_code() == 0;
    let entries: u64 = whole.reports.iter().map(|(_, report)| report.entries).sum();
    let seen = if held {
        format!("{entries} entries, all as they were written")
    } else {
        format!("{whole:?}")
    };
    let curl = [format!(
        "cardea audit verify --deep --data {}",
        data.display()
    )];
    tell(
        number,
        "All of it is in the log, and the log verifies.",
        &curl,
        &seen,
        held,
    );
    let copy = tempfile::tempdir().map_err(Failure::refused)?;
    tamper::copy(data, copy.path())
        .await
        .map_err(Failure::refused)?;
    let place = tamper::change_one_byte(means, copy.path())
        .await
        .map_err(Failure::refused)?;
    let broken = tamper::look(means, copy.path())
        .await
        .map_err(Failure::refused)?;
    let found = tamper::found(&broken, place);
    let findings: Vec<String> = broken
        .reports
        .iter()
        .flat_map(|(_, report)| &report.findings)
        .map(ToString::to_string)
        .collect();
    let curl = [format!(
        "cardea audit verify --deep --data {}",
        copy.path().display()
    )];
    tell(
        number + 1,
        "One byte changed in a copy of the database is found, and where.",
        &curl,
        &findings.join("; "),
        found,
    );
    if held && found {
        Ok(())
    } else {
        Err(Failure::refused("a step did not hold"))
    }
}

fn tell(number: usize, sentence: &str, curl: &[String], seen: &str, held: bool) {
    let mark = if held { "held" } else { "DID NOT HOLD" };
    let calls: String = curl
        .iter()
        .map(|line| format!("     $ {}\n", output::steerless(line)))
        .collect();
    output::print(&format!(
        "\n{number:2}. {sentence}\n{calls}     {}\n     {mark}\n",
        output::steerless(seen)
    ));
}

/// Waits, with the owner's token in a private file.
async fn keep(server: &Server, stage: &Stage) -> Result<(), Failure> {
    let text = SecretString::from(format!("{}\n", stage.token.expose_secret()));
    let path = server
        .data()
        .write_private(TOKEN_FILE, text.expose_secret())
        .map_err(Failure::refused)?;
    output::print(&format!(
        "\nThe server stays until Ctrl-C:\n  cardea --server {} --org acme --token-file {} agent list\n",
        stage.base_url,
        path.display()
    ));
    tokio::signal::ctrl_c().await.map_err(Failure::refused)
}
