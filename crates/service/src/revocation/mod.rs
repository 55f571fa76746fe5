//! Revocations: the one function that writes them, what an agent gives back, and what is forgotten once it denies
//! nothing. Decides nothing about a token's life; that is `authz`.

mod compact;
mod give_back;

pub(crate) use compact::compact;
pub(crate) use give_back::GiveBack;

use domain::{Revocation, RevocationCore, Stream};
use kernel::{Micros, Timestamp, limits};
use store::{Refusal, Tx};

/// Kept past the end of anything that a node could have issued (REV-5).
pub(crate) const KEPT_AFTER_END: Micros = Micros::days(1);

/// A mark on every token of a node issued until now; no token of any kind outlives it.
pub(crate) const fn issued(node: [u8; 16], now: Timestamp) -> RevocationCore {
    RevocationCore::mark(node, now.plus(limits::RUN_TOKEN_LIFE).plus(KEPT_AFTER_END))
}

/// Writes a revocation at the revision that this commit makes. What stood at its node before is not weakened. Also
/// the end of something long over is kept until no token issued before it can live: what forgets it leaves a mark at
/// its revision, and that must deny nothing alive.
///
/// # Errors
/// When the database fails.
pub(crate) fn write(tx: &mut Tx<'_>, stream: Stream, core: RevocationCore) -> Result<(), Refusal> {
    let rev = tx.head(stream)?.state_rev + 1;
    let until = core.until.max(issued(core.node, tx.now()).until);
    join(tx, stream, RevocationCore { rev, until, ..core })
}

/// Writes a revocation with the revision it carries.
fn join(tx: &mut Tx<'_>, stream: Stream, core: RevocationCore) -> Result<(), Refusal> {
    let before = tx
        .get::<Revocation>(stream, core.node)?
        .map(|row| row.value);
    let joined = Revocation {
        core: before
            .as_ref()
            .map_or(core, |before| before.core.joined(core)),
        revoked_at: before.as_ref().map_or(tx.now(), |before| before.revoked_at),
    };
    if before.as_ref() == Some(&joined) {
        return Ok(());
    }
    tx.put(stream, &joined).map(|_| ())
}

/// Takes a revocation away, unless somebody changed it since it was read. Says whether it did.
fn forget(tx: &mut Tx<'_>, stream: Stream, core: RevocationCore) -> Result<bool, Refusal> {
    let row = tx.get::<Revocation>(stream, core.node)?;
    let Some(same) = row.filter(|row| row.value.core == core) else {
        return Ok(false);
    };
    tx.remove(stream, &same.value).map(|()| true)
}
