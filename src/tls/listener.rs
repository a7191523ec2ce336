//! With which certificate a listener speaks TLS itself: read from its files, checked, and read again when they change.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, sign};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tracing::warn;
use x509_parser::time::ASN1Time;

use super::provider;
use crate::config::ListenerTls;

/// What a TLS listener shows to its clients.
#[derive(Debug)]
pub struct ListenerIdentity {
    files: ListenerTls,
    config: ArcSwap<ServerConfig>,
}

/// Why a listener can't speak TLS.
#[derive(Debug, thiserror::Error)]
#[error("a listener can't speak TLS with `{}` and `{}`: {reason}", .files.cert.display(), .files.key.display())]
pub struct IdentityError {
    /// The files.
    pub files: ListenerTls,
    /// What is wrong with them.
    pub reason: String,
}

/// From when to when the certificate is valid that isn't valid today.
#[derive(Debug)]
pub struct OutOfDate {
    from: ASN1Time,
    to: ASN1Time,
}

impl ListenerIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn read(files: &ListenerTls) -> Result<Self, IdentityError> {
        Ok(Self { files: files.clone(), config: ArcSwap::from(read_and_tell(files)?) })
    }

    /// Reads the files, and says what clients will say of their certificate.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn examine(files: &ListenerTls) -> Result<Option<OutOfDate>, IdentityError> {
        Ok(read(files)?.1)
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &ListenerTls {
        &self.files
    }

    /// Reads the files again; connections that begin from now on see what is in them.
    ///
    /// # Errors
    /// [`IdentityError`]: what was there before stays.
    pub fn read_again(&self) -> Result<(), IdentityError> {
        self.config.store(read_and_tell(&self.files)?);
        Ok(())
    }

    /// What is in force now.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl fmt::Display for OutOfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate isn't valid today: it is from {} to {}", self.from, self.to)
    }
}

/// Clients say it in their own words, each in others; so it is said here, too.
fn read_and_tell(files: &ListenerTls) -> Result<Arc<ServerConfig>, IdentityError> {
    let (config, out_of_date) = read(files)?;
    if let Some(OutOfDate { from, to }) = out_of_date {
        warn!(cert = %files.cert.display(), %from, %to, "the certificate of a listener isn't valid today");
    }
    Ok(config)
}

fn read(files: &ListenerTls) -> Result<(Arc<ServerConfig>, Option<OutOfDate>), IdentityError> {
    let failed = |reason: String| IdentityError { files: files.clone(), reason };
    let chain = certificates(&files.cert).map_err(failed)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
        failed(format!("the key can't be read: {error}; it is a PEM file with `PRIVATE KEY` in it"))
    })?;
    let key = sign::any_supported_type(&key).map_err(|error| failed(format!("the key can't be used: {error}")))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => return Err(failed("the key is not the certificate's".to_owned())),
    }
    let out_of_date = out_of_date(&certified);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // CONNECT over HTTP/2 is something else (RFC 9113 section 8.5), and no client of Python's asks for it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new().map_err(|error| failed(error.to_string()))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok((Arc::new(config), out_of_date))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| format!("the certificate can't be read: {error}"))?;
    if chain.is_empty() {
        return Err("the certificate's file holds none; it is a PEM file with `BEGIN CERTIFICATE` in it".to_owned());
    }
    Ok(chain)
}

fn out_of_date(certified: &CertifiedKey) -> Option<OutOfDate> {
    let (_, leaf) = x509_parser::parse_x509_certificate(certified.cert.first()?).ok()?;
    let validity = leaf.validity();
    (!validity.is_valid()).then_some(OutOfDate { from: validity.not_before, to: validity.not_after })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn write(folder: &Path, name: &str) -> ListenerTls {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let files = ListenerTls { cert: folder.join("proxy.pem"), key: folder.join("proxy.key") };
        std::fs::write(&files.cert, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn what_is_broken_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "proxy.example");
        let identity = ListenerIdentity::read(&files).unwrap();
        let before = identity.server_config();
        for (file, text, said) in [
            (&files.cert, "", "holds none"),
            (&files.key, "", "the key can't be read"),
            (&files.key, &KeyPair::generate().unwrap().serialize_pem(), "is not the certificate's"),
        ] {
            let kept = std::fs::read(file).unwrap();
            std::fs::write(file, text).unwrap();
            let error = identity.read_again().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            std::fs::write(file, kept).unwrap();
        }
        assert!(Arc::ptr_eq(&before, &identity.server_config()));
        write(folder.path(), "proxy.example");
        identity.read_again().unwrap();
        assert!(!Arc::ptr_eq(&before, &identity.server_config()));
    }
}
