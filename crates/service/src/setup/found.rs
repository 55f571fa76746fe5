//! Founding an organization: itself, its built-in roles, settings, signing keys, log key, its first owner and the
//! beginning of its log, in one transaction or not at all (TEN-1).

use crate::{
    Act, CREDENTIAL_CLAIM, Error, Peer, Platform, Result, audit, new_subject_key,
    oauth::new_signing_key,
    secret::{self, Minted, SecretKind},
};
use domain::{
    Account, AccountCore, AccountState, ApiToken, ApiTokenCore, Assignment, AssignmentCore,
    Builtin, GrantId, KeyAlgorithm, KeyPurpose, KeyState, Lineage, Membership, MembershipCore,
    MembershipState, Organization, OrganizationCore, OrganizationState, Permission, Permissions,
    Principal, Role, RoleCore, Settings, SettingsCore, SigningKey, Stream, SubjectKey, name,
};
use kernel::{Code, Id, Org, Timestamp, User, limits};
use store::{Plan, Prepared, Refusal, Tx};

/// What to found.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Its slug.
    pub slug: String,
    /// Its display name; the slug when absent.
    pub name: Option<String>,
    /// The hub it belongs to.
    pub parent: Option<Id<Org>>,
    /// The first owner's address.
    pub owner_email: String,
    /// Whether the owner's address counts as verified by the operator.
    pub verified: bool,
    /// Whether to make a bootstrap token.
    pub token: bool,
    /// Who founds it, when not the operator or the holder of a set-up secret.
    pub actor: Principal,
}

/// What was founded.
pub struct Founded {
    /// The organization.
    pub org: Id<Org>,
    /// Its issuer.
    pub issuer: String,
    /// Its first owner.
    pub owner: Id<User>,
    /// The bootstrap token, where one was asked for.
    pub token: Option<Minted>,
}

/// Everything that goes into the transaction, with identifiers and keys already made.
struct Rows {
    organization: Organization,
    settings: Settings,
    keys: Vec<SigningKey>,
    subjects: Vec<SubjectKey>,
    roles: Vec<Role>,
    account: Account,
    email_key: String,
    membership: Membership,
    assignment: Assignment,
    token: Option<ApiToken>,
}

/// Founds an organization. `also` runs in the same transaction, before anything else, and may refuse.
///
/// # Errors
/// A name that is wrong or taken, or what `also` refuses.
pub async fn found<F>(
    platform: &Platform,
    peer: &Peer,
    new: NewOrganization,
    also: F,
) -> Result<Founded>
where
    F: Fn(&mut Tx<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
{
    let known = known_account(platform, &new.owner_email).await?;
    let (rows, minted) = rows(platform, &new, known.unwrap_or_else(|| platform.id()))?;
    let stream = Stream::org(rows.organization.core.id);
    let (org, issuer) = (
        rows.organization.core.id,
        rows.organization.core.issuer.clone(),
    );
    let (own, instance) = entries(platform, peer, stream, &rows, &new).await?;
    let closure = move |tx: &mut Tx<'_>| {
        also(tx)?;
        let owner = write(tx, stream, &rows)?;
        tx.entry(stream, own.clone())?;
        tx.entry(Stream::INSTANCE, instance.clone())?;
        Ok(owner)
    };
    // The instance is locked first: two first organizations would both make an administrator.
    let seen = platform.store.heads(Some(vec![Stream::INSTANCE])).await?;
    let mut plan = Plan::new(stream);
    for (stream, head) in seen {
        plan = plan.decided_at(stream, head.authority_rev);
    }
    let done = platform.node.commit(plan, closure).await?;
    Ok(Founded {
        org,
        issuer,
        owner: done.value,
        token: minted,
    })
}

/// The account that holds this address already; keys of its own are sealed for its id.
async fn known_account(platform: &Platform, email: &str) -> Result<Option<Id<User>>> {
    let Ok((_, key)) = name::email(email) else {
        return Ok(None);
    };
    let instance = Stream::INSTANCE;
    let found = platform
        .store
        .read(instance, move |reader| {
            reader.claimed(instance, "account.email", &key)
        })
        .await?;
    Ok(found.map(Id::from_bytes))
}

fn rows(
    platform: &Platform,
    new: &NewOrganization,
    user: Id<User>,
) -> Result<(Rows, Option<Minted>)> {
    let slug = name::slug(&new.slug).map_err(|error| Error::invalid("org", error.to_string()))?;
    let shown = new.name.as_deref().unwrap_or(&slug);
    let (shown, _) =
        name::display(shown).map_err(|error| Error::invalid("name", error.to_string()))?;
    let (email, email_key) = name::email(&new.owner_email)
        .map_err(|error| Error::invalid("email", error.to_string()))?;
    let (now, org) = (platform.clock.now(), platform.id::<Org>());
    let stream = Stream::org(org);
    let issuer = format!("{}/o/{slug}", platform.public_url);
    let roles: Vec<Role> = Builtin::ALL
        .into_iter()
        .map(|builtin| built_in(platform, builtin, now))
        .collect();
    let owner_role = roles
        .first()
        .map(|role| role.core.id)
        .ok_or_else(|| Error::internal("no built-in role"))?;
    let core = AssignmentCore {
        id: platform.id(),
        subject: user,
        role: owner_role,
        expires_at: None,
    };
    let (token, minted) = new
        .token
        .then(|| bootstrap_token(platform, stream, user, now))
        .unzip();
    let rows = Rows {
        organization: Organization {
            core: OrganizationCore {
                id: org,
                slug,
                issuer,
                state: OrganizationState::Active,
                parent: new.parent,
                quotas: domain::Quotas::default(),
            },
            name: shown,
            created_at: now,
        },
        settings: Settings {
            org,
            core: SettingsCore::default(),
        },
        keys: keys(platform, stream, now)?,
        subjects: subjects(platform, stream, [stream.bytes(), user.bytes()])?,
        roles,
        account: Account {
            core: AccountCore {
                id: user,
                state: AccountState::Active,
                instance_administrator: false,
            },
            email: email.clone(),
            email_verified: new.verified,
            created_at: now,
        },
        email_key,
        membership: Membership {
            core: MembershipCore {
                user,
                state: MembershipState::Active,
            },
            name: email.split('@').next().unwrap_or_default().to_owned(),
            email,
            created_at: now,
        },
        assignment: Assignment {
            core,
            created_at: now,
        },
        token,
    };
    Ok((rows, minted))
}

fn built_in(platform: &Platform, builtin: Builtin, now: Timestamp) -> Role {
    let core = RoleCore {
        id: platform.id(),
        builtin: Some(builtin),
        permissions: Permissions::NONE,
        scopes: Vec::new(),
    };
    Role {
        core,
        name: builtin.name().into(),
        created_at: now,
    }
}

fn keys(platform: &Platform, stream: Stream, now: Timestamp) -> Result<Vec<SigningKey>> {
    let kinds = [
        (KeyAlgorithm::EdDSA, KeyPurpose::Token),
        (KeyAlgorithm::ES256, KeyPurpose::Token),
        (KeyAlgorithm::EdDSA, KeyPurpose::Log),
    ];
    let make = |(algorithm, purpose)| {
        let kind = (algorithm, purpose, KeyState::Active);
        new_signing_key(
            &platform.keyring,
            &*platform.entropy,
            stream,
            platform.id(),
            kind,
            now,
        )
    };
    kinds.into_iter().map(make).collect()
}

fn subjects(platform: &Platform, stream: Stream, of: [[u8; 16]; 2]) -> Result<Vec<SubjectKey>> {
    let make = |subject| {
        new_subject_key(&platform.keyring, &*platform.entropy, stream, subject)
            .map_err(Error::internal)
    };
    of.into_iter().map(make).collect()
}

/// A bootstrap token of an owner: everything, for a day, from anywhere; it also proves a recent sign-in.
pub(super) fn bootstrap_token(
    platform: &Platform,
    stream: Stream,
    user: Id<User>,
    now: Timestamp,
) -> (ApiToken, Minted) {
    let id = platform.id();
    let minted = secret::mint(
        &platform.keyring,
        &*platform.entropy,
        SecretKind::ApiToken,
        stream,
        id.bytes(),
    );
    let core = ApiTokenCore {
        id,
        key_id: minted.key_id.clone(),
        hash: minted.hash.clone(),
        user,
        permissions: Permission::ALL.iter().copied().collect(),
        scopes: Vec::new(),
        networks: Vec::new(),
        grant: GrantId::generate(&*platform.entropy),
        expires_at: now.plus(limits::BOOTSTRAP_LIFE),
        revoked: false,
        above: Lineage::default(),
        bootstrap: true,
    };
    (
        ApiToken {
            core,
            name: "bootstrap".into(),
            created_at: now,
            revoked_at: None,
        },
        minted,
    )
}

/// Writes a bootstrap token and the claim by which it is found.
pub(super) fn write_token(
    tx: &mut Tx<'_>,
    stream: Stream,
    token: &ApiToken,
) -> Result<(), Refusal> {
    let org = stream.bytes();
    tx.claim(Stream::INSTANCE, CREDENTIAL_CLAIM, &token.core.key_id, org)?;
    tx.insert(stream, token)
}

fn write(tx: &mut Tx<'_>, stream: Stream, rows: &Rows) -> Result<Id<User>, Refusal> {
    let instance = Stream::INSTANCE;
    let first = tx.list::<Organization>(instance, None, 1)?.is_empty();
    if let Some(parent) = rows.organization.core.parent {
        let known = tx.get::<Organization>(instance, parent.bytes())?;
        known.ok_or_else(|| {
            Refusal::new(Code::NotFound, "no such organization here").on("parent")
        })?;
    }
    let org = rows.organization.core.id.bytes();
    tx.claim(instance, "org.slug", &rows.organization.core.slug, org)
        .map_err(|refusal| refusal.on("org"))?;
    tx.insert(instance, &rows.organization)?;
    let user = account(tx, rows, first)?;
    if user != rows.account.core.id {
        return Err(Refusal::new(
            Code::ConcurrentChange,
            "this address was taken meanwhile; send the request again",
        ));
    }
    for key in &rows.keys {
        tx.insert(stream, key)?;
    }
    for subject in &rows.subjects {
        tx.put(stream, subject)?;
    }
    for role in &rows.roles {
        tx.claim(stream, "role.name", &role.name, role.core.id.bytes())?;
        tx.insert(stream, role)?;
    }
    tx.insert(stream, &rows.settings)?;
    tx.claim(stream, "membership.email", &rows.email_key, user.bytes())?;
    tx.insert(stream, &rows.membership)?;
    tx.insert(stream, &rows.assignment)?;
    if let Some(token) = &rows.token {
        write_token(tx, stream, token)?;
    }
    Ok(user)
}

/// The account with this address, or a new one; the first organization's owner administers the instance.
fn account(tx: &mut Tx<'_>, rows: &Rows, first: bool) -> Result<Id<User>, Refusal> {
    let instance = Stream::INSTANCE;
    if let Some(known) = tx.claimed(instance, "account.email", &rows.email_key)? {
        return Ok(Id::from_bytes(known));
    }
    let id = rows.account.core.id;
    tx.claim(instance, "account.email", &rows.email_key, id.bytes())?;
    let core = AccountCore {
        instance_administrator: first,
        ..rows.account.core.clone()
    };
    tx.insert(
        instance,
        &Account {
            core,
            ..rows.account.clone()
        },
    )?;
    Ok(id)
}

/// The organization's first entry holds nothing personal: its subjects' keys come to be with it.
async fn entries(
    platform: &Platform,
    peer: &Peer,
    stream: Stream,
    rows: &Rows,
    new: &NewOrganization,
) -> Result<(Prepared, Prepared)> {
    let bare = Peer {
        ip: None,
        user_agent: None,
        ..peer.clone()
    };
    let core = &rows.organization.core;
    let method = match (new.actor, peer.door) {
        (Principal::System, "cli") => "operator",
        (Principal::System, _) => "setup_secret",
        _ => "api_token",
    };
    let act = || {
        Act::create("organization.created")
            .on(core.id)
            .after(serde_json::json!({ "slug": core.slug, "issuer": core.issuer, "bootstrap_token": new.token }))
            .by(new.actor, method)
    };
    let own = audit::prepare(platform, stream, None, &bare, act()).await?;
    let instance = audit::prepare(platform, Stream::INSTANCE, None, peer, act()).await?;
    Ok((own, instance))
}
