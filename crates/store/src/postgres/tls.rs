//! TLS towards the database: whose certificates are believed, which versions are spoken. Never connects without a
//! proof of who answers.

use super::target::Wanted;
use crate::StoreError;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{error::Error as _, path::Path, sync::Arc};
use tokio_postgres::{Config, config::SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What connects, with or without a look at the server's name.
pub(super) fn connector(
    wanted: &Wanted,
    named: bool,
    config: &Config,
) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = Arc::new(roots(wanted.roots.as_deref())?);
    let versions: &[_] = if wanted.older {
        &[&TLS13, &TLS12]
    } else {
        &[&TLS13]
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    let mut tls = if named {
        builder.with_root_certificates(roots)
    } else {
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| StoreError::Migration(error.to_string()))?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyName(inner)))
    }
    .with_no_client_auth();
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(tls))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        return Ok(roots);
    };
    let wrong = |cause: String| {
        StoreError::Migration(format!(
            "`sslrootcert` in the database's address names {}, which holds no usable certificate: {cause}",
            path.display()
        ))
    };
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it is empty".into()));
    }
    Ok(roots)
}

/// What to do about a handshake that failed.
pub(super) fn hint(error: &tokio_postgres::Error) -> Option<&'static str> {
    let cause = error.source()?;
    let tls = cause
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<Error>());
    Some(match tls {
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            "connect by a name that the server's certificate holds, or name `sslmode=verify-ca` where its authority signs for this database alone"
        }
        Some(Error::InvalidCertificate(_)) => {
            "name the file of the authority that signed the server's certificate in `sslrootcert`"
        }
        Some(Error::AlertReceived(_) | Error::PeerIncompatible(_)) => {
            "if the server cannot speak TLS 1.3, name `ssl_min_protocol_version=TLSv1.2`"
        }
        Some(_) => return None,
        None if cause.to_string().contains("does not support TLS") => {
            "switch `ssl` on in the server's configuration"
        }
        None => return None,
    })
}

/// Asks for a certificate that a believed authority signed, for whatever name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // The name is looked at last: everything else holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
