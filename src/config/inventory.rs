//! Compiles `[[inventory]]`: which private indexes are asked what they serve, how often, and as whom.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use url::Url;

use super::environment::Environment;
use super::raw::{RawInventory, Text};
use super::secret::Secret;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::{rules, schema, value};
use crate::name::HostName;
use crate::policy::{Audience, Inventory, Names, Pattern, Place, Rule};
use crate::pypi::site::{Sites, site_of};

const DEFAULT_REFRESH: Duration = Duration::from_secs(600);

/// More often than this is a load, not a protection.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

/// What those who are refused are told.
const REASON: &str = "served by the private index";

/// A private index whose projects are protected.
#[derive(Clone, Debug)]
pub struct InventorySource {
    /// Unique among rules and inventories.
    pub id: String,
    /// Where its list of projects is.
    pub url: IndexUrl,
    /// How often the list is asked for.
    pub refresh: Duration,
    /// What holds while no list has ever come.
    pub on_missing: OnMissing,
    /// Names that are not protected, although the index serves them.
    pub except: Vec<Pattern>,
    /// For whom they are protected.
    pub audience: Audience,
    /// As whom it is asked.
    pub credentials: Credentials,
    /// Where it stands in the config.
    pub place: Option<Place>,
}

/// The address of a private index. Holds no user and no password, and shows no query: a token may stand there.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexUrl(Url);

/// What holds while nobody knows what a private index serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissing {
    /// Nothing of PyPI may be seen.
    #[default]
    Refuse,
    /// The other rules alone hold.
    Ignore,
}

/// As whom a private index is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// As nobody.
    Nobody,
    /// With a user and a password.
    Basic(String, SecretSource),
    /// With a token.
    Bearer(SecretSource),
    /// As a netrc file says for the host, if it says something.
    Netrc(PathBuf),
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It is known.
    Given(Secret),
    /// It is in this file, which is read anew each time.
    File(PathBuf),
}

impl IndexUrl {
    /// What is asked.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for IndexUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for IndexUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl InventorySource {
    /// What the policy makes of it while it is known to serve `names`.
    #[must_use]
    pub fn listing(&self, names: Option<Arc<Names>>) -> Inventory {
        let rule = Rule {
            id: self.id.clone(),
            except: self.except.clone(),
            reason: Some(REASON.to_owned()),
            private_index: Some(self.url.to_string()),
            audience: self.audience.clone(),
            place: self.place.clone(),
            ..Rule::default()
        };
        Inventory { rule, names, dispensable: self.on_missing == OnMissing::Ignore }
    }

    /// Whether `other` is asked for the same, in the same way.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let folded = |source: &Self| source.except.iter().map(|p| p.folded().to_owned()).collect::<Vec<_>>();
        (&self.id, &self.url, self.refresh, self.on_missing, &self.credentials)
            == (&other.id, &other.url, other.refresh, other.on_missing, &other.credentials)
            && folded(self) == folded(other)
            && self.audience == other.audience
    }
}

/// The inventories of the file, in its order.
pub(super) fn inventories(
    document: &Document,
    sites: &Sites,
    environment: &Environment,
    mistakes: &mut Mistakes<'_>,
) -> Vec<InventorySource> {
    report_twins(document, mistakes);
    let mut sources = Vec::new();
    for table in &document.raw.inventory {
        sources.extend(source(table, document.is_whole(table), sites, environment, mistakes));
    }
    sources
}

/// The variable of the environment that says `name` (such as `TOKEN`) of the inventory `id`.
fn variable(id: &str, name: &str) -> String {
    format!("NAMEWALL_INVENTORY_{}_{name}", as_variable(id))
}

/// An id as it stands in the name of a variable.
fn as_variable(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// An id names a rule or an inventory, and nothing else tells them apart.
fn report_twins(document: &Document, mistakes: &mut Mistakes<'_>) {
    let (mut lines, mut variables) = (HashMap::new(), HashMap::new());
    let of_rules = document.raw.protect.iter().filter_map(|rule| rule.get_ref().id.as_ref()).map(|id| (id, false));
    let own = document.raw.inventory.iter().filter_map(|table| table.get_ref().id.as_ref()).map(|id| (id, true));
    for (id, own) in of_rules.chain(own) {
        let line = mistakes.source().place(id.span().start);
        let written = id.get_ref();
        match lines.get(written) {
            Some(first) if own => {
                let message = format!("the id `{written}` is taken at {first}");
                mistakes.report(&id.span(), Wrong::new(message, "give this inventory another id"));
            }
            _ if own && let Some(maker) = rules::maker_of(written) => {
                let message = format!("the id `{written}` is kept for the rule that `{maker}` makes");
                mistakes.report(&id.span(), Wrong::new(message, "give this inventory another id"));
            }
            _ => {
                let twin = if own { variables.insert(as_variable(written), written) } else { None };
                if let Some(twin) = twin {
                    let token = variable(written, "TOKEN");
                    let message = format!("the ids `{written}` and `{twin}` make the same variable, `{token}`");
                    let help = "give this inventory an id that differs in its letters or digits";
                    mistakes.report(&id.span(), Wrong::new(message, help));
                }
                lines.insert(written, line);
            }
        }
    }
}

fn source(
    table: &Spanned<RawInventory>,
    whole: bool,
    sites: &Sites,
    environment: &Environment,
    mistakes: &mut Mistakes<'_>,
) -> Option<InventorySource> {
    let raw = table.get_ref();
    for (name, text) in [("id", &raw.id), ("url", &raw.url)] {
        if text.is_none() && whole {
            let help = format!("add one: `{}`", schema::example("inventory", name).unwrap_or(name));
            mistakes.report(&table.span(), Wrong::new(format!("this `[[inventory]]` has no `{name}`"), help));
        }
    }
    let id = raw.id.as_ref().and_then(|text| mistakes.keep(&text.span(), value::id(text.get_ref())));
    let url = raw.url.as_ref().and_then(|text| {
        // An excerpt of a line with a password in it would show the password.
        let span = if text.get_ref().contains('@') { table.span() } else { text.span() };
        mistakes.keep(&span, index_url(text.get_ref(), sites))
    });
    let choices = [("refuse", OnMissing::Refuse), ("ignore", OnMissing::Ignore)];
    let on_missing = raw.on_missing.as_ref().and_then(|text| {
        mistakes.keep(&text.span(), value::choice("thing to do while the list is missing", text.get_ref(), &choices))
    });
    let refresh = raw.refresh.as_ref().and_then(|text| mistakes.keep(&text.span(), refresh(text.get_ref())));
    let except = rules::patterns(&raw.except, true, mistakes);
    let audience = rules::audience(raw.for_.as_ref(), &raw.except_for, mistakes);
    let place = Some(mistakes.source().place(table.span().start));
    let mut url = url;
    let credentials = credentials(raw, id.as_deref().unwrap_or_default(), url.as_mut(), environment, mistakes);
    Some(InventorySource {
        id: id?,
        url: IndexUrl(url?),
        refresh: refresh.unwrap_or(DEFAULT_REFRESH),
        on_missing: on_missing.unwrap_or_default(),
        except,
        audience,
        credentials,
        place,
    })
}

fn refresh(text: &str) -> Result<Duration, Wrong> {
    let refresh = value::duration(text)?;
    if refresh < SHORTEST_REFRESH {
        return Err(Wrong::new(format!("`{text}` is too short to ask an index anew"), "write at least `1s`: `10m`"));
    }
    Ok(refresh)
}

/// Never says what was written: there may be a password in it.
fn index_url(text: &str, sites: &Sites) -> Result<Url, Wrong> {
    let help = "write the whole address of its list of projects: `url = \"https://pypi.acme.example/simple/\"`";
    let url = Url::parse(text).map_err(|error| Wrong::new(format!("this is not a URL: {error}"), help))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Wrong::new("this is not an http or https URL", help));
    }
    let host = url.host_str().and_then(|host| host.parse::<HostName>().ok());
    match host {
        Some(host) if site_of(sites, &host).is_some() => {
            let help = "name the private index alone: what PyPI lists would all be hidden";
            Err(Wrong::new(format!("`{host}` is intercepted, so it is no private index"), help))
        }
        Some(_) => Ok(url),
        None => Err(Wrong::new("its host is not a host name", help)),
    }
}

/// The environment beats the file, which beats what is in the URL, which beats netrc. Takes user and password out of
/// the URL.
fn credentials(
    raw: &RawInventory,
    id: &str,
    url: Option<&mut Url>,
    environment: &Environment,
    mistakes: &mut Mistakes<'_>,
) -> Credentials {
    let in_url = url.and_then(taken_out);
    let variable = |name| environment.var(&variable(id, name)).and_then(|value| value.to_str()).map(str::to_owned);
    let path = |text: &Option<Text>, mistakes: &mut Mistakes<'_>| {
        let text = text.as_ref()?;
        let parsed = value::path(text.get_ref(), mistakes.source().folder(text.span().start));
        mistakes.keep(&text.span(), parsed)
    };
    let (token, password, netrc) =
        (path(&raw.token_file, mistakes), path(&raw.password_file, mistakes), path(&raw.netrc, mistakes));
    let given = |text: String| SecretSource::Given(Secret::new(text));
    let user = variable("USER").or_else(|| raw.user.as_ref().map(|text| text.get_ref().clone()));
    let password = variable("PASSWORD").map(given).or_else(|| password.map(SecretSource::File));
    let token = variable("TOKEN").map(given).or_else(|| token.map(SecretSource::File));
    let conflict = match (&raw.user, &raw.password_file, &raw.token_file) {
        (Some(user), _, Some(_)) => Some((user, "`user` and `token-file` exclude each other", "keep one of the two")),
        (None, Some(file), _) if user.is_none() => {
            Some((file, "`password-file` stands without `user`", "add the user: `user = \"ci\"`"))
        }
        (Some(user), None, None) if password.is_none() => Some((
            user,
            "`user` stands without `password-file`",
            "add the file that holds the password: `password-file = \"password\"`",
        )),
        _ => None,
    };
    if let Some((text, message, help)) = conflict {
        mistakes.report(&text.span(), Wrong::new(message, help));
    }
    match (token, user, password) {
        (Some(token), ..) => Credentials::Bearer(token),
        (None, Some(user), Some(password)) => Credentials::Basic(user, password),
        _ => in_url
            .or_else(|| netrc.or_else(|| environment.netrc()).map(Credentials::Netrc))
            .unwrap_or(Credentials::Nobody),
    }
}

/// Takes the credentials out of a URL.
fn taken_out(url: &mut Url) -> Option<Credentials> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decoded(url.username()), url.password().map(decoded));
    // Refused only for URLs without a host, of which there is none here.
    let _removed = (url.set_username(""), url.set_password(None));
    if user.is_empty() && password.is_none() {
        return None;
    }
    Some(Credentials::Basic(user, SecretSource::Given(Secret::new(password.unwrap_or_default()))))
}
