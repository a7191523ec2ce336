//! Certificates: the machine's own name-constrained authority, the leaves minted from it, and whom we trust upstream.

pub mod authority;
pub mod leaf;
pub mod trust;

pub use authority::{CaError, CertificateAuthority};
pub use leaf::Leaves;
