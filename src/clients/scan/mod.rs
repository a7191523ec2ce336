//! Finds lock files, requirement files, environments and caches that already hold a protected name from the public index.
//!
//! The proxy stops what is asked of PyPI from now on. What was taken from it before stands in lock files with hashes and
//! URLs, and in caches that answer without asking anybody. Nothing is executed here and nothing is asked of the network.

mod caches;
mod detect;
mod entry;
mod finding;
mod installed;
mod json;
mod judge;
mod lock;
mod pdm;
mod pip_cache;
mod pipenv;
mod poetry;
mod pylock;
mod pyproject;
mod read;
mod remedy;
mod requirements;
mod sarif;
#[cfg(test)]
mod testing;
mod uv;
mod uv_cache;
mod walk;

pub use self::caches::default_caches;
pub use self::finding::{Finding, Level, Report, Unread};
pub use self::json::as_json;
pub(crate) use self::read::decoded;
pub use self::remedy::Tool;
pub(crate) use self::requirements::{logical_lines, without_comment};
pub(crate) use self::sarif::as_sarif;
pub use self::walk::scan;
