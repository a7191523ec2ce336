//! Who plays: the company's package, the stranger's of the same name, and an ordinary one that both need.

use std::io;

use crate::demo::{Artifact, Catalog, Project, Wheel};

/// The private package.
pub(super) const PACKAGE: &str = "acme-core";
/// The company's version.
pub(super) const OURS: &str = "1.0";
/// The stranger's: pip takes the highest, wherever it comes from.
pub(super) const PLANTED: &str = "99.0";
/// An ordinary package of the public index.
pub(super) const ORDINARY: &str = "greetings";
/// Its version.
pub(super) const ORDINARY_VERSION: &str = "2.1";
/// The rule's id.
pub(super) const RULE: &str = "acme";
/// The pattern that protects the company's names.
pub(super) const PATTERN: &str = "acme-*";
/// What no request may bear that passes the rules.
pub(super) const PROTECTED_WORD: &str = "acme";

/// What the stranger's module says.
pub(super) const PLANTED_SAYS: &str = "I am acme-core 99.0. A stranger wrote me, and I have just run as you.";
/// What the company's says.
pub(super) const OURS_SAYS: &str = "I am acme-core 1.0. Your colleagues wrote me.";

/// What the public index holds.
pub(super) fn public() -> io::Result<[Project; 2]> {
    let planted = acme(PLANTED, PLANTED_SAYS);
    let ordinary = Wheel::new(ORDINARY, ORDINARY_VERSION).module("HELLO = 'hello'\n");
    Ok([
        Project::new(PACKAGE).file(Artifact::wheel(&planted)?),
        Project::new(ORDINARY).file(Artifact::wheel(&ordinary)?),
    ])
}

/// What the company's own index holds.
pub(super) fn private() -> io::Result<Catalog> {
    let ours = acme(OURS, OURS_SAYS);
    Ok([Project::new(PACKAGE).file(Artifact::wheel(&ours)?)].into_iter().collect())
}

fn acme(version: &str, says: &str) -> Wheel {
    Wheel::new(PACKAGE, version).module(&format!("print('{says}')\n")).requires(ORDINARY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Pattern;

    #[test]
    fn the_pattern_is_one_and_protects_no_bystander() {
        let pattern = Pattern::parse(PATTERN).unwrap();
        assert!(!pattern.matches_everything());
        assert!(PACKAGE.starts_with(PROTECTED_WORD) && !ORDINARY.contains(PROTECTED_WORD));
    }
}
