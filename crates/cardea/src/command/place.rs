//! The flags that say which instance a command works on when no server is asked, and what they come to.

use super::exit::{CONFLICT, Failure};
use crate::{
    config::{LISTEN, Settings, Told},
    data::DATABASE,
    instance::Opening,
};
use clap::{Arg, ArgMatches, Command, value_parser};
use kernel::{ExposeSecret, SecretString, ambient};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use store::{Store, StoreError};

/// Adds the flags.
pub fn flags(command: Command) -> Command {
    let flag = |name: &'static str, value: &'static str, env: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .env(env)
            .hide_env_values(true)
            .help(help)
            .help_heading("Instance")
    };
    let path = || value_parser!(PathBuf);
    command
        .arg(flag("data", "DIR", "CARDEA_DATA", "The data folder").value_parser(path()))
        .arg(flag(
            "database-url",
            "URL",
            "CARDEA_DATABASE_URL",
            "A PostgreSQL server instead of the embedded database",
        ))
        .arg(flag(
            "public-url",
            "URL",
            "CARDEA_PUBLIC_URL",
            "The origin by which clients reach the server; fixed by the first start",
        ))
        .arg(flag("config", "FILE", "CARDEA_CONFIG", "The configuration file").value_parser(path()))
}

/// Adds the flags of a server beside them.
pub fn server_flags(command: Command) -> Command {
    let listen = Arg::new("listen")
        .long("listen")
        .value_name("ADDR")
        .env("CARDEA_LISTEN")
        .help("Where to listen [default: 127.0.0.1:8080]");
    let tls = |name: &'static str, env: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .env(env)
            .value_parser(value_parser!(PathBuf))
            .help(help)
            .help_heading("Instance")
    };
    flags(command)
        .arg(tls(
            "tls-certificate",
            "CARDEA_TLS_CERTIFICATE",
            "Serve HTTPS with this chain (PEM); read again when it changes",
        ))
        .arg(tls(
            "tls-key",
            "CARDEA_TLS_KEY",
            "The key of that certificate (PEM)",
        ))
        .arg(
            listen
                .value_parser(value_parser!(SocketAddr))
                .help_heading("Instance"),
        )
        .arg(redis())
}

/// Where nodes count together.
pub fn redis() -> Arg {
    Arg::new("redis-url")
        .long("redis-url")
        .value_name("URL")
        .env("CARDEA_REDIS_URL")
        .hide_env_values(true)
        .help("A Redis or Valkey server in which nodes count requests and failures together")
        .help_heading("Instance")
}

/// What the flags say.
fn told(matches: &ArgMatches) -> Told {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    let path = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned();
    Told {
        config: path("config"),
        data: path("data"),
        listen: matches
            .try_get_one::<SocketAddr>("listen")
            .ok()
            .flatten()
            .copied(),
        public_url: text("public-url"),
        database_url: text("database-url").map(SecretString::from),
        redis_url: text("redis-url").map(SecretString::from),
        tls_certificate: path("tls-certificate"),
        tls_key: path("tls-key"),
    }
}

/// What holds for this command.
///
/// # Errors
/// When the configuration is wrong.
pub fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    Settings::gather(told(matches)).map_err(Failure::usage)
}

/// The instance of these settings.
pub fn opening(settings: &Settings) -> Opening {
    Opening {
        data: settings.data.clone(),
        database_url: settings.database_url.clone(),
        redis_url: None,
        instance_key: settings.instance_key.clone(),
        public_url: settings.public_url.clone(),
        max_staleness: settings.max_staleness,
        clock: Arc::new(ambient::SystemClock),
        entropy: Arc::new(ambient::SystemEntropy),
    }
}

/// Opens the database that is there, for reading alone. Makes nothing.
///
/// # Errors
/// When there is none, or it cannot be read.
pub async fn to_read(settings: &Settings) -> Result<Store, String> {
    let (clock, entropy) = (
        Arc::new(ambient::SystemClock),
        Arc::new(ambient::SystemEntropy),
    );
    let options = store::Options {
        clock,
        entropy,
        connections: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (url, file) = (settings.database_url.clone(), settings.data.join(DATABASE));
    if url.is_none() && !file.is_file() {
        return Err(none_there(settings));
    }
    let open = move || match url {
        Some(url) => Store::postgres_to_read(url.expose_secret(), options),
        None => Store::sqlite_to_read(&file, options),
    };
    let opened = tokio::task::spawn_blocking(open).await;
    opened
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

/// Refuses a place where nothing was made yet, for commands that only change what is there.
///
/// # Errors
/// Exit 3.
pub async fn made_already(settings: &Settings) -> Result<(), Failure> {
    let Some(url) = settings.database_url.clone() else {
        let there = settings.data.join(DATABASE).is_file();
        return there
            .then_some(())
            .ok_or_else(|| Failure::new(CONFLICT, none_there(settings)));
    };
    let options = store::Options {
        clock: Arc::new(ambient::SystemClock),
        entropy: Arc::new(ambient::SystemEntropy),
        connections: 1,
    };
    let look = move || match Store::postgres_to_read(url.expose_secret(), options) {
        Err(error @ StoreError::Absent) => Err(Failure::new(CONFLICT, error)),
        // Whatever else is wrong is told when it is opened to be changed.
        Err(_) => Ok(()),
        Ok(store) => {
            store.close();
            Ok(())
        }
    };
    tokio::task::spawn_blocking(look)
        .await
        .map_err(Failure::refused)?
}

fn none_there(settings: &Settings) -> String {
    format!(
        "there is no database in {}; name its folder with `--data`",
        settings.data.display()
    )
}

/// The public origin of a first start that names none.
pub fn default_url(settings: &Settings) -> String {
    let port = settings.listen.port();
    let port = if port == 0 {
        LISTEN.rsplit(':').next().unwrap_or_default().to_owned()
    } else {
        port.to_string()
    };
    let scheme = settings.tls.as_ref().map_or("http", |_| "https");
    format!("{scheme}://localhost:{port}")
}
