//! Judges many names in a row, as those on one page, where most files are of projects that were judged just before.

use super::policy::Policy;
use super::verdict::Verdict;
use crate::name::{NameRef, Subject};

/// How many spellings are remembered: on one page, the project's own in its wheels, in its sdists and in its URLs.
const SPELLINGS: usize = 4;

/// As [`Policy::judge`], with the same verdicts, and faster on files.
#[derive(Debug)]
pub struct Session<'p> {
    policy: &'p Policy,
    silence: Silence,
}

/// Ways to write project names of which the policy says nothing at all, whichever release of them is asked for.
#[derive(Debug, Default)]
pub(super) struct Silence {
    spellings: [String; SPELLINGS],
    next: usize,
}

impl<'p> Session<'p> {
    /// A session that has judged nothing yet.
    #[must_use]
    pub const fn new(policy: &'p Policy) -> Self {
        Self { policy, silence: Silence { spellings: [const { String::new() }; SPELLINGS], next: 0 } }
    }

    /// Whether the verdict on the project `name` is the default one. Cheaper than a verdict, which has room for a match:
    /// so it is of nearly all names on a list of all projects.
    #[inline]
    #[must_use]
    pub fn is_silent_about(&self, name: NameRef<'_>) -> bool {
        self.silence.is_about(name.as_bytes()) || self.policy.says_nothing_of(name)
    }

    /// The verdict.
    pub fn judge(&mut self, subject: Subject<'_>) -> Verdict<'p> {
        match subject {
            Subject::File(file) => self.policy.judge_file(file, &mut self.silence),
            Subject::Project(name) | Subject::Release(name, _) if self.silence.is_about(name.as_bytes()) => {
                Verdict::default()
            }
            _ => self.policy.judge(subject),
        }
    }
}

impl Silence {
    /// Whether `spelling` is one of a project of which nothing is said.
    #[inline]
    pub(super) fn is_about(&self, spelling: &[u8]) -> bool {
        // Nothing is learnt from a list of projects, which has a million names.
        self.next > 0 && !spelling.is_empty() && self.spellings.iter().any(|known| known.as_bytes() == spelling)
    }

    /// Nothing is said of the project that `spelling` is a name of.
    pub(super) fn learn(&mut self, spelling: &str) {
        if let Some(oldest) = self.spellings.get_mut(self.next % SPELLINGS) {
            spelling.clone_into(oldest);
        }
        self.next = self.next.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;
    use crate::name::{FileName, ProjectName};
    use crate::policy::{FilePattern, Inventory, Mode, Names, Pattern, Rule};

    fn policy() -> Policy {
        let patterns = |names: &[&str]| names.iter().map(|name| Pattern::parse(name).unwrap()).collect::<Vec<_>>();
        let rule = |id: &str, names: &[&str]| Rule { id: id.into(), names: patterns(names), ..Rule::default() };
        let files = |pattern: &str| vec![FilePattern::parse(pattern).unwrap()];
        let rules = vec![
            Rule { except: patterns(&["a-b"]), ..rule("prefix", &["a-*"]) },
            Rule { versions: Some("<2".parse().unwrap()), ..rule("versions", &["b", "a1"]) },
            Rule { mode: Mode::Audit, ..rule("audit", &["re:b-[ab]", "ab"]) },
            Rule { files: files("*.egg"), except: patterns(&["a"]), ..rule("files", &[]) },
            Rule { lookalikes: true, ..rule("lookalikes", &["abba"]) },
        ];
        let names: Names = ["ba", "b-1"].iter().map(|name| ProjectName::parse(name).unwrap()).collect();
        let listed = Inventory { rule: rule("listed", &[]), names: Some(names.into()), dispensable: true };
        Policy::with_inventories(rules, vec![listed], date!(2026 - 01 - 01)).unwrap()
    }

    proptest! {
        #[test]
        fn a_session_judges_as_its_policy_does(
            files in proptest::collection::vec(
                "[abAB1]{1,3}([-_.][ab1]{1,2}){0,2}-[0-3]([.][0-9])?(-1)?([.]tar[.]gz|-py3-none-any[.]whl|[.]egg|[.]x)([.]asc)?",
                0..20,
            ),
        ) {
            let policy = policy();
            let mut session = Session::new(&policy);
            for file in &files {
                let file = FileName::parse(file).unwrap();
                prop_assert_eq!(shown(&session.judge(Subject::File(&file))), shown(&policy.judge(Subject::File(&file))));
                for name in file.candidates().projects.iter().map(ProjectName::as_name) {
                    for subject in [Subject::Project(name), Subject::Release(name, "1.0"), Subject::Release(name, "x")] {
                        prop_assert_eq!(shown(&session.judge(subject)), shown(&policy.judge(subject)));
                        if let Subject::Project(name) = subject && session.is_silent_about(name) {
                            prop_assert_eq!(shown(&policy.judge(subject)), shown(&Verdict::default()));
                        }
                    }
                }
            }
        }
    }

    fn shown(verdict: &Verdict<'_>) -> String {
        format!("{verdict:?}")
    }
}
