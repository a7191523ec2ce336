//! What a file of roots holds, as a client that is given it would read it.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::bundle::is_namewalls;

/// The certificates of a file, of a folder, or of the system's store.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    certificates: Vec<CertificateDer<'static>>,
}

impl Held {
    /// Reads a file of certificates in PEM, or a folder with such files.
    ///
    /// # Errors
    /// Why a client would get nothing from it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let kind = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => "does not exist".to_owned(),
            std::io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
        let (file, folder) = if kind.is_dir() { (None, Some(path)) } else { (Some(path), None) };
        let found = rustls_native_certs::load_certs_from_paths(file, folder);
        match (found.certs.is_empty(), found.errors.first()) {
            (true, Some(error)) => Err(format!("cannot be read: {error}")),
            (true, None) => Err("holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)".to_owned()),
            (false, _) => Ok(Self { certificates: found.certs }),
        }
    }

    /// What `SSL_CERT_FILE` and `SSL_CERT_DIR` of this process name; without them, the system's store.
    pub(crate) fn native() -> Self {
        Self { certificates: rustls_native_certs::load_native_certs().certs }
    }

    /// Whether `certificate` is among them.
    pub(crate) fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|held| held == certificate)
    }

    /// How many there are that no namewall made.
    pub(crate) fn public(&self) -> usize {
        let is_namewalls = |der: &&CertificateDer<'_>| {
            x509_parser::parse_x509_certificate(der).is_ok_and(|(_, root)| is_namewalls(root.subject()))
        };
        self.certificates.len() - self.certificates.iter().filter(is_namewalls).count()
    }

    /// Adds them to `store`, but for those that nobody can read.
    pub(crate) fn add_to(&self, store: &mut RootCertStore) {
        let _counts = store.add_parsable_certificates(self.certificates.iter().cloned());
    }

    /// Them alone, as roots.
    pub(crate) fn as_store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        self.add_to(&mut store);
        store
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::authority;

    #[test]
    fn what_a_client_would_get() {
        let (dir, ours) = authority();
        let held = Held::read(&dir.path().join("ca.pem")).unwrap();
        assert!(held.holds(ours.certificate_der()));
        assert_eq!((held.public(), held.as_store().len()), (0, 1));
        let (_other_dir, other) = authority();
        assert!(!held.holds(other.certificate_der()));
        let why = |path: &str| Held::read(&dir.path().join(path)).unwrap_err();
        assert_eq!(why("gone"), "does not exist");
        std::fs::write(dir.path().join("empty"), "nothing").unwrap();
        assert!(why("empty").contains("holds no certificate"), "{}", why("empty"));
    }
}
