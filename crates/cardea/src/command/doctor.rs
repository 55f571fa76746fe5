//! `cardea doctor`: looks at what this machine's instance stands on, one line a part, each with its remedy. It
//! changes nothing and works beside a running server.

use super::{
    exit::{self, Failure},
    global::Global,
    output, place,
};
use crate::{
    config::Settings,
    data::{self, DATABASE, Data, INSTANCE_KEY},
};
use clap::ArgMatches;
use egress::{Client, ClientOptions, Guarded, Redis};
use kernel::{Clock, ExposeSecret, SecretString, ambient::SystemClock, limits};
use serde_json::{Value, json};
use service::sealing::Keyring;
use std::{sync::Arc, time::Duration};
use store::Store;

/// A part, and what is wrong with it or how it is.
struct Part {
    name: &'static str,
    found: Result<String, String>,
}

fn part(name: &'static str, found: Result<String, String>) -> Part {
    Part { name, found }
}

/// Looks.
///
/// # Errors
/// Exit 1 when a part is not as it should be.
pub async fn run(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let settings = match place::settings(matches) {
        Ok(settings) => settings,
        Err(failure) => return answer(global, vec![part("configuration", Err(failure.text))]),
    };
    let mut parts = vec![
        part("configuration", Ok("every field is known".into())),
        part("data folder", folder(&settings)),
    ];
    match place::to_read(&settings).await {
        Ok(store) => {
            parts.push(part("database", schema(&store).await));
            if store.engine() == store::Engine::Postgres {
                parts.push(part("nodes", nodes(&store).await));
            }
            parts.push(part("instance key", key(&settings, &store).await));
            parts.push(part("clock", clock(&store).await));
            parts.push(part("public URL", public_url(&settings, &store).await));
            let _ended = tokio::task::spawn_blocking(move || store.close()).await;
        }
        Err(error) => parts.push(part("database", Err(error))),
    }
    if let Some(url) = &settings.redis_url {
        parts.push(part("shared counts", counts(url).await));
    }
    parts.push(part("server", server(global).await));
    parts.push(part(
        "TLS",
        Ok("ends at a proxy in front; outbound connections use TLS 1.3".into()),
    ));
    answer(global, parts)
}

fn answer(global: &Global, parts: Vec<Part>) -> Result<u8, Failure> {
    let row = |part: &Part| match &part.found {
        Ok(found) => json!({ "name": part.name, "state": "ok", "text": found }),
        Err(wrong) => json!({ "name": part.name, "state": "wrong", "text": wrong }),
    };
    let rows: Vec<Value> = parts.iter().map(row).collect();
    let well = parts.iter().all(|part| part.found.is_ok());
    match global.format {
        output::Format::Table => parts.iter().for_each(|part| {
            let (state, text) = match &part.found {
                Ok(text) => ("ok", text),
                Err(text) => ("WRONG", text),
            };
            output::print(&format!(
                "{:14} {state:6} {}\n",
                part.name,
                output::steerless(text)
            ));
        }),
        other => output::print(&other.render(&json!({ "well": well, "parts": rows }))),
    }
    Ok(if well { exit::OK } else { exit::REFUSED })
}

fn folder(settings: &Settings) -> Result<String, String> {
    if !settings.data.exists() {
        return Err(format!(
            "{} is not there; `cardea serve` or `cardea init` makes it",
            settings.data.display()
        ));
    }
    if settings.database_url.is_none() && !settings.data.join(DATABASE).is_file() {
        return Ok(format!(
            "{} is there and holds no database",
            settings.data.display()
        ));
    }
    let data = Data::open(&settings.data).map_err(|error| error.to_string())?;
    Ok(data.path().display().to_string())
}

async fn schema(store: &Store) -> Result<String, String> {
    let heads = store.heads(None).await.map_err(|error| error.to_string())?;
    let entries: u64 = heads.iter().map(|(_, head)| head.seq).sum();
    let engine = match store.engine() {
        store::Engine::Sqlite => "embedded",
        store::Engine::Postgres => "PostgreSQL",
    };
    Ok(format!("{engine}, {} logs, {entries} entries", heads.len()))
}

/// Who is at work on a database server, each with the schema it knows.
async fn nodes(store: &Store) -> Result<String, String> {
    let nodes = store.nodes().await.map_err(|error| error.to_string())?;
    if nodes.is_empty() {
        return Ok("none is at work".into());
    }
    let shown = nodes.iter().map(|node| {
        let (name, build, schema) = (&node.name, &node.build, node.schema);
        format!(
            "{name} ({build}, schema {schema}, since {})",
            node.started_at
        )
    });
    Ok(shown.collect::<Vec<_>>().join(", "))
}

async fn key(settings: &Settings, store: &Store) -> Result<String, String> {
    let path = settings
        .instance_key
        .clone()
        .unwrap_or_else(|| settings.data.join(INSTANCE_KEY));
    let key = data::load(&path).map_err(|error| error.to_string())?;
    let keyring = Keyring::new(key.expose_secret()).map_err(|error| error.to_string())?;
    let known = store
        .meta("key_check")
        .await
        .map_err(|error| error.to_string())?;
    match known {
        Some(known) if known != keyring.check_value() => {
            Err("it is not the key this database was made with; restore that one".into())
        }
        _ => Ok("fits the database; keep a copy of it apart from the database's".into()),
    }
}

/// A wall clock that stands before the last entry was set back.
async fn clock(store: &Store) -> Result<String, String> {
    let now = SystemClock.now();
    let heads = store.heads(None).await.map_err(|error| error.to_string())?;
    let last = heads
        .iter()
        .map(|(_, head)| head.time)
        .max()
        .unwrap_or_default();
    if last > now.plus(limits::CLOCK_SKEW) {
        return Err(format!(
            "it says {now}, but the log has an entry of {last}; set the clock"
        ));
    }
    Ok(now.to_string())
}

async fn public_url(settings: &Settings, store: &Store) -> Result<String, String> {
    let stored = store
        .meta("public_url")
        .await
        .map_err(|error| error.to_string())?;
    let stored = stored.ok_or("it is not stored yet; the first start does it")?;
    match &settings.public_url {
        Some(asked) if *asked != stored => Err(format!(
            "the instance's is {stored} and never changes; {asked} would be refused"
        )),
        _ if stored.starts_with("http://")
            && !stored.contains("localhost")
            && !stored.contains("127.0.0.1") =>
        {
            Err(format!(
                "{stored} is not https; tokens would cross the network in clear"
            ))
        }
        _ => Ok(stored),
    }
}

/// Whether nodes can count together, by counting.
async fn counts(url: &SecretString) -> Result<String, String> {
    let redis = Redis::new(url).map_err(|error| error.to_string())?;
    let renewed = Guarded::new(Arc::new(redis)).renew().await;
    renewed.map_err(|lost| lost.to_string())?;
    Ok("the server of `--redis-url` counts".into())
}

async fn server(global: &Global) -> Result<String, String> {
    let timeout = Duration::from_secs(3);
    let client = Client::operator(ClientOptions {
        timeout,
        ..ClientOptions::default()
    })
    .map_err(|error| error.to_string())?;
    let request = egress::Request::get(&format!("{}/health/ready", global.server))
        .map_err(|error| error.to_string())?;
    match client.send(request).await {
        Ok(answer) if answer.is_success() => Ok(format!("{} is ready", global.server)),
        Ok(answer) => Err(format!(
            "{} answered {}: {}",
            global.server,
            answer.status,
            answer.text()
        )),
        Err(error) if error.is_unreachable() => Ok(format!("none runs at {}", global.server)),
        Err(error) => Err(error.to_string()),
    }
}
