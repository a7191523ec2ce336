//! The certificates that a server shows: recorded while they are verified, and verified again with other roots.
//!
//! For whoever has to say why a client would not trust it. The verdict of each handshake stands.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, version::TLS12,
    version::TLS13,
};
use x509_parser::x509::X509Name;

use super::bundle::is_namewalls;
use super::provider;

/// What a server showed for a name.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
}

impl Shown {
    /// Who signed it, as far as it says.
    pub(crate) fn issuer(&self) -> String {
        self.read(|issuer| {
            let mut names = issuer.iter_organization().chain(issuer.iter_common_name());
            names.find_map(|name| name.as_str().ok()).map(str::to_owned)
        })
        .unwrap_or_else(|| "somebody without a name".to_owned())
    }

    /// Whether it says that a namewall signed it.
    pub(crate) fn is_namewalls(&self) -> bool {
        self.read(|issuer| Some(is_namewalls(issuer))).unwrap_or_default()
    }

    /// Whether a client that trusts `roots` believes it.
    pub(crate) fn is_believed(&self, roots: &RootCertStore) -> bool {
        let Some(verifier) = verifier(roots) else { return false };
        verifier.verify_server_cert(&self.leaf, &self.intermediates, &self.name, &[], UnixTime::now()).is_ok()
    }

    fn read<T>(&self, what: impl FnOnce(&X509Name<'_>) -> Option<T>) -> Option<T> {
        let (_, certificate) = x509_parser::parse_x509_certificate(&self.leaf).ok()?;
        what(certificate.issuer())
    }
}

fn verifier(roots: &RootCertStore) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider()).build().ok()
}

/// Verifies with its roots, and keeps what was shown.
#[derive(Debug)]
pub(crate) struct Recorder {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    shown: Mutex<Option<Shown>>,
}

impl Recorder {
    /// A client's configuration that verifies with `roots`, and what keeps what the server of its next handshake shows.
    ///
    /// # Errors
    /// As the TLS library says.
    pub(crate) fn over(roots: &RootCertStore) -> Result<(ClientConfig, Arc<Self>), Error> {
        let recorder = Arc::new(Self { verifier: verifier(roots), shown: Mutex::default() });
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<Self>::clone(&recorder);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, recorder))
    }

    /// What was shown.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown {
            leaf: end_entity.clone().into_owned(),
            intermediates: intermediates.iter().map(|it| it.clone().into_owned()).collect(),
            name: server_name.to_owned(),
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        // Without a root there is nobody to believe.
        let verifier = self.verifier.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::leaf::Leaves;
    use crate::tls::testing::{authority, handshake, host, hosts};

    #[test]
    fn what_is_refused_is_recorded_too() {
        let (_dir, ours) = authority();
        let root = ours.certificate_der().clone();
        let server = Leaves::new(ours, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        let (config, recorder) = Recorder::over(&RootCertStore::empty()).unwrap();
        assert!(recorder.shown().is_none());
        assert!(handshake(&Arc::new(config), &server, "pypi.org").is_err());
        let shown = recorder.shown().unwrap();
        assert!(shown.is_namewalls());
        assert_eq!(shown.issuer(), "namewall");
        let mut roots = RootCertStore::empty();
        assert!(!shown.is_believed(&roots));
        roots.add(root).unwrap();
        assert!(shown.is_believed(&roots));
        let (config, _) = Recorder::over(&roots).unwrap();
        assert!(handshake(&Arc::new(config), &server, "pypi.org").is_ok());
    }
}
