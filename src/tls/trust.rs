//! Whom we trust upstream: the system's roots and the configured ones, never our own authority.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

pub use super::bundle::write_bundle;

use super::bundle::{SystemRoots, is_namewalls};
use super::error::CaError;
use super::in_force::InForce;
use super::provider;

/// The client side's TLS configuration for upstream connections (ALPN not set): the system's roots and the configured
/// ones, never our own authority, verified always. There is no switch that turns verification off. Nor is another authority
/// of namewall's believed that only the system vouches for: it may be an earlier one of this machine's.
#[derive(Clone, Debug)]
pub struct UpstreamTrust {
    /// For nearly all.
    pub usual: ClientConfig,
    /// Through a parent proxy on this machine, which may be a namewall with the same authority as ours: a `run` behind
    /// `serve`, or in another `run`. It shows leaves that we could have signed.
    pub behind_us: ClientConfig,
}

impl UpstreamTrust {
    /// The system's roots and `extra_roots`, and never `ours`, if there is one yet.
    ///
    /// # Errors
    /// [`CaError`] when a file can't be read or holds no certificate, or there is no root at all.
    pub fn of(extra_roots: &[PathBuf], ours: Option<InForce>, system: &SystemRoots) -> Result<Self, CaError> {
        let usual = verifier(extra_roots, ours, system)?;
        let behind_us = BehindUs { ours: usual.ours.clone(), usual: usual.clone() };
        Ok(Self { usual: client_config(Arc::new(usual))?, behind_us: client_config(Arc::new(behind_us))? })
    }
}

fn verifier(extra_roots: &[PathBuf], ours: Option<InForce>, system: &SystemRoots) -> Result<NotOurs, CaError> {
    let mut roots = Vec::new();
    for path in extra_roots {
        roots.extend(read_roots(path)?);
    }
    let named = roots.iter().filter_map(subject_of).map(<[u8]>::to_owned).collect();
    Ok(NotOurs { ours, named, platform: platform(roots, system)? })
}

fn client_config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, CaError> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Verifies as programs of this platform do, by its own code.
#[cfg(any(windows, target_vendor = "apple"))]
fn platform(roots: Vec<CertificateDer<'static>>, _: &SystemRoots) -> Result<Arc<dyn ServerCertVerifier>, CaError> {
    Ok(Arc::new(rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider())?))
}

/// Elsewhere a platform has files with roots and nothing more. (The crate `rustls-platform-verifier` does the same there,
/// and reads them again.)
#[cfg(not(any(windows, target_vendor = "apple")))]
fn platform(roots: Vec<CertificateDer<'static>>, system: &SystemRoots) -> Result<Arc<dyn ServerCertVerifier>, CaError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(system.all().cloned().chain(roots));
    if store.is_empty() {
        return Err(CaError::NoRoots);
    }
    // It has roots, so it is built.
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build();
    Ok(verifier.map_err(|error| Error::General(error.to_string()))?)
}

/// An upstream showed a certificate that our own authority signed: somebody has our key, or we talk to ourselves.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's certificate was issued by this machine's own namewall CA, which vouches for nobody upstream")]
pub struct IssuedByUs;

/// An upstream showed a certificate that an authority of namewall's signed which the config doesn't name.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the upstream's certificate was issued by `{issuer}`, a namewall CA that only the system's trust store vouches for; if a namewall is meant to be there, name its ca.pem in `extra-roots` of `[upstream]`"
)]
pub struct IssuedByAnother {
    issuer: String,
}

// rustls shows what it doesn't know by `Debug`, and people read it in our 502.

impl fmt::Debug for IssuedByUs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for IssuedByAnother {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The platform's verifier, less our own authority: who exported `SSL_CERT_FILE=…/bundle.pem` for all programs, or
/// installed our certificate in the system's store, made it a root of ours too.
#[derive(Clone, Debug)]
struct NotOurs {
    ours: Option<InForce>,
    /// The subjects of `extra-roots`.
    named: Vec<Vec<u8>>,
    platform: Arc<dyn ServerCertVerifier>,
}

impl NotOurs {
    /// Whether `certificate` was issued by an authority that vouches for nobody upstream.
    fn refuse(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        // An issuer is compared byte for byte with a root's subject, so no other spelling of ours would be believed.
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .ok()
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let issuer = parsed.issuer();
        let is_ours = |ours: &InForce| ours.loaded().signs_as(issuer.as_raw());
        let reason: Arc<dyn std::error::Error + Send + Sync> = if self.ours.as_ref().is_some_and(is_ours) {
            Arc::new(IssuedByUs)
        } else if is_namewalls(issuer) && !self.named.iter().any(|named| named == issuer.as_raw()) {
            Arc::new(IssuedByAnother { issuer: issuer.to_string() })
        } else {
            return Ok(());
        };
        Err(CertificateError::Other(OtherError(reason)).into())
    }
}

/// All but the certificate is for the verifier in field `$to` to judge.
macro_rules! delegated {
    ($to:ident) => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.$to.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.$to.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.$to.supported_verify_schemes()
        }

        fn requires_raw_public_keys(&self) -> bool {
            self.$to.requires_raw_public_keys()
        }

        fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
            self.$to.root_hint_subjects()
        }
    };
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
        // What signs an intermediate signs all below it.
        [end_entity].into_iter().chain(intermediates).try_for_each(|certificate| self.refuse(certificate))?;
        self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    delegated!(platform);
}

/// What our own authority signed, and for the rest as usual.
#[derive(Debug)]
struct BehindUs {
    ours: Option<InForce>,
    usual: NotOurs,
}

impl ServerCertVerifier for BehindUs {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ours = self.ours.as_ref().map(InForce::loaded).filter(|ours| {
            x509_parser::parse_x509_certificate(end_entity)
                .is_ok_and(|(_, parsed)| ours.signs_as(parsed.issuer().as_raw()))
        });
        let Some(ours) = ours else {
            return self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        };
        // As its clients do, who are given the same certificates.
        let mut roots = RootCertStore::empty();
        let next = ours.successor().map(|successor| successor.authority.trusted()).unwrap_or_default();
        roots.add_parsable_certificates(ours.trusted().iter().chain(next).cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    delegated!(usual);
}

fn subject_of<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.tbs_certificate.subject.as_raw())
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
        RootCertStore::empty()
            .add(root.clone())
            .map_err(|error| not_roots(format!("certificate {}: {error}", at + 1)))?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::CertificateAuthority;
    use crate::tls::leaf::Leaves;
    use crate::tls::renewal::{self, Overlap};
    use crate::tls::testing::{assert_success, authority, child, handshake, host, hosts, is_child};

    fn usual(extra_roots: &[PathBuf], ours: &InForce, system: &SystemRoots) -> Result<ClientConfig, CaError> {
        Ok(UpstreamTrust::of(extra_roots, Some(ours.clone()), system)?.usual)
    }

    #[test]
    fn extra_roots_are_believed_and_our_own_authority_is_not() {
        let (our_dir, ours) = authority();
        let (their_dir, theirs) = authority();
        let both = [our_dir.path().join("ca.pem"), their_dir.path().join("ca.pem")];
        let client = Arc::new(usual(&both, &InForce::new(ours.clone()), &SystemRoots::load()).unwrap());

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
    fn behind_another_of_this_machines_our_own_authority_is_believed() {
        let (our_dir, ours) = authority();
        let (_dir, stranger) = authority();
        let root = [our_dir.path().join("ca.pem")];
        let trust = UpstreamTrust::of(&root, Some(InForce::new(ours.clone())), &SystemRoots::load()).unwrap();
        let (usual, behind_us) = (Arc::new(trust.usual), Arc::new(trust.behind_us));
        let ourselves = Leaves::new(ours, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        assert!(handshake(&behind_us, &ourselves, "pypi.org").is_ok());
        assert!(handshake(&behind_us, &ourselves, "files.pythonhosted.org").is_err());
        assert!(handshake(&usual, &ourselves, "pypi.org").is_err());
        let strangers = Leaves::new(stranger, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        assert!(handshake(&behind_us, &strangers, "pypi.org").is_err());
    }

    #[test]
    fn strangers_are_refused() {
        let (_our_dir, ours) = authority();
        let (their_dir, _) = authority();
        let (_dir, stranger) = authority();
        let client =
            Arc::new(usual(&[their_dir.path().join("ca.pem")], &InForce::new(ours), &SystemRoots::load()).unwrap());
        let upstream = Leaves::new(stranger, &hosts()).unwrap().server_config(&host("pypi.org")).unwrap();
        let refused = handshake(&client, &upstream, "pypi.org").unwrap_err();
        assert!(refused.to_string().contains("name its ca.pem in `extra-roots`"), "{refused}");
    }

    /// Who ran `ca install`, renewed, and lost the old key to a thief.
    #[test]
    fn what_the_systems_store_holds_of_namewalls_vouches_for_nobody() {
        let (old_dir, old) = authority();
        let roots = std::fs::read_to_string(old_dir.path().join("ca.pem")).unwrap();
        let current = CertificateAuthority::renew(old_dir.path(), &hosts()).unwrap();
        let next = renewal::renew(old_dir.path(), &hosts(), Overlap::Usual).unwrap();
        assert_eq!(next.fingerprint(), current.fingerprint());
        let successor = Arc::clone(&next.successor().unwrap().authority);
        std::fs::write(old_dir.path().join("store.pem"), roots + &next.trusted_pem()).unwrap();
        let mut command = child("tls::trust::tests::child_has_them_in_its_store", old_dir.path());
        command.env("SSL_CERT_FILE", "store.pem").env_remove("SSL_CERT_DIR");
        for (at, signing) in [old, Arc::new(current), successor].into_iter().enumerate() {
            let leaf = crate::tls::leaf::tests::leaf_der(&signing, "pypi.org");
            std::fs::write(old_dir.path().join(format!("leaf{at}.der")), leaf).unwrap();
        }
        assert_success(&command.output().unwrap());
    }

    #[test]
    #[ignore = "run by another test, with SSL_CERT_FILE set"]
    fn child_has_them_in_its_store() {
        if !is_child() {
            return;
        }
        let ours = InForce::new(Arc::new(CertificateAuthority::load(Path::new("."), &hosts()).unwrap()));
        let believing = NotOurs { ours: None, named: Vec::new(), platform: verifier() };
        let verifier = NotOurs { ours: Some(ours), named: Vec::new(), platform: verifier() };
        for at in 0..3 {
            let leaf = CertificateDer::from(std::fs::read(format!("leaf{at}.der")).unwrap());
            let name = ServerName::try_from("pypi.org").unwrap();
            // The store by itself would do.
            assert!(believing.platform.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()).is_ok());
            let refused = verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()).unwrap_err();
            assert!(
                refused.to_string().contains(if at == 0 { "extra-roots" } else { "this machine's own" }),
                "{refused}"
            );
            assert!(believing.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()).is_err());
        }
    }

    fn verifier() -> Arc<dyn ServerCertVerifier> {
        platform(Vec::new(), &SystemRoots::load()).unwrap()
    }

    #[test]
    fn useless_extra_roots_are_named() {
        let (dir, ours) = authority();
        let broken = dir.path().join("corp-root.pem");
        let message = |path: &Path| {
            usual(&[path.to_owned()], &InForce::new(ours.clone()), &SystemRoots::load()).unwrap_err().to_string()
        };
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
