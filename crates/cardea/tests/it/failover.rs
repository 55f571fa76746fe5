//! A node that is cut off from its database, and a primary that is killed under load with its synchronous standby
//! promoted. Nobody permits what it cannot prove, nothing that was acknowledged is lost, nothing that was revoked comes
//! back, and everything goes on by itself.

use crate::{
    kill::{
        everything, settle,
        wire::{Log, Owner, Wire, prepare},
        worker::{Done, Worker},
    },
    program::Place,
    world::{Answer, World, start_server, text},
};
use cardea::server::{Options, Server};
use egress::Request;
use futures::future::join_all;
use kernel::{Clock, Micros, Monotonic, SecretString, ambient::SystemClock};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use testkit::{
    clock::SeededEntropy,
    postgres::{Cluster, Postgres},
    proxy::Proxy,
    tools::{Tool, require},
};

const AUDIENCE: &str = "https://orders.example";
const PAUSE: Duration = Duration::from_millis(20);
/// A view may be two seconds old; the rest is this machine's, which does many things at once.
const BOUND: Micros = Micros::new(2_300_000);

/// Two nodes of `acme` on one database; the second over a wire.
struct Pair {
    world: World,
    second: Server,
    wire: Proxy,
    _folder: tempfile::TempDir,
}

impl Pair {
    async fn start() -> Option<Self> {
        require(Tool::Postgres)?;
        let database = Postgres::shared().database();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let first = start_server(folder.path(), Some(&database)).await;
        let key = folder.path().join(cardea::data::INSTANCE_KEY);
        let world = World::of(first, crate::world::Engine::Postgres, folder).await;
        let address = database
            .split('@')
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        let wire = Proxy::to(address.parse().unwrap());
        let own = tempfile::tempdir().unwrap();
        let second = Server::start(Options {
            database_url: Some(SecretString::from(wire.url(&database))),
            instance_key: Some(key),
            ..Options::new(own.path())
        })
        .await
        .unwrap();
        Some(Self {
            world,
            second,
            wire,
            _folder: own,
        })
    }

    /// What the second node says of a token; nothing when it says that it cannot say.
    async fn judged(&self, token: &str) -> Option<bool> {
        let url = format!("{}/o/acme/oauth2/introspect", self.second_url());
        judged(&self.world.owner.api.token, &url, token).await
    }

    fn second_url(&self) -> String {
        format!("http://localhost:{}", self.second.address().port())
    }

    async fn ready(&self) -> Answer {
        let url = format!("{}/health/ready", self.second_url());
        let client = crate::world::client();
        client
            .send(Request::get(&url).unwrap())
            .await
            .unwrap()
            .into()
    }
}

async fn judged(by: &SecretString, url: &str, token: &str) -> Option<bool> {
    let request = Request::post(url)
        .unwrap()
        .form(&[("token", token)])
        .unwrap();
    let client = crate::world::client();
    let answer = Answer::from(client.send(request.bearer(by).unwrap()).await.unwrap());
    match answer.status {
        200 => answer.body["active"].as_bool(),
        _ => {
            assert_eq!(answer.status, 503, "{}", answer.response.text());
            None
        }
    }
}

fn now() -> Monotonic {
    SystemClock.boot()
}

/// Waits for an answer, `seconds` at most.
async fn until<T>(seconds: u32, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..seconds * 50 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{what}: not within {seconds} seconds");
}

/// Says for how long the node permitted what it could not know, and how soon it went on.
async fn cut_off(cut: impl Fn(&Proxy), seconds: u64) -> String {
    let Some(pair) = Pair::start().await else {
        return String::new();
    };
    let world = &pair.world;
    world.orders(AUDIENCE, 0).await;
    let reader = world.role("reader", &["orders:read"]).await;
    let given = json!({ "subject": world.owner.id, "role": reader });
    world.owner.api.post("/role-assignments", given).await.ok();
    let agent = world.agent(&world.owner, "bot", &["orders:read"]).await;
    let token = world.token(&agent, &[("resource", AUDIENCE)]).await.ok();
    let token = text(&token, "access_token");
    until(10, "the second node is level", async || {
        pair.judged(&token).await.filter(|active| *active)
    })
    .await;
    assert_eq!(pair.ready().await.status, 200);

    cut(&pair.wire);
    let began = now();
    world
        .owner
        .api
        .post(&format!("/agents/{}/revoke", agent.id), json!({}))
        .await
        .ok();
    let mut last = began;
    while now().since(began) < Micros::seconds(i64::try_from(seconds).unwrap()) {
        let asked = now();
        match pair.judged(&token).await {
            Some(true) => last = asked,
            Some(false) => panic!("it cannot know of the revocation"),
            None => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
    let permitted = last.since(began);
    assert!(permitted <= BOUND, "{permitted:?}");
    let ready = pair.ready().await;
    assert_eq!(ready.status, 503);
    assert!(
        !ready.body["lagging"].as_array().unwrap().is_empty(),
        "{}",
        ready.body
    );

    pair.wire.heal();
    let healed = now();
    let active = until(20, "it goes on", async || pair.judged(&token).await).await;
    let went_on = now().since(healed);
    assert!(!active, "it has not taken in what was revoked meanwhile");
    until(5, "it is ready", async || {
        (pair.ready().await.status == 200).then_some(())
    })
    .await;
    let (permitted, went_on) = (permitted.get() / 1_000, went_on.get() / 1_000);
    format!(
        "cut off, it permitted for {permitted} ms; it went on {went_on} ms after the wire was whole"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_12_a_node_that_is_reset_stops_permitting_and_goes_on_by_itself() {
    println!("{}", cut_off(Proxy::cut, 4).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_12_a_node_in_silence_stops_permitting_and_goes_on_by_itself() {
    println!("{}", cut_off(Proxy::silence, 4).await);
}

/// A server over a wire that leads to the primary, whoever that is, with clients of every kind.
struct Load {
    place: Place,
    owner: Owner,
    url: String,
    workers: Vec<Worker>,
    log: Log,
    acknowledged: u64,
}

impl Load {
    fn wire(&self) -> Wire {
        Wire {
            database_may_go: true,
            ..Wire::new(&self.url, &self.owner)
        }
    }

    /// Works until `end` is over, which may take the database away.
    async fn during(&mut self, end: impl Future<Output = ()>) {
        let stop = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = std::mem::take(&mut self.workers)
            .into_iter()
            .map(|worker| tokio::spawn(worker.work(self.wire(), stop.clone())))
            .collect();
        end.await;
        stop.store(true, Ordering::SeqCst);
        self.workers = join_all(load)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
    }

    /// Holds every acknowledgement against the server.
    async fn settle(&mut self) {
        let wire = self.wire();
        self.acknowledged += settle(&wire, &mut self.workers, &mut self.log).await;
    }

    /// Tokens that were revoked, and acknowledged to be.
    fn revoked(&self) -> Vec<String> {
        let done = self
            .workers
            .iter()
            .flat_map(|worker| worker.settled.iter().chain(&worker.acknowledged));
        done.filter_map(|done| match done {
            Done::TokenRevoked { token, .. } => Some(token.clone()),
            _ => None,
        })
        .collect()
    }

    /// Whether the server says of any of these that it is good.
    async fn accepted(&self, tokens: &[String]) -> bool {
        let url = format!("{}/o/acme/oauth2/introspect", self.url);
        for token in tokens {
            if judged(&self.owner.token, &url, token).await == Some(true) {
                return true;
            }
        }
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_11_a_promoted_standby_has_everything_and_its_old_primary_is_refused() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let mut cluster = tokio::task::spawn_blocking(Cluster::with_standby)
        .await
        .unwrap();
    let database = cluster.first.database();
    let name = database.rsplit('/').next().unwrap().to_owned();
    let line = Proxy::to(cluster.first.address());
    let folder = tempfile::tempdir().unwrap();
    let place = Place {
        data: folder.path().join("data"),
        database_url: Some(line.url(&database)),
    };
    let owner = Owner::of(&place.init());
    let serving = place.serve();
    let orders = prepare(&serving.url, &owner).await;
    let dice = SeededEntropy::new(0x5eed_0011);
    let mut load = Load {
        url: serving.url.clone(),
        workers: (0..8).map(|at| Worker::new(at, &orders, &dice)).collect(),
        log: Log::default(),
        acknowledged: 0,
        place,
        owner,
    };
    load.during(tokio::time::sleep(Duration::from_millis(1_500)))
        .await;
    load.settle().await;

    load.during(async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.first.kill();
    })
    .await;
    let killed = now();
    let revoked = load.revoked();
    assert!(!revoked.is_empty(), "nothing was revoked: this is no load");
    assert!(
        !load.accepted(&revoked).await,
        "a revoked token without a database"
    );
    cluster.second().promote();
    let promoted = now();
    line.aim(cluster.second().address());
    let body = json!({ "name": "after", "permissions": [], "scopes": [] });
    let wire = load.wire();
    until(20, "the new primary is written", async || {
        wire.post("/roles", &body, "after").await.ok()
    })
    .await;
    println!(
        "promotion took {} ms; the first write was acknowledged {} ms after it, {} ms after the kill",
        promoted.since(killed).get() / 1_000,
        now().since(promoted).get() / 1_000,
        now().since(killed).get() / 1_000,
    );
    let sent_again: usize = load.workers.iter().map(|worker| worker.pending.len()).sum();
    load.settle().await;
    assert!(
        !load.accepted(&revoked).await,
        "a revoked token at the new primary"
    );
    load.during(tokio::time::sleep(Duration::from_millis(700)))
        .await;
    load.settle().await;
    everything(&load.wire(), &load.workers).await;
    println!(
        "{} acknowledged writes, none lost; {sent_again} sent again, none doubled",
        load.acknowledged
    );

    // The old primary comes back with its own history, and the wire leads to it.
    let revoked = load.revoked();
    cluster.first.start();
    line.aim(cluster.first.address());
    line.reset();
    let url = format!("{}/health/ready", load.url);
    let ready = async || {
        let client = crate::world::client();
        Answer::from(client.send(Request::get(&url).unwrap()).await.unwrap())
    };
    until(10, "it is refused", async || {
        (ready().await.status == 503).then_some(())
    })
    .await;
    let asked = now();
    while now().since(asked) < Micros::seconds(2) {
        assert!(
            !load.accepted(&revoked).await,
            "the old primary brought a revoked token back"
        );
        assert_eq!(ready().await.status, 503, "the old primary was believed");
        tokio::time::sleep(PAUSE * 5).await;
    }
    line.aim(cluster.second().address());
    line.reset();
    serving.kill();
    let there = Place {
        database_url: Some(cluster.second().url(&name)),
        ..load.place.clone()
    };
    there.run(&["audit", "verify", "--deep"]).with(0);
}
