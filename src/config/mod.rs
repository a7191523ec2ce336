//! The config: found (`discover`), read as written (`raw`, `structure`), compiled (`compile` and its kin) into
//! immutable [`Settings`], and its mistakes shown where they stand (`snippet`).

pub mod assertion;
pub mod claimed;
mod compile;
pub mod discover;
pub mod environment;
pub mod inventory;
pub mod kept;
pub mod lint;
mod listen;
mod raw;
mod rules;
mod schema;
pub mod secret;
pub mod settings;
pub mod snippet;
mod source;
mod structure;
mod value;

pub use assertion::{Assertion, FailedAssertion};
pub use claimed::{Claimed, WebhookUrl};
pub use environment::Environment;
pub use inventory::{Credentials, IndexUrl, InventorySource, OnMissing, SecretSource};
pub use kept::KeptList;
pub use lint::Lint;
pub use secret::Secret;
pub use settings::{CaSource, LogFormat, Overrides, Settings};
pub use snippet::{ConfigError, Mistake};

#[cfg(test)]
mod tests;
