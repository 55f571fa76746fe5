//! Set-up secrets: 256 bits, single use, an hour, stored as a keyed hash (CLI-4). A nameless one belongs to the
//! first run and dies once an organization exists; one that names an owner lets them back in.

use super::{NewOrganization, found};
use crate::{
    Act, Cx, Error, Peer, Platform, Result, audit,
    secret::{self, Minted, SecretKind},
};
use domain::{Organization, Principal, SetupSecret, Stream};
use kernel::{Code, Id, Org, SecretString, User, limits};
use store::{Plan, Refusal};

fn operator() -> Peer {
    Peer {
        door: "cli",
        request_id: "local".into(),
        ..Peer::default()
    }
}

fn new_secret(platform: &Platform, owner: Option<(Id<Org>, Id<User>)>) -> (SetupSecret, Minted) {
    let (id, now) = (platform.id(), platform.clock.now());
    let minted = secret::mint(
        &platform.keyring,
        &*platform.entropy,
        SecretKind::Setup,
        Stream::INSTANCE,
        id.bytes(),
    );
    let (key_id, hash) = (minted.key_id.clone(), minted.hash.clone());
    let expires_at = now.plus(limits::SETUP_LIFE);
    (
        SetupSecret {
            id,
            key_id,
            hash,
            owner,
            expires_at,
            redeemed_at: None,
            by_caller: false,
        },
        minted,
    )
}

/// A link that sets up a fresh instance; none once an organization exists. An earlier link stops working.
///
/// # Errors
/// When the database does not answer.
pub async fn first_run_secret(platform: &Platform) -> Result<Option<SecretString>> {
    if platform
        .node
        .cells()
        .instance()
        .organizations()
        .next()
        .is_some()
    {
        return Ok(None);
    }
    let (row, minted) = new_secret(platform, None);
    store(platform, row, by_operator("setup.link_made"), &operator()).await?;
    Ok(Some(minted.text))
}

fn by_operator(kind: &'static str) -> Act {
    Act::create(kind).by(Principal::System, "operator")
}

async fn store(platform: &Platform, row: SetupSecret, act: Act, peer: &Peer) -> Result<()> {
    let stream = Stream::INSTANCE;
    let act = act
        .on(row.id)
        .after(serde_json::json!({ "expires_at": row.expires_at, "owner": row.owner.map(|(_, user)| user) }));
    let entry = audit::prepare(platform, stream, None, peer, act).await?;
    platform
        .node
        .commit(Plan::new(stream), move |tx| {
            retire(tx, &row)?;
            tx.claim(stream, "setup_secret", &row.key_id, row.id.bytes())?;
            tx.insert(stream, &row)?;
            tx.entry(stream, entry.clone())
        })
        .await?;
    Ok(())
}

/// A newer link for the same owner, or for the first run, is the only one that works.
fn retire(tx: &mut store::Tx<'_>, newer: &SetupSecret) -> Result<(), Refusal> {
    let (stream, now) = (Stream::INSTANCE, tx.now());
    for known in tx.list::<SetupSecret>(stream, None, usize::MAX)? {
        let older = known.value;
        if older.owner == newer.owner && older.redeemed_at.is_none() {
            tx.release(stream, "setup_secret", &older.key_id)?;
            tx.put(
                stream,
                &SetupSecret {
                    redeemed_at: Some(now),
                    ..older
                },
            )?;
        }
    }
    Ok(())
}

/// What `init` prepared.
pub struct InitDone {
    /// The organization.
    pub org: Id<Org>,
    /// Its issuer.
    pub issuer: String,
    /// Its owner.
    pub owner: Id<User>,
    /// The secret of the link by which the owner gets a credential.
    pub setup: SecretString,
    /// The bootstrap token, where one was asked for.
    pub token: Option<SecretString>,
}

/// Prepares an organization with its owner, as the operator at the machine.
///
/// # Errors
/// `already_exists` when the organization exists; a name that is wrong.
pub async fn init(
    platform: &Platform,
    slug: &str,
    owner_email: &str,
    token: bool,
) -> Result<InitDone> {
    let new = NewOrganization {
        slug: slug.into(),
        name: None,
        parent: None,
        owner_email: owner_email.into(),
        verified: true,
        token,
        actor: Principal::System,
    };
    let founded = found(platform, &operator(), new, |_| Ok(())).await?;
    let setup = for_owner(platform, founded.org, founded.owner, "setup.link_made").await?;
    let token = founded.token.map(|minted| minted.text);
    Ok(InitDone {
        org: founded.org,
        issuer: founded.issuer,
        owner: founded.owner,
        setup,
        token,
    })
}

/// A link that names an owner, made at the machine.
async fn for_owner(
    platform: &Platform,
    org: Id<Org>,
    owner: Id<User>,
    kind: &'static str,
) -> Result<SecretString> {
    let (row, minted) = new_secret(platform, Some((org, owner)));
    store(platform, row, by_operator(kind), &operator()).await?;
    Ok(minted.text)
}

/// A link by which a caller gets into the organization they just made. Their credential may carry less of the
/// instance than they hold, so the link gives none of it.
pub(super) async fn for_caller(cx: &Cx, org: Id<Org>, owner: Id<User>) -> Result<SecretString> {
    let (row, minted) = new_secret(&cx.platform, Some((org, owner)));
    let row = SetupSecret {
        by_caller: true,
        ..row
    };
    let act = Act::create("setup.link_made").by(cx.caller()?.principal, "api_token");
    store(&cx.platform, row, act, &cx.peer).await?;
    Ok(minted.text)
}

/// A link for an existing owner who lost every credential; with one organization its slug may be left out.
///
/// # Errors
/// When there is no such organization, several without a slug, or no active owner.
pub async fn recover(
    platform: &Platform,
    slug: Option<&str>,
) -> Result<(Id<Org>, Id<User>, SecretString)> {
    let instance = platform.node.cells().instance();
    let mut all = instance.organizations();
    let org = match (slug, all.next(), all.next()) {
        (Some(slug), _, _) => instance
            .find(slug)
            .map(|org| org.id)
            .ok_or_else(|| Error::not_found("organization"))?,
        (None, Some(only), None) => only.id,
        (None, None, _) => {
            return Err(Error::state(
                "there is no organization yet; run `cardea init` or open the set-up link",
            ));
        }
        (None, _, Some(_)) => {
            return Err(Error::new(
                Code::InvalidInput,
                "there are several organizations; name one with `--org`",
            ));
        }
    };
    let view = platform.node.view(org).await?;
    let owner = authz::owners(&view, view.now).into_iter().min();
    let owner = owner
        .ok_or_else(|| Error::state("the organization has no active owner; resume one first"))?;
    let secret = for_owner(platform, org, owner, "setup.recovery_made").await?;
    note_recovery(platform, org, owner).await?;
    Ok((org, owner, secret))
}

/// The organization's own log says that somebody at the machine made a way in.
async fn note_recovery(platform: &Platform, org: Id<Org>, owner: Id<User>) -> Result<()> {
    let stream = Stream::org(org);
    let act = Act::create("user.recovery_started")
        .on(owner)
        .by(Principal::System, "operator");
    let entry = audit::prepare(platform, stream, None, &operator(), act).await?;
    let record = store::Record {
        stream,
        entry,
        decided_at: None,
        once: None,
    };
    platform.store.record(record).await?;
    Ok(())
}

/// Whether any organization exists, asked inside a transaction.
pub(super) fn any_organization(tx: &mut store::Tx<'_>) -> Result<bool, Refusal> {
    Ok(!tx
        .list::<Organization>(Stream::INSTANCE, None, 1)?
        .is_empty())
}
