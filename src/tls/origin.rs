//! Where an authority's pair came from: what messages name, and how far it is trusted.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::authority::certificates;
use super::certificate::fingerprint;
use super::error::{CaError, Remedy};
use super::store::Store;

/// Where a pair came from, for messages, and how far it is trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a> {
    pub(super) cert: &'a Path,
    pub(super) key: &'a Path,
    pub(super) remedy: Remedy,
    pub(super) unconfined: Unconfined<'a>,
}

/// What becomes of a certificate that doesn't confine its holder.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unconfined<'a> {
    /// It is refused.
    Refused,
    /// It is taken, if it was accepted here.
    IfAccepted(&'a Store),
    /// It is taken.
    Taken,
}

impl Unconfined<'_> {
    pub(super) const fn of(taken: bool) -> Self {
        if taken { Self::Taken } else { Self::Refused }
    }

    pub(super) fn takes(&self, certificate: &CertificateDer<'_>) -> bool {
        match self {
            Self::Refused => false,
            Self::IfAccepted(store) => store.accepts_unconfined(&fingerprint(certificate)),
            Self::Taken => true,
        }
    }
}

impl<'a> Files<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { cert: &store.cert, key: &store.key, remedy: Remedy::Renew, unconfined: Unconfined::IfAccepted(store) }
    }

    pub(super) fn not_a_certificate(&self) -> CaError {
        CaError::NotACertificate { path: self.cert.to_owned(), remedy: self.remedy }
    }

    pub(super) fn certificates(&self, pem: &str) -> Result<Vec<CertificateDer<'static>>, CaError> {
        certificates(pem).ok_or_else(|| self.not_a_certificate())
    }

    pub(super) fn of_next(store: &'a Store) -> Self {
        Self { cert: &store.next, key: &store.next, ..Self::of(store) }
    }
}
