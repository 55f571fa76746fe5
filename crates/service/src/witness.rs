//! Witnesses: places outside the operator's reach that are given every checkpoint of the instance, so that a log that
//! was rewritten or cut can be held against what they keep. A witness that fails stops nothing: it is tried again
//! with growing pauses, and one that fell too far behind is given a checkpoint over every log.

use egress::{Client, ClientOptions};
use kernel::{Clock, Timestamp};
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinSet,
};

/// Checkpoints that may wait for one witness.
const WAITING: usize = 256;
/// The pause after a first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause: while it lasts the witness is left alone.
const LONGEST: Duration = Duration::from_secs(60);

/// Where checkpoints go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// A file that is only appended to: a JSON object with the member `checkpoint` a line.
    pub file: Option<PathBuf>,
    /// An address that is posted `{"checkpoint": …}`, and answers with a success when it has kept it.
    pub url: Option<String>,
}

/// The witnesses of a running server.
#[derive(Default)]
pub struct Witnesses {
    ends: Vec<End>,
}

struct End {
    queue: Sender<Arc<str>>,
    standing: Arc<Standing>,
}

/// How a witness does.
struct Standing {
    name: &'static str,
    state: Mutex<(Option<Timestamp>, u64)>,
}

impl Witnesses {
    /// Starts them.
    ///
    /// # Errors
    /// When outbound requests cannot be made at all.
    pub fn start(
        config: &Config,
        clock: &Arc<dyn Clock>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, egress::Error> {
        let mut ends = Vec::new();
        let mut start = |name, place| {
            let (queue, notes) = channel(WAITING);
            let standing = Arc::new(Standing {
                name,
                state: Mutex::default(),
            });
            tasks.spawn(serve(place, notes, standing.clone(), clock.clone()));
            ends.push(End { queue, standing });
        };
        if let Some(path) = config.file.clone() {
            start("file", Place::File(path));
        }
        if let Some(url) = config.url.clone() {
            let client = Client::operator(ClientOptions {
                timeout: Duration::from_secs(10),
                max_bytes: 64 << 10,
                ..ClientOptions::default()
            })?;
            start("url", Place::Url(client, url));
        }
        Ok(Self { ends })
    }

    /// Hands a checkpoint to every witness. False when one could not take it: then the next must cover everything.
    pub fn offer(&self, note: &str) -> bool {
        let note: Arc<str> = note.into();
        let taken = self.ends.iter().map(|end| end.queue.try_send(note.clone()));
        taken.filter(Result::is_err).count() == 0
    }

    /// How each does, in words.
    pub fn standing(&self) -> Vec<String> {
        self.ends.iter().map(|end| end.standing.said()).collect()
    }
}

impl Standing {
    fn told(&self, outcome: Result<Timestamp, ()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(at) => {
                *state = (Some(at), 0);
                let seconds = u32::try_from(at.seconds()).unwrap_or(u32::MAX);
                metrics::gauge!("cardea_witness_last_success_seconds", "witness" => self.name)
                    .set(f64::from(seconds));
            }
            Err(()) => {
                state.1 += 1;
                metrics::counter!("cardea_witness_failures_total", "witness" => self.name)
                    .increment(1);
            }
        }
    }

    fn said(&self) -> String {
        let (last, failures) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let name = self.name;
        match failures {
            0 => format!("{name}: last success {last}"),
            failures => format!("{name}: failed {failures} times, last success {last}"),
        }
    }
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Url(Client, String),
}

impl Place {
    async fn take(&self, note: &str) -> Result<(), String> {
        let told = json!({ "checkpoint": note });
        match self {
            Self::File(path) => {
                let (path, line) = (path.clone(), format!("{told}\n"));
                let append = tokio::task::spawn_blocking(move || append(&path, &line));
                let done = append.await.map_err(|error| error.to_string())?;
                done.map_err(|error| error.to_string())
            }
            Self::Url(client, url) => match client.post_json(url, &told).await {
                Ok(answer) if answer.is_success() => Ok(()),
                Ok(answer) => Err(format!("the witness answered {}", answer.status)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// Gives a witness one checkpoint after the other, each until it has taken it.
async fn serve(
    place: Place,
    mut notes: Receiver<Arc<str>>,
    standing: Arc<Standing>,
    clock: Arc<dyn Clock>,
) {
    while let Some(note) = notes.recv().await {
        let mut pause = FIRST;
        while let Err(error) = place.take(&note).await {
            standing.told(Err(()));
            tracing::warn!(witness = standing.name, %error, "a checkpoint was not witnessed; it is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
        standing.told(Ok(clock.now()));
    }
}
