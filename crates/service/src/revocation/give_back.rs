//! One token that an agent gives back (RFC 7009), and what keeps the deny set small when it gives back many: those
//! that have expired become one `issued_before` mark on the agent, which denies the same tokens and no live one.
//! An agent that gives back more than the limit before they expire ends everything it was issued until then.

use super::{KEPT_AFTER_END, forget, issued, join, write};
use domain::{AgentCore, RevocationCore, Stream};
use kernel::{Timestamp, limits};
use live::View;
use store::{Refusal, Tx};

/// How many expired ones are worth a mark.
const WORTH: usize = 256;

/// What giving back a token writes.
#[derive(Clone, Debug)]
pub(crate) struct GiveBack {
    token: RevocationCore,
    folded: Vec<RevocationCore>,
    /// A mark over what is folded; with its revision still to come when it ends everything.
    mark: Option<RevocationCore>,
}

/// Everything issued before a token that ended this long ago has ended too, whatever kind it is.
fn certainly_over(core: &RevocationCore, now: Timestamp) -> bool {
    let end = core.until.minus(KEPT_AFTER_END);
    end.plus(limits::RUN_TOKEN_LIFE).plus(limits::CLOCK_SKEW) <= now
}

impl GiveBack {
    /// What to write when `agent` gives back the token `jti` that expires at `end`.
    pub(crate) fn new(view: &View, agent: &AgentCore, jti: [u8; 16], end: Timestamp) -> Self {
        let token = RevocationCore {
            client: Some(agent.grant),
            ..RevocationCore::of(jti, end.plus(KEPT_AFTER_END))
        };
        let held = view.org.revoked_token_count(agent.grant);
        let all = held >= limits::REVOKED_TOKENS_PER_CLIENT;
        let over = |core: &&RevocationCore| all || certainly_over(core, view.now);
        let folded: Vec<RevocationCore> = if held < WORTH {
            Vec::new()
        } else {
            let known = view.org.revoked_tokens(agent.grant);
            known.filter(over).copied().collect()
        };
        if folded.len() < WORTH {
            return Self {
                token,
                folded: Vec::new(),
                mark: None,
            };
        }
        let node = RevocationCore::grant_node(agent.grant);
        let last = folded.iter().map(|core| core.rev).max();
        let rev = last.filter(|_| !all).unwrap_or_default();
        let mark = issued(node, view.now);
        Self {
            token,
            folded,
            mark: Some(RevocationCore { rev, ..mark }),
        }
    }

    /// How many single revocations become a mark, and whether it ends everything issued until now.
    pub(crate) fn folded(&self) -> (usize, bool) {
        let everything = self.mark.is_some_and(|mark| mark.rev == 0);
        (self.folded.len(), everything)
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn write(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        for core in &self.folded {
            forget(tx, stream, *core)?;
        }
        match self.mark {
            Some(mark) if mark.rev == 0 => write(tx, stream, mark),
            Some(mark) => join(tx, stream, mark).and_then(|()| write(tx, stream, self.token)),
            None => write(tx, stream, self.token),
        }
    }
}
