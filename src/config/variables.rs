//! What the `NAMEWALL_*` variables say, for containers, which are given variables more easily than files.

pub(super) mod proxies;

use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use self::proxies::ProxyVariables;
use super::environment::Environment;
use super::raw::Text;
use super::schema::nearest;
use super::snippet::{Mistake, Mistakes, Wrong};
use super::source::{Role, Source};
use super::sources::Sources;

/// What all of them begin with.
const PREFIX: &str = "NAMEWALL_";

/// What `run` and `env` set for themselves.
const OURS: [&str; 3] = ["NAMEWALL_RUN", "NAMEWALL_OLD", "NAMEWALL_GUARD"];

/// Each variable, after the prefix in lower case, with an example.
const KNOWN: [(&str, &str); 8] = [
    ("config", "NAMEWALL_CONFIG=/etc/namewall/namewall.toml"),
    ("protect", "NAMEWALL_PROTECT=acme,acme-*"),
    ("rules", "NAMEWALL_RULES=/etc/namewall/rules.d/acme.toml"),
    ("listen", "NAMEWALL_LISTEN=127.0.0.1:3128"),
    ("admin", "NAMEWALL_ADMIN=127.0.0.1:3129"),
    ("allow", "NAMEWALL_ALLOW=10.0.0.0/8,127.0.0.0/8"),
    ("ca_dir", "NAMEWALL_CA_DIR=/var/lib/namewall"),
    ("log_format", "NAMEWALL_LOG_FORMAT=json"),
];

/// The values, each with its place among the sources.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) protect: Vec<Text>,
    pub(super) listen: Vec<Text>,
    pub(super) admin: Option<Text>,
    pub(super) allow: Vec<Text>,
    pub(super) ca_dir: Option<Text>,
    pub(super) log_format: Option<Text>,
    pub(super) rules: Vec<PathBuf>,
    /// Those that all programs know.
    pub(super) proxies: ProxyVariables,
    wrong: Vec<Mistake>,
}

impl Variables {
    /// Reads them from `environment` and appends their text to `sources`, so that a mistake in one has a place.
    pub(super) fn read(environment: &Environment, cwd: &Path, sources: &mut Sources) -> Self {
        let mut reader = Reader { environment, cwd, sources, wrong: unknown(environment) };
        let proxies = ProxyVariables::read(environment, cwd, reader.sources, &mut reader.wrong);
        Self {
            proxies,
            protect: reader.list("protect"),
            listen: reader.list("listen"),
            admin: reader.single("admin"),
            allow: reader.list("allow"),
            ca_dir: reader.single("ca_dir"),
            log_format: reader.single("log_format"),
            rules: rules(environment),
            wrong: reader.wrong,
        }
    }

    /// Hands over what went wrong.
    pub(super) fn report(&self, mistakes: &mut Mistakes<'_>) {
        self.wrong.iter().for_each(|mistake| mistakes.report_elsewhere(mistake.clone()));
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    cwd: &'a Path,
    sources: &'a mut Sources,
    wrong: Vec<Mistake>,
}

impl Reader<'_> {
    fn single(&mut self, name: &str) -> Option<Text> {
        let (start, text) = self.lay(name)?;
        let trimmed = text.trim();
        let front = start + (text.len() - text.trim_start().len());
        if trimmed.is_empty() {
            self.says_nothing(name);
        }
        (!trimmed.is_empty()).then(|| Spanned::new(front..front + trimmed.len(), trimmed.to_owned()))
    }

    fn list(&mut self, name: &str) -> Vec<Text> {
        let Some((start, text)) = self.lay(name) else { return Vec::new() };
        let words = words(&text);
        if words.is_empty() {
            self.says_nothing(name);
        }
        let word = |range: Range<usize>| {
            let written = text.get(range.clone()).unwrap_or_default().to_owned();
            Spanned::new(start + range.start..start + range.end, written)
        };
        words.into_iter().map(word).collect()
    }

    /// Appends the value of `name` to the sources, if it has one: where it starts there, and its text.
    fn lay(&mut self, name: &str) -> Option<(usize, String)> {
        let variable = variable(name);
        let value = self.environment.var(&variable)?;
        let Some(text) = value.to_str() else {
            let message = format!("the value of the variable `{variable}` is not UTF-8");
            self.wrong.push(Mistake::of_file(Wrong::new(message, format!("write it like this: `{}`", example(name)))));
            return None;
        };
        let shown = PathBuf::from(format!("${variable}"));
        let source = Source::new(&shown, Role::Variable, None, self.cwd.to_owned(), text.to_owned());
        Some((self.sources.push(source), text.to_owned()))
    }

    /// Nobody sets a variable to blanks and commas on purpose: something that should have been there was empty.
    fn says_nothing(&mut self, name: &str) {
        let message = format!("the variable `{}` is set, but says nothing", variable(name));
        let help = format!("write it like this: `{}`, or leave it out", example(name));
        self.wrong.push(Mistake::of_file(Wrong::new(message, help)));
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

fn example(name: &str) -> &'static str {
    KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, example)| example)
}

/// The files of `NAMEWALL_RULES`, separated as those of `PATH` are.
fn rules(environment: &Environment) -> Vec<PathBuf> {
    let list = environment.var(&variable("rules")).unwrap_or_default();
    std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The words of `text`. A comma in braces belongs to its word: `re:acme-[0-9]{1,3}`.
fn words(text: &str) -> Vec<Range<usize>> {
    let (mut words, mut start, mut depth) = (Vec::new(), None, 0_usize);
    for (offset, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = c.is_whitespace() || c == ',' && depth == 0;
        match start {
            Some(from) if ends => {
                words.push(from..offset);
                (start, depth) = (None, 0);
            }
            None if !ends => start = Some(offset),
            _ => {}
        }
    }
    words.extend(start.map(|from| from..text.len()));
    words
}

/// A slip in the name of a variable would leave names unprotected without a word.
fn unknown(environment: &Environment) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (name, value) in environment.iter() {
        let shown = name.to_string_lossy();
        let Some(rest) = shown.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX)) else { continue };
        let rest = shown.get(rest.len()..).unwrap_or_default();
        let is_known = KNOWN.iter().any(|(known, _)| variable(known) == shown);
        if is_known || OURS.contains(&&*shown) || is_of_inventory(rest) || is_of_kubernetes(rest, value) {
            continue;
        }
        let near = nearest(rest, KNOWN.map(|(known, _)| known));
        let meant = near.map(|near| format!("did you mean `{}`? ", variable(near))).unwrap_or_default();
        let list = KNOWN.map(|(known, _)| variable(known)).join(", ");
        let message = format!("unknown variable `{shown}` in the environment");
        mistakes.push(Mistake::of_file(Wrong::new(message, format!("{meant}known variables: {list}"))));
    }
    mistakes
}

/// Whether it is a credential of an inventory, which is called after the inventory's id.
fn is_of_inventory(rest: &str) -> bool {
    let id = rest.strip_prefix("INVENTORY_");
    id.is_some_and(|id| ["_TOKEN", "_USER", "_PASSWORD"].iter().any(|end| id.len() > end.len() && id.ends_with(end)))
}

/// Whether Kubernetes made it up: each container gets such variables of each service, and one may be called `namewall`.
///
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
fn is_of_kubernetes(rest: &str, value: &OsStr) -> bool {
    let is_url = || {
        let value = value.to_string_lossy();
        ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
    };
    let has = |part: &str| rest.starts_with(part) || rest.contains(&format!("_{part}"));
    has("SERVICE_HOST")
        || has("SERVICE_PORT")
        || (rest == "PORT" || rest.ends_with("_PORT")) && is_url()
        || ["TCP", "UDP", "SCTP"].iter().any(|protocol| {
            let (front, back) = rest.split_once(&format!("_{protocol}")).unwrap_or_default();
            let port = front.rsplit('_').next().unwrap_or_default();
            let numbered = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            numbered && has("PORT_") && ["", "_PROTO", "_PORT", "_ADDR"].contains(&back)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_apart_by_commas_and_blanks() {
        for (text, expected) in [
            ("acme", vec!["acme"]),
            (" acme, acme-* ,\n\tother,,", vec!["acme", "acme-*", "other"]),
            ("re:a{1,3},b", vec!["re:a{1,3}", "b"]),
            ("re:a{1, b", vec!["re:a{1,", "b"]),
            ("}a,b", vec!["}a", "b"]),
            (" , ", vec![]),
            ("", vec![]),
        ] {
            let found: Vec<_> = words(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_example_names_its_variable() {
        for (name, example) in KNOWN {
            assert!(example.starts_with(&format!("{}=", variable(name))), "{example}");
        }
    }

    #[test]
    fn slips_are_told_from_what_kubernetes_sets() {
        let unknown = |name: &str, value: &str| {
            let mistakes = unknown(&Environment::from_pairs([(name, value)]));
            mistakes.first().map(|mistake| mistake.help().to_owned())
        };
        for (name, meant) in [
            ("NAMEWALL_PROTEC", "NAMEWALL_PROTECT"),
            ("NAMEWALL_PROTECTED", "NAMEWALL_PROTECT"),
            ("namewall_protect", "NAMEWALL_PROTECT"),
            ("NAMEWALL_CADIR", "NAMEWALL_CA_DIR"),
            ("NAMEWALL_RULE", "NAMEWALL_RULES"),
            ("NAMEWALL_LOG", "NAMEWALL_LOG_FORMAT"),
        ] {
            let help = unknown(name, "x").expect(name);
            assert!(help.starts_with(&format!("did you mean `{meant}`? known variables: ")), "{name}: {help}");
        }
        for name in ["NAMEWALL_", "NAMEWALL_ZZZ", "NAMEWALL_PORT", "NAMEWALL_TCP", "NAMEWALL_PORT_X_TCP"] {
            assert!(unknown(name, "3128").is_some(), "{name}");
        }
        for (name, value) in [
            ("NAMEWALL_SERVICE_HOST", "10.0.0.11"),
            ("NAMEWALL_SERVICE_PORT", "3128"),
            ("NAMEWALL_SERVICE_PORT_PROXY", "3128"),
            ("NAMEWALL_PORT", "tcp://10.0.0.11:3128"),
            ("NAMEWALL_PORT_3128_TCP", "tcp://10.0.0.11:3128"),
            ("NAMEWALL_PORT_3128_TCP_PROTO", "tcp"),
            ("NAMEWALL_PORT_3128_TCP_PORT", "3128"),
            ("NAMEWALL_PORT_3128_TCP_ADDR", "10.0.0.11"),
            ("NAMEWALL_ADMIN_SERVICE_HOST", "10.0.0.12"),
            ("NAMEWALL_ADMIN_PORT", "tcp://10.0.0.12:3129"),
            ("NAMEWALL_ADMIN_PORT_3129_TCP_ADDR", "10.0.0.12"),
            ("NAMEWALL_PROTECT", "acme"),
            ("NAMEWALL_INVENTORY_CORP_TOKEN", "secret"),
            ("NAMEWALLET", "x"),
            ("PATH", "/bin"),
        ] {
            assert_eq!(unknown(name, value), None, "{name}");
        }
    }
}
