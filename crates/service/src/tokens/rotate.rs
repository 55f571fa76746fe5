//! Replacing an API token by one like it. Both are good during the overlap; without one the old token is revoked in
//! the same commit. Whoever rotates a token sees the new one, so they must hold all it can do.

use super::{reach, row};
use crate::{
    Act, Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
    quotas::{self, Counted, Quota},
};
use domain::{ApiToken, Permission, Permissions, Reach, Scope, Stream};
use kernel::{Code, Id, Micros, Timestamp, Token, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Refusal, Tx};

const USUAL_OVERLAP: Micros = Micros::days(1);

/// Replaces an API token.
pub struct RotateToken;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The token to replace.
    id: Id<Token>,
    /// How long both are good, 0 to 604800; a day when absent.
    #[serde(default)]
    overlap_seconds: Option<i64>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The new token's identifier.
    id: Id<Token>,
    /// The new token, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Set when this is the answer to a repeated request: the token was shown then.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_already_delivered: Option<bool>,
    /// When the new token ends.
    expires_at: Timestamp,
    /// The token that it replaces.
    replaces: Id<Token>,
    /// When that stops being accepted.
    old_not_after: Timestamp,
}

impl Operation for RotateToken {
    const META: Meta = Meta {
        summary: "Replace an API token by one like it, with an overlap; it is shown once",
        command: "token rotate",
        status: 201,
        ..Meta::write(
            "tokens.rotate",
            Method::Post,
            "/orgs/{org}/tokens/{id}/rotate",
            Permission::TokensCreate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(input: &Input, view: &View, _: &Cx) -> Result<Target> {
        row::target(view, input.id)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let overlap = overlap(&input)?;
        let (stream, now, key) = (cx.stream()?, cx.platform.clock.now(), input.id.bytes());
        let old = cx
            .platform
            .store
            .read(stream, move |reader| reader.get::<ApiToken>(stream, key))
            .await?;
        let old = old.ok_or_else(|| Error::not_found("API token"))?.value;
        rotatable(&old, now)?;
        let ends = old.core.expires_at.min(now.plus(overlap));
        let (token, minted) = row::make(cx, like(cx, &old, now)?)?;
        let after = json!({ "replaces": old.core.id, "old_not_after": ends, "expires_at": token.core.expires_at });
        let act = Act::create("api_token.rotated")
            .on(token.core.id)
            .after(after);
        let (acts, expected) = (
            vec![(stream, act.clone()), (Stream::INSTANCE, act)],
            cx.envelope.if_match,
        );
        let quota = Quota::of(cx, Counted::Tokens).await?;
        let quota = quota.map(Quota::for_successor);
        let write = move |tx: &mut Tx<'_>| {
            quotas::check(quota.as_ref(), tx, stream)?;
            row::write(tx, stream, &token)?;
            retire(tx, stream, old.core.id, ends, expected)?;
            Ok(Output {
                id: token.core.id,
                token: None,
                secret_already_delivered: Some(true),
                expires_at: token.core.expires_at,
                replaces: old.core.id,
                old_not_after: ends,
            })
        };
        let done = cx.commit_with(true, acts, write).await?;
        let token = (!done.replayed && !cx.envelope.dry_run).then(|| minted.reveal());
        Ok(Output {
            token,
            secret_already_delivered: done.replayed.then_some(true),
            ..done.value
        })
    }
}

fn overlap(input: &Input) -> Result<Micros> {
    let longest = limits::ROTATION_OVERLAP.as_seconds();
    match input.overlap_seconds {
        None => Ok(USUAL_OVERLAP),
        Some(seconds) if (0..=longest).contains(&seconds) => Ok(Micros::seconds(seconds)),
        Some(_) => Err(Error::invalid(
            "overlap_seconds",
            format!("must be within 0 and {longest}"),
        )),
    }
}

fn rotatable(old: &ApiToken, now: Timestamp) -> Result<()> {
    if old.core.revoked || old.core.expires_at <= now {
        return Err(Error::state("this token has ended; make a new one"));
    }
    if old.core.bootstrap {
        return Err(Error::state(
            "a bootstrap token is not rotated; make a token of the permissions you need",
        ));
    }
    Ok(())
}

/// The same token again, with a life as long as the old one's. A token that replaces itself stays what it is; one
/// that another credential replaces is cut to what its human holds, all of which that credential must hold too.
fn like(cx: &Cx, old: &ApiToken, now: Timestamp) -> Result<row::NewToken> {
    let (mut permissions, mut scopes) = (old.core.permissions, old.core.scopes.clone());
    let mut above = old.core.above.clone();
    if cx.caller()?.token != Some(old.core.id) {
        let joined = above.with(row::made_by(cx)?.iter());
        above = joined.map_err(|error| Error::state(error.to_string()))?;
        (permissions, scopes) = usable(cx, old)?;
        reach::may_act_for(cx, old.core.user)?;
        reach::within_caller(cx, permissions, &scopes)?;
    }
    let life = old
        .core
        .expires_at
        .since(old.created_at)
        .min(limits::API_TOKEN_LIFE);
    Ok(row::NewToken {
        name: old.name.clone(),
        user: old.core.user,
        permissions,
        scopes,
        networks: reach::networks(cx, &old.core.networks)?,
        above,
        expires_at: now.plus(life),
    })
}

/// What the token can do now.
fn usable(cx: &Cx, old: &ApiToken) -> Result<(Permissions, Vec<Scope>)> {
    let (view, user) = (cx.view()?, old.core.user);
    let holds = authz::held(view, user, view.now);
    let administers = view.instance.administers(user);
    let can = |p: Permission| {
        if p.is_instance() {
            administers
        } else {
            holds.has(p, Reach::Own)
        }
    };
    let scopes = old
        .core
        .scopes
        .iter()
        .filter(|scope| holds.holds(scope))
        .cloned();
    Ok((
        old.core.permissions.iter().filter(|p| can(*p)).collect(),
        scopes.collect(),
    ))
}

fn retire(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<Token>,
    ends: Timestamp,
    expected: Option<u64>,
) -> Result<(), Refusal> {
    let gone = || Refusal::new(Code::NotFound, "no such API token here");
    let mut old = tx.get::<ApiToken>(stream, id.bytes())?.ok_or_else(gone)?;
    if expected.is_some_and(|expected| expected != old.version) {
        return Err(Refusal::new(
            Code::VersionMismatch,
            "it changed meanwhile; read it again",
        ));
    }
    if old.value.core.revoked {
        return Err(Refusal::new(
            Code::InvalidState,
            "this token has ended; make a new one",
        ));
    }
    if ends <= tx.now() {
        return row::end(tx, stream, old.value).map(|_| ());
    }
    old.value.core.expires_at = ends;
    tx.put(stream, &old.value).map(|_| ())
}
