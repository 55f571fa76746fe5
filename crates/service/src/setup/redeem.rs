//! Redeeming a set-up secret: a first run makes organization and owner; one that names an owner gives that owner
//! a new bootstrap token. Consumed inside the transaction, whoever asks at the same moment.

use super::{
    NewOrganization, found,
    found::{bootstrap_token, write_token},
    secrets::any_organization,
};
use crate::{
    Act, Cx, Error, Platform, Result, audit,
    operation::{Guard, Meta, Method, Operation, Target},
    secret::{self, SecretKind},
};
use domain::{Permission, Permissions, Principal, SetupSecret, Stream, name};
use kernel::{Code, Id, Org, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Plan, Refusal, Tx};

/// Redeems a set-up secret.
pub struct Redeem;

/// What redeeming takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The secret of the set-up link.
    secret: String,
    /// The slug of the organization to make; for a recovery link it may be left out.
    #[serde(default)]
    org: Option<String>,
    /// The owner's address; for a recovery link it may be left out.
    #[serde(default)]
    email: Option<String>,
}

/// What redeeming answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The organization.
    org: Id<Org>,
    /// Its issuer.
    issuer: String,
    /// The owner.
    owner: Id<User>,
    /// A bootstrap API token, shown once; it ends after a day.
    token: String,
}

impl Operation for Redeem {
    const META: Meta = Meta {
        summary: "Redeem a set-up or recovery secret for a bootstrap token",
        guard: Guard::Public,
        command: "setup redeem",
        ..Meta::write(
            "setup.redeem",
            Method::Post,
            "/setup",
            Permission::InstanceOrgsCreate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Instance)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let platform = &cx.platform;
        let row = believe(platform, &input.secret).await;
        let Some(row) = row? else {
            let act = Act::read("setup.refused")
                .by(Principal::Anonymous, "none")
                .failed("unauthenticated", "unknown, used or expired set-up secret");
            audit::record_failure(
                platform,
                Stream::INSTANCE,
                &cx.peer,
                "setup",
                "unauthenticated",
                act,
            )
            .await;
            return Err(refused());
        };
        match row.owner {
            None => first(cx, row, input).await,
            Some((org, owner)) => again(cx, row, org, owner, &input).await,
        }
    }
}

fn refused() -> Error {
    let detail = "this set-up secret is unknown, used or expired; start the server again or run `cardea recover-admin`";
    Error::new(Code::Unauthenticated, detail)
}

/// The row of a genuine secret that is still good at this moment.
async fn believe(platform: &Platform, text: &str) -> Result<Option<SetupSecret>> {
    let Some(presented) = secret::parse(SecretKind::Setup, text) else {
        return Ok(None);
    };
    let (stream, key_id) = (Stream::INSTANCE, presented.key_id.to_owned());
    let row = platform
        .store
        .read(stream, move |reader| {
            match reader.claimed(stream, "setup_secret", &key_id)? {
                Some(id) => reader.get::<SetupSecret>(stream, id),
                None => Ok(None),
            }
        })
        .await?
        .map(|row| row.value);
    let stored = row.as_ref().map(|row| (row.id.bytes(), row.hash.as_str()));
    let genuine = secret::verify(
        &platform.keyring,
        SecretKind::Setup,
        stream,
        stored,
        &presented,
    );
    let now = platform.clock.now();
    Ok(row.filter(|row| genuine && row.redeemed_at.is_none() && row.expires_at > now))
}

/// Consumes the secret; of two who redeem at once, one is refused.
fn consume(tx: &mut Tx<'_>, row: &SetupSecret) -> Result<(), Refusal> {
    let (stream, now) = (Stream::INSTANCE, tx.now());
    let refused = || Refusal::new(Code::Unauthenticated, refused().detail);
    let current = tx
        .get::<SetupSecret>(stream, row.id.bytes())?
        .ok_or_else(refused)?
        .value;
    if current.redeemed_at.is_some() || current.expires_at <= now {
        return Err(refused());
    }
    tx.put(
        stream,
        &SetupSecret {
            redeemed_at: Some(now),
            ..current
        },
    )?;
    Ok(())
}

async fn first(cx: &Cx, row: SetupSecret, input: Input) -> Result<Output> {
    let missing = |field| Error::field(field, "missing", "is required");
    let new = NewOrganization {
        slug: input.org.ok_or_else(|| missing("org"))?,
        name: None,
        parent: None,
        owner_email: input.email.ok_or_else(|| missing("email"))?,
        verified: true,
        token: true,
        actor: Principal::System,
    };
    let founded = found(&cx.platform, &cx.peer, new, move |tx| {
        if any_organization(tx)? {
            return Err(Refusal::new(Code::Unauthenticated, refused().detail));
        }
        consume(tx, &row)
    })
    .await?;
    let token = founded
        .token
        .ok_or_else(|| Error::internal("no token was made"))?;
    Ok(Output {
        org: founded.org,
        issuer: founded.issuer,
        owner: founded.owner,
        token: token.reveal(),
    })
}

async fn again(
    cx: &Cx,
    row: SetupSecret,
    org: Id<Org>,
    owner: Id<User>,
    input: &Input,
) -> Result<Output> {
    let platform = &cx.platform;
    let view = platform.node.view(org).await?;
    let other = input
        .org
        .as_ref()
        .is_some_and(|slug| *slug != view.organization.slug);
    if other || !authz::owners(&view, view.now).contains(&owner) {
        return Err(refused());
    }
    if let Some(email) = &input.email {
        name::email(email).map_err(|error| Error::invalid("email", error.to_string()))?;
    }
    let stream = Stream::org(org);
    let (mut token, minted) = bootstrap_token(platform, stream, owner, view.now);
    if row.by_caller {
        let instance = Permissions::where_(Permission::is_instance);
        token.core.permissions = token.core.permissions.minus(instance);
    }
    let act = || {
        Act::create("api_token.created")
            .on(token.core.id)
            .by(Principal::User(owner), "setup_secret")
            .after(serde_json::json!({ "bootstrap": true }))
    };
    let own = audit::prepare(platform, stream, None, &cx.peer, act()).await?;
    let instance = audit::prepare(platform, Stream::INSTANCE, None, &cx.peer, act()).await?;
    let (decided, issuer) = (view.revision.authority, view.organization.issuer.clone());
    let plan = Plan::new(stream)
        .decided_at(stream, decided)
        .decided_at(Stream::INSTANCE, view.instance_revision.authority);
    let written = token.clone();
    platform
        .node
        .commit(plan, move |tx| {
            consume(tx, &row)?;
            write_token(tx, stream, &written)?;
            tx.entry(stream, own.clone())?;
            tx.entry(Stream::INSTANCE, instance.clone())
        })
        .await?;
    Ok(Output {
        org,
        issuer,
        owner,
        token: minted.reveal(),
    })
}
