//! Proving that the log of a later size continues the log of an earlier one, nothing changed or taken away
//! (RFC 6962 section 2.1.2).

use super::tiles::{self, Tree, Wanted};
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
    sealing::hex,
};
use domain::Permission;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::log::merkle::{tile::consistency_runs, verify_consistency};

/// Proves that a later log continues an earlier one.
pub struct ProveConsistency;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The earlier size, such as a kept checkpoint's.
    from: u64,
    /// The later size; the present one when absent.
    #[serde(default)]
    to: Option<u64>,
}

/// What it answers; hashes are hexadecimal.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    from: u64,
    to: u64,
    /// The root of the earlier tree.
    from_root: String,
    /// The root of the later tree.
    to_root: String,
    /// The nodes that lead to both roots; empty when the sizes are equal or the earlier one is 0.
    proof: Vec<String>,
}

impl Operation for ProveConsistency {
    const META: Meta = Meta {
        summary: "Prove that the log only grew between two sizes",
        tool: Some("get-audit-consistency-proof"),
        command: "audit prove-consistency",
        ..Meta::read(
            "audit.proof_consistency",
            "/orgs/{org}/audit/proof/consistency",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let (platform, stream) = (&cx.platform, cx.stream()?);
        let (from, to) = match input.to {
            Some(to) => (input.from, to),
            None => (input.from, Tree::size(platform, stream).await?),
        };
        let outside = || Error::invalid("from", format!("must be at most the later size, {to}"));
        let runs = consistency_runs(from, to)
            .filter(|_| from <= to)
            .ok_or_else(outside)?;
        let read: Vec<_> = runs.iter().copied().chain([(0, from)]).collect();
        let wanted = Wanted {
            field: "to",
            size: to,
            runs: &read,
            tiles: &[],
        };
        let make = |tree: &Tree| {
            let (old, new, proof) = (tree.hash((0, from))?, tree.root(to)?, tree.hashes(&runs)?);
            let holds = verify_consistency(from, &old, to, &new, &proof);
            holds.then_some((old, new, proof))
        };
        let (old, new, proof) = tiles::with(platform, stream, wanted, make).await?;
        Ok(Output {
            from,
            to,
            from_root: hex(&old),
            to_root: hex(&new),
            proof: proof.iter().map(|hash| hex(hash)).collect(),
        })
    }
}
