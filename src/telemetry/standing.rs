//! Whether what lies on disk is what is in force, the config, the listeners' certificates and the CA each by itself; and if
//! not, since when and why.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use arc_swap::ArcSwap;

use super::decision::timestamp;

/// Characters of a reason: `/readyz` and its readers want one line, and the log has it all.
const LONGEST: usize = 400;

/// What is read again while we serve. Each is refused and mended by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The config, and what it reads.
    Config,
    /// The certificate in this file, with which a listener speaks TLS.
    Certificate(PathBuf),
    /// The CA.
    Authority,
}

/// How what is on disk stands to what is in force.
#[derive(Debug, Default)]
pub struct Standing(ArcSwap<BTreeMap<Source, Refused>>);

/// What is on disk, and not in force.
#[derive(Clone, Debug)]
struct Refused {
    since: String,
    why: String,
}

impl Standing {
    /// What `source` has on disk is in force.
    pub fn accepted(&self, source: &Source) {
        self.0.rcu(|refused| {
            let mut left = BTreeMap::clone(refused);
            left.remove(source);
            left
        });
    }

    /// What `source` has on disk is refused, because of this error.
    pub fn refused(&self, source: &Source, error: &str) {
        self.0.rcu(|refused| {
            let mut more = BTreeMap::clone(refused);
            let since = more.get(source).map_or_else(timestamp, |before| before.since.clone());
            more.insert(source.clone(), Refused { since, why: one_line(error) });
            more
        });
    }

    /// How many that are `like` this are refused.
    pub(crate) fn count(&self, like: impl Fn(&Source) -> bool) -> usize {
        self.0.load().keys().filter(|source| like(source)).count()
    }

    /// One line about each that is refused, if any is.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let refused = self.0.load();
        let line = |(source, Refused { since, why }): (&Source, &Refused)| {
            let before = source.before();
            format!("{source} on disk is refused since {since}, and {before} in force: {why}")
        };
        let lines: Vec<String> = refused.iter().map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

impl Source {
    /// What is in force instead.
    const fn before(&self) -> &'static str {
        match self {
            Self::Config => "the rules from before are",
            Self::Certificate(_) | Self::Authority => "the one from before is",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("the config"),
            Self::Certificate(path) => write!(f, "the listener's certificate `{}`", path.display()),
            Self::Authority => f.write_str("the CA"),
        }
    }
}

/// The gist of an error as the config's mistakes are printed: its first sentence and the first place.
pub(crate) fn one_line(error: &str) -> String {
    let mut lines = error.lines().map(|line| line.trim()).filter(|line| !line.is_empty());
    let mut gist = String::new();
    for line in lines.by_ref() {
        gist.push_str(line.strip_prefix("error: ").unwrap_or(line));
        if !gist.ends_with(':') {
            break;
        }
        gist.push(' ');
    }
    if let Some(place) = lines.find_map(|line| line.strip_prefix("--> ")) {
        gist.push_str(" (");
        gist.push_str(place);
        gist.push(')');
    }
    gist.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        let mistake =
            "error: unknown key `naems`\n --> namewall.toml:3:1\n  |\n3 | naems = []\n  | ^^^^^\n  = help: `names`\n";
        assert_eq!(one_line(mistake), "unknown key `naems` (namewall.toml:3:1)");
        let assertion = "error: an assertion of the config does not hold:\n  error: `a` is asserted\n --> n.toml:7\n";
        assert_eq!(one_line(assertion), "an assertion of the config does not hold: `a` is asserted (n.toml:7)");
        assert_eq!(one_line("error: it is gone"), "it is gone");
        assert_eq!(one_line(&"x".repeat(5000)).len(), LONGEST);
    }

    #[test]
    fn it_is_refused_since_the_first_time() {
        let standing = Standing::default();
        assert_eq!(standing.complaint(), None);
        standing.refused(&Source::Config, "error: one");
        let first = standing.complaint().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        standing.refused(&Source::Config, "error: two");
        let second = standing.complaint().unwrap();
        assert_eq!(first.replace(": one", ": two"), second);
        standing.accepted(&Source::Config);
        assert_eq!(standing.complaint(), None);
    }

    #[test]
    fn each_is_refused_and_mended_by_itself() {
        let standing = Standing::default();
        let certificate = Source::Certificate("proxy.pem".into());
        let all = [Source::Config, certificate.clone(), Source::Authority];
        for source in &all {
            standing.refused(source, "error: it is junk");
        }
        let said = standing.complaint().unwrap();
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(said.contains("the listener's certificate `proxy.pem` on disk is refused since "), "{said}");
        assert!(said.ends_with(", and the one from before is in force: it is junk"), "{said}");
        standing.accepted(&Source::Config);
        let said = standing.complaint().unwrap();
        assert!(!said.contains("the config") && said.lines().count() == 2, "{said}");
        assert_eq!(standing.count(|source| *source == certificate), 1);
        standing.accepted(&certificate);
        standing.accepted(&Source::Authority);
        assert_eq!(standing.complaint(), None);
    }
}
