//! The certificate authority: one a machine, able to sign for the intercepted hosts and nothing else.

use std::path::Path;

use crate::name::HostName;

/// The authority's certificate and key.
#[derive(Debug)]
pub struct CertificateAuthority {}

/// Why there is no usable authority; the message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// (variants to be written)
    #[error("…")]
    Unwritten,
}

impl CertificateAuthority {
    /// Loads the authority in `dir`, or makes one that can sign for `hosts` (each with its sub-domains) and nothing else.
    /// Several processes may do so at once: all end with the same one.
    ///
    /// # Errors
    /// [`CaError`]: the folder can't be written, the pair there is damaged or foreign, or it doesn't cover `hosts`.
    pub fn load_or_create(dir: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        let _ = (dir, hosts);
        todo!()
    }

    /// Loads a pair that the organisation issued.
    ///
    /// # Errors
    /// As [`CertificateAuthority::load_or_create`].
    pub fn load_pair(cert: &Path, key: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        let _ = (cert, key, hosts);
        todo!()
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        todo!()
    }
}
