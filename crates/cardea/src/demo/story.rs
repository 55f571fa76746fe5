//! The story, as a list of steps that play against any server by HTTP alone. A step holds or the story ends there,
//! for what follows builds on it.

use super::{
    acts,
    downstream::Downstream,
    player::{Player, Told},
};
use egress::{Client, ClientOptions};
use kernel::{Clock, SecretString};
use std::sync::Arc;

/// Where the story plays and who tells it.
#[derive(Clone)]
pub struct Stage {
    /// The server.
    pub base_url: String,
    /// The organization's slug.
    pub org: String,
    /// The owner's id.
    pub owner: String,
    /// A bootstrap token of the owner.
    pub token: SecretString,
    /// The time by which the downstream API judges tokens.
    pub clock: Arc<dyn Clock>,
    /// How many tokens one revocation kills in the last step.
    pub tokens: usize,
}

/// What became of a step.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    /// The step.
    pub step: Step,
    /// How it was done.
    pub curl: Vec<String>,
    /// What was seen, or what was wrong.
    pub seen: String,
    /// Whether it held.
    pub held: bool,
}

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The way to the orders API.
    Connection,
    /// A member with roles.
    Member,
    /// The member's agent.
    Agent,
    /// A capability within a run.
    Capability,
    /// A token for somebody else.
    OtherAudience,
    /// The member loses a role.
    Narrower,
    /// The agent loses trust.
    Blocked,
    /// The member is suspended.
    Suspended,
    /// Many tokens under one run.
    Tree,
    /// One revocation.
    Revoked,
}

impl Step {
    /// Every step, in the order of the story.
    pub const ALL: [Self; 10] = [
        Self::Connection,
        Self::Member,
        Self::Agent,
        Self::Capability,
        Self::OtherAudience,
        Self::Narrower,
        Self::Blocked,
        Self::Suspended,
        Self::Tree,
        Self::Revoked,
    ];

    /// What it shows.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Connection => {
                "The orders API becomes a connection that wants a trust of 30, beside one for invoices."
            }
            Self::Member => "Ada joins and may read and write orders, by a role each.",
            Self::Agent => {
                "Ada registers an agent of her own; the orders API lets it in by the issuer's published keys."
            }
            Self::Capability => {
                "Within a run, a dispatch passes three gates and gives a capability that the orders API takes."
            }
            Self::OtherAudience => "A token for another audience is refused by the orders API.",
            Self::Narrower => {
                "Ada loses the writer's role: the agent's next token reads only, though nobody touched the agent."
            }
            Self::Blocked => {
                "Three major reports take its trust from 48 to 27: the next dispatch stops at the connection's gate."
            }
            Self::Suspended => {
                "Ada is suspended: her agent holds nothing, and what it held is dead."
            }
            Self::Tree => {
                "The owner's own agent starts a tree of runs and collects tokens in them."
            }
            Self::Revoked => {
                "One revocation of the root run kills every run and every token below it."
            }
        }
    }
}

/// What the steps leave for one another.
pub(super) struct Play {
    pub player: Player,
    pub stage: Stage,
    pub downstream: Downstream,
    pub people: acts::People,
    pub ada: acts::AdasAgent,
    pub fleet: acts::Fleet,
}

/// Plays the story, telling each step as it ends.
pub async fn story(stage: Stage, tell: &mut (dyn FnMut(&StepOutcome) + Send)) -> Vec<StepOutcome> {
    let mut play = match open(stage).await {
        Ok(play) => play,
        Err(seen) => {
            let outcome = StepOutcome {
                step: Step::Connection,
                curl: Vec::new(),
                seen,
                held: false,
            };
            tell(&outcome);
            return vec![outcome];
        }
    };
    let mut outcomes = Vec::new();
    for step in Step::ALL {
        let played = act(step, &mut play).await;
        let held = played.is_ok();
        let seen = played.unwrap_or_else(|wrong| wrong);
        let outcome = StepOutcome {
            step,
            curl: play.player.take_curls(),
            seen,
            held,
        };
        tell(&outcome);
        outcomes.push(outcome);
        if !held {
            break;
        }
    }
    outcomes
}

async fn open(stage: Stage) -> Told<Play> {
    let client = Client::operator(ClientOptions::default()).map_err(|error| error.to_string())?;
    let player = Player::new(client, &stage.base_url, &stage.org);
    let metadata = format!("{}/.well-known/openid-configuration", player.issuer());
    let downstream = Downstream::open(player.client(), &metadata, stage.clock.clone()).await;
    Ok(Play {
        player,
        stage,
        downstream: downstream.map_err(|error| error.to_string())?,
        people: acts::People::default(),
        ada: acts::AdasAgent::default(),
        fleet: acts::Fleet::default(),
    })
}

async fn act(step: Step, play: &mut Play) -> Told<String> {
    match step {
        Step::Connection => acts::connection(play).await,
        Step::Member => acts::member(play).await,
        Step::Agent => acts::agent(play).await,
        Step::Capability => acts::capability(play).await,
        Step::OtherAudience => acts::other_audience(play).await,
        Step::Narrower => acts::narrower(play).await,
        Step::Blocked => acts::blocked(play).await,
        Step::Suspended => acts::suspended(play).await,
        Step::Tree => acts::tree(play).await,
        Step::Revoked => acts::revoked(play).await,
    }
}
