//! The config: found (`discover`), read as written (`raw`, `structure`), compiled (`compile` and its kin) into
//! immutable [`Settings`], and its mistakes shown where they stand (`snippet`).

pub mod assertion;
pub mod claimed;
mod compile;
pub mod discover;
pub mod environment;
pub mod exits;
mod include;
pub mod inventory;
pub mod kept;
pub mod limits;
pub mod lint;
mod listen;
pub mod listener;
pub mod parents;
mod raw;
pub mod reload;
mod rules;
mod schema;
pub mod secret;
pub mod settings;
mod shift;
pub mod snippet;
mod source;
mod sources;
mod structure;
mod users;
mod value;
mod variables;

pub use assertion::{Assertion, FailedAssertion};
pub use claimed::{Claimed, WebhookUrl};
pub use environment::Environment;
pub use exits::Exits;
pub use inventory::{Credentials, IndexUrl, InventorySource, OnMissing, SecretSource};
pub use kept::KeptList;
pub use limits::Limits;
pub use lint::{Level, Lint, LintKind};
pub use listener::{ListenerSettings, ListenerTls, Place};
pub use parents::{Parent, Parents, Scheme};
pub use secret::Secret;
pub use settings::{AccessFormat, AccessTo, CaSource, LogFormat, Overrides, Settings};
pub use snippet::{ConfigError, Mistake};
pub(crate) use users::one_user;
pub use users::{UnreadableUsers, UsersFile};

#[cfg(test)]
mod tests;
