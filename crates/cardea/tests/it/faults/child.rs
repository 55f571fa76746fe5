//! The server of these tests, in a process of its own so that it can end at any moment: this test binary again, with
//! faults installed. Compares what its node decides on with what its store holds whenever it is asked.

use super::plan::Planned;
use crate::program::{Place, Serving, wrapped};
use cardea::server::{Options, Server};
use domain::Stream;
use kernel::SecretString;
use live::{Cells, Revision};
use service::Platform;
use std::{path::Path, process::Command, time::Duration};

const DATA: &str = "CARDEA_FAULTS_DATA";
const DATABASE: &str = "CARDEA_FAULTS_DATABASE";
const FOLDER: &str = "CARDEA_FAULTS_FOLDER";
const COMPARE: &str = "compare";
const COMPARED: &str = "compared";
const LEVEL: &str = "level";

/// Starts it; the plan is read from `folder`.
pub fn serve(place: &Place, folder: &Path) -> Serving {
    let mut command = wrapped(Command::new(std::env::current_exe().unwrap()));
    command.args(["faults::child::the_server", "--exact", "--nocapture"]);
    command.env(DATA, &place.data).env(FOLDER, folder);
    if let Some(url) = &place.database_url {
        command.env(DATABASE, url);
    }
    Serving::start(command, &place.data.with_extension("err"))
}

/// Asks the server whether its node decides on what its store holds.
pub async fn compare(folder: &Path) {
    let (asked, told) = (folder.join(COMPARE), folder.join(COMPARED));
    let _none = std::fs::remove_file(&told);
    std::fs::write(asked, "").unwrap();
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        match std::fs::read_to_string(&told) {
            Ok(text) if !text.is_empty() => return assert_eq!(text, LEVEL),
            _ => {}
        }
    }
    panic!("the server does not compare");
}

/// The server of the others, where its variables say so; nothing otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server() {
    let Some(data) = std::env::var_os(DATA) else {
        return;
    };
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    store::faults::install(Box::new(Planned::new(&folder)))
        .ok()
        .unwrap();
    let options = Options {
        database_url: std::env::var(DATABASE).ok().map(SecretString::from),
        ..Options::new(data)
    };
    let server = Server::start(options).await.unwrap();
    println!("cardea listens on {}", server.local_url());
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if std::fs::remove_file(folder.join(COMPARE)).is_ok() {
            let told = difference(server.platform()).await;
            std::fs::write(folder.join(COMPARED), told).unwrap();
        }
    }
}

/// `level`, or what differs.
async fn difference(platform: &Platform) -> String {
    platform.node.poll().await.unwrap();
    let cells = platform.node.cells();
    let boot = platform.clock.boot();
    let export = async |stream| platform.store.export(stream).await.unwrap();
    let at = |head: store::Head| Revision {
        state: head.state_rev,
        authority: head.authority_rev,
    };
    let (head, changes) = export(Stream::INSTANCE).await;
    let fresh = Cells::new(&changes, at(head), boot, kernel::limits::STALENESS);
    if *fresh.instance() != *cells.instance() {
        return format!(
            "the instance: {:?} {:?}",
            fresh.instance(),
            cells.instance()
        );
    }
    for (stream, revision) in cells.loaded().revisions() {
        let Some(org) = stream.organization() else {
            continue;
        };
        let (head, changes) = export(stream).await;
        if revision != at(head) {
            return format!("{stream} is at {revision:?}, the store at {head:?}");
        }
        fresh.load(fresh.era(), org, &changes, revision, boot);
        let now = platform.clock.now();
        let (held, folded) = (cells.view(org, now).unwrap(), fresh.view(org, now).unwrap());
        if held.org != folded.org {
            return format!("{stream}: {:?} {:?}", held.org, folded.org);
        }
    }
    LEVEL.into()
}
