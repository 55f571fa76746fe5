//! Revoking an API token: it and everything started by it are dead from the next request on, by one write (REV-1).
//! Revoking it again changes nothing and answers the same.

use super::row;
use crate::{
    Act, Cx, Error, Result, bounds,
    operation::{Meta, Method, Operation, Target},
};
use domain::{ApiToken, ApiTokenCore, Permission};
use kernel::{Code, Id, Timestamp, Token};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use store::{Refusal, Tx};

/// Revokes an API token.
pub struct RevokeToken;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The token.
    id: Id<Token>,
    /// Why; it is kept sealed in the log.
    #[serde(default)]
    reason: Option<String>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    id: Id<Token>,
    revoked_at: Timestamp,
    /// What ended with it.
    cascaded: Cascaded,
}

/// What ended with an API token.
#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cascaded {
    /// Runs that were started by it and had not ended.
    runs: u64,
    /// Tokens of agents that were issued below it and had not expired.
    tokens: u64,
    /// Set when there may be more: they are counted along the newest entries of the log, as far as is quick.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tokens_at_least: bool,
}

impl Operation for RevokeToken {
    const META: Meta = Meta {
        summary: "Revoke an API token with every run and token below it",
        tool: Some("revoke-api-token"),
        command: "token revoke",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "tokens.revoke",
            Method::Post,
            "/orgs/{org}/tokens/{id}/revoke",
            Permission::TokensRevoke,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(input: &Input, view: &View, _: &Cx) -> Result<Target> {
        row::target(view, input.id)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        if let Some(reason) = &input.reason {
            bounds::text("reason", reason)?;
        }
        let (stream, id) = (cx.stream()?, input.id);
        let row = cx
            .platform
            .store
            .read(stream, move |reader| {
                reader.get::<ApiToken>(stream, id.bytes())
            })
            .await?;
        let row = row.ok_or_else(|| Error::not_found("API token"))?.value;
        if let Some(revoked_at) = row.revoked_at {
            return Ok(Output {
                id,
                revoked_at,
                cascaded: Cascaded::default(),
            });
        }
        let cascaded = below(cx, &row.core).await?;
        let act = Act::delete("token.revoked")
            .on(id)
            .after(json!({ "principal": row.core.user, "cascaded": cascaded }))
            .claimed("reason", input.reason.as_deref());
        let write = move |tx: &mut Tx<'_>| {
            let gone = || Refusal::new(Code::NotFound, "no such API token here");
            let token = tx
                .get::<ApiToken>(stream, id.bytes())?
                .ok_or_else(gone)?
                .value;
            let revoked_at = match token.revoked_at {
                Some(earlier) => earlier,
                None => row::end(tx, stream, token)?.revoked_at.unwrap_or(tx.now()),
            };
            Ok(Output {
                id,
                revoked_at,
                cascaded,
            })
        };
        Ok(cx.commit(act, write).await?.value)
    }
}

/// Counts what lies below a token: open runs by their lineage, their agents' tokens by the entries that say so.
async fn below(cx: &Cx, token: &ApiTokenCore) -> Result<Cascaded> {
    let (view, stream, grant) = (cx.view()?, cx.stream()?, token.grant);
    let runs: Vec<_> = view
        .org
        .runs()
        .filter(|run| run.lineage.contains(grant))
        .collect();
    let agents: BTreeSet<_> = runs.iter().map(|run| run.agent).collect();
    let (agents, now): (Vec<_>, _) = (agents.into_iter().collect(), view.now);
    let count = cx.platform.store.read(stream, move |reader| {
        reader.tokens_under(stream, &agents, &[grant], now)
    });
    let open = runs
        .iter()
        .filter(|run| run.state_at(now).is_live())
        .count();
    let issued = count.await?;
    Ok(Cascaded {
        runs: u64::try_from(open).unwrap_or(u64::MAX),
        tokens: issued.tokens,
        tokens_at_least: issued.more,
    })
}
