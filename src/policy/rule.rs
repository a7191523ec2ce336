//! One `[[protect]]` rule, as its author means it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pep440_rs::VersionSpecifiers;
use time::Date;

use super::audience::Audience;
use super::pattern::{FilePattern, Pattern};
use super::pattern_error::Written;

/// The longest id of a rule: it stands in a response header and in every metric.
const MAX_ID: usize = 128;

/// How many days before its last one a rule is warned of.
const SOON: u32 = 14;

/// One rule: which names and files it protects, and what it says of itself.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Unique; shown in every answer, log line and metric.
    pub id: String,
    /// The names it protects.
    pub names: Vec<Pattern>,
    /// Names that it doesn't protect after all; beats `names` and `files` of the same rule.
    pub except: Vec<Pattern>,
    /// File names that it protects on every project's page.
    pub files: Vec<FilePattern>,
    /// The releases of `names` that it protects, instead of the projects as a whole.
    pub versions: Option<VersionSpecifiers>,
    /// Whether it protects what looks like one of the exact names, too.
    pub lookalikes: bool,
    /// Why, for the one who is refused.
    pub reason: Option<String>,
    /// Whom to ask.
    pub owner: Option<String>,
    /// Where the private copies are.
    pub private_index: Option<String>,
    /// The last day on which the rule is in force.
    pub expires: Option<Date>,
    /// Whether it hides or only reports.
    pub mode: Mode,
    /// For whom it is in force.
    pub audience: Audience,
    /// Its author means it when it matches everything.
    pub everything: bool,
    /// Where it begins; `None` on the command line.
    pub place: Option<Place>,
}

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Hides and refuses.
    #[default]
    Enforce,
    /// Counts and logs, never hides.
    Audit,
}

/// How long a rule has any say yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// For ever.
    Never,
    /// Longer than anybody needs to hear of.
    Fine,
    /// So many days after today, 0 if today is the last one.
    Soon(u32),
    /// Its last day was so many days ago.
    Expired(u32),
}

/// A line of a config file. Shown as `file:line`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
}

/// Why a rule is refused, though each of its patterns is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The id can't be shown in a header, a log line and a metric.
    #[error("the id `{}` is not 1 to {MAX_ID} printable ASCII characters without space around", .id.escape_debug())]
    Id {
        /// The id as written.
        id: String,
    },
    /// Neither names nor files.
    #[error("the rule `{id}` protects nothing: give it `names` or `files`")]
    Nothing {
        /// The rule.
        id: String,
    },
    /// A pattern hides all of PyPI, or excepts all of it, and nobody said that this is meant.
    #[error(
        "`{}` in `{list}` of the rule `{id}` matches everything: write `everything = true` in the rule if that is meant",
        Written(.written)
    )]
    Everything {
        /// The rule.
        id: String,
        /// The key that the pattern stands under: `names`, `except` or `files`.
        list: &'static str,
        /// The pattern as written.
        written: String,
        /// Where the pattern was written.
        place: Option<Place>,
    },
}

impl Rule {
    /// Checks what no pattern can know of itself. For whoever takes rules from a user; [`Policy`](super::Policy) judges
    /// by whatever it is given.
    ///
    /// # Errors
    /// [`RuleError`] for the first thing that can't be meant.
    pub fn validate(&self) -> Result<(), RuleError> {
        let printable = self.id.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if !printable || self.id.trim() != self.id || !(1..=MAX_ID).contains(&self.id.len()) {
            return Err(RuleError::Id { id: self.id.clone() });
        }
        if self.names.is_empty() && self.files.is_empty() {
            return Err(RuleError::Nothing { id: self.id.clone() });
        }
        match self.match_of_everything().filter(|_| !self.everything) {
            Some((list, written, place)) => {
                let (id, written) = (self.id.clone(), written.to_owned());
                Err(RuleError::Everything { id, list, written, place: place.cloned() })
            }
            None => Ok(()),
        }
    }

    /// Whether it has any say on `today`.
    #[must_use]
    pub fn is_in_force(&self, today: Date) -> bool {
        self.expires.is_none_or(|last_day| today <= last_day)
    }

    /// How long it has any say yet, as of `today`.
    #[must_use]
    pub fn expiry(&self, today: Date) -> Expiry {
        let Some(last_day) = self.expires else { return Expiry::Never };
        let days = i64::from(last_day.to_julian_day()) - i64::from(today.to_julian_day());
        match (u32::try_from(days), u32::try_from(-days)) {
            (Ok(left), _) if left <= SOON => Expiry::Soon(left),
            (Ok(_), _) => Expiry::Fine,
            (Err(_negative), Ok(past)) => Expiry::Expired(past),
            (Err(_negative), Err(_positive)) => Expiry::Never,
        }
    }

    /// What there is to say of its expiry as of `today`, in one sentence.
    #[must_use]
    pub fn expiry_notice(&self, today: Date) -> Option<String> {
        let (id, last_day) = (&self.id, self.expires?);
        match self.expiry(today) {
            Expiry::Never | Expiry::Fine => None,
            Expiry::Soon(0) => Some(format!("rule `{id}` is in force for the last day today ({last_day})")),
            Expiry::Soon(1) => Some(format!("rule `{id}` expires tomorrow: its last day is {last_day}")),
            Expiry::Soon(days) => Some(format!("rule `{id}` expires in {days} days: its last day is {last_day}")),
            Expiry::Expired(_) => Some(format!("rule `{id}` expired on {last_day} and protects nothing any more")),
        }
    }

    fn match_of_everything(&self) -> Option<(&'static str, &str, Option<&Place>)> {
        let names = self.names.iter().map(|pattern| ("names", pattern));
        let mut patterns = names.chain(self.except.iter().map(|pattern| ("except", pattern)));
        let mut files = self.files.iter();
        patterns
            .find(|(_, pattern)| pattern.matches_everything())
            .map(|(list, pattern)| (list, pattern.written(), pattern.place()))
            .or_else(|| {
                let pattern = files.find(|pattern| pattern.matches_everything())?;
                Some(("files", pattern.written(), pattern.place()))
            })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Mode {
    /// The word in config, log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn rule(names: &[&str], except: &[&str], files: &[&str]) -> Rule {
        let place = |line| Place { file: Path::new("namewall.toml").into(), line };
        let pattern = |written: &&str| Pattern::parse(written).unwrap().at(place(7));
        Rule {
            id: "acme".to_owned(),
            names: names.iter().map(pattern).collect(),
            except: except.iter().map(pattern).collect(),
            files: files.iter().map(|written| FilePattern::parse(written).unwrap().at(place(9))).collect(),
            ..Rule::default()
        }
    }

    #[test]
    fn everything_must_be_meant() {
        for (rule, list, line) in [
            (rule(&["acme", "*"], &[], &[]), "names", 7),
            (rule(&["re:.+"], &[], &[]), "names", 7),
            (rule(&["acme"], &["?*"], &[]), "except", 7),
            (rule(&["acme"], &[], &["*.egg", "*"]), "files", 9),
        ] {
            let refused = rule.validate().unwrap_err();
            let message = refused.to_string();
            assert!(message.contains(&format!("in `{list}` of the rule `acme`")), "{message}");
            assert!(message.contains("`everything = true`"), "{message}");
            assert!(matches!(refused, RuleError::Everything { place: Some(place), .. } if place.line == line));
            assert_eq!(Rule { everything: true, ..rule }.validate(), Ok(()));
        }
        assert_eq!(rule(&["acme-*", "re:acme[0-9]+"], &["acme-sdk"], &["*.egg"]).validate(), Ok(()));
    }

    #[test]
    fn a_rule_has_an_id_and_something_to_protect() {
        assert_eq!(rule(&[], &["acme"], &[]).validate(), Err(RuleError::Nothing { id: "acme".to_owned() }));
        assert_eq!(rule(&[], &[], &["*.egg"]).validate(), Ok(()));
        for id in ["", " acme", "acme\r\nset-cookie: a", "acm\u{e9}", &"a".repeat(129)] {
            let refused = Rule { id: id.to_owned(), ..rule(&["acme"], &[], &[]) }.validate();
            assert_eq!(refused, Err(RuleError::Id { id: id.to_owned() }));
        }
    }

    #[test]
    fn an_end_is_told_of_two_weeks_before_and_ever_after() {
        let rule = Rule { expires: Some(date!(2027 - 06 - 30)), ..rule(&["acme"], &[], &[]) };
        for (today, expiry, notice) in [
            (date!(2026 - 06 - 30), Expiry::Fine, None),
            (date!(2027 - 06 - 15), Expiry::Fine, None),
            (date!(2027 - 06 - 16), Expiry::Soon(14), Some("expires in 14 days: its last day is 2027-06-30")),
            (date!(2027 - 06 - 29), Expiry::Soon(1), Some("expires tomorrow: its last day is 2027-06-30")),
            (date!(2027 - 06 - 30), Expiry::Soon(0), Some("is in force for the last day today (2027-06-30)")),
            (date!(2027 - 07 - 01), Expiry::Expired(1), Some("expired on 2027-06-30 and protects nothing any more")),
            (date!(2028 - 06 - 30), Expiry::Expired(366), Some("expired on 2027-06-30 and protects nothing any more")),
        ] {
            assert_eq!(rule.expiry(today), expiry, "{today}");
            assert_eq!(rule.is_in_force(today), !matches!(expiry, Expiry::Expired(_)), "{today}");
            assert_eq!(rule.expiry_notice(today), notice.map(|text| format!("rule `acme` {text}")), "{today}");
        }
        let for_ever = Rule { expires: None, ..rule };
        assert_eq!((for_ever.expiry(Date::MAX), for_ever.expiry_notice(Date::MAX)), (Expiry::Never, None));
        let farthest = Rule { expires: Some(Date::MAX), ..for_ever };
        assert_eq!(farthest.expiry(Date::MIN), Expiry::Fine);
        assert!(matches!(Rule { expires: Some(Date::MIN), ..farthest }.expiry(Date::MAX), Expiry::Expired(_)));
    }

    #[test]
    fn the_last_day_counts() {
        let rule = Rule { expires: Some(date!(2027 - 06 - 30)), ..rule(&["acme"], &[], &[]) };
        assert!(rule.is_in_force(date!(2027 - 06 - 30)));
        assert!(!rule.is_in_force(date!(2027 - 07 - 01)));
        assert!(Rule::default().is_in_force(Date::MAX));
    }
}
