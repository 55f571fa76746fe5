//! The steps about many: an agent with a tree of runs and a thousand tokens in them, and the one revocation that
//! kills them all. What is claimed of all is counted; what is alive is asked of a sample.

use super::{
    super::{
        player::{Told, expect, secret, text},
        story::Play,
    },
    introspect,
};
use egress::{Client, Request};
use http::Method;
use kernel::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CHILDREN: usize = 3;
const AT_ONCE: usize = 16;
const SAMPLE: usize = 40;
/// How many of the calls that make the tree are told.
const SHOWN: usize = 3;

/// The owner's agent and what it holds.
#[derive(Default)]
pub(in super::super) struct Fleet {
    id: String,
    secret: SecretString,
    root: String,
    runs: Vec<String>,
    run_tokens: usize,
    tokens: Vec<SecretString>,
}

pub(in super::super) async fn tree(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let wanted = json!({
        "name": "night shift", "owner": play.stage.owner, "connections": [play.people.connection], "scope_ceiling": ["orders:read"],
        "auth": { "method": "client_secret" },
    });
    let made = play.player.post(&owner, "/agents", wanted).await?;
    play.fleet.id = text(&made, "client_id")?;
    play.fleet.secret = secret(&made, "client_secret")?;
    let (root, root_token) = start(play, &owner).await?;
    play.fleet.root = root;
    for _ in 0..CHILDREN {
        let (_, child_token) = start(play, &root_token).await?;
        for _ in 0..CHILDREN {
            start(play, &child_token).await?;
        }
    }
    let shown = play.player.take_curls().into_iter().take(SHOWN);
    play.player.keep_curls(shown);
    first(play).await?;
    collect(play).await?;
    let alive = sample(play).await?;
    expect(alive == SAMPLE.min(play.fleet.tokens.len()), || {
        format!("only {alive} of a sample are alive")
    })?;
    let (runs, tokens) = (play.fleet.runs.len(), play.fleet.tokens.len());
    Ok(format!(
        "{runs} runs under {}, {tokens} capability tokens, all of a sample alive",
        play.fleet.root
    ))
}

/// Starts a run below the one whose token is presented.
async fn start(play: &mut Play, bearer: &SecretString) -> Told<(String, SecretString)> {
    let wanted = json!({ "agent": play.fleet.id, "purpose": "count the stock", "scopes": ["orders:read"], "deadline_seconds": 3600 });
    let run = play.player.post(bearer, "/runs", wanted).await?;
    let id = text(&run, "id")?;
    play.fleet.runs.push(id.clone());
    play.fleet.run_tokens += 1;
    Ok((id, secret(&run, "run_token")?))
}

/// Collects the first token, for all to hear.
async fn first(play: &mut Play) -> Told<()> {
    let fields = ask(play, &play.fleet.root);
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = play
        .player
        .form("/oauth2/token", None, &fields)
        .await?
        .ok()?;
    play.fleet.tokens.push(secret(&answer, "access_token")?);
    Ok(())
}

/// Collects the other tokens, several at once, in turn over the runs.
async fn collect(play: &mut Play) -> Told<()> {
    let wanted = play.stage.tokens.saturating_sub(play.fleet.tokens.len());
    let mut hands = JoinSet::new();
    for hand in 0..AT_ONCE {
        let runs = play.fleet.runs.iter().cycle().skip(hand).step_by(AT_ONCE);
        let share = wanted / AT_ONCE + usize::from(hand < wanted % AT_ONCE);
        let asks: Vec<Vec<(&'static str, String)>> =
            runs.take(share).map(|run| ask(play, run)).collect();
        let (client, address) = (
            play.player.client().clone(),
            format!("{}/oauth2/token", play.player.issuer()),
        );
        hands.spawn(async move { gather(&client, &address, asks).await });
    }
    while let Some(gathered) = hands.join_next().await {
        play.fleet
            .tokens
            .extend(gathered.map_err(|error| error.to_string())??);
    }
    let (have, want) = (play.fleet.tokens.len(), play.stage.tokens);
    expect(have == want, || {
        format!("there are {have} tokens and not {want}")
    })
}

fn ask(play: &Play, run: &str) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "client_credentials".into()),
        ("client_id", play.fleet.id.clone()),
        (
            "client_secret",
            play.fleet.secret.expose_secret().to_owned(),
        ),
        ("resource", play.downstream.url.clone()),
        ("run_id", run.to_owned()),
    ]
}

async fn gather(
    client: &Client,
    address: &str,
    asks: Vec<Vec<(&'static str, String)>>,
) -> Told<Vec<SecretString>> {
    let mut tokens = Vec::with_capacity(asks.len());
    for fields in asks {
        let request = Request::post(address)
            .and_then(|request| request.form(&fields))
            .map_err(|error| error.to_string())?;
        let answer = client
            .send(request)
            .await
            .map_err(|error| error.to_string())?;
        tokens.push(secret(
            &answer.json::<Value>().map_err(|error| error.to_string())?,
            "access_token",
        )?);
    }
    Ok(tokens)
}

/// How many of a sample, spread over all, are alive.
async fn sample(play: &mut Play) -> Told<usize> {
    let told = play.player.take_curls();
    let every = (play.fleet.tokens.len() / SAMPLE).max(1);
    let chosen: Vec<SecretString> = play
        .fleet
        .tokens
        .iter()
        .step_by(every)
        .take(SAMPLE)
        .cloned()
        .collect();
    let mut alive = 0;
    for token in &chosen {
        let answer = introspect(play, token).await?;
        alive += usize::from(answer.get("active") == Some(&Value::Bool(true)));
    }
    let one = play.player.take_curls().into_iter().take(1);
    play.player.keep_curls(told.into_iter().chain(one));
    Ok(alive)
}

pub(in super::super) async fn revoked(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let path = format!("/runs/{}/terminate", play.fleet.root);
    let answer = play
        .player
        .api(&owner, Method::POST, &path, Some(json!({})))
        .await?
        .ok()?;
    let count = |name: &str| {
        answer
            .pointer(&format!("/cascaded/{name}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let (tokens, runs) = (count("tokens"), count("runs"));
    let issued = play.fleet.tokens.len() + play.fleet.run_tokens;
    let all =
        usize::try_from(tokens) == Ok(issued) && usize::try_from(runs) == Ok(play.fleet.runs.len());
    expect(all, || {
        format!(
            "{tokens} tokens and {runs} runs were revoked, of {issued} and {}",
            play.fleet.runs.len()
        )
    })?;
    let alive = sample(play).await?;
    expect(alive == 0, || format!("{alive} of a sample are alive"))?;
    Ok(format!(
        "{tokens} tokens and {runs} runs ended by one write; none of a sample is alive"
    ))
}
