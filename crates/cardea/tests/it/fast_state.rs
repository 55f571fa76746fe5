//! Shared counts over a real Redis: nodes count together, and its loss, its hanging and its being emptied cost
//! strictness and never grant anything (REL-11, REL-18, REL-25, NEG G12).

use crate::{
    program::{Place, cardea},
    world::{Answer, Api, Engine, World, client, text},
};
use cardea::server::{Options, Server};
use egress::Request;
use kernel::{Clock, Monotonic, SecretString, ambient::SystemClock};
use serde_json::{Value, json};
use service::gate::{Class, Gate, TooMany};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use testkit::{
    certificates::Authority,
    postgres::Postgres,
    redis::Redis,
    tools::{Tool, require},
};

async fn server(redis: &Redis, folder: &Path, database_url: Option<&str>) -> Server {
    let options = Options {
        redis_url: Some(SecretString::from(redis.url())),
        database_url: database_url.map(SecretString::from),
        ..Options::new(folder)
    };
    Server::start(options).await.unwrap()
}

async fn world(redis: &Redis) -> World {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let server = server(redis, folder.path(), None).await;
    World::of(server, Engine::Sqlite, folder).await
}

async fn quota(world: &World, requests_per_second: u64) {
    let body = json!({ "requests_per_second": requests_per_second });
    let put = world
        .owner
        .api
        .send("PUT", "!/api/v1/quotas/acme", Some(&body), &[]);
    put.await.ok();
}

/// Whether it was let in; else it was told the quota.
fn is_in(answer: &Answer) -> bool {
    if answer.status == 200 {
        return true;
    }
    assert_eq!(answer.refused(429), "organization_busy");
    assert_eq!(answer.body["limit"]["name"], "quota_requests_per_second");
    false
}

/// How many of so many requests got in, one after the other.
async fn asked(api: &Api, times: usize) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        passed += usize::from(is_in(&api.get("/users?limit=1").await));
    }
    passed
}

async fn metric(world: &World, name: &str) -> f64 {
    let page = world.get("/metrics").await.response.text();
    let line = page.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn counts(url: &str) -> String {
    let request = Request::get(&format!("{url}/health/ready")).unwrap();
    let body: Value = client().send(request).await.unwrap().json().unwrap();
    assert_eq!(
        body["status"], "ready",
        "the loss of counts stops no request"
    );
    text(&body, "counts")
}

/// Waits until readiness says so.
async fn becomes(url: &str, wanted: &str) {
    for _ in 0..200 {
        if counts(url).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("counts are {}", counts(url).await);
}

/// Asks again and again from four tasks until told to stop; counts what was refused and how long each waited.
struct Load {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    tasks: tokio::task::JoinSet<Vec<Duration>>,
}

impl Load {
    fn on(api: &Api) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            refused: Arc::default(),
            answered: Arc::default(),
            tasks: tokio::task::JoinSet::new(),
        };
        for _ in 0..4 {
            let (api, stop) = (api.clone(), load.stop.clone());
            let (refused, answered) = (load.refused.clone(), load.answered.clone());
            load.tasks.spawn(async move {
                let mut waits = Vec::new();
                while !stop.load(SeqCst) {
                    let began = SystemClock.boot();
                    let status = api.get("/users?limit=1").await.status;
                    let took = SystemClock.boot().since(began).get().unsigned_abs();
                    waits.push(Duration::from_micros(took));
                    answered.fetch_add(1, SeqCst);
                    refused.fetch_add(usize::from(status != 200), SeqCst);
                }
                waits
            });
        }
        load
    }

    /// How many were answered, how many of them refused, and how long they waited, the longest last.
    async fn ended(self) -> (usize, usize, Vec<Duration>) {
        self.stop.store(true, SeqCst);
        let mut waits = self.tasks.join_all().await.concat();
        waits.sort();
        let (answered, refused) = (self.answered.load(SeqCst), self.refused.load(SeqCst));
        (answered, refused, waits)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_8_a_limit_reached_on_one_node_is_seen_on_the_other() {
    if require(Tool::Redis).is_none() || require(Tool::Postgres).is_none() {
        return;
    }
    let (redis, database) = (Redis::start(), Postgres::shared().database());
    let home = Arc::new(tempfile::tempdir().unwrap());
    let first = server(&redis, home.path(), Some(&database)).await;
    let world = World::of(first, Engine::Postgres, home).await;
    let folder = tempfile::tempdir().unwrap();
    let key = world.server.data().file("instance.key");
    std::fs::copy(key, folder.path().join("instance.key")).unwrap();
    let second = server(&redis, folder.path(), Some(&database)).await;
    let url = format!("http://localhost:{}", second.address().port());
    let beyond = Api::new(&url, "acme", world.owner.api.token.clone());
    assert_eq!(counts(&world.url).await, "shared");
    assert_eq!(counts(&url).await, "shared");
    quota(&world, 5).await;
    let mut seen = 0;
    for _ in 0..20 {
        // The refusal comes a quarter of a second late, within the second that the count lives.
        while asked(&world.owner.api, 1).await == 1 {}
        seen += usize::from(asked(&beyond, 1).await == 0);
    }
    assert!(seen >= 5, "{seen} of 20");
    assert!(
        asked(&beyond, 10).await > 0,
        "another second, another share"
    );
    second.shutdown().await;
}

/// REL-11, REL-25: killed under load, nothing is refused for it; readiness and metrics say so; it is found again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_g12_redis_killed_under_load_costs_no_request_and_grants_nothing() {
    if require(Tool::Redis).is_none() {
        return;
    }
    let mut redis = Redis::start();
    let world = world(&redis).await;
    let agent = world.agent(&world.owner, "bot", &[]).await;
    let wrong = [
        ("grant_type", "client_credentials"),
        ("client_id", agent.id.as_str()),
        ("client_secret", "cda_wrong"),
    ];
    let issuer = format!("{}/o/acme", world.url);
    quota(&world, 1_000_000).await;
    let open = "cardea_breaker_open{of=\"fast_state\"}";
    assert_eq!(metric(&world, open).await, 0.0);

    let load = Load::on(&world.owner.api);
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.kill();
    becomes(&world.url, "alone").await;
    assert_eq!(metric(&world, open).await, 1.0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(metric(&world, "cardea_fast_state_lost_total").await > 0.0);
    assert_eq!(world.form("/o/acme/oauth2/token", &wrong).await.status, 401);
    let issued = world.token(&agent, &[("resource", &issuer)]).await.ok();
    assert_eq!(text(&issued, "token_type"), "Bearer");
    redis.restart();
    becomes(&world.url, "shared").await;
    let (answered, refused, _) = load.ended().await;
    assert!(answered > 20 && refused == 0, "{refused} of {answered}");

    // It was emptied too: what was wrong stays wrong, what was revoked stays revoked.
    assert_eq!(world.form("/o/acme/oauth2/token", &wrong).await.status, 401);
    let path = format!("/agents/{}/revoke", agent.id);
    world.owner.api.post(&path, json!({})).await.ok();
    assert_eq!(redis.ask(&["flushall"]).trim(), "OK");
    let issued = text(&issued, "access_token");
    assert_eq!(world.introspect(&issued).await["active"], false);
    redis.kill();
    assert_eq!(world.introspect(&issued).await["active"], false);

    // Alone it allows half of what is allowed together.
    becomes(&world.url, "alone").await;
    quota(&world, 8).await;
    let began = SystemClock.boot();
    let passed = asked(&world.owner.api, 12).await;
    let seconds = SystemClock.boot().since(began).as_seconds().unsigned_abs();
    let most = usize::try_from((seconds + 2) * 4).unwrap();
    assert!((1..=most).contains(&passed), "{passed} in {seconds} s");
}

/// A Redis that hangs delays nobody by more than the documented fifty milliseconds, and a refusal stays one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_25_redis_that_hangs_delays_nobody_and_turns_no_refusal_around() {
    if require(Tool::Redis).is_none() {
        return;
    }
    let redis = Redis::start();
    let world = world(&redis).await;
    let revoked = revoked(&world).await;
    quota(&world, 20_000).await;
    let load = Load::on(&world.owner.api);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (_, refused, usual) = load.ended().await;
    assert_eq!(refused, 0);
    let load = Load::on(&world.owner.api);
    redis.pause();
    becomes(&world.url, "alone").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (answered, refused, waits) = load.ended().await;
    let at = |waits: &[Duration], percent: usize| waits[(waits.len() - 1) * percent / 100];
    println!(
        "p99 {:?} and at most {:?}; before {:?} and {:?}",
        at(&waits, 99),
        at(&waits, 100),
        at(&usual, 99),
        at(&usual, 100)
    );
    // The machine may be busy with other tests; a request that waited for Redis would wait for ever.
    let bound = at(&usual, 99) + Duration::from_millis(50 + 50);
    assert!(at(&waits, 99) < bound, "{:?}", at(&waits, 99));
    assert!(at(&waits, 100) < Duration::from_secs(1));
    assert!(answered > 20 && refused == 0, "{refused} of {answered}");
    quota(&world, 1).await;
    let refused = 6 - asked(&world.owner.api, 6).await;
    assert!(refused >= 2, "{refused}");
    quota(&world, 1_000).await;
    assert_eq!(world.introspect(&revoked).await["active"], false);
    redis.resume();
    becomes(&world.url, "shared").await;
}

/// A token of an agent that is revoked since.
async fn revoked(world: &World) -> String {
    let agent = world.agent(&world.owner, "gone", &[]).await;
    let issuer = format!("{}/o/acme", world.url);
    let issued = world.token(&agent, &[("resource", &issuer)]).await.ok();
    let path = format!("/agents/{}/revoke", agent.id);
    world.owner.api.post(&path, json!({})).await.ok();
    text(&issued, "access_token")
}

fn organization(id: kernel::Id<kernel::Org>, most: Option<u64>) -> domain::OrganizationCore {
    domain::OrganizationCore {
        id,
        slug: "acme".into(),
        issuer: "https://id.example/o/acme".into(),
        state: domain::OrganizationState::Active,
        parent: None,
        quotas: domain::Quotas {
            requests_per_second: most,
            ..domain::Quotas::default()
        },
    }
}

/// Two gates as two nodes have them, and a fast state each.
async fn gates(redis: &Redis) -> Vec<(Arc<Gate>, Arc<egress::Guarded>)> {
    let mut gates = Vec::new();
    for _ in 0..2 {
        let url = SecretString::from(redis.url());
        let fast = Arc::new(egress::Guarded::new(Arc::new(
            egress::Redis::new(&url).unwrap(),
        )));
        fast.renew().await.unwrap();
        let keyring = service::sealing::Keyring::new(&[7; 32]).unwrap();
        let gate = Gate::default().sharing(fast.clone(), keyring.sources());
        gates.push((Arc::new(gate), fast));
    }
    gates
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_8_a_race_at_the_limit_passes_exactly_the_quota_and_alone_each_has_half() {
    if require(Tool::Redis).is_none() {
        return;
    }
    let mut redis = Redis::start();
    let gates = gates(&redis).await;
    let id = kernel::Id::from_bytes([7; 16]);
    // The moment stands still: everything happens in one second of the gates.
    let now = SystemClock.boot();
    let race = async |now: Monotonic| {
        let mut tasks = tokio::task::JoinSet::new();
        for (gate, _) in gates.iter().cycle().take(300) {
            let (gate, org) = (gate.clone(), organization(id, Some(100)));
            tasks.spawn(async move { gate.within(Class::Token, &org, now).await.is_ok() });
        }
        let passed = tasks.join_all().await;
        passed.into_iter().filter(|passed| *passed).count()
    };
    assert_eq!(race(now).await, 100, "together");
    let kept = redis.ask(&["keys", "*"]);
    let names: Vec<&str> = kept.lines().collect();
    let own = format!("cardea:rate:{id}");
    assert!(names.contains(&own.as_str()) && names.len() <= 2, "{kept}");
    let left: i64 = redis.ask(&["pttl", &own]).trim().parse().unwrap();
    assert!((1..=1_000).contains(&left), "{left}");
    redis.kill();
    let later = Monotonic::from_micros(now.micros() + 1_000_000);
    assert_eq!(race(later).await, 100, "fifty each");
    let (gate, org) = (&gates[0].0, organization(id, Some(100)));
    assert!(
        gate.within(Class::Revocation, &org, later).await.is_ok(),
        "what takes authority away is never refused by a quota"
    );
}

/// Failures of one address are known to every node; what is kept of it is a digest that ends within a minute, and
/// addresses that fail now and then are not kept at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_counted_together_and_fill_nothing() {
    if require(Tool::Redis).is_none() {
        return;
    }
    let redis = Redis::start();
    let gates = gates(&redis).await;
    let org = Some(kernel::Id::from_bytes([7; 16]));
    let now = SystemClock.boot();
    let tickets: Vec<_> = gates
        .iter()
        .map(|(gate, _)| gate.admit(Class::Token, org, now).unwrap())
        .collect();
    for n in 0..50_000_u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + n % 9_000);
        tickets[0].failed(Some(source.into()), now);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let kept = redis.ask(&["keys", "cardea:failed:*"]);
    let kept = kept.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(kept, 0, "nine thousand sources with five failures each");
    let source = Some("192.0.2.1".parse().unwrap());
    for ticket in &tickets {
        for _ in 0..3_500 {
            ticket.failed(source, now);
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The first has 3,500 of its own and is told of the others' with its next hundred.
    for _ in 0..150 {
        tickets[0].failed(source, now);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let of_source = Some(TooMany::OfSource);
    assert_eq!(tickets[0].failed(source, now), of_source);
    assert_eq!(tickets[1].failed(source, now), of_source);
    let other = Some("192.0.2.2".parse().unwrap());
    assert_ne!(tickets[1].failed(other, now), of_source);
    let kept = redis.ask(&["keys", "cardea:failed:*"]);
    let names: Vec<&str> = kept.lines().collect();
    assert_eq!(names.len(), 1, "{kept}");
    let digest = names[0].trim_start_matches("cardea:failed:");
    assert!(digest.len() == 32 && digest.bytes().all(|c| c.is_ascii_hexdigit()));
    let left: i64 = redis.ask(&["pttl", names[0]]).trim().parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    // A name that lost its end, or got a later one by a clock that was set back, gets it again.
    for spoilt in [
        &["persist", names[0]][..],
        &["pexpire", names[0], "9000000"],
    ] {
        redis.ask(spoilt);
        gates[1]
            .1
            .add(
                names[0].trim_start_matches("cardea:"),
                1,
                Duration::from_secs(60),
            )
            .await
            .unwrap();
        let left: i64 = redis.ask(&["pttl", names[0]]).trim().parse().unwrap();
        assert!((1..=60_000).contains(&left), "{left}");
    }
}

/// What `doctor` says of the shared counts at this address, and whether all is well.
fn doctor(place: &Place, url: &str, roots: Option<&Path>) -> (bool, String) {
    let mut command = cardea();
    command
        .args(["doctor", "--output", "json", "--redis-url", url])
        .args(place.flags());
    if let Some(roots) = roots {
        command.env("SSL_CERT_FILE", roots);
    }
    let ended = crate::program::Ended::of(&mut command);
    assert!(!ended.said().contains("hunter2"), "{}", ended.said());
    let parts = ended.json()["parts"].as_array().unwrap().clone();
    let part = parts.iter().find(|part| part["name"] == "shared counts");
    let part = part.unwrap();
    assert_eq!(part["state"] == "ok", ended.code == 0, "{}", ended.said());
    (part["state"] == "ok", text(part, "text"))
}

/// Answers everybody as a web server does.
fn stranger() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _read = socket.read(&mut [0; 1024]);
            let _written = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    port
}

#[test]
fn a_redis_that_cannot_count_is_told_with_the_field_and_the_remedy() {
    if require(Tool::Redis).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(&folder.path().join("data"));
    place.init();
    let open = Redis::start();
    let guarded = Redis::start_with(&["--requirepass", "hunter2"]);
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", "1"]);
    let full = Redis::start_with(&["--maxmemory", "1"]);
    let (of, other) = (Authority::new(), Authority::new());
    let encrypted = Redis::start_encrypted(&of.issue(&["localhost"]));
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, of.certificate()).unwrap();
    let strange = folder.path().join("strange.pem");
    std::fs::write(&strange, other.certificate()).unwrap();
    let at = |scheme: &str, user: &str, port: u16| format!("{scheme}://{user}localhost:{port}");
    let well = [
        (open.url(), None),
        (at("redis", ":hunter2@", guarded.port()), None),
        (encrypted.url(), Some(roots.as_path())),
    ];
    for (url, roots) in well {
        let (well, said) = doctor(&place, &url, roots);
        assert!(well, "{url}: {said}");
    }
    let wrong = [
        (at("redis", ":hunter2x@", guarded.port()), None, "password"),
        (guarded.url(), None, "password"),
        (at("redis", "", stranger()), None, "protocol"),
        (at("redis", "", 1), None, "cannot be reached"),
        (replica.url(), None, "name the primary"),
        (full.url(), None, "more memory"),
        (at("redis", "", encrypted.port()), None, "`rediss://`"),
        (
            encrypted.url(),
            Some(strange.as_path()),
            "cannot be reached",
        ),
        (at("rediss", "", open.port()), None, "in time"),
        ("redis://cache.example.com".into(), None, "use `rediss://`"),
        ("hunter2".into(), None, "is not an address"),
    ];
    for (url, roots, remedy) in &wrong {
        let (well, said) = doctor(&place, url, *roots);
        let told = said.contains(remedy) && said.contains("`--redis-url`");
        assert!(!well && told, "{url}: {said}");
    }
    // A server starts without its counts and says why; with an address that is none it does not.
    let url = at("redis", ":hunter2x@", guarded.port());
    let mut command = cardea();
    command.env("CARDEA_REDIS_URL", &url);
    let serving = place.serve_by(command);
    let said = std::fs::read_to_string(place.data.with_extension("err")).unwrap();
    assert!(
        said.contains("password") && !said.contains("hunter2"),
        "{said}"
    );
    assert_eq!(serving.stop(), 0);
    let refused = place.run(&["serve", "--listen", "127.0.0.1:0", "--redis-url", "hunter2"]);
    assert!(refused.code != 0 && refused.err.contains("`--redis-url`"));
    assert!(!refused.said().contains("hunter2"), "{}", refused.said());
}

/// An in-process count is far below a microsecond. The figure is printed; the bound is for a debug build on a busy
/// machine.
#[tokio::test]
async fn a_count_in_process_costs_next_to_nothing() {
    let gate = Arc::new(Gate::default());
    let now = SystemClock.boot();
    let id = kernel::Id::from_bytes([7; 16]);
    let each = async |most: Option<u64>| {
        let org = organization(id, most);
        let (rounds, began) = (200_000_u32, SystemClock.boot());
        for _ in 0..rounds {
            gate.within(Class::Token, &org, now).await.unwrap();
        }
        let took = SystemClock.boot().since(began);
        Duration::from_micros(took.get().unsigned_abs()) / rounds
    };
    let (without, with) = (each(None).await, each(Some(1_000_000)).await);
    println!("without a quota {without:?}, with one {with:?} a request");
    assert!(with < Duration::from_micros(2), "{with:?}");
}
