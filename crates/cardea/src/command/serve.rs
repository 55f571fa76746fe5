//! `cardea serve`: runs until it is told to stop. A fresh instance says how to set it up: to a terminal, or else
//! in a private file, because whoever collects the output must not get a secret.

use super::{exit, exit::Failure, output, place};
use crate::{
    data,
    local::setup_url,
    server::{Options, Server, StartError},
    telemetry,
};
use clap::{ArgMatches, Command};
use kernel::{ExposeSecret, SecretString};
use service::setup;
use std::io::{IsTerminal, stdout};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The command.
pub fn command() -> Command {
    place::server_flags(
        Command::new("serve").about("Run the server; starts with nothing configured"),
    )
}

/// Runs.
///
/// # Errors
/// When it cannot start.
pub async fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    telemetry::start();
    let settings = place::settings(matches)?;
    let options = Options {
        data: settings.data,
        listen: settings.listen,
        public_url: settings.public_url,
        database_url: settings.database_url,
        tls: settings.tls,
        redis_url: settings.redis_url,
        instance_key: settings.instance_key,
        trusted_proxies: settings.trusted_proxies,
        max_staleness: settings.max_staleness,
        grace: settings.grace,
        witness: settings.witness,
        ..Options::new("")
    };
    let stop = Stop::listen()?;
    let server = Server::start(options).await.map_err(not_started)?;
    output::print(&format!(
        "cardea listens on {}://{}\n",
        server.scheme(),
        server.address()
    ));
    announce(&server).await?;
    let hurried = stop.asked().await;
    tracing::info!("stopping");
    if hurried {
        server.shutdown().await;
    } else {
        server.drain().await;
    }
    Ok(exit::OK)
}

fn not_started(error: StartError) -> Failure {
    Failure::refused(error)
}

/// Says where the instance is reached and, while it has no organization, how to set it up.
async fn announce(server: &Server) -> Result<(), Failure> {
    let platform = server.platform();
    let own = format!(
        "{}://localhost:{}",
        server.scheme(),
        server.address().port()
    );
    if platform.public_url != own {
        output::print(&format!("public URL      {}\n", platform.public_url));
    }
    output::print(&format!(
        "data folder     {}\n",
        server.data().path().display()
    ));
    match setup::first_run_secret(platform)
        .await
        .map_err(Failure::refused)?
    {
        None => server
            .data()
            .remove(data::SETUP_FILE)
            .map_err(Failure::refused),
        Some(secret) => tell(server, &secret),
    }
}

fn tell(server: &Server, secret: &SecretString) -> Result<(), Failure> {
    let text = SecretString::from(instructions(server, secret));
    if stdout().is_terminal() {
        output::print(text.expose_secret());
        return Ok(());
    }
    let path = server
        .data()
        .write_private(data::SETUP_FILE, text.expose_secret())
        .map_err(Failure::refused)?;
    output::print(&format!(
        "set-up link     in {} (once, within an hour)\n",
        path.display()
    ));
    Ok(())
}

fn instructions(server: &Server, secret: &SecretString) -> String {
    let link = setup_url(server.platform(), secret);
    let body = format!(
        r#"{{"secret":"{}","org":"acme","email":"you@example.com"}}"#,
        secret.expose_secret()
    );
    let url = server.local_url();
    format!(
        "set-up link     {link}\n                once, within an hour; or without a browser:\n\
         curl {url}/api/v1/setup -H 'content-type: application/json' -d '{body}'\n"
    )
}

/// The ways in which the process is asked to stop, listened for from before anybody could be told that it runs.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::refused);
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self {
            terminate: listen(terminate)?,
            interrupt: listen(interrupt)?,
        })
    }

    /// Waits; says whether a person waits too, at the keyboard.
    async fn asked(mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => true,
        }
    }
}
