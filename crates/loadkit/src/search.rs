//! How long a search of a long log takes, straight at the store: the log is indexed first, as the server does unhurried,
//! and then looked through for what is frequent, what is rare and what is not there.

use anyhow::{Context, Result};
use clap::Args;
use domain::{Stream, entry::TOKEN_ISSUED};
use kernel::{Clock, Monotonic, ambient::SystemClock};
use std::path::PathBuf;
use store::{Reader, Search, Store, Words};

/// How often each question is asked, from another place of the log each time.
const TIMES: u64 = 40;

/// What `loadkit search` takes.
#[derive(Args)]
pub struct Options {
    /// The file of an embedded database that `loadkit append` filled
    #[arg(long)]
    file: PathBuf,
    /// A database on a server instead
    #[arg(long)]
    database_url: Option<String>,
}

/// Indexes the longest log and prints what it took, then a line for each question.
///
/// # Errors
/// When the database cannot be used or has no log.
pub async fn run(options: Options) -> Result<()> {
    let (file, url) = (options.file, options.database_url);
    let open = move || crate::append::open(&file, url.as_deref());
    let store = tokio::task::spawn_blocking(open).await??;
    let heads = store.heads(None).await?;
    let longest = heads.into_iter().max_by_key(|(_, head)| head.seq);
    let (stream, head) = longest.context("there is no log")?;
    let (from, used) = (SystemClock.boot(), crate::open::used());
    let mut indexed = store.indexed(stream).await?;
    let before = indexed.entries;
    while indexed.more {
        indexed = store.index_next(stream).await?;
    }
    let (made, took) = (indexed.entries - before, millis(from));
    println!(
        "{} entries in the log, {made} indexed in {took:.0} ms, {} µs of a processor each",
        head.seq,
        (crate::open::used() - used) / made.max(1)
    );
    for (name, search) in questions(&store, stream, head.seq).await? {
        ask(&store, stream, head.seq, name, search).await?;
    }
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(())
}

fn millis(from: Monotonic) -> f64 {
    let micros = SystemClock.boot().since(from).get();
    f64::from(i32::try_from(micros).unwrap_or(i32::MAX)) / 1_000.0
}

/// What an entry in the middle of the log is found by, and what is found everywhere or nowhere.
async fn questions(
    store: &Store,
    stream: Stream,
    size: u64,
) -> Result<Vec<(&'static str, Search)>> {
    let read = move |reader: &mut Reader<'_>| reader.event_rows(stream, size / 2, 1);
    let row = store.read(stream, read).await?.pop().context("no entry")?;
    let base = Search {
        limit: 51,
        ..Search::default()
    };
    let issued = Some(TOKEN_ISSUED.to_owned());
    let nothing = Words::of("nowhere");
    let last = Words::of(row.resource.as_deref().unwrap_or_default());
    Ok(vec![
        (
            "one resource",
            Search {
                resource: row.resource,
                ..base.clone()
            },
        ),
        (
            "one agent of a thousand",
            Search {
                agent: row.agent,
                ..base.clone()
            },
        ),
        (
            "a type that all have",
            Search {
                kind: issued.clone(),
                ..base.clone()
            },
        ),
        (
            "type, agent and half of the time",
            Search {
                kind: issued,
                agent: row.agent,
                since: Some(row.time),
                ..base.clone()
            },
        ),
        (
            "a word that one has",
            Search {
                words: last,
                ..base.clone()
            },
        ),
        (
            "a word that none has",
            Search {
                words: nothing,
                ..base.clone()
            },
        ),
        (
            "two frequent words that never meet",
            Search {
                words: Words::of("even odd"),
                ..base
            },
        ),
    ])
}

async fn ask(store: &Store, stream: Stream, size: u64, name: &str, search: Search) -> Result<()> {
    let (mut times, mut pages, mut found) = (Vec::new(), 0, 0);
    for time in 0..TIMES {
        // A page of a list begins anywhere; what is rare is looked for everywhere.
        let frequent = search.kind.is_some() || search.agent.is_some();
        let mut after = if frequent { size / TIMES * time } else { 0 };
        loop {
            let mut search = search.clone();
            search.after_seq = after;
            let from = SystemClock.boot();
            let page = store
                .read(stream, move |reader| reader.search(stream, &search))
                .await?;
            times.push(millis(from));
            pages += 1;
            found += page.rows.len();
            match page.stopped {
                Some(stopped) => after = stopped,
                None => break,
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| {
        times
            .get((times.len() - 1) * share / 100)
            .copied()
            .unwrap_or(0.0)
    };
    println!(
        "{name}: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms for one request of {pages}; {} found at a time",
        at(50),
        at(99),
        at(100),
        found / usize::try_from(TIMES)?
    );
    Ok(())
}
