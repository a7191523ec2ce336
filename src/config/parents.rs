//! Compiles how upstream is reached: directly, or through which parent proxy for which destination.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use toml::Spanned;
use url::Url;

use super::raw::{OneOrMany, RawRoute, RawUpstream, Text};
use super::secret::Secret;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::variables::proxies::{Named, ProxyVariables};
use super::{schema, value};
use crate::name::{Authority, Destination, Destinations};

/// The largest file that is read for a password.
const MAX_PASSWORD: u64 = 64 * 1024;

/// How upstream is reached, destination by destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parents {
    /// `[[upstream.route]]`, in order: the first that covers a destination decides; `None` is directly.
    pub routes: Vec<(Destinations, Option<Arc<Parent>>)>,
    /// What is reached directly, unless a route says otherwise.
    pub no_proxy: Destinations,
    /// The way to everything else.
    pub default: Option<Arc<Parent>>,
    /// The same for requests to `http://` URLs, which the environment may send another way.
    pub plain: Option<Arc<Parent>>,
    /// What its user should know of it.
    pub notes: Vec<String>,
}

/// A proxy through which upstream is reached. Shown without user and password, always.
#[derive(Clone, PartialEq, Eq)]
pub struct Parent {
    /// What is spoken to it.
    pub scheme: Scheme,
    /// Where it is.
    pub address: Authority,
    /// Who we are to it: user and password.
    pub credentials: Option<(String, Secret)>,
    /// What names it: a key of the config or a variable.
    pub named_by: String,
}

/// What is spoken to a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 5, with addresses: names are looked up here.
    Socks5,
    /// SOCKS 5, with names: they are looked up there.
    Socks5h,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    /// As a URL has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    /// The port that a URL leaves out.
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    /// Whether HTTP is spoken to it.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

impl Parent {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let address = self.address.host.ip().map(|ip| ip.to_canonical());
        address.map_or_else(|| self.address.host.as_str() == "localhost", |ip: IpAddr| ip.is_loopback())
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.address)
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.credentials.is_some() { " with credentials" } else { "" };
        write!(f, "{self}{with}, by {}", self.named_by)
    }
}

impl Parents {
    /// Each parent that anything may go through.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Parent>> {
        let of_routes = self.routes.iter().filter_map(|(_, parent)| parent.as_ref());
        let plain = self.plain.as_ref().filter(|plain| self.default.as_ref() != Some(*plain));
        of_routes.chain(&self.default).chain(plain)
    }
}

/// What the config says; where it names no `proxy`, what the environment says.
pub(super) fn parents(document: &Document, environment: &ProxyVariables, mistakes: &mut Mistakes<'_>) -> Parents {
    let upstream = &document.raw.upstream;
    let mut parents = Parents {
        routes: upstream.route.iter().filter_map(|table| route(table, document.is_whole(table), mistakes)).collect(),
        no_proxy: upstream.no_proxy.as_ref().map(|list| one_or_many(list, mistakes)).unwrap_or_default(),
        ..Parents::default()
    };
    if let Some(proxy) = &upstream.proxy {
        parents.default = parent(proxy, upstream.proxy_password_file.as_ref(), "`proxy` in [upstream]", mistakes);
        parents.plain.clone_from(&parents.default);
        return parents;
    }
    report_lonely_file(upstream, mistakes);
    let of_variable = |variable: &Option<Named>, mistakes: &mut Mistakes<'_>| {
        let Named { name, text } = variable.as_ref()?;
        parent(text, None, &format!("${name}"), mistakes)
    };
    parents.default = of_variable(&environment.secure, mistakes);
    let is_same = |one: &Named, other: &Named| one.text.span() == other.text.span();
    parents.plain = match (&environment.secure, &environment.plain) {
        // One variable for both is wrong once.
        (Some(secure), Some(plain)) if is_same(secure, plain) => parents.default.clone(),
        _ => of_variable(&environment.plain, mistakes),
    };
    parents.notes.clone_from(&environment.notes);
    // Without a proxy it says nothing, and a slip in it harms nobody.
    if let Some(Named { text, .. }) =
        environment.no_proxy.as_ref().filter(|_| environment.secure.is_some() || environment.plain.is_some())
    {
        let of_variable = destinations(text.get_ref(), text.span().start, mistakes);
        parents.no_proxy = std::mem::take(&mut parents.no_proxy).and(of_variable);
    }
    parents
}

fn report_lonely_file(upstream: &RawUpstream, mistakes: &mut Mistakes<'_>) {
    if let Some(file) = &upstream.proxy_password_file {
        let help = "name the proxy and the user, too: `proxy = \"http://ann@proxy.corp.example:8080\"`";
        mistakes.report(&file.span(), Wrong::new("`proxy-password-file` stands without `proxy`", help));
    }
}

fn route(
    table: &Spanned<RawRoute>,
    whole: bool,
    mistakes: &mut Mistakes<'_>,
) -> Option<(Destinations, Option<Arc<Parent>>)> {
    let RawRoute { to, proxy, proxy_password_file } = table.get_ref();
    for (name, missing) in [("to", to.is_none()), ("proxy", proxy.is_none())] {
        if missing && whole {
            let help = format!("add it: `{}`", schema::example("upstream.route", name).unwrap_or(name));
            mistakes.report(&table.span(), Wrong::new(format!("this `[[upstream.route]]` has no `{name}`"), help));
        }
    }
    let to = to.as_ref()?;
    let destinations = one_or_many(to, mistakes);
    if matches!(to.get_ref(), OneOrMany::Many(list) if list.is_empty()) {
        let help = "list what is reached this way: `to = [\"*.corp.example\", \"10.0.0.0/8\"]`";
        mistakes.report(&to.span(), Wrong::new("this route leads nowhere: `to` is empty", help));
    }
    let parent = parent(proxy.as_ref()?, proxy_password_file.as_ref(), "`proxy` in [[upstream.route]]", mistakes);
    Some((destinations, parent))
}

pub(super) fn one_or_many(list: &Spanned<OneOrMany>, mistakes: &mut Mistakes<'_>) -> Destinations {
    match list.get_ref() {
        // Behind the quote.
        OneOrMany::One(text) => destinations(text, list.span().start + 1, mistakes),
        OneOrMany::Many(texts) => {
            let item = |text: &Text| mistakes.keep(&text.span(), destination(text.get_ref().trim()));
            texts.iter().filter_map(item).collect()
        }
    }
}

/// The items of `list`, which is written at `start`.
fn destinations(list: &str, start: usize, mistakes: &mut Mistakes<'_>) -> Destinations {
    let item = |range: Range<usize>| {
        let span = start + range.start..start + range.end;
        mistakes.keep(&span, destination(list.get(range).unwrap_or_default()))
    };
    Destinations::items(list).into_iter().filter_map(item).collect()
}

fn destination(item: &str) -> Result<Destination, Wrong> {
    item.parse::<Destination>().map_err(|unclear| Wrong::new(unclear.to_string(), unclear.help()))
}

/// The proxy that `text` names; `None` for "direct", and where something is wrong and reported.
fn parent(text: &Text, file: Option<&Text>, named_by: &str, mistakes: &mut Mistakes<'_>) -> Option<Arc<Parent>> {
    let parsed = mistakes.keep(&text.span(), parse(text.get_ref(), named_by))?;
    let Some(mut parent) = parsed else {
        if let Some(file) = file {
            let help = "leave it out, or name the proxy in `proxy`";
            mistakes.report(&file.span(), Wrong::new("a direct way takes no password", help));
        }
        return None;
    };
    if let Some(file) = file {
        let user = parent.credentials.take();
        let password =
            mistakes.keep(&file.span(), password(file, user.as_ref(), mistakes.source().folder(file.span().start)));
        parent.credentials = user.map(|(user, _)| user).zip(password);
    }
    Some(Arc::new(parent))
}

/// What a file says for the password of a user whom the URL names.
fn password(file: &Text, user: Option<&(String, Secret)>, folder: &Path) -> Result<Secret, Wrong> {
    match user {
        Some((_, given)) if !given.expose().is_empty() => {
            return Err(Wrong::new("the URL of the proxy holds a password, too", "keep one of the two"));
        }
        Some(_) => {}
        None => {
            let help = "name the user in the URL of the proxy: `proxy = \"http://ann@proxy.corp.example:8080\"`";
            return Err(Wrong::new("there is a password, and nobody whose it is", help));
        }
    }
    let path = value::path(file.get_ref(), folder)?;
    let help = "write the path of a file with the password alone, absolute or from the config file's folder";
    let read = crate::files::read_text(&path, MAX_PASSWORD);
    let text = match read {
        Ok(Some(text)) => text,
        Ok(None) => return Err(Wrong::new(format!("there is no file `{}`", path.display()), help)),
        Err(error) => return Err(Wrong::new(format!("cannot read `{}`: {error}", path.display()), help)),
    };
    // Editors end a file with a line end that is no part of the password.
    let password = text.trim_end_matches(['\r', '\n']);
    sendable(password)?;
    Ok(Secret::new(password))
}

fn sendable(word: &str) -> Result<(), Wrong> {
    if word.bytes().any(|byte| byte.is_ascii_control()) {
        let help = "user and password are one line each";
        return Err(Wrong::new("the credentials of the proxy hold a control character", help));
    }
    Ok(())
}

/// Reads a proxy's URL. Never says what was written: there may be a password in it.
fn parse(text: &str, named_by: &str) -> Result<Option<Parent>, Wrong> {
    const HELP: &str = "write `http://proxy.corp.example:8080` (or `https://`, `socks5://`, `socks5h://`), or `direct`";
    let text = text.trim();
    if text == "direct" {
        return Ok(None);
    }
    if text.is_empty() {
        return Err(Wrong::new("the proxy is empty", HELP));
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            let known = Scheme::ALL.into_iter().find(|known| known.as_str() == scheme);
            let unknown = || Wrong::new(format!("`{scheme}` is no way to speak to a proxy"), help_for_scheme(&scheme));
            (known.ok_or_else(unknown)?, rest)
        }
        // As curl and requests read it. A word alone is more likely a slip than a host.
        None if text.rsplit('@').next().is_some_and(|host| host.contains(':')) => (Scheme::Http, text),
        None => return Err(Wrong::new("this is neither a proxy's URL nor `direct`", HELP)),
    };
    // One scheme for all, so that all hosts and ports are read alike.
    let url = Url::parse(&format!("http://{rest}")).map_err(|error| {
        let help = match rest.contains('@') {
            true => {
                "write `http://user:password@proxy.corp.example:8080`; in user and password `@` is `%40`, `:` is `%3A`, \
                 `/` is `%2F`, `#` is `%23` and `%` is `%25`; a port is a number from 1 to 65535"
            }
            false => "write `http://proxy.corp.example:8080`; a port is a number from 1 to 65535",
        };
        Wrong::new(format!("the proxy is not a URL: {error}"), help)
    })?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        let help =
            "write scheme, host and port alone; in user and password `/` is `%2F`, `?` is `%3F` and `#` is `%23`";
        return Err(Wrong::new("there is something behind the host and the port of the proxy", help));
    }
    let host = url.host_str().and_then(|host| host.parse().ok());
    let host = host.ok_or_else(|| Wrong::new("the proxy's host is not a host name", HELP))?;
    // 80 is what this scheme leaves out.
    let is_written = rest.rsplit(['@', ']']).next().is_some_and(|tail| tail.trim_end_matches('/').contains(':'));
    let port = url.port().or_else(|| is_written.then_some(80)).unwrap_or_else(|| scheme.port());
    if port == 0 {
        return Err(Wrong::new("0 is no port of a proxy", "a port is a number from 1 to 65535"));
    }
    let credentials = credentials(&url, scheme)?;
    Ok(Some(Parent { scheme, address: Authority { host, port }, credentials, named_by: named_by.to_owned() }))
}

fn credentials(url: &Url, scheme: Scheme) -> Result<Option<(String, Secret)>, Wrong> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_secret| {
            Wrong::new("the credentials of the proxy are not UTF-8", "write letters and their codes in UTF-8: `%C3%BC`")
        })?;
        sendable(&text)?;
        Ok::<_, Wrong>(text.into_owned())
    };
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    if scheme.is_http() && user.contains(':') {
        // RFC 7617 section 2.
        return Err(Wrong::new(
            "the user's name has a colon, which a proxy takes for the end of it",
            "use another user",
        ));
    }
    if !scheme.is_http() && (user.is_empty() || user.len() > 255 || password.is_empty() || password.len() > 255) {
        // RFC 1929 section 2; with a password file the length is seen when it is sent.
        let is_to_come = !user.is_empty() && user.len() <= 255 && password.is_empty();
        if !is_to_come {
            return Err(Wrong::new("SOCKS takes a user and a password of 1 to 255 bytes", "shorten or complete them"));
        }
    }
    Ok(Some((user, Secret::new(password))))
}

fn help_for_scheme(scheme: &str) -> String {
    let known = "`http://`, `https://`, `socks5://` (names are looked up here) or `socks5h://` (by the proxy)";
    match scheme {
        "socks" => format!("write `socks5h://`; a proxy is spoken to by {known}"),
        "socks4" | "socks4a" => format!("SOCKS 4 is not spoken; a proxy is spoken to by {known}"),
        _ => format!("a proxy is spoken to by {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parent {
        parse(text, "a test").unwrap_or_else(|wrong| panic!("{text}: {}", wrong.message())).expect(text)
    }

    #[test]
    fn urls_of_proxies() {
        for (text, shown) in [
            ("http://proxy.corp.example:8080", "http://proxy.corp.example:8080"),
            ("proxy.corp.example:8080", "http://proxy.corp.example:8080"),
            ("HTTP://Proxy.Corp.Example.:8080/", "http://proxy.corp.example:8080"),
            ("http://proxy", "http://proxy:80"),
            ("https://proxy/", "https://proxy:443"),
            ("https://proxy:80", "https://proxy:80"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
            ("socks5h://[::1]:80", "socks5h://[::1]:80"),
            ("socks5h://[::1]", "socks5h://[::1]:1080"),
            ("ann:pw@proxy:3128", "http://proxy:3128"),
        ] {
            assert_eq!(parsed(text).to_string(), shown, "{text}");
        }
        assert_eq!(parse("direct", "a test").unwrap(), None);
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let parent = parsed("http://ann:s%40cr%3At%25@proxy:8080");
        let (user, password) = parent.credentials.clone().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("ann", "s@cr:t%"));
        let shown = format!("{parent} {parent:?}");
        assert!(!shown.contains("s@c") && !shown.contains("ann"), "{shown}");
        assert_eq!(parsed("http://ann@proxy:1").credentials.unwrap().1.expose(), "");
        assert_eq!(parsed("http://proxy:1").credentials, None);
    }

    #[test]
    fn what_is_wrong_is_told_without_a_password() {
        for text in [
            "",
            "none",
            "DIRECT",
            "proxy.corp.example",
            "ftp://u:hunter2@proxy:21",
            "socks://127.0.0.1:1080",
            "socks4://127.0.0.1:1080",
            "http://",
            "http://:8080",
            "http://u:hunter2@",
            "http://proxy:99999",
            "http://proxy:0",
            "http://proxy:port",
            "http://u:hun#ter2@proxy:8080",
            "http://u:hun/ter2@proxy:8080",
            "http://u:hunter2@proxy:8080/path",
            "http://proxy:8080?x",
            "http://a b:8080",
            "http://u%3Av:hunter2@proxy:1",
            "http://u:hunter2%0A@proxy:1",
            "http://u:hunter2%ff@proxy:1",
            "socks5://:hunter2@proxy:1",
            "://proxy:1",
        ] {
            let wrong = parse(text, "a test").unwrap_err();
            assert!(!format!("{wrong:?}").contains("hun"), "{text}: {wrong:?}");
        }
    }

    #[test]
    fn this_machine_by_its_names() {
        for (text, here) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9:1", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]:1", true),
            ("http://10.0.0.1:1", false),
            ("http://proxy:1", false),
        ] {
            assert_eq!(parsed(text).is_here(), here, "{text}");
        }
    }
}
