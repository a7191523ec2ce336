//! A TLS client that trusts one root and nothing else; benches have it, too.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsConnector;

/// A client that trusts `root` alone, and speaks that protocol.
pub(crate) fn trusting(root: CertificateDer<'_>, protocol: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.into_owned()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(namewall::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}
