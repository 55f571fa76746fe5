//! Where the database is and how it is reached: hosts, encryption, the circuit in front. Plain connections stay on
//! this machine; everything else proves who it is under TLS 1.3, or 1.2 where the address says so.

use super::{
    answers::{lost, said},
    breaker::Breaker,
    conn::Pg,
    tls,
};
use crate::StoreError;
use kernel::Clock;
use percent_encoding::percent_decode_str;
use std::{
    future::poll_fn,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What the driver says of a server that is not the primary.
const NO_WRITES: &str = "does not allow writes";
/// For each of several hosts.
const CONNECT: Duration = Duration::from_secs(3);
/// After this long without an answer from the other machine's kernel a connection counts as broken.
const SILENT: Duration = Duration::from_secs(10);

/// A database server, or several of which one is the primary.
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    breaker: Breaker,
    /// Raised when no connection made so far leads to where it should any more.
    era: AtomicU64,
}

/// How the server is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    mode: Option<Proof>,
    /// Whose certificates are believed; the system's when absent.
    pub(super) roots: Option<PathBuf>,
    /// Whether TLS 1.2 is good enough.
    pub(super) older: bool,
}

/// What the server must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing, and nothing is hidden.
    Plain,
    /// That somebody believed signed its certificate.
    Authority,
    /// That its certificate is for this name, too.
    Name,
}

impl Target {
    /// Reads an address: `postgres://user@host,host/name?sslmode=…`.
    ///
    /// # Errors
    /// When it is not an address, asks for what is not supported or would send secrets in the clear.
    pub(super) fn parse(url: &str, writes: bool) -> Result<Self, StoreError> {
        let (url, wanted) = wanted(url)?;
        let mut config: Config = url.parse().map_err(|_| {
            refused("the database's address is not one such as `postgres://user@host/name`")
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENT);
        if config.get_application_name().is_none() {
            config.application_name("cardea");
        }
        if writes {
            // After a fail-over the same list of hosts leads to the new primary.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let near = stays_here(&config);
        let tls = match wanted.mode {
            None if near => None,
            Some(Proof::Plain) if near => None,
            Some(Proof::Plain) => {
                return Err(refused(
                    "`sslmode=disable` would send the database's password and every row in the clear; use `sslmode=verify-full`, or a tunnel or socket on this machine",
                ));
            }
            Some(Proof::Authority) => Some(tls::connector(&wanted, false, &config)?),
            Some(Proof::Name) | None => Some(tls::connector(&wanted, true, &config)?),
        };
        config.ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        let breaker = Breaker::new();
        Ok(Self {
            config,
            tls,
            breaker,
            era: AtomicU64::new(0),
        })
    }

    /// In which era a connection is made now; one of another era is not used any more.
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Begins an era.
    pub(super) fn renew(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    /// A connection, unless the server has been silent for a while.
    pub(super) fn open(&self, clock: &Arc<dyn Clock>) -> Result<Pg, StoreError> {
        self.breaker
            .through(&**clock, || Pg::connect(self, clock.clone()))
    }

    /// Connects and drives the connection on the present runtime. The second part gives the text of each
    /// notification.
    ///
    /// # Errors
    /// A refused connection, whatever the reason, may be accepted later: `Lost`, or `Standby` when the server says
    /// that it takes no writes.
    pub(super) async fn connect(&self) -> Result<(Client, UnboundedReceiver<String>), StoreError> {
        let (tell, heard) = unbounded_channel();
        let connected = self.driven(tell).await;
        let client = connected.map_err(|error| self.unreachable(&error))?;
        Ok((client, heard))
    }

    async fn driven(&self, tell: UnboundedSender<String>) -> Result<Client, Error> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(drive(connection, tell));
                Ok(client)
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(drive(connection, tell));
                Ok(client)
            }
        }
    }

    /// What to tell somebody whose server cannot be reached.
    fn unreachable(&self, error: &Error) -> StoreError {
        if said(error).contains(NO_WRITES) {
            return StoreError::Standby;
        }
        let hint = self.tls.as_ref().and_then(|_| tls::hint(error));
        lost(&match hint {
            Some(hint) => format!("{}; {hint}", said(error)),
            None => said(error),
        })
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, tell: UnboundedSender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(next) = poll_fn(|cx| connection.poll_message(cx)).await {
        match next {
            Ok(AsyncMessage::Notification(told)) => {
                // Few connections are asked for what they heard.
                let _nobody_listens = tell.send(told.payload().to_owned());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection to the database ended");
                return;
            }
        }
    }
}

fn refused(text: &str) -> StoreError {
    StoreError::Migration(text.to_owned())
}

/// Whether every host is this machine.
fn stays_here(config: &Config) -> bool {
    let near = |host: &Host| match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        Host::Unix(_) => true,
    };
    let loopback = config
        .get_hostaddrs()
        .iter()
        .all(std::net::IpAddr::is_loopback);
    config.get_hosts().iter().all(near) && loopback
}

/// Takes what is said of TLS out of the address: the driver knows neither files nor versions.
fn wanted(url: &str) -> Result<(String, Wanted), StoreError> {
    let mut wanted = Wanted::default();
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), wanted));
    };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy();
        match name {
            "sslmode" => wanted.mode = Some(proof(&value)?),
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => wanted.roots = Some(PathBuf::from(&*value)),
            "ssl_min_protocol_version" => wanted.older = older(&value)?,
            _ => rest.push(pair),
        }
    }
    let query = rest.join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    Ok((format!("{place}{mark}{query}"), wanted))
}

fn proof(mode: &str) -> Result<Proof, StoreError> {
    match mode {
        "disable" => Ok(Proof::Plain),
        "verify-ca" => Ok(Proof::Authority),
        // Encrypted towards whoever answers would protect from nobody who matters.
        "require" | "verify-full" => Ok(Proof::Name),
        _ => Err(refused(
            "`sslmode` in the database's address must be `verify-full`, `verify-ca`, `require` or, on this machine, `disable`",
        )),
    }
}

fn older(version: &str) -> Result<bool, StoreError> {
    match version {
        "TLSv1.3" => Ok(false),
        "TLSv1.2" => Ok(true),
        _ => Err(refused(
            "`ssl_min_protocol_version` in the database's address must be `TLSv1.3` or `TLSv1.2`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(url: &str) -> Result<bool, String> {
        let target = Target::parse(url, true).map_err(|error| error.to_string())?;
        Ok(target.tls.is_some())
    }

    #[test]
    fn only_what_stays_on_this_machine_is_plain() {
        assert_eq!(judged("postgres://a@127.0.0.1/b"), Ok(false));
        assert_eq!(
            judged("postgres:///b?host=/run/postgresql&user=a"),
            Ok(false)
        );
        assert_eq!(
            judged("postgres://a@localhost/b?sslmode=disable"),
            Ok(false)
        );
        assert_eq!(
            judged("postgres://a@localhost/b?sslmode=verify-full"),
            Ok(true)
        );
        assert_eq!(judged("postgres://a@db.example.com/b"), Ok(true));
        assert_eq!(judged("postgres://a@localhost,db.example.com/b"), Ok(true));
        assert_eq!(
            judged("postgres://a@localhost/b?hostaddr=192.0.2.1"),
            Ok(true)
        );
        let told = judged("postgres://a@db.example.com/b?sslmode=disable").unwrap_err();
        assert!(told.contains("verify-full"), "{told}");
        for wrong in [
            "postgres://a@h/b?sslmode=prefer",
            "postgres://a@h/b?ssl_min_protocol_version=TLSv1.1",
            "postgres://a@h/b?sslrootcert=/nowhere/at/all",
        ] {
            assert!(judged(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rest_of_the_address_is_left_as_it_is() {
        let url = "postgres://a:b%40c@h1:1,h2:2/d?sslmode=verify-ca&application_name=x%20y&ssl_min_protocol_version=TLSv1.2&sslrootcert=%2Fca.pem";
        let (rest, wanted) = wanted(url).unwrap();
        assert_eq!(
            rest,
            "postgres://a:b%40c@h1:1,h2:2/d?application_name=x%20y"
        );
        assert_eq!(wanted.mode, Some(Proof::Authority));
        assert_eq!(wanted.roots, Some("/ca.pem".into()));
        assert!(wanted.older);
    }
}
