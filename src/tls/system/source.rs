//! What may get into a trust store: constrained authorities that namewall made, as read from a file of certificates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;

use super::StoreError;
use crate::name::HostName;
use crate::tls::bundle::is_namewalls;
use crate::tls::certificate::CaCertificate;
use crate::tls::error::{CaError, Remedy};

const VOUCHED_FOR: &str = "don't install it, unless you want it to vouch for them: name each with `--host`";

/// A certificate file and the authorities in it.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    certificates: Vec<Held>,
}

/// An authority of namewall's, of this machine or another.
#[derive(Clone, Debug)]
pub struct Held(CaCertificate);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Source {
    /// Reads the certificates at `path`: that in force, and during a renewal the one after it.
    ///
    /// # Errors
    /// [`StoreError::Ca`], [`StoreError::Organisations`].
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let bytes = fs::read(path).map_err(|reason| match reason.kind() {
            io::ErrorKind::NotFound => CaError::Absent { dir: crate::files::folder_of(path).to_owned() },
            _ => CaError::Unreadable { path: path.to_owned(), reason },
        })?;
        let none = || CaError::NotACertificate { path: path.to_owned(), remedy: Remedy::Renew };
        let ders: Vec<_> = CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().ok().ok_or_else(none)?;
        if ders.is_empty() {
            return Err(none().into());
        }
        let certificates = ders.iter().map(|der| read(der, path)).collect::<Result<_, _>>()?;
        Ok(Self { path: absolute(path), certificates })
    }

    /// Checks that they can vouch for nothing but `hosts`.
    ///
    /// # Errors
    /// [`CaError::TooWide`].
    pub fn check_within(&self, hosts: &[HostName]) -> Result<(), StoreError> {
        Ok(self.certificates.iter().try_for_each(|held| held.0.check_within(hosts, &self.path, VOUCHED_FOR))?)
    }

    /// What they can vouch for beyond `hosts`.
    pub fn beyond(&self, hosts: &[HostName]) -> impl Iterator<Item = String> {
        self.certificates.iter().flat_map(|held| held.0.constraints.beyond(hosts))
    }

    /// Where they stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The authorities, that in force first.
    #[must_use]
    pub fn certificates(&self) -> &[Held] {
        &self.certificates
    }
}

impl Held {
    /// `None` if it is no authority that namewall made.
    pub(super) fn from_der(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        if !is_namewalls(parsed.subject()) {
            return None;
        }
        CaCertificate::read(der, Path::new(""), Remedy::Renew, None).ok().map(Self)
    }

    /// The authorities of namewall's among what stands in PEM.
    pub(super) fn all_in(pem: &[u8]) -> Vec<Self> {
        CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).filter_map(|der| Self::from_der(&der)).collect()
    }

    /// Its subject, as text.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Its SHA-256 fingerprint, with colons.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }

    /// The hosts that it may vouch for, with their sub-domains.
    #[must_use]
    pub fn permitted_hosts(&self) -> &[String] {
        self.0.constraints.permitted()
    }

    /// Its last second.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.not_after
    }

    pub(super) fn pem(&self) -> &str {
        &self.0.pem
    }

    /// The serial number in hexadecimal.
    pub(super) fn serial(&self) -> String {
        self.0.serial.replace(':', "")
    }

    /// The fingerprint in lower-case hexadecimal.
    pub(super) fn hex(&self) -> String {
        self.fingerprint().replace(':', "").to_lowercase()
    }
}

/// Eight digits that stand for the file that authorities come from. Those of this machine's other users, and of a
/// gateway, come from other files: installing one never takes another away.
pub(super) fn mark_of(path: &Path) -> String {
    let digest = digest::digest(&digest::SHA256, absolute(path).as_os_str().as_encoded_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// One spelling, also when the file has been removed.
fn absolute(path: &Path) -> PathBuf {
    let (folder, name) = (crate::files::folder_of(path), path.file_name().unwrap_or_default());
    path.canonicalize()
        .or_else(|_| folder.canonicalize().map(|folder| folder.join(name)))
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

fn read(der: &CertificateDer<'_>, path: &Path) -> Result<Held, StoreError> {
    let none = || CaError::NotACertificate { path: path.to_owned(), remedy: Remedy::Renew };
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok().ok_or_else(none)?;
    if parsed.subject().as_raw() != parsed.issuer().as_raw() || !is_namewalls(parsed.subject()) {
        return Err(StoreError::Organisations { path: path.to_owned(), issuer: parsed.issuer().to_string() });
    }
    Ok(Held(CaCertificate::read(der, path, Remedy::Renew, None)?))
}
