//! Listing API tokens with everything but their secret. Somebody who may see only what is theirs sees their own.

use crate::{
    Cx, Error, Page, PageQuery, Result,
    operation::{Meta, Operation, Target},
};
use authz::Access;
use domain::{ApiToken, Permission, Permissions, Scope};
use kernel::{Id, Timestamp, Token, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Query;

/// Lists API tokens.
pub struct ListTokens;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Only those of this person.
    #[serde(default)]
    principal: Option<Id<User>>,
    /// Only those that are revoked, or are not.
    #[serde(default)]
    revoked: Option<bool>,
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything that matches.
    #[serde(default)]
    total: Option<bool>,
}

/// An API token, as it is shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    id: Id<Token>,
    name: String,
    /// The human it acts for.
    principal: Id<User>,
    /// How it begins, to recognize it by.
    prefix: String,
    /// `active`, `expired` or `revoked`.
    status: String,
    permissions: Permissions,
    scopes: Vec<Scope>,
    networks: Vec<String>,
    /// Whether it came from set-up.
    bootstrap: bool,
    created_at: Timestamp,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl TokenView {
    fn new(token: ApiToken, last_used_at: Option<Timestamp>, now: Timestamp) -> Self {
        let ApiToken {
            core,
            name,
            created_at,
            revoked_at,
        } = token;
        let status = match core.revoked {
            true => "revoked",
            false if core.expires_at <= now => "expired",
            false => "active",
        };
        Self {
            id: core.id,
            name,
            principal: core.user,
            prefix: format!("cdt_{}", core.key_id),
            status: status.into(),
            permissions: core.permissions,
            scopes: core.scopes,
            networks: core.networks,
            bootstrap: core.bootstrap,
            created_at,
            expires_at: core.expires_at,
            revoked_at,
            last_used_at,
        }
    }
}

impl Operation for ListTokens {
    const META: Meta = Meta {
        summary: "List API tokens",
        tool: Some("list-api-tokens"),
        command: "token list",
        ..Meta::read("tokens.list", "/orgs/{org}/tokens", Permission::TokensRead)
    };
    type Input = Input;
    type Output = Page<TokenView>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<TokenView>> {
        let filter = filter(cx, &input)?;
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let list = format!("tokens {filter:?}");
        let (limit, after, stream) = (page.limit()?, page.after(cx, &list)?, cx.stream()?);
        let (counted, now) = (page.total.unwrap_or(false), cx.view()?.now);
        let read = cx.platform.store.read(stream, move |reader| {
            let total = counted
                .then(|| reader.count::<ApiToken>(stream, &filter))
                .transpose()?;
            let mut shown = Vec::new();
            for row in reader.list::<ApiToken>(
                stream,
                &Query {
                    after,
                    limit: limit + 1,
                    filter,
                },
            )? {
                let used = reader.last_used(stream, &row.value.core.key_id)?;
                shown.push((
                    row.value.core.id.bytes(),
                    TokenView::new(row.value, used, now),
                ));
            }
            Ok((shown, total))
        });
        let (shown, total) = read.await?;
        Page::cut(cx, &list, limit, shown, total)
    }
}

fn filter(cx: &Cx, input: &Input) -> Result<Vec<(&'static str, String)>> {
    let mine = if cx.access() == Access::Own {
        Some(
            cx.caller()?
                .user()
                .ok_or_else(|| Error::denied(Permission::TokensRead.as_str()))?,
        )
    } else {
        None
    };
    let people = [input.principal, mine]
        .into_iter()
        .flatten()
        .map(|user| ("core.user", user.to_string()));
    Ok(people
        .chain(
            input
                .revoked
                .map(|revoked| ("core.revoked", revoked.to_string())),
        )
        .collect())
}
