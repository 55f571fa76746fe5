//! One organization: founded by the product, then filled by one commit that writes its connection, role, people and
//! agents with an entry for each, as their operations would.

use super::rows::{Maker, Rows};
use crate::credential::Credential;
use anyhow::{Result, anyhow};
use domain::{Principal, Stream};
use kernel::{Id, Org, User};
use service::{
    Act, Cx, Peer, Platform,
    setup::{self, NewOrganization},
};
use std::sync::Arc;
use store::{Plan, Prepared, Refusal, Tx};

/// How much is in each organization.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// People beside the owner.
    pub people: usize,
    /// Agents.
    pub agents: usize,
}

/// An organization without anything but its owner.
#[derive(Clone, Debug)]
pub struct Founded {
    /// Its slug.
    pub slug: String,
    /// Its identifier.
    pub org: Id<Org>,
    /// Its owner.
    pub owner: Id<User>,
}

fn operator() -> Peer {
    Peer {
        door: "cli",
        request_id: "seed".into(),
        ..Peer::default()
    }
}

/// Founds organization `number`.
///
/// # Errors
/// When the product refuses.
pub async fn found(platform: &Platform, number: usize) -> Result<Founded> {
    let slug = format!("org-{number:05}");
    let new = NewOrganization {
        slug: slug.clone(),
        name: None,
        parent: None,
        owner_email: format!("owner@{slug}.example"),
        verified: true,
        token: false,
        actor: Principal::System,
    };
    let done = setup::found(platform, &operator(), new, |_| Ok(())).await;
    let done = done.map_err(|error| anyhow!("{slug}: {error}"))?;
    Ok(Founded {
        slug,
        org: done.org,
        owner: done.owner,
    })
}

/// Fills an organization and gives its agents' credentials.
///
/// # Errors
/// When the product or the database refuses.
pub async fn fill(
    platform: &Arc<Platform>,
    founded: Founded,
    size: Size,
) -> Result<Vec<Credential>> {
    let maker = Maker::new(platform.clone(), founded.clone());
    let (rows, credentials) = tokio::task::spawn_blocking(move || maker.make(size)).await??;
    let stream = Stream::org(founded.org);
    let entries = Entries::of(platform, &founded, &rows).await?;
    let closure = move |tx: &mut Tx<'_>| write(tx, stream, &rows, &entries);
    let done = platform.store.commit(Plan::new(stream), closure).await;
    done.map_err(|error| anyhow!("{}: {error}", founded.slug))?;
    Ok(credentials)
}

/// What the log says of it: an entry for each thing made, and one of the instance for the accounts.
struct Entries {
    connection: Prepared,
    role: Prepared,
    people: Vec<Prepared>,
    agents: Vec<Prepared>,
    accounts: Prepared,
}

impl Entries {
    async fn of(platform: &Arc<Platform>, founded: &Founded, rows: &Rows) -> Result<Self> {
        let (cx, stream) = (
            Cx::anonymous(platform.clone(), operator()),
            Stream::org(founded.org),
        );
        let by = |act: Act| act.by(Principal::System, "operator");
        let own = async |act: Act| cx.prepare(stream, by(act)).await.map_err(refused);
        let mut people = Vec::with_capacity(rows.people.len());
        for person in &rows.people {
            people.push(own(Act::create("user.created").on(person.account.core.id)).await?);
        }
        let mut agents = Vec::with_capacity(rows.agents.len());
        for made in &rows.agents {
            let core = &made.agent.core;
            let after = serde_json::json!({ "owner": core.owner, "scope_ceiling": core.ceiling, "state": core.state });
            agents.push(own(Act::create("agent.registered").on(core.id).after(after)).await?);
        }
        let count = serde_json::json!({ "accounts": rows.people.len() });
        let accounts = by(Act::create("account.created").on(founded.org).after(count));
        Ok(Self {
            connection: own(Act::create("connection.created").on(rows.connection.core.id)).await?,
            role: own(Act::create("role.created").on(rows.role.core.id)).await?,
            people,
            agents,
            accounts: cx
                .prepare(Stream::INSTANCE, accounts)
                .await
                .map_err(refused)?,
        })
    }
}

fn refused(error: service::Error) -> anyhow::Error {
    anyhow!("{error}")
}

fn write(tx: &mut Tx<'_>, stream: Stream, rows: &Rows, entries: &Entries) -> Result<(), Refusal> {
    rows.write_connection(tx, stream)?;
    tx.entry(stream, entries.connection.clone())?;
    rows.write_role(tx, stream)?;
    tx.entry(stream, entries.role.clone())?;
    for (person, entry) in rows.people.iter().zip(&entries.people) {
        person.write(tx, stream)?;
        tx.entry(stream, entry.clone())?;
    }
    for (made, entry) in rows.agents.iter().zip(&entries.agents) {
        made.write(tx, stream)?;
        tx.entry(stream, entry.clone())?;
    }
    if rows.people.is_empty() {
        return Ok(());
    }
    tx.entry(Stream::INSTANCE, entries.accounts.clone())
}
