//! TLS of the listener: version 1.3 and nothing older, with a certificate that may be exchanged while requests are
//! answered. Reads no file and decides nothing about who asks.

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file.
    #[error("the certificate is not a chain in PEM, the server's own first: {0}")]
    Certificate(String),
    /// The key's file.
    #[error("the key is not a private key in PEM without a password: {0}")]
    Key(String),
    /// The two do not belong together.
    #[error("certificate and key do not fit: {0}")]
    Unfit(String),
}

/// With what connections are encrypted from now on.
pub struct Encryption(ArcSwap<ServerConfig>);

impl Encryption {
    /// Takes a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// When one cannot be read or they do not belong together.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        config(chain, key).map(|config| Self(ArcSwap::new(config)))
    }

    /// Puts another chain and key in their place: connections that come from now on are met with these, and those
    /// that are there go on.
    ///
    /// # Errors
    /// As `new`; then the former ones stay.
    pub fn exchange(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        self.0.store(config(chain, key)?);
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

fn config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("there is none".into()));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Unfit(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Unfit(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
