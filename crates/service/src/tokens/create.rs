//! Making an API token: its text is in this one answer and nowhere else. One for somebody else is a control act:
//! the maker holds everything that person can exercise and has just signed in (RBAC-8).

use super::{reach, row};
use crate::{
    Act, Cx, Error, Result, bounds,
    operation::{Meta, Method, Operation, Target},
    quotas::{self, Counted, Quota},
};
use domain::{ApiToken, Permission, Permissions, Principal, Scope, Stream};
use kernel::{Id, Timestamp, Token, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;

/// Makes an API token.
pub struct CreateToken;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What its maker calls it.
    name: String,
    /// The human it acts for; the caller when absent.
    #[serde(default)]
    principal: Option<Id<User>>,
    /// The most it may do on the platform.
    permissions: Permissions,
    /// The application scopes it may pass on.
    #[serde(default)]
    scopes: Vec<Scope>,
    /// When it ends, at most 90 days ahead; then when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// Networks it may be used from, such as `10.0.0.0/8`; any when empty.
    #[serde(default)]
    networks: Vec<String>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    id: Id<Token>,
    /// The token, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Set when this is the answer to a repeated request: the token was shown then.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_already_delivered: Option<bool>,
    name: String,
    principal: Id<User>,
    permissions: Permissions,
    scopes: Vec<Scope>,
    networks: Vec<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Output {
    fn new(token: &ApiToken) -> Self {
        let core = token.core.clone();
        Self {
            id: core.id,
            token: None,
            secret_already_delivered: None,
            name: token.name.clone(),
            principal: core.user,
            permissions: core.permissions,
            scopes: core.scopes,
            networks: core.networks,
            created_at: token.created_at,
            expires_at: core.expires_at,
        }
    }
}

impl Operation for CreateToken {
    const META: Meta = Meta {
        summary: "Make an API token within what you hold; it is shown once",
        command: "token create",
        status: 201,
        ..Meta::write(
            "tokens.create",
            Method::Post,
            "/orgs/{org}/tokens",
            Permission::TokensCreate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(input: &Input, view: &View, cx: &Cx) -> Result<Target> {
        let user = principal(cx, input)?;
        authz::Facts::membership(view, user).ok_or_else(|| Error::not_found("user"))?;
        Ok(Target::Thing {
            noun: "user",
            owners: vec![Principal::User(user)],
            read: Permission::UsersRead,
        })
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let (view, now, user) = (cx.view()?, cx.platform.clock.now(), principal(cx, &input)?);
        reach::may_act_for(cx, user)?;
        if !authz::stands(view, user) {
            return Err(Error::state(
                "only an active person can have a token; resume them first",
            ));
        }
        let (name, _) = bounds::name("name", &input.name)?;
        let scopes = reach::scopes(cx, input.scopes)?;
        reach::within_caller(cx, input.permissions, &scopes)?;
        let networks = reach::networks(cx, &input.networks)?;
        let expires_at = reach::end(input.expires_at, now)?;
        let new = row::NewToken {
            name,
            user,
            permissions: input.permissions,
            scopes,
            networks,
            above: row::made_by(cx)?,
            expires_at,
        };
        let (token, minted) = row::make(cx, new)?;
        let stream = cx.stream()?;
        let act = act(&token);
        // The claim by which the token is found lives in the instance's stream, which then needs an entry too.
        let acts = vec![(stream, act.clone()), (Stream::INSTANCE, act)];
        let quota = Quota::of(cx, Counted::Tokens).await?;
        let write = move |tx: &mut Tx<'_>| {
            quotas::check(quota.as_ref(), tx, stream)?;
            row::write(tx, stream, &token)?;
            Ok(Output {
                secret_already_delivered: Some(true),
                ..Output::new(&token)
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

fn principal(cx: &Cx, input: &Input) -> Result<Id<User>> {
    let own = || cx.caller().ok().and_then(crate::Caller::user);
    input
        .principal
        .or_else(own)
        .ok_or_else(|| Error::denied(Permission::TokensCreate.as_str()))
}

fn act(token: &ApiToken) -> Act {
    let core = &token.core;
    let after = json!({
        "principal": core.user, "permissions": core.permissions, "scopes": core.scopes,
        "networks": core.networks.len(), "expires_at": core.expires_at,
    });
    Act::create("api_token.created").on(core.id).after(after)
}
