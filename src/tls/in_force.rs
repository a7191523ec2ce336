//! The authority of a running proxy: the one in force by the clock, of those that its files held last.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::authority::CertificateAuthority;
use super::clock::Clock;

/// The authority that signs now; it changes when its successor's moment comes, or its files do.
#[derive(Clone, Debug)]
pub struct InForce {
    loaded: Arc<ArcSwap<CertificateAuthority>>,
    clock: Clock,
}

impl InForce {
    /// For what was loaded.
    #[must_use]
    pub fn new(authority: Arc<CertificateAuthority>) -> Self {
        Self::with_clock(authority, Clock::system())
    }

    pub(super) fn with_clock(authority: Arc<CertificateAuthority>, clock: Clock) -> Self {
        Self { loaded: Arc::new(ArcSwap::new(authority)), clock }
    }

    /// The one that signs now.
    #[must_use]
    pub fn get(&self) -> Arc<CertificateAuthority> {
        self.loaded.load().at(self.clock.now())
    }

    /// What was loaded: the one that signs, or that it follows.
    #[must_use]
    pub fn loaded(&self) -> Arc<CertificateAuthority> {
        self.loaded.load_full()
    }

    /// Takes what the files hold now.
    pub fn replace(&self, authority: Arc<CertificateAuthority>) {
        self.loaded.store(authority);
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }
}
