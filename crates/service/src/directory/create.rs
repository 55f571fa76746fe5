//! Adding a person: a new address makes an account and an active membership, an account of another organization a
//! pending one, which its human accepts. Roles are given along within what the caller holds.

use super::person::{EMAIL_CLAIM, Person};
use crate::{
    Act, Cx, Error, Result,
    access::{giving, roles},
    bounds, new_subject_key,
    operation::{Meta, Method, Operation, Target},
    quotas::{self, Counted, Quota},
};
use domain::{
    Account, AccountCore, AccountState, Assignment, AssignmentCore, Membership, MembershipCore,
    MembershipState, Permission, Role, Stream, SubjectKey, name,
};
use kernel::{Code, Id, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Refusal, Tx};

/// The claim by which an address is one human's in the instance.
const ACCOUNT_CLAIM: &str = "account.email";

/// The claim of people who were active here before they left: they need not accept again.
pub(super) const FORMER_CLAIM: &str = "membership.former";

/// Adds a person.
pub struct CreateUser;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The person's e-mail address.
    email: String,
    /// The person's name.
    name: String,
    /// Roles to give, by id or name.
    #[serde(default)]
    roles: Vec<String>,
}

/// Everything that goes into the transaction, with identifiers and keys already made.
struct Rows {
    member: Membership,
    email_key: String,
    account: Option<Account>,
    subject: SubjectKey,
    assignments: Vec<Assignment>,
    roles: Vec<String>,
}

impl Operation for CreateUser {
    const META: Meta = Meta {
        summary: "Add a person, with roles that give no more than you hold",
        tool: Some("create-user"),
        command: "user create",
        status: 201,
        ..Meta::write(
            "users.create",
            Method::Post,
            "/orgs/{org}/users",
            Permission::UsersCreate,
        )
    };
    type Input = Input;
    type Output = Person;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Person> {
        let roles = allowed_roles(cx, &input.roles).await?;
        let rows = rows(cx, &input, roles).await?;
        let (stream, user, new) = (cx.stream()?, rows.member.core.user, rows.account.is_some());
        let given: Vec<_> = rows
            .assignments
            .iter()
            .map(|given| given.core.role)
            .collect();
        let after = json!({ "roles": given, "new_account": new });
        let mut acts = vec![(stream, Act::create("user.created").on(user).after(after))];
        if new {
            acts.push((Stream::INSTANCE, Act::create("account.created").on(user)));
        }
        let quota = Quota::of(cx, Counted::Users).await?;
        let done = cx
            .commit_with(new, acts, move |tx| {
                quotas::check(quota.as_ref(), tx, stream)?;
                write(tx, stream, &rows)
            })
            .await?;
        Ok(done.value)
    }

    fn version(output: &Person) -> Option<u64> {
        Some(output.version())
    }
}

async fn allowed_roles(cx: &Cx, names: &[String]) -> Result<Vec<Role>> {
    let mut roles: Vec<Role> = Vec::with_capacity(names.len());
    for name in names {
        let role = roles::named(cx, name).await?;
        giving::may_give(cx, &role.core, None)?;
        if !roles.iter().any(|known| known.core.id == role.core.id) {
            roles.push(role);
        }
    }
    Ok(roles)
}

async fn rows(cx: &Cx, input: &Input, roles: Vec<Role>) -> Result<Rows> {
    let (email, email_key) =
        name::email(&input.email).map_err(|error| Error::invalid("email", error.to_string()))?;
    let (shown, _) = bounds::name("name", &input.name)?;
    let (now, stream, instance) = (cx.platform.clock.now(), cx.stream()?, Stream::INSTANCE);
    let key = email_key.clone();
    let known = cx
        .platform
        .store
        .read(instance, move |reader| {
            reader.claimed(instance, ACCOUNT_CLAIM, &key)
        })
        .await?;
    let user = known.map_or_else(|| cx.id(), Id::<User>::from_bytes);
    let state = if known.is_some() {
        MembershipState::Pending
    } else {
        MembershipState::Active
    };
    let keyring = &cx.platform.keyring;
    Ok(Rows {
        account: known.is_none().then(|| account(user, email.clone(), now)),
        member: Membership {
            core: MembershipCore { user, state },
            email,
            name: shown,
            created_at: now,
        },
        email_key,
        subject: new_subject_key(keyring, &*cx.platform.entropy, stream, user.bytes())
            .map_err(Error::internal)?,
        assignments: roles
            .iter()
            .map(|role| assignment(cx, user, role, now))
            .collect(),
        roles: roles.into_iter().map(|role| role.name).collect(),
    })
}

/// Nobody has proven control of the address yet.
fn account(id: Id<User>, email: String, now: Timestamp) -> Account {
    let core = AccountCore {
        id,
        state: AccountState::Active,
        instance_administrator: false,
    };
    Account {
        core,
        email,
        email_verified: false,
        created_at: now,
    }
}

fn assignment(cx: &Cx, subject: Id<User>, role: &Role, now: Timestamp) -> Assignment {
    let core = AssignmentCore {
        id: cx.id(),
        subject,
        role: role.core.id,
        expires_at: None,
    };
    Assignment {
        core,
        created_at: now,
    }
}

fn write(tx: &mut Tx<'_>, stream: Stream, rows: &Rows) -> Result<Person, Refusal> {
    let (user, mut member) = (rows.member.core.user, rows.member.clone());
    if let Some(account) = &rows.account {
        tx.claim(
            Stream::INSTANCE,
            ACCOUNT_CLAIM,
            &rows.email_key,
            user.bytes(),
        )?;
        tx.insert(Stream::INSTANCE, account)?;
    }
    tx.claim(stream, EMAIL_CLAIM, &rows.email_key, user.bytes())?;
    if let Some(present) = tx.get::<Membership>(stream, user.bytes())? {
        if present.value.core.state != MembershipState::Deactivated {
            return Err(
                Refusal::new(Code::AlreadyExists, "this person is a member already").on("email"),
            );
        }
        // Somebody who was active here and left comes back without a second acceptance; nobody else does.
        let former = tx
            .claimed(stream, FORMER_CLAIM, &user.to_string())?
            .is_some();
        member.core.state = if former {
            MembershipState::Active
        } else {
            MembershipState::Pending
        };
    }
    // The key of somebody who comes back also opens what was sealed before; it stays.
    if tx.get::<SubjectKey>(stream, user.bytes())?.is_none() {
        tx.put(stream, &rows.subject)?;
    }
    let version = tx.put(stream, &member)?;
    for given in &rows.assignments {
        tx.insert(stream, given)?;
    }
    Ok(Person::new(member, version, rows.roles.clone()))
}
