//! Rules on names: what a pattern is, what a rule says, and the verdict on a name. Pure: no socket, no clock, no page.

pub mod audience;
mod expression;
mod file_pattern;
mod fingerprint;
pub mod inventory;
mod language;
mod lookalikes;
mod matcher;
mod neighbours;
mod overlap;
pub mod pattern;
mod pattern_error;
mod policies;
#[expect(clippy::module_inception, reason = "the compiled policy is what the room is named after")]
pub mod policy;
mod prefixes;
mod releases;
mod remedy;
pub mod rule;
pub mod session;
mod sieve;
pub mod verdict;

pub use audience::{Asker, Audience, Somebody, Who};
pub use inventory::{Inventory, Names};
pub use overlap::Relation;
pub use pattern::{FilePattern, Pattern, PatternError};
pub use pattern_error::Remedy;
pub use policies::Policies;
pub use policy::{CompileError, Policy};
pub use releases::some_left;
pub use rule::{Expiry, Mode, Place, Rule, RuleError};
pub use session::Session;
pub use verdict::{Match, Verdict};
