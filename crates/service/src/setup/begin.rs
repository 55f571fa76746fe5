//! The instance's own beginning: the key that signs its checkpoints and the key that seals personal values in its
//! stream, made once at the first start.

use crate::{Act, Error, Peer, Platform, Result, audit, new_subject_key, oauth::new_signing_key};
use domain::{KeyAlgorithm, KeyPurpose, KeyState, Principal, SigningKey, Stream};
use store::Plan;

/// Makes what the instance itself needs, if it is not there.
///
/// # Errors
/// When the database does not answer.
pub async fn prepare_instance(platform: &Platform) -> Result<()> {
    if platform.node.cells().instance().keys().next().is_some() {
        return Ok(());
    }
    let stream = Stream::INSTANCE;
    let kind = (KeyAlgorithm::EdDSA, KeyPurpose::Log, KeyState::Active);
    let key = new_signing_key(
        &platform.keyring,
        &*platform.entropy,
        stream,
        platform.id(),
        kind,
        platform.clock.now(),
    )?;
    let subject = new_subject_key(
        &platform.keyring,
        &*platform.entropy,
        stream,
        stream.bytes(),
    )
    .map_err(Error::internal)?;
    let act = Act::create("instance.initialized")
        .on(key.core.id)
        .after(serde_json::json!({ "kid": key.core.kid }))
        .by(Principal::System, "operator");
    let entry = audit::prepare(
        platform,
        stream,
        None,
        &Peer {
            door: "cli",
            ..Peer::default()
        },
        act,
    )
    .await?;
    platform
        .node
        .commit(Plan::new(stream), move |tx| {
            // Another node may have been first.
            if tx.list::<SigningKey>(stream, None, 1)?.is_empty() {
                tx.put(stream, &key)?;
                tx.put(stream, &subject)?;
                tx.entry(stream, entry.clone())?;
            }
            Ok(())
        })
        .await?;
    platform.node.poll().await
}
