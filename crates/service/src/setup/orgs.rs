//! Making an organization over the API, and reading one's own.

use super::{NewOrganization, found, secrets::for_caller};
use crate::{
    Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
    quotas::Used,
};
use domain::{Account, Organization, OrganizationState, Permission, Quotas, Stream};
use kernel::{ExposeSecret, Id, Org, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes an organization; the caller becomes its first owner.
pub struct CreateOrganization;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInput {
    /// Unique name in paths: 2 to 63 of `a` to `z`, `0` to `9` and `-`.
    slug: String,
    /// Display name.
    #[serde(default)]
    name: Option<String>,
    /// The hub it belongs to.
    #[serde(default)]
    parent: Option<Id<Org>>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreateOutput {
    /// Identifier.
    id: Id<Org>,
    /// Its issuer.
    issuer: String,
    /// A set-up secret by which the owner gets a bootstrap token of the new organization; shown once.
    setup_secret: String,
}

impl Operation for CreateOrganization {
    const META: Meta = Meta {
        summary: "Make an organization with its keys, roles and log; the caller becomes its owner",
        command: "org create",
        status: 201,
        ..Meta::write(
            "orgs.create",
            Method::Post,
            "/orgs",
            Permission::InstanceOrgsCreate,
        )
    };
    type Input = CreateInput;
    type Output = CreateOutput;

    fn target(_: &CreateInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Instance)
    }

    async fn run(cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
        let user = cx
            .caller()?
            .user()
            .ok_or_else(|| Error::denied("instance.create_orgs"))?;
        let stream = Stream::INSTANCE;
        let account = cx
            .platform
            .store
            .read(stream, move |reader| {
                reader.get::<Account>(stream, user.bytes())
            })
            .await?;
        let account = account.ok_or_else(|| Error::not_found("account"))?.value;
        let new = NewOrganization {
            slug: input.slug,
            name: input.name,
            parent: input.parent,
            owner_email: account.email,
            verified: account.email_verified,
            token: false,
            actor: cx.caller()?.principal,
        };
        let founded = found(&cx.platform, &cx.peer, new, |_| Ok(()))
            .await
            .map_err(renamed)?;
        let secret = for_caller(cx, founded.org, founded.owner).await?;
        Ok(CreateOutput {
            id: founded.org,
            issuer: founded.issuer,
            setup_secret: secret.expose_secret().to_owned(),
        })
    }
}

/// Here the field is called `slug`.
fn renamed(mut error: Error) -> Error {
    error
        .errors
        .iter_mut()
        .filter(|field| field.field == "org")
        .for_each(|field| field.field = "slug".into());
    error
}

/// Reads the organization.
pub struct ReadOrganization;

/// What it takes: nothing.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {}

/// An organization as its people see it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReadOutput {
    /// Identifier.
    id: Id<Org>,
    /// Unique name in paths.
    slug: String,
    /// Display name.
    name: String,
    /// The canonical issuer.
    issuer: String,
    /// Life.
    state: OrganizationState,
    /// The hub it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Id<Org>>,
    /// What it may have; what is absent is not bounded.
    quotas: Quotas,
    /// What it has of that.
    used: Used,
    /// When it was made.
    created_at: Timestamp,
    /// Version for `If-Match`.
    version: u64,
}

impl Operation for ReadOrganization {
    const META: Meta = Meta {
        summary: "Read the organization",
        tool: Some("get-organization"),
        command: "org get",
        ..Meta::read("orgs.read", "/orgs/{org}", Permission::OrgsRead)
    };
    type Input = ReadInput;
    type Output = ReadOutput;

    fn target(_: &ReadInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, _: ReadInput) -> Result<ReadOutput> {
        let (stream, id) = (cx.stream()?, cx.view()?.id());
        let now = cx.platform.clock.now();
        let look = move |reader: &mut store::Reader<'_>| {
            let row = reader.get::<Organization>(Stream::INSTANCE, id.bytes())?;
            Ok((row, Used::read(reader, stream, now)?))
        };
        let (row, used) = cx.platform.store.read(stream, look).await?;
        let row = row.ok_or_else(|| Error::not_found("organization"))?;
        let Organization {
            core,
            name,
            created_at,
        } = row.value;
        Ok(ReadOutput {
            id: core.id,
            slug: core.slug,
            name,
            issuer: core.issuer,
            state: core.state,
            parent: core.parent,
            quotas: core.quotas,
            used,
            created_at,
            version: row.version,
        })
    }

    fn version(output: &ReadOutput) -> Option<u64> {
        Some(output.version)
    }
}
