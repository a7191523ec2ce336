//! The proxy itself: connections in, requests judged, answers filtered.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::Settings;

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    addresses: Vec<SocketAddr>,
    bundle: PathBuf,
}

/// Why the proxy couldn't start (exit code 3).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// (variants to be written)
    #[error("…")]
    Unwritten,
}

impl Proxy {
    /// Loads the authority, binds every listener and starts to serve in the background.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let _ = settings;
        todo!()
    }

    /// Where it listens, ports resolved.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The PEM file that clients are to trust: the system's roots and ours.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Stops accepting, lets running requests finish within the drain time, then cuts off.
    pub async fn stop(self) {
        todo!()
    }
}
