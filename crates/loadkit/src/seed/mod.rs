//! Fills an empty instance with organizations of one shape, through the product's own code: founding, sealed keys,
//! hashed secrets, an entry for every act. Many commands are in flight at once, so that they share commits; nothing
//! goes round the store.

mod organization;
mod rows;

use anyhow::{Context, Result, bail};
use cardea::instance::{Instance, Opening};
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use kernel::{Clock, SecretString, ambient::SystemClock};
use service::{Platform, checkpoint};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    sync::Arc,
};

/// How many organizations are being filled at once.
const IN_FLIGHT: usize = 48;
/// How many are founded or filled between two lines that say how far it is.
const TOLD_EVERY: usize = 1_000;

/// What `loadkit seed` takes.
#[derive(Args)]
pub struct Options {
    /// The data folder to fill, or the one with the instance key when the database is a server
    #[arg(long)]
    data: PathBuf,
    /// The database server to fill instead of the embedded one
    #[arg(long)]
    database_url: Option<String>,
    /// The public URL that every issuer begins with
    #[arg(long, default_value = "http://localhost:8080")]
    public_url: String,
    /// How many organizations
    #[arg(long, default_value_t = 10)]
    organizations: usize,
    /// How many people each has beside its owner
    #[arg(long, default_value_t = 0)]
    people: usize,
    /// How many agents each has
    #[arg(long, default_value_t = 10)]
    agents: usize,
    /// Where to write the agents' credentials
    #[arg(long)]
    credentials: PathBuf,
}

/// Fills the instance and writes the credentials.
///
/// # Errors
/// When it holds an organization already, or the database refuses.
pub async fn run(options: Options) -> Result<()> {
    let opening = Opening {
        database_url: options.database_url.clone().map(SecretString::from),
        public_url: Some(options.public_url.clone()),
        ..Opening::new(&options.data)
    };
    let instance = Instance::open(opening, &options.public_url).await?;
    let filled = fill(&instance.platform, &options).await;
    instance.close().await;
    filled
}

async fn fill(platform: &Arc<Platform>, options: &Options) -> Result<()> {
    if platform
        .node
        .cells()
        .instance()
        .organizations()
        .next()
        .is_some()
    {
        bail!("there are organizations already; name an empty folder or database");
    }
    let founded = found(platform, options.organizations).await?;
    let mut out = BufWriter::new(
        File::create(&options.credentials).context("the file of credentials cannot be made")?,
    );
    let mut told = Told::new("filled", options.organizations);
    let size = organization::Size {
        people: options.people,
        agents: options.agents,
    };
    let mut filled = stream::iter(founded)
        .map(|founded| organization::fill(platform, founded, size))
        .buffered(IN_FLIGHT);
    while let Some(credentials) = filled.try_next().await? {
        for credential in credentials {
            out.write_all(credential.line().as_bytes())?;
        }
        told.one();
    }
    out.flush()?;
    platform.node.poll().await?;
    checkpoint::sign_instance_now(platform, &checkpoint::Covered::default()).await?;
    Ok(())
}

/// One after the other: founding decides on the whole instance.
async fn found(platform: &Platform, count: usize) -> Result<Vec<organization::Founded>> {
    let mut told = Told::new("founded", count);
    let mut founded = Vec::with_capacity(count);
    for number in 0..count {
        founded.push(organization::found(platform, number).await?);
        told.one();
    }
    Ok(founded)
}

/// Says how far it is.
struct Told {
    what: &'static str,
    done: usize,
    of: usize,
    began: kernel::Monotonic,
}

impl Told {
    fn new(what: &'static str, of: usize) -> Self {
        Self {
            what,
            done: 0,
            of,
            began: SystemClock.boot(),
        }
    }

    fn one(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(TOLD_EVERY) || self.done == self.of {
            let took = SystemClock.boot().since(self.began).as_seconds();
            eprintln!("{} {} of {} after {took} s", self.what, self.done, self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cardea::verify::{Asked, verify};
    use service::{Peer, oauth};

    fn options(folder: &std::path::Path) -> Options {
        Options {
            data: folder.join("data"),
            database_url: None,
            public_url: "http://localhost:8080".into(),
            organizations: 3,
            people: 2,
            agents: 4,
            credentials: folder.join("credentials.tsv"),
        }
    }

    async fn token(platform: &Platform, line: &str) -> Result<String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let request = oauth::TokenRequest {
            grant_type: Some("client_credentials".into()),
            scope: None,
            resource: Some(fields[5].into()),
            audience: None,
            run_id: None,
            client: oauth::ClientForm {
                client_id: Some(fields[1].into()),
                client_secret: Some(fields[2].into()),
                ..Default::default()
            },
        };
        let peer = Peer::default();
        let granted = oauth::token(platform, fields[0], &peer, None, &request).await;
        let granted = granted.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(granted.answer.scope)
    }

    #[tokio::test]
    async fn every_credential_of_a_filled_instance_works_and_its_log_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        run(options(folder.path())).await.unwrap();
        let credentials = std::fs::read_to_string(folder.path().join("credentials.tsv")).unwrap();
        assert_eq!(credentials.lines().count(), 12);
        let opening = Opening::new(folder.path().join("data"));
        let instance = Instance::open(opening, "http://localhost:1").await.unwrap();
        for line in credentials.lines() {
            let scope = token(&instance.platform, line).await.unwrap();
            assert_eq!(scope, "orders:read", "{line}");
        }
        // A server keeps heads in memory and writes them now and then; a log is verified as it was left.
        instance.close().await;
        let opening = Opening::new(folder.path().join("data"));
        let instance = Instance::open(opening, "http://localhost:1").await.unwrap();
        let asked = Asked {
            deep: true,
            ..Asked::default()
        };
        let found = verify(&instance.platform.store, asked).await;
        let found = found.unwrap();
        assert_eq!(found.exit_code(), 0, "{found:?}");
        assert_eq!(
            found.reports.len(),
            4,
            "the instance and three organizations"
        );
        instance.close().await;
        assert!(
            run(options(folder.path())).await.is_err(),
            "an instance in use is left alone"
        );
    }
}
