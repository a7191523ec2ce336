//! Which proxies the environment names, as curl reads it: `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, and the
//! same in capitals.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::super::environment::Environment;
use super::super::raw::Text;
use super::super::secret;
use super::super::snippet::{Mistake, Wrong};
use super::super::source::{Role, Source};
use super::super::sources::Sources;

/// What the environment says of proxies.
#[derive(Debug, Default)]
pub(in crate::config) struct ProxyVariables {
    /// For tunnels and `https://`.
    pub(in crate::config) secure: Option<Named>,
    /// For `http://`.
    pub(in crate::config) plain: Option<Named>,
    /// What is reached directly.
    pub(in crate::config) no_proxy: Option<Named>,
    /// What the user should know.
    pub(in crate::config) notes: Vec<String>,
}

/// A variable and its value, which has its place among the sources.
#[derive(Clone, Debug)]
pub(in crate::config) struct Named {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) text: Text,
}

impl ProxyVariables {
    /// Reads them from `environment` and appends their text to `sources`, so that a mistake in one has a place.
    pub(super) fn read(environment: &Environment, cwd: &Path, sources: &mut Sources, wrong: &mut Vec<Mistake>) -> Self {
        let mut reader = Reader { environment, cwd, sources, wrong, notes: Vec::new() };
        let secure = reader.first(&["https_proxy", "HTTPS_PROXY"]);
        // In a CGI script `HTTP_PROXY` is what a client says in its field `Proxy` (httpoxy, CVE-2016-5385).
        let plain: &[&'static str] =
            if environment.var("REQUEST_METHOD").is_some() { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] };
        let plain = reader.first(plain);
        let all = if secure.is_none() || plain.is_none() { reader.first(&["all_proxy", "ALL_PROXY"]) } else { None };
        let no_proxy = reader.first(&["no_proxy", "NO_PROXY"]);
        let notes = reader.notes;
        Self { secure: secure.or_else(|| all.clone()), plain: plain.or(all), no_proxy, notes }
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    cwd: &'a Path,
    sources: &'a mut Sources,
    wrong: &'a mut Vec<Mistake>,
    notes: Vec<String>,
}

impl Reader<'_> {
    /// The first of `names` that is set; as with curl, small letters win.
    fn first(&mut self, names: &[&'static str]) -> Option<Named> {
        let mut set = names.iter().filter_map(|name| Some((*name, self.environment.var(name)?)));
        let (name, value) = set.next()?;
        if let Some((other, _)) = set.find(|(_, other)| *other != value) {
            self.notes.push(format!("`{name}` and `{other}` differ: namewall goes by `{name}`, as curl does"));
        }
        let Some(text) = value.to_str() else {
            let message = format!("the value of the variable `{name}` is not UTF-8");
            self.wrong.push(Mistake::of_file(Wrong::new(message, "set it anew, or unset it")));
            return None;
        };
        // What a mistake shows of it must not be a password; it keeps its length.
        let shown = secret::masked_value(text);
        let source = Source::new(&PathBuf::from(format!("${name}")), Role::Variable, None, self.cwd.to_owned(), shown);
        let start = self.sources.push(source);
        Some(Named { name, text: Spanned::new(start..start + text.len(), text.to_owned()) })
    }
}
