//! Witnesses: places outside the operator's reach that are given every checkpoint of the instance, so that a log that
//! was rewritten or cut can be held against what they keep. A witness that fails stops nothing: it is tried again
//! with growing pauses, and one that fell too far behind is given a checkpoint over every log.

use egress::{Client, ClientOptions};
use kernel::{Clock, Timestamp, limits};
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
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
/// How long the end of the process waits for witnesses, and how often it looks.
const PARTING: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);
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
    /// Whether it was not given a checkpoint that the others were.
    missed: AtomicBool,
    standing: Arc<Standing>,
}

/// How a witness does.
struct Standing {
    name: &'static str,
    /// Bytes that wait for it, or are on their way.
    waiting: AtomicUsize,
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
                waiting: AtomicUsize::new(0),
                state: Mutex::default(),
            });
            tasks.spawn(serve(place, notes, standing.clone(), clock.clone()));
            let missed = AtomicBool::new(false);
            ends.push(End {
                queue,
                missed,
                standing,
            });
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

    /// Hands a checkpoint to every witness that is not too far behind; `whole` when it covers every log.
    pub fn offer(&self, note: &str, whole: bool) {
        let note: Arc<str> = note.into();
        for end in &self.ends {
            let taken = end.offer(&note);
            if whole || !taken {
                end.missed.store(!taken, Ordering::Relaxed);
            }
        }
    }

    /// Whether a witness that was too far behind has caught up, so that the next checkpoint must cover every log.
    /// While it is away nothing is signed for it: such checkpoints are large and kept for ever.
    pub fn lack(&self) -> bool {
        let back = |end: &End| end.missed.load(Ordering::Relaxed) && end.waiting() == 0;
        self.ends.iter().any(back)
    }

    /// Hands over a last checkpoint and waits, not for long, until each has what it was given.
    pub async fn finish(&self, note: &str) {
        self.offer(note, true);
        let all = async {
            while self.ends.iter().any(|end| end.waiting() > 0) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PARTING, all).await.is_err() {
            tracing::warn!(
                "a witness was not given the last checkpoint; the next start covers every log"
            );
        }
    }

    /// How each does, in words.
    pub fn standing(&self) -> Vec<String> {
        self.ends.iter().map(|end| end.standing.said()).collect()
    }
}

impl End {
    fn waiting(&self) -> usize {
        self.standing.waiting.load(Ordering::Relaxed)
    }

    /// Whether there was room for it. One alone always has room.
    fn offer(&self, note: &Arc<str>) -> bool {
        let waiting = self.waiting();
        if waiting > 0 && waiting + note.len() > limits::WITNESS_BEHIND_BYTES {
            return false;
        }
        self.standing
            .waiting
            .fetch_add(note.len(), Ordering::Relaxed);
        let sent = self.queue.try_send(note.clone()).is_ok();
        if !sent {
            self.standing.took(note);
        }
        sent
    }
}

impl Standing {
    fn took(&self, note: &str) {
        self.waiting.fetch_sub(note.len(), Ordering::Relaxed);
    }

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
    /// `torn` when the file may end within a line.
    async fn take(&self, note: &str, torn: bool) -> Result<(), String> {
        let told = json!({ "checkpoint": note });
        match self {
            Self::File(path) => {
                let start = if torn { "\n" } else { "" };
                let (path, line) = (path.clone(), format!("{start}{told}\n"));
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
    let mut torn = true;
    while let Some(note) = notes.recv().await {
        let mut pause = FIRST;
        while let Err(error) = place.take(&note, torn).await {
            torn = true;
            standing.told(Err(()));
            tracing::warn!(witness = standing.name, %error, "a checkpoint was not witnessed; it is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
        torn = false;
        standing.told(Ok(clock.now()));
        standing.took(&note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A witness that takes nothing by itself.
    fn silent() -> (Witnesses, Receiver<Arc<str>>) {
        let (queue, notes) = channel(WAITING);
        let standing = Arc::new(Standing {
            name: "silent",
            waiting: AtomicUsize::new(0),
            state: Mutex::default(),
        });
        let end = End {
            queue,
            missed: AtomicBool::new(false),
            standing,
        };
        (Witnesses { ends: vec![end] }, notes)
    }

    #[test]
    fn one_that_is_away_costs_so_much_memory_and_is_given_every_log_once_it_is_back() {
        let (witnesses, mut notes) = silent();
        let standing = witnesses.ends[0].standing.clone();
        let large = "x".repeat(limits::WITNESS_BEHIND_BYTES / 4 + 1);
        for _ in 0..9 {
            witnesses.offer(&large, false);
            assert!(standing.waiting.load(Ordering::Relaxed) <= limits::WITNESS_BEHIND_BYTES);
            assert!(
                !witnesses.lack(),
                "nothing large is signed while it is away"
            );
        }
        let mut taken = 0;
        while let Ok(note) = notes.try_recv() {
            standing.took(&note);
            taken += 1;
        }
        assert_eq!(taken, 3);
        assert!(witnesses.lack());
        witnesses.offer("small", false);
        assert!(!witnesses.lack(), "it has not taken that one yet");
        standing.took(&notes.try_recv().unwrap());
        assert!(witnesses.lack(), "one over a few logs is not what it lacks");
        let over_all = "x".repeat(limits::WITNESS_BEHIND_BYTES * 2);
        witnesses.offer(&over_all, true);
        standing.took(&notes.try_recv().unwrap());
        assert!(!witnesses.lack());
    }

    #[test]
    fn many_small_ones_fill_the_queue_and_no_more() {
        let (witnesses, mut notes) = silent();
        for _ in 0..WAITING + 10 {
            witnesses.offer("note", false);
        }
        assert_eq!(witnesses.ends[0].waiting(), WAITING * "note".len());
        while let Ok(note) = notes.try_recv() {
            witnesses.ends[0].standing.took(&note);
        }
        assert!(witnesses.lack());
    }
}
