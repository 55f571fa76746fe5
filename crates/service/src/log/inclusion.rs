//! Proving that an entry is in the log of a size: the path from its leaf to the root (RFC 6962 section 2.1.1).

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
use store::{
    Reader,
    log::merkle::{tile::inclusion_runs, verify_inclusion},
};

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
        let (platform, stream) = (&cx.platform, cx.stream()?);
        let size = match input.size {
            Some(size) => size,
            None => Tree::size(platform, stream).await?,
        };
        let outside =
            || Error::invalid("sequence", format!("must be within 1 and the size, {size}"));
        let index = input.sequence.checked_sub(1).ok_or_else(outside)?;
        let runs = inclusion_runs(index, size).ok_or_else(outside)?;
        let read = move |reader: &mut Reader<'_>| reader.entry_hashes(stream, index, 1);
        let entry = platform.store.read(stream, read).await?.pop();
        let make = |tree: &Tree| {
            let (entry, root) = (entry?, tree.root(size)?);
            let proof = tree.hashes(&runs)?;
            let holds = verify_inclusion(&entry, index, size, &proof, &root);
            holds.then_some((entry, root, proof))
        };
        let wanted = Wanted {
            field: "size",
            size,
            runs: &runs,
            tiles: &[],
        };
        let (entry, root, proof) = tiles::with(platform, stream, wanted, make).await?;
        Ok(Output {
            sequence: input.sequence,
            leaf_index: index,
            size,
            hash: hex(&entry),
            root: hex(&root),
            proof: proof.iter().map(|hash| hex(hash)).collect(),
        })
    }
}
