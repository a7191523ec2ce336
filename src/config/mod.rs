//! The config: as written (`raw`), found (`discover`), compiled (`settings`), and its mistakes shown (`snippet`).

pub mod discover;
pub mod environment;
pub mod raw;
pub mod settings;
pub mod snippet;

pub use settings::{CaSource, LogFormat, Overrides, Settings};
pub use snippet::ConfigError;
