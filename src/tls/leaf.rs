//! Leaf certificates: minted for the intercepted hosts, renewed by age.

use std::sync::Arc;

use super::authority::{CaError, CertificateAuthority};
use crate::name::HostName;

/// The server side's TLS configurations, one an intercepted host.
#[derive(Debug)]
pub struct Leaves {}

impl Leaves {
    /// Mints the leaves of `hosts` now.
    ///
    /// # Errors
    /// [`CaError`] when signing fails.
    pub fn new(authority: Arc<CertificateAuthority>, hosts: &[HostName]) -> Result<Self, CaError> {
        let _ = (authority, hosts);
        todo!()
    }

    /// The configuration with a fresh enough leaf for `host` (offering `h2` and `http/1.1`).
    ///
    /// # Errors
    /// [`CaError`] when `host` is none that the authority may sign for, or signing fails.
    pub fn server_config(&self, host: &HostName) -> Result<Arc<rustls::ServerConfig>, CaError> {
        let _ = host;
        todo!()
    }
}
