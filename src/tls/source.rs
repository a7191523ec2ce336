//! From where the config says that the authority is, to the authority.

use std::io;

use super::{CaError, CertificateAuthority};
use crate::config::CaSource;
use crate::name::HostName;

impl CaSource {
    /// Loads the authority that may sign for `hosts`; makes it when it is ours to make.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn authority(&self, hosts: &[HostName]) -> Result<CertificateAuthority, CaError> {
        match self {
            Self::Dir(dir) => CertificateAuthority::load_or_create(dir, hosts),
            Self::Pair { .. } => self.present(hosts),
        }
    }

    /// Loads the authority that is there and may sign for `hosts`, and makes none.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn present(&self, hosts: &[HostName]) -> Result<CertificateAuthority, CaError> {
        match self {
            Self::Dir(dir) => CertificateAuthority::load(dir, hosts),
            Self::Pair { cert, key } => CertificateAuthority::load_pair(cert, key, hosts),
        }
    }

    /// Loads the authority that is there, whatever it may sign for, and makes none.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn existing(&self) -> Result<CertificateAuthority, CaError> {
        self.present(&[])
    }

    /// The same to be shown and handed out: where the key is for others' eyes (a service's), what anybody may know.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn shown(&self) -> Result<CertificateAuthority, CaError> {
        match (self.existing(), self) {
            (Err(CaError::Unreadable { reason, .. }), source) if reason.kind() == io::ErrorKind::PermissionDenied => {
                match source {
                    Self::Dir(dir) => CertificateAuthority::load_public(dir),
                    Self::Pair { cert, .. } => CertificateAuthority::load_public_pair(cert),
                }
            }
            (existing, _) => existing,
        }
    }
}
