//! Whether the config on disk is the one in force, and if not, since when and why.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::decision::timestamp;

/// Characters of a reason: `/readyz` and its readers want one line, and the log has it all.
const LONGEST: usize = 400;

/// How the config on disk stands to the one in force.
#[derive(Debug, Default)]
pub struct Standing(ArcSwapOption<Refused>);

/// A config that is not in force.
#[derive(Debug)]
struct Refused {
    since: String,
    why: String,
}

impl Standing {
    /// The config on disk is in force.
    pub fn accepted(&self) {
        self.0.store(None);
    }

    /// The config on disk is refused, because of this error.
    pub fn refused(&self, error: &str) {
        let since = self.0.load().as_ref().map_or_else(timestamp, |refused| refused.since.clone());
        self.0.store(Some(Arc::new(Refused { since, why: one_line(error) })));
    }

    /// One line about it, if the config on disk is refused.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let refused = self.0.load();
        let Refused { since, why } = &**refused.as_ref()?;
        Some(format!("the config on disk is refused since {since}, and the rules from before are in force: {why}"))
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
        standing.refused("error: one");
        let first = standing.complaint().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        standing.refused("error: two");
        let second = standing.complaint().unwrap();
        assert_eq!(first.replace(": one", ": two"), second);
        standing.accepted();
        assert_eq!(standing.complaint(), None);
    }
}
