//! Proving that an entry is in the log of a size: the path from its leaf to the root (RFC 6962 section 2.1.1).

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
use store::log::{Frontier, merkle::inclusion_proof};

/// Proves that an entry is in the log.
pub struct ProveInclusion;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The entry's sequence number, from 1.
    sequence: u64,
    /// The size of the log to prove it in, such as a checkpoint's; the present size when absent.
    #[serde(default)]
    size: Option<u64>,
}

/// What it answers; hashes are hexadecimal.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    sequence: u64,
    /// The leaf's index in the tree: the sequence number less one.
    leaf_index: u64,
    size: u64,
    /// The entry's hash, which is the leaf's data.
    hash: String,
    /// The root of the tree of this size.
    root: String,
    /// The siblings on the way from the leaf to the root.
    proof: Vec<String>,
}

impl Operation for ProveInclusion {
    const META: Meta = Meta {
        summary: "Prove that an entry is in the log",
        tool: Some("get-audit-inclusion-proof"),
        command: "audit prove-inclusion",
        ..Meta::read(
            "audit.proof_inclusion",
            "/orgs/{org}/audit/proof/inclusion",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let size = match input.size {
            Some(size) => size,
            None => leaves::size(cx).await?,
        };
        let outside =
            || Error::invalid("sequence", format!("must be within 1 and the size, {size}"));
        let leaf_index = input
            .sequence
            .checked_sub(1)
            .filter(|index| *index < size)
            .ok_or_else(outside)?;
        let hashes = leaves::first(cx, "size", size).await?;
        let index = usize::try_from(leaf_index).map_err(Error::internal)?;
        let entry = hashes.get(index).ok_or_else(outside)?;
        let proof = inclusion_proof(&hashes, index).ok_or_else(outside)?;
        Ok(Output {
            sequence: input.sequence,
            leaf_index,
            size,
            hash: hex(entry),
            root: hex(&hashes.iter().collect::<Frontier>().root()),
            proof: proof.iter().map(|hash| hex(hash)).collect(),
        })
    }
}
