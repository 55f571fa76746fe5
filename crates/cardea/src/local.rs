//! What the operator at the machine may ask of an instance without a credential: to prepare an organization and to
//! let an owner back in, and to let a new key sign the instance's checkpoints. The same whether the instance is opened here or a running server does it.

use kernel::{Code, ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use service::{Error, Platform, keys, setup};
use std::fmt;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// `cardea init`.
    Init {
        /// The organization's slug.
        org: String,
        /// The owner's address.
        owner: String,
        /// Whether to make a bootstrap token.
        token: bool,
        /// The public origin that somebody asked for.
        public_url: Option<String>,
    },
    /// `cardea recover-admin`.
    RecoverAdmin {
        /// The organization's slug; may be left out where there is one only.
        org: Option<String>,
    },
    /// `cardea keys rotate-log --instance`.
    RotateInstanceLog,
}

/// What was done.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Done {
    /// An organization can be used.
    Prepared(Box<Prepared>),
    /// Another key signs the instance's checkpoints.
    Rotated(Box<keys::LogKeyRotated>),
}

/// An organization that can be used. It holds secrets, so it prints only as JSON to whoever asked.
#[derive(Serialize, Deserialize)]
pub struct Prepared {
    /// The organization.
    pub org: String,
    /// Its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The owner.
    pub owner: String,
    /// The link by which the owner gets a credential, once.
    pub setup_url: String,
    /// The bootstrap token, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("org", &self.org)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let fields: Vec<String> = error
            .errors
            .iter()
            .map(|field| format!("`{}` {}", field.field, field.detail))
            .collect();
        let detail = if fields.is_empty() {
            error.detail.into_owned()
        } else {
            fields.join("; ")
        };
        Self {
            code: error.code.as_str().into(),
            detail,
        }
    }
}

/// The link that carries a set-up secret where no server log sees it: behind the `#`.
pub fn setup_url(platform: &Platform, secret: &SecretString) -> String {
    format!("{}/setup#{}", platform.public_url, secret.expose_secret())
}

/// Does it.
///
/// # Errors
/// What the service refuses.
pub async fn perform(platform: &Platform, request: Request) -> Result<Done, Refusal> {
    match request {
        Request::Init {
            org,
            owner,
            token,
            public_url,
        } => {
            same_url(platform, public_url)?;
            let done = setup::init(platform, &org, &owner, token).await?;
            Ok(Done::Prepared(Box::new(Prepared {
                org: done.org.to_string(),
                issuer: Some(done.issuer),
                owner: done.owner.to_string(),
                setup_url: setup_url(platform, &done.setup),
                token: done.token.map(|token| token.expose_secret().to_owned()),
            })))
        }
        Request::RecoverAdmin { org } => {
            let (org, owner, secret) = setup::recover(platform, org.as_deref()).await?;
            let setup_url = setup_url(platform, &secret);
            Ok(Done::Prepared(Box::new(Prepared {
                org: org.to_string(),
                issuer: None,
                owner: owner.to_string(),
                setup_url,
                token: None,
            })))
        }
        Request::RotateInstanceLog => {
            let done = keys::rotate_instance_log(platform).await?;
            Ok(Done::Rotated(Box::new(done)))
        }
    }
}

fn same_url(platform: &Platform, asked: Option<String>) -> Result<(), Refusal> {
    match asked {
        Some(asked) if asked != platform.public_url => {
            let detail = format!(
                "this instance's public URL is {} and never changes; leave out `--public-url`",
                platform.public_url
            );
            Err(Refusal {
                code: Code::InvalidState.as_str().into(),
                detail,
            })
        }
        _ => Ok(()),
    }
}
