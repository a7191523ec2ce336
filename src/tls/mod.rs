//! Certificates: the machine's own name-constrained authority, the leaves minted from it, and whom we trust upstream.
//!
//! `profile` says what our certificates contain, `certificate` what a loaded one must contain, `store` how the pair
//! reaches the disk; [`authority`] is the three together. [`leaf`] serves, [`trust`] and [`bundle`] are the two
//! directions of trust, [`system`] is the machine's trust store. `certs/README.md` has the profile as a table.

pub mod authority;
pub mod bundle;
pub mod error;
pub(crate) mod held;
pub mod in_force;
pub mod leaf;
pub mod listener;
pub mod renewal;
pub mod request;
pub(crate) mod shown;
pub mod system;
pub mod trust;

mod certificate;
mod clock;
mod constraints;
mod next;
mod origin;
mod profile;
mod source;
mod store;

#[cfg(test)]
mod interop;
#[cfg(test)]
mod races;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

pub use authority::CertificateAuthority;
pub use error::CaError;
pub use in_force::InForce;
pub use leaf::Leaves;

/// The one cryptography of this crate, for every `builder_with_provider`.
///
/// rustls's process-wide default is never relied upon: it panics as soon as some dependency links a second provider.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // AES-128 and its SHA-256 first, which processors have instructions for: a handshake with SHA-384 takes a twentieth
    // longer, and both are out of reach. The order of the others stays.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}
