//! Rules on names: what a pattern is, what a rule says, and the verdict on a name. Pure: no socket, no clock, no page.

pub mod pattern;
#[expect(clippy::module_inception, reason = "the compiled policy is what the room is named after")]
pub mod policy;
pub mod rule;
pub mod verdict;

pub use pattern::{FilePattern, Pattern, PatternError};
pub use policy::{CompileError, Policy};
pub use rule::{Mode, Place, Rule};
pub use verdict::{Match, Verdict};
