//! safe-chain's proxy on its own; it hides versions on its lists, not names.

use super::{Plan, Result, Stage};

pub(super) const NAME: &str = "safe-chain";

pub(super) fn plan(_stage: &Stage) -> Result<Plan> {
    Err("not yet".into())
}
