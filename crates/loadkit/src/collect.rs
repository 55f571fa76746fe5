//! Sends each request of a file once, over a few connections, and writes one member of each answer on the line of
//! its request: how tokens and runs are made before a load that uses them.

use crate::{
    client::Client,
    request::{self, Wanted},
};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use std::{cell::Cell, cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

const ATTEMPTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// What `loadkit collect` takes.
#[derive(Args)]
pub struct Options {
    /// The server, as `host:port`
    #[arg(long)]
    address: String,
    /// The file of requests
    #[arg(long)]
    requests: PathBuf,
    /// How many answers, going round the file; as many as it has lines unless given
    #[arg(long)]
    count: Option<usize>,
    /// The member of each answer to write, such as `access_token`
    #[arg(long)]
    member: String,
    /// Where to write them, a line each
    #[arg(long)]
    out: PathBuf,
    /// How many connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

/// Sends and writes.
///
/// # Errors
/// When the server refuses one or its answer has no such member.
pub async fn run(options: Options) -> Result<()> {
    let wanted = Rc::new(request::read(&options.requests, &options.address)?);
    let count = options.count.unwrap_or(wanted.len());
    let (next, found) = (
        Rc::new(Cell::new(0)),
        Rc::new(RefCell::new(vec![String::new(); count])),
    );
    let options = Rc::new(options);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..options.connections {
        let (options, wanted, next, found) =
            (options.clone(), wanted.clone(), next.clone(), found.clone());
        tasks.spawn_local(async move {
            let mut client = Client::new(&options.address);
            loop {
                let at = next.replace(next.get() + 1);
                let (Some(wanted), true) = (wanted.get(at % wanted.len()), at < count) else {
                    return Ok::<(), anyhow::Error>(());
                };
                let (status, body) = patiently(&mut client, wanted).await?;
                let text = member(status, &body, &options.member)?;
                if let Some(slot) = found.borrow_mut().get_mut(at) {
                    *slot = text;
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let mut text = found.borrow().join("\n");
    text.push('\n');
    std::fs::write(&options.out, text).context("the answers cannot be written")
}

/// A server that is busy says so; it is asked again, for a few seconds.
async fn patiently(client: &mut Client<'_>, wanted: &Wanted) -> Result<(u16, Bytes)> {
    for _ in 0..ATTEMPTS {
        let answer = client.send(wanted).await;
        if answer
            .as_ref()
            .is_ok_and(|(status, _)| !matches!(status, 429 | 503))
        {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    client.send(wanted).await
}

fn member(status: u16, body: &[u8], name: &str) -> Result<String> {
    if !(200..300).contains(&status) {
        bail!(
            "the server refused with {status}: {}",
            String::from_utf8_lossy(body)
        );
    }
    let answer: serde_json::Value = serde_json::from_slice(body)?;
    let found = answer.get(name).and_then(serde_json::Value::as_str);
    Ok(found
        .with_context(|| format!("an answer has no `{name}`"))?
        .to_owned())
}
