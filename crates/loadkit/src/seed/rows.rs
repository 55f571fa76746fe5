//! The rows of one organization, made of the product's own types, with real keys and hashed secrets. Every agent
//! reaches one scope of the one connection; it is owned by the owner or by one of the people with the role.

use super::organization::{Founded, Size};
use crate::credential::Credential;
use anyhow::{Result, anyhow};
use domain::{
    Account, AccountCore, AccountState, Agent, AgentCore, AgentState, Assignment, AssignmentCore,
    AuthMethod, Class, Connection, ConnectionCore, GrantId, Holder, Membership, MembershipCore,
    MembershipState, Owner, Permissions, Role, RoleCore, Scope, ScopeGrant, ScopePattern, Secret,
    SecretCore, SecretState, Stream, SubjectKey, TokenFormat, name,
};
use kernel::{Id, Timestamp, User};
use service::{
    Platform, new_subject_key,
    secret::{self, SecretKind},
};
use std::{collections::BTreeMap, sync::Arc};
use store::{Refusal, Tx};

/// How many people of an organization have the role that holds the scopes, and so may own agents.
const HOLDERS: usize = 9;
const SCOPES: [&str; 2] = ["orders:read", "orders:write"];
const OPERATION: &str = "orders.list";

/// Everything of one organization.
pub struct Rows {
    /// The connection.
    pub connection: Connection,
    connection_name: String,
    connection_secret: Secret,
    connection_subject: SubjectKey,
    /// The role that holds the connection's scopes.
    pub role: Role,
    /// People beside the owner.
    pub people: Vec<Person>,
    /// Agents.
    pub agents: Vec<MadeAgent>,
}

/// A person.
pub struct Person {
    /// The account.
    pub account: Account,
    member: Membership,
    email_key: String,
    subject: SubjectKey,
    assignment: Option<Assignment>,
}

/// An agent with its secret.
pub struct MadeAgent {
    /// The agent.
    pub agent: Agent,
    name_key: String,
    subject: SubjectKey,
    secret: Secret,
}

/// Makes the rows of one organization.
pub struct Maker {
    platform: Arc<Platform>,
    founded: Founded,
    stream: Stream,
    now: Timestamp,
}

impl Maker {
    /// For this organization.
    pub fn new(platform: Arc<Platform>, founded: Founded) -> Self {
        Self {
            stream: Stream::org(founded.org),
            now: platform.clock.now(),
            platform,
            founded,
        }
    }

    /// Everything, with the credentials in clear.
    ///
    /// # Errors
    /// When a name is refused or the cryptographic library refuses.
    pub fn make(&self, size: Size) -> Result<(Rows, Vec<Credential>)> {
        let role = self.role()?;
        let (connection, connection_name) = self.connection()?;
        let id = connection.core.id;
        let (connection_secret, connection_text) = self.secret(Holder::Connection(id));
        let people = (0..size.people).map(|number| self.person(number, role.core.id));
        let people = people.collect::<Result<Vec<_>>>()?;
        let owners: Vec<_> = std::iter::once(self.founded.owner)
            .chain(people.iter().take(HOLDERS).map(|p| p.account.core.id))
            .collect();
        let (mut agents, mut credentials) = (Vec::new(), Vec::new());
        for (number, owner) in owners.iter().cycle().take(size.agents).enumerate() {
            let (made, text) = self.agent(number, *owner, &connection)?;
            credentials.push(Credential {
                org: self.founded.slug.clone(),
                agent: made.agent.core.id.to_string(),
                secret: text,
                connection: id.to_string(),
                connection_secret: connection_text.clone(),
                audience: connection.core.audience.clone(),
            });
            agents.push(made);
        }
        let rows = Rows {
            connection_subject: self.subject(id.bytes())?,
            connection,
            connection_name,
            connection_secret,
            role,
            people,
            agents,
        };
        Ok((rows, credentials))
    }

    fn subject(&self, of: [u8; 16]) -> Result<SubjectKey> {
        let (keyring, entropy) = (&self.platform.keyring, &*self.platform.entropy);
        new_subject_key(keyring, entropy, self.stream, of).map_err(|error| anyhow!("{error}"))
    }

    fn secret(&self, holder: Holder) -> (Secret, String) {
        let (keyring, entropy) = (&self.platform.keyring, &*self.platform.entropy);
        let id: Id<kernel::Grant> = self.platform.id();
        let kind = SecretKind::Client;
        let minted = secret::mint(keyring, entropy, kind, self.stream, id.bytes());
        let core = SecretCore {
            id,
            key_id: minted.key_id.clone(),
            holder,
            hash: minted.hash.clone(),
            grant: GrantId::generate(entropy),
            state: SecretState::Active,
            created_at: self.now,
            not_after: None,
        };
        (Secret { core }, minted.reveal())
    }

    fn role(&self) -> Result<Role> {
        Ok(Role {
            core: RoleCore {
                id: self.platform.id(),
                builtin: None,
                permissions: Permissions::NONE,
                scopes: vec![ScopePattern::parse("orders:*")?],
            },
            name: "orders desk".into(),
            created_at: self.now,
        })
    }

    fn connection(&self) -> Result<(Connection, String)> {
        let scopes = SCOPES.map(Scope::parse).into_iter();
        let (name, name_key) = name::display("orders").map_err(|error| anyhow!("{error}"))?;
        let core = ConnectionCore {
            id: self.platform.id(),
            audience: name::audience("https://orders.example")?,
            min_trust: 0,
            scopes: scopes.collect::<Result<_, _>>()?,
            operations: BTreeMap::from([(OPERATION.to_owned(), Class::Read)]),
            scope_classes: BTreeMap::new(),
            labels: Vec::new(),
            format: TokenFormat::Jwt,
            introspection: true,
        };
        let created_at = self.now;
        let made = Connection {
            core,
            name,
            created_at,
        };
        Ok((made, name_key))
    }

    fn person(&self, number: usize, role: Id<kernel::Role>) -> Result<Person> {
        let id: Id<User> = self.platform.id();
        let address = format!("person-{number}@{}.example", self.founded.slug);
        let (email, email_key) = name::email(&address).map_err(|error| anyhow!("{error}"))?;
        let core = AssignmentCore {
            id: self.platform.id(),
            subject: id,
            role,
            expires_at: None,
        };
        let created_at = self.now;
        Ok(Person {
            account: Account {
                core: AccountCore {
                    id,
                    state: AccountState::Active,
                    instance_administrator: false,
                },
                email: email.clone(),
                email_verified: false,
                created_at,
            },
            member: Membership {
                core: MembershipCore {
                    user: id,
                    state: MembershipState::Active,
                },
                name: format!("Person {number}"),
                email,
                created_at,
            },
            email_key,
            subject: self.subject(id.bytes())?,
            assignment: (number < HOLDERS).then_some(Assignment { core, created_at }),
        })
    }

    fn agent(
        &self,
        number: usize,
        owner: Id<User>,
        connection: &Connection,
    ) -> Result<(MadeAgent, String)> {
        let id: Id<kernel::Agent> = self.platform.id();
        let (name, name_key) =
            name::display(&format!("agent {number}")).map_err(|error| anyhow!("{error}"))?;
        let (secret, text) = self.secret(Holder::Agent(id));
        let core = AgentCore {
            id,
            owner: Owner(owner),
            sponsor: owner,
            state: AgentState::Active,
            ceiling: vec![ScopeGrant {
                connection: connection.core.id,
                scope: Scope::parse(SCOPES[0])?,
            }],
            connections: None,
            grant: GrantId::generate(&*self.platform.entropy),
            method: AuthMethod::ClientSecret,
            keys: Vec::new(),
            credential_since: self.now,
        };
        let agent = Agent {
            core,
            name,
            kind: None,
            version: None,
            model_digest: None,
            created_at: self.now,
            suspended_by: None,
        };
        let made = MadeAgent {
            agent,
            name_key,
            subject: self.subject(id.bytes())?,
            secret,
        };
        Ok((made, text))
    }
}

impl Rows {
    /// The connection with its credential.
    ///
    /// # Errors
    /// What the store refuses; so for every call here.
    pub fn write_connection(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        let core = &self.connection.core;
        let id = core.id.bytes();
        tx.claim(stream, "connection.name", &self.connection_name, id)?;
        tx.claim(stream, "connection.audience", &core.audience, id)?;
        tx.insert(stream, &self.connection)?;
        tx.insert(stream, &self.connection_subject)?;
        tx.insert(stream, &self.connection_secret)
    }

    /// The role.
    pub fn write_role(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        tx.claim(
            stream,
            "role.name",
            &self.role.name,
            self.role.core.id.bytes(),
        )?;
        tx.insert(stream, &self.role)
    }
}

impl Person {
    /// The account and the membership.
    pub fn write(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        let (id, instance) = (self.account.core.id.bytes(), Stream::INSTANCE);
        tx.claim(instance, "account.email", &self.email_key, id)?;
        tx.insert(instance, &self.account)?;
        tx.claim(stream, "membership.email", &self.email_key, id)?;
        tx.insert(stream, &self.subject)?;
        tx.insert(stream, &self.member)?;
        match &self.assignment {
            Some(assignment) => tx.insert(stream, assignment),
            None => Ok(()),
        }
    }
}

impl MadeAgent {
    /// The agent with its secret.
    pub fn write(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        let id = self.agent.core.id.bytes();
        tx.claim(stream, "agent.name", &self.name_key, id)?;
        tx.insert(stream, &self.agent)?;
        tx.insert(stream, &self.subject)?;
        tx.insert(stream, &self.secret)
    }
}
