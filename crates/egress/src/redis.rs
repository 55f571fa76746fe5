//! The shared counts over Redis or Valkey: one connection for everybody, made in the background. What is kept there
//! grants nothing, and an address beyond this machine is spoken to over TLS 1.3 only.

use crate::fast::{Counted, FastState, Lost, RENEWAL};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    ServerErrorKind, aio::MultiplexedConnection,
};
use futures::future::BoxFuture;
use kernel::{ExposeSecret, SecretString};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// Every key begins with this, so that a shared server shows whose it is.
const PREFIX: &str = "cardea:";

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// It is no address.
    #[error(
        "`--redis-url` (`redis.url_file`) is not an address such as `rediss://user:password@host:6379`; correct it"
    )]
    Address,
    /// It leaves the machine in clear.
    #[error(
        "`--redis-url` (`redis.url_file`) names another machine and is not encrypted; use `rediss://`, without `#insecure`"
    )]
    Clear,
}

/// A Redis or Valkey server.
pub struct Redis {
    client: Client,
    connection: RwLock<Option<MultiplexedConnection>>,
}

impl Redis {
    /// A server at this address; nothing is connected yet.
    ///
    /// # Errors
    /// When it is no address, or leaves this machine in clear.
    pub fn new(url: &SecretString) -> Result<Self, RedisError> {
        let info = url
            .expose_secret()
            .into_connection_info()
            .map_err(|_| RedisError::Address)?;
        let guarded = match info.addr() {
            ConnectionAddr::Tcp(host, _) => is_here(host),
            ConnectionAddr::TcpTls { insecure, .. } => !insecure,
            _ => true,
        };
        if !guarded {
            return Err(RedisError::Clear);
        }
        // The driver takes the process's default and no other; everything else in the product names its own.
        let _installed = tls_1_3().install_default();
        // Without a greeting the first answer is the one to our own question, and no more rights are needed.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP2));
        Ok(Self {
            client: Client::open(info).map_err(|_| RedisError::Address)?,
            connection: RwLock::default(),
        })
    }

    fn hold(&self, connection: Option<MultiplexedConnection>) {
        *self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn held(&self) -> Option<MultiplexedConnection> {
        let held = self.connection.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn connect(&self) -> Result<(), Lost> {
        self.hold(None);
        let limited = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RENEWAL))
            .set_response_timeout(Some(RENEWAL));
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&limited)
            .await;
        let mut made = made.map_err(|error| lost(&error))?;
        proven(&mut made).await.map_err(|error| lost(&error))?;
        self.hold(Some(made));
        Ok(())
    }

    async fn counted(&self, key: &str, amount: u64, life: Duration) -> Result<Counted, Lost> {
        let mut connection = self.held().ok_or(Lost::Unconnected)?;
        count(&mut connection, key, amount, life).await
    }
}

/// Every statement that counting needs, one by one, so that what is wrong with one is said of it.
async fn proven(connection: &mut MultiplexedConnection) -> Result<(), ::redis::RedisError> {
    let key = format!("{PREFIX}watch");
    let statements: [(&str, &[&str]); 4] = [
        ("SET", &["0", "PX", "1000", "NX"]),
        ("INCRBY", &["1"]),
        ("PTTL", &[]),
        ("PEXPIRE", &["1000"]),
    ];
    for (name, more) in statements {
        let mut statement = ::redis::cmd(name);
        statement.arg(&key).arg(more);
        let _answer: ::redis::Value = statement.query_async(connection).await?;
    }
    Ok(())
}

async fn count(
    connection: &mut MultiplexedConnection,
    key: &str,
    amount: u64,
    life: Duration,
) -> Result<Counted, Lost> {
    let key = format!("{PREFIX}{key}");
    let millis = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
    let mut all = ::redis::pipe();
    all.cmd("SET").arg(&key).arg(0).arg("PX").arg(millis);
    all.arg("NX").ignore();
    all.cmd("INCRBY").arg(&key).arg(amount);
    all.cmd("PTTL").arg(&key);
    let answered: Result<(i64, i64), _> = all.query_async(connection).await;
    let (count, left) = answered.map_err(|error| lost(&error))?;
    // It would be kept for ever (it ended between two of the statements), or for longer than it may (the server's
    // clock was set back).
    if left < 0 || left > millis {
        let mut end = ::redis::cmd("PEXPIRE");
        end.arg(&key).arg(millis);
        let _ended: i64 = end
            .query_async(connection)
            .await
            .map_err(|error| lost(&error))?;
    }
    let left = u64::try_from(left).map_or(life, Duration::from_millis);
    Ok(Counted {
        count: u64::try_from(count).unwrap_or_default(),
        left: left.min(life),
    })
}

fn is_here(host: &str) -> bool {
    ["localhost", "127.0.0.1", "::1"].contains(&host)
}

/// A provider that knows no older version, so that none is spoken.
fn tls_1_3() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    provider
}

/// The reason in our words: a text of the driver's could hold a part of the address.
fn lost(error: &::redis::RedisError) -> Lost {
    let refused = |code: &str, remedy| Lost::Refused {
        code: code.into(),
        remedy,
    };
    let code = error.code().unwrap_or("ERR");
    match (error.kind(), code) {
        _ if error.is_timeout() => Lost::Late,
        (ErrorKind::AuthenticationFailed, _) | (_, "NOAUTH" | "WRONGPASS") => Lost::Credential,
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => Lost::Protocol,
        (ErrorKind::Io, _) => Lost::Unreachable(io_kind(error)),
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            refused(code, "it is a replica; name the primary")
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => refused(
            code,
            "allow its user SET, INCRBY, PTTL and PEXPIRE on keys that begin with `cardea:`",
        ),
        (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => refused(
            code,
            "it is a member of a cluster; name a single server or a proxy in front",
        ),
        (_, "OOM") => refused(code, "give it more memory"),
        _ => refused(code, "look at its log"),
    }
}

/// What the network said, without an address.
fn io_kind(error: &::redis::RedisError) -> String {
    use std::error::Error as _;
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    if error.is_connection_refusal() {
        return "connection refused".into();
    }
    source.map_or_else(
        || error.category().to_owned(),
        |source| source.kind().to_string(),
    )
}

impl FastState for Redis {
    fn add<'a>(
        &'a self,
        key: &'a str,
        amount: u64,
        life: Duration,
    ) -> BoxFuture<'a, Result<Counted, Lost>> {
        Box::pin(self.counted(key, amount, life))
    }
    fn renew(&self) -> BoxFuture<'_, Result<(), Lost>> {
        Box::pin(self.connect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        let judged = |url: &str| Redis::new(&SecretString::from(url)).map(|_| ());
        assert_eq!(judged("redis://127.0.0.1:6379"), Ok(()));
        assert_eq!(judged("redis://:pw@localhost/1"), Ok(()));
        assert_eq!(judged("redis://cache.example.com"), Err(RedisError::Clear));
        assert_eq!(
            judged("redis://localhost.example.com"),
            Err(RedisError::Clear)
        );
        assert_eq!(judged("rediss://cache.example.com"), Ok(()));
        let unchecked = judged("rediss://cache.example.com/#insecure");
        assert_eq!(unchecked, Err(RedisError::Clear));
        for wrong in [
            "http://x",
            "redis://",
            "localhost:6379",
            "redis://localhost:port",
        ] {
            assert_eq!(judged(wrong).err(), Some(RedisError::Address), "{wrong}");
        }
    }

    #[test]
    fn no_version_before_1_3_is_spoken() {
        let suites = tls_1_3().cipher_suites;
        assert!(!suites.is_empty() && suites.iter().all(|suite| suite.tls13().is_some()));
    }
}
