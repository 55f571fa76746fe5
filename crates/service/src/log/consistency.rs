//! Proving that the log of a later size continues the log of an earlier one, nothing changed or taken away
//! (RFC 6962 section 2.1.2).

use super::leaves;
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
    sealing::hex,
};
use domain::Permission;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::log::{Frontier, merkle::consistency_proof};

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
        let (from, to) = match input.to {
            Some(to) => (input.from, to),
            None => (input.from, leaves::size(cx).await?),
        };
        let outside = || Error::invalid("from", format!("must be at most the later size, {to}"));
        if from > to {
            return Err(outside());
        }
        let hashes = leaves::first(cx, "to", to).await?;
        let old = usize::try_from(from).map_err(Error::internal)?;
        let root = |leaves: &[[u8; 32]]| hex(&leaves.iter().collect::<Frontier>().root());
        let proof = consistency_proof(&hashes, old).ok_or_else(outside)?;
        Ok(Output {
            from,
            to,
            from_root: root(hashes.get(..old).ok_or_else(outside)?),
            to_root: root(&hashes),
            proof: proof.iter().map(|hash| hex(hash)).collect(),
        })
    }
}
