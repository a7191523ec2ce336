//! Whom we trust upstream, and the bundle that clients are given: the system's roots and ours.

use std::path::{Path, PathBuf};

use super::authority::{CaError, CertificateAuthority};

/// The client side's TLS configuration for upstream connections (ALPN not set): the system's roots and `extra_roots`,
/// never `ours`, verified always.
///
/// # Errors
/// [`CaError`] when a file can't be read or holds no certificate.
pub fn upstream_config(extra_roots: &[PathBuf], ours: &CertificateAuthority) -> Result<rustls::ClientConfig, CaError> {
    let _ = (extra_roots, ours);
    todo!()
}

/// Writes `bundle.pem` (the roots that this environment trusts, and `ours`) to `path`, atomically, if it differs.
///
/// # Errors
/// [`CaError`] when it can't be written.
pub fn write_bundle(path: &Path, ours: &CertificateAuthority) -> Result<(), CaError> {
    let _ = (path, ours);
    todo!()
}
