//! Setting an organization's quotas, for an instance administrator. What is not named is not bounded any more.

use super::{Counted, is_near, warning};
use crate::{
    Act, Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
};
use domain::{Organization, Permission, Quotas, Stream};
use kernel::{Code, Id, Org, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Prepared, Refusal, Tx};

/// Sets an organization's quotas.
pub struct SetQuotas;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The organization, by slug or id.
    organization: String,
    /// People who have not left, at most.
    #[serde(default)]
    users: Option<u64>,
    /// Agents that are not revoked, at most.
    #[serde(default)]
    agents: Option<u64>,
    /// API tokens that are neither revoked nor past their end, at most.
    #[serde(default)]
    tokens: Option<u64>,
    /// Requests a second, at most.
    #[serde(default)]
    requests_per_second: Option<u64>,
}

/// An organization's quotas.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The organization.
    organization: Id<Org>,
    /// What it may have; what is absent is not bounded.
    quotas: Quotas,
}

impl Operation for SetQuotas {
    const META: Meta = Meta {
        summary: "Set how much an organization may have; what is left out is not bounded",
        command: "quota set",
        ..Meta::write(
            "quotas.set",
            Method::Put,
            "/quotas/{organization}",
            Permission::InstanceOrgsLimit,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Instance)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let instance = cx.platform.node.cells().instance();
        let known = instance.find(&input.organization);
        let known = known
            .ok_or_else(|| Error::not_found("organization"))?
            .clone();
        let quotas = Quotas {
            users: bounded("users", input.users)?,
            agents: bounded("agents", input.agents)?,
            tokens: bounded("tokens", input.tokens)?,
            requests_per_second: not_none(input.requests_per_second)?,
        };
        let (own, org) = (Stream::org(known.id), known.id);
        let act = || {
            let act = Act::update("quotas.set").on(org);
            let act = act.before(json!({ "quotas": known.quotas }));
            act.after(json!({ "quotas": quotas }))
        };
        let acts = vec![(own, act()), (Stream::INSTANCE, act())];
        let lowered = lowered(cx, own, &known.quotas, &quotas).await?;
        let write = move |tx: &mut Tx<'_>| {
            for quota in &lowered {
                quota.warn(tx, own)?;
            }
            let present = tx.get::<Organization>(Stream::INSTANCE, org.bytes())?;
            let gone = || Refusal::new(Code::NotFound, "no such organization here");
            let mut organization = present.ok_or_else(gone)?.value;
            organization.core.quotas = quotas.clone();
            tx.put(Stream::INSTANCE, &organization)?;
            Ok(Output {
                organization: org,
                quotas: quotas.clone(),
            })
        };
        Ok(cx.commit_with(true, acts, write).await?.value)
    }
}

/// A quota that came down, and the warning for where that crosses the line.
struct Lowered {
    counted: Counted,
    before: Option<u64>,
    most: u64,
    warning: Prepared,
}

impl Lowered {
    /// Warns where four fifths are there now and were not before. Nothing that exists is taken.
    fn warn(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        let count = self.counted.count(tx, stream, self.most)?;
        let was = self.before.is_some_and(|before| is_near(count, before));
        if is_near(count, self.most) && !was {
            tx.entry(stream, self.warning.clone())?;
        }
        Ok(())
    }
}

async fn lowered(cx: &Cx, stream: Stream, before: &Quotas, after: &Quotas) -> Result<Vec<Lowered>> {
    let mut all = Vec::new();
    for counted in Counted::ALL {
        let (before, Some(most)) = (counted.of(before), counted.of(after)) else {
            continue;
        };
        if before.is_none_or(|before| most < before) {
            let warning = cx.prepare(stream, warning(counted.name(), most)).await?;
            all.push(Lowered {
                counted,
                before,
                most,
                warning,
            });
        }
    }
    Ok(all)
}

fn bounded(field: &'static str, most: Option<u64>) -> Result<Option<u64>> {
    if most.is_some_and(|most| most > limits::QUOTA_MAX) {
        let detail = format!(
            "must be at most {}; leave it out for no bound",
            limits::QUOTA_MAX
        );
        return Err(Error::invalid(field, detail));
    }
    Ok(most)
}

/// None at all would also shut out whoever could lift it.
fn not_none(rate: Option<u64>) -> Result<Option<u64>> {
    if rate == Some(0) {
        let detail = "must be at least 1; suspend the organization to stop it";
        return Err(Error::invalid("requests_per_second", detail));
    }
    bounded("requests_per_second", rate)
}
