//! The listener's certificate on disk: read at the start, and again when its files change or the process is told to.
//! A pair that cannot be used leaves the former one in place; no key is ever printed or kept beside its use.

use crate::config::TlsFiles;
use kernel::{ExposeSecret, SecretBox};
use serde_json::json;
use service::{Act, Platform, record_own};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use web::{Encryption, TlsError};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Why the listener cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}; name another file in `tls`", path = .0.display(), cause = .1)]
    Read(PathBuf, std::io::Error),
    /// What they hold cannot be used.
    #[error("{certificate} and {key} cannot be used: {0}", certificate = .1.display(), key = .2.display())]
    Unusable(TlsError, PathBuf, PathBuf),
}

/// By what a changed file is known: its inode, length and time of change.
type Seen = [Option<(u64, u64, i64, i64)>; 2];

/// The certificate and key of the listener.
pub struct Certificate {
    files: TlsFiles,
    encryption: Arc<Encryption>,
    seen: Mutex<Seen>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read or they do not belong together.
    pub fn load(files: TlsFiles) -> Result<Self, CertificateError> {
        let seen = Mutex::new(files.seen());
        let (chain, key) = files.read()?;
        let encryption =
            Encryption::new(&chain, key.expose_secret()).map_err(|error| files.unusable(error))?;
        let encryption = Arc::new(encryption);
        Ok(Self {
            files,
            encryption,
            seen,
        })
    }

    /// What the listener encrypts with; follows every later reading.
    pub fn encryption(&self) -> Arc<Encryption> {
        self.encryption.clone()
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// As `load`; then the former pair stays in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let (chain, key) = self.files.read()?;
        self.encryption
            .exchange(&chain, key.expose_secret())
            .map_err(|error| self.files.unusable(error))
    }

    /// Whether a file was changed since the last look.
    fn changed(&self) -> bool {
        let now = self.files.seen();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }

    /// Looks at the files now and then and listens for SIGHUP, for as long as the task lives. Each new certificate
    /// is an entry in the instance's log.
    pub async fn follow(self: Arc<Self>, platform: Arc<Platform>) {
        let mut told = match signal(SignalKind::hangup()) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "SIGHUP is not heard; the certificate's files are still looked at");
                return self.watch(&platform).await;
            }
        };
        loop {
            tokio::select! {
                () = self.watch(&platform) => {}
                _ = told.recv() => self.renew(&platform).await,
            }
        }
    }

    async fn watch(&self, platform: &Platform) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if self.changed() {
                self.renew(platform).await;
            }
        }
    }

    async fn renew(&self, platform: &Platform) {
        match self.reload() {
            Ok(()) => {
                tracing::info!("the certificate was read again");
                let act = Act::update("tls.certificate_reloaded")
                    .on_text("certificate", self.files.certificate.display().to_string())
                    .after(json!({ "certificate": self.files.certificate }));
                record_own(platform, act).await;
            }
            // Half of a pair may be there before the other: the next change is looked at again.
            Err(error) => {
                tracing::warn!(%error, "the former certificate stays in use");
            }
        }
    }
}

impl TlsFiles {
    fn read(&self) -> Result<(Vec<u8>, SecretBox<Vec<u8>>), CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|cause| CertificateError::Read(path.to_owned(), cause))
        };
        Ok((
            read(&self.certificate)?,
            SecretBox::new(Box::new(read(&self.key)?)),
        ))
    }

    fn seen(&self) -> Seen {
        let one = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        };
        [one(&self.certificate), one(&self.key)]
    }

    fn unusable(&self, error: TlsError) -> CertificateError {
        CertificateError::Unusable(error, self.certificate.clone(), self.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Options, Server};
    use domain::Stream;
    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    };
    use std::{
        io,
        net::SocketAddr,
        sync::atomic::{AtomicBool, AtomicU32, Ordering},
    };
    use store::EventQuery;
    use testkit::certificates::{Authority, Pair};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };
    use tokio_rustls::TlsConnector;

    const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    /// A folder with a pair, replaced as an administrator does: the key first, each at once.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(pair: &Pair) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.put(pair);
            folder
        }
        fn files(&self) -> TlsFiles {
            TlsFiles {
                certificate: self.0.path().join("tls.crt"),
                key: self.0.path().join("tls.key"),
            }
        }
        fn put(&self, pair: &Pair) {
            let files = self.files();
            for (path, text) in [
                (files.key, &pair.key),
                (files.certificate, &pair.certificate),
            ] {
                let beside = path.with_extension("new");
                fs::write(&beside, text).unwrap();
                fs::rename(beside, path).unwrap();
            }
        }
    }

    fn trusting(
        authorities: &[&Authority],
        version: &'static rustls::SupportedProtocolVersion,
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let pem = authority.certificate();
            roots
                .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
                .unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap();
        TlsConnector::from(Arc::new(
            config.with_root_certificates(roots).with_no_client_auth(),
        ))
    }

    async fn get(connector: &TlsConnector, address: SocketAddr) -> io::Result<String> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(LIVE.as_bytes()).await?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    }

    async fn reloads(server: &Server) -> usize {
        let query = EventQuery {
            limit: 100,
            kind: Some("tls.certificate_reloaded".into()),
            ..EventQuery::default()
        };
        let read = server
            .platform()
            .store
            .read(Stream::INSTANCE, move |reader| {
                reader.events(Stream::INSTANCE, &query)
            });
        read.await.unwrap().len()
    }

    async fn started(folder: &tempfile::TempDir, files: TlsFiles) -> Server {
        let options = Options {
            tls: Some(files),
            ..Options::new(folder.path().join("data"))
        };
        Server::start(options).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_listener_speaks_tls_1_3_and_nothing_else() {
        let (data, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let folder = Folder::with(&authority.issue(&["localhost"]));
        let server = started(&data, folder.files()).await;
        assert!(server.local_url().starts_with("https://"));
        let address = server.address();
        let answer = get(&trusting(&[&authority], &TLS13), address)
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let older = get(&trusting(&[&authority], &TLS12), address).await;
        assert!(older.unwrap_err().to_string().contains("ProtocolVersion"));
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(LIVE.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        let _cut = plain.read_to_end(&mut read).await;
        assert!(
            !read.starts_with(b"HTTP"),
            "nothing is answered in the clear"
        );
        server.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_new_certificate_is_used_without_a_failed_request() {
        let data = tempfile::tempdir().unwrap();
        let (first, second) = (Authority::new(), Authority::new());
        let folder = Folder::with(&first.issue(&["localhost"]));
        let server = started(&data, folder.files()).await;
        let (address, stop) = (server.address(), Arc::new(AtomicBool::new(false)));
        let (answered, both) = (
            Arc::new(AtomicU32::new(0)),
            trusting(&[&first, &second], &TLS13),
        );
        let clients: Vec<_> = (0..4)
            .map(|_| (stop.clone(), answered.clone(), both.clone()))
            .map(|(stop, answered, both)| {
                tokio::spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        let answer = get(&both, address).await.unwrap();
                        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        folder.put(&second.issue(&["localhost"]));
        let new = trusting(&[&second], &TLS13);
        let mut taken = false;
        for _ in 0..500 {
            taken = get(&new, address).await.is_ok();
            if taken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(taken, "the new certificate is not used");
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.await.unwrap();
        }
        assert!(answered.load(Ordering::SeqCst) > 10);
        for _ in 0..100 {
            if reloads(&server).await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(reloads(&server).await, 1);
        server.shutdown().await;
    }

    #[test]
    fn a_pair_that_does_not_fit_leaves_the_former_one() {
        let authority = Authority::new();
        let (one, other) = (
            authority.issue(&["localhost"]),
            authority.issue(&["localhost"]),
        );
        let folder = Folder::with(&one);
        let certificate = Certificate::load(folder.files()).unwrap();
        assert!(!certificate.changed());
        folder.put(&Pair {
            certificate: one.certificate.clone(),
            key: other.key,
        });
        assert!(certificate.changed() && !certificate.changed());
        let told = certificate.reload().unwrap_err().to_string();
        assert!(
            told.contains("do not fit") && !told.contains("PRIVATE"),
            "{told}"
        );
        fs::remove_file(folder.files().key).unwrap();
        assert!(certificate.changed());
        let told = certificate.reload().unwrap_err().to_string();
        assert!(told.contains("tls.key cannot be read"), "{told}");
        folder.put(&one);
        certificate.reload().unwrap();
        assert!(
            Certificate::load(TlsFiles {
                key: folder.files().certificate,
                ..folder.files()
            })
            .is_err()
        );
    }
}
