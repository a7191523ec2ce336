//! Whom we trust upstream: the system's roots and the configured ones, never our own authority.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

pub use super::bundle::write_bundle;

use super::authority::{CertificateAuthority, issuer_of};
use super::error::CaError;
use super::provider;

/// The client side's TLS configuration for upstream connections (ALPN not set): the system's roots and `extra_roots`,
/// never `ours`, verified always. There is no switch that turns verification off.
///
/// # Errors
/// [`CaError`] when a file can't be read or holds no certificate, or there is no root at all.
pub fn upstream_config(extra_roots: &[PathBuf], ours: &CertificateAuthority) -> Result<ClientConfig, CaError> {
    config(extra_roots, ours.raw_subject().to_owned())
}

/// As [`upstream_config`], where there is no authority of ours that anybody could misuse.
///
/// # Errors
/// As there.
pub fn upstream_config_without_ours(extra_roots: &[PathBuf]) -> Result<ClientConfig, CaError> {
    // No issuer is empty (RFC 5280 section 4.1.2.4), so nothing is taken for ours.
    config(extra_roots, Vec::new())
}

fn config(extra_roots: &[PathBuf], our_subject: Vec<u8>) -> Result<ClientConfig, CaError> {
    let mut roots = Vec::new();
    for path in extra_roots {
        roots.extend(read_roots(path)?);
    }
    let verifier = NotOurs {
        raw_subject: our_subject,
        platform: Verifier::new_with_extra_roots(roots, provider()).map_err(no_roots)?,
    };
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// An upstream showed a certificate that our own authority signed: somebody has our key, or we talk to ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's certificate was issued by this machine's own namewall CA, which vouches for nobody upstream")]
pub struct IssuedByUs;

/// The platform's verifier, less our own authority: who exported `SSL_CERT_FILE=…/bundle.pem` for all programs, or
/// installed our certificate in the system's store, made it a root of ours too.
#[derive(Debug)]
struct NotOurs {
    raw_subject: Vec<u8>,
    platform: Verifier,
}

impl ServerCertVerifier for NotOurs {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // An issuer is compared byte for byte with a root's subject, so no other spelling of ours would be believed.
        let issuer = issuer_of(end_entity).ok_or(CertificateError::BadEncoding)?;
        if issuer == self.raw_subject {
            return Err(CertificateError::Other(OtherError(Arc::new(IssuedByUs))).into());
        }
        self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.platform.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.platform.root_hint_subjects()
    }
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, CaError> {
    let not_roots = |reason: String| CaError::NotRoots { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|reason| CaError::Unreadable { path: path.to_owned(), reason })?;
    let roots: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let roots = roots.map_err(|error| not_roots(error.to_string()))?;
    if roots.is_empty() {
        return Err(not_roots("it has no such section".to_owned()));
    }
    for (at, root) in roots.iter().enumerate() {
        // The verifier's own error would not say which file it was.
        rustls::RootCertStore::empty()
            .add(root.clone())
            .map_err(|error| not_roots(format!("certificate {}: {error}", at + 1)))?;
    }
    Ok(roots)
}

fn no_roots(error: Error) -> CaError {
    match error {
        // What the platform verifier says on Linux when it has loaded nothing.
        Error::General(_) => CaError::NoRoots,
        error => CaError::Tls(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::leaf::Leaves;
    use crate::tls::testing::{authority, handshake, host, hosts};

    #[test]
    fn extra_roots_are_believed_and_our_own_authority_is_not() {
        let (our_dir, ours) = authority();
        let (their_dir, theirs) = authority();
        let both = [our_dir.path().join("ca.pem"), their_dir.path().join("ca.pem")];
        let client = Arc::new(upstream_config(&both, &ours).unwrap());

        let upstream = Leaves::new(theirs, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        assert!(handshake(&client, &upstream, "pypi.org").is_ok());
        assert!(handshake(&client, &upstream, "files.pythonhosted.org").is_err());

        let ourselves = Leaves::new(ours, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        let Err(Error::InvalidCertificate(CertificateError::Other(refused))) =
            handshake(&client, &ourselves, "pypi.org")
        else {
            panic!("our own leaf was believed");
        };
        assert_eq!(refused.0.downcast_ref(), Some(&IssuedByUs));
    }

    #[test]
    fn strangers_are_refused() {
        let (_our_dir, ours) = authority();
        let (their_dir, _) = authority();
        let (_dir, stranger) = authority();
        let client = Arc::new(upstream_config(&[their_dir.path().join("ca.pem")], &ours).unwrap());
        let upstream = Leaves::new(stranger, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        let refused = handshake(&client, &upstream, "pypi.org").unwrap_err();
        assert_eq!(refused, Error::InvalidCertificate(CertificateError::UnknownIssuer));
    }

    #[test]
    fn useless_extra_roots_are_named() {
        let (dir, ours) = authority();
        let broken = dir.path().join("corp-root.pem");
        let message = |path: &Path| upstream_config(&[path.to_owned()], &ours).unwrap_err().to_string();
        assert!(message(&broken).starts_with(&format!("cannot read `{}`", broken.display())));
        for contents in [
            "no certificate here",
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&broken, contents).unwrap();
            assert!(message(&broken).contains("corp-root.pem` in `extra-roots` holds no certificate"), "{contents}");
        }
        assert!(message(&dir.path().join("ca-key.pem")).contains("holds no certificate"));
    }
}
