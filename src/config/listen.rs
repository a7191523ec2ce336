//! Compiles `[listen]`, the `[[listener]]` tables and the variables beside them: what is listened on, and whether
//! strangers could reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::compile::{pair, path};
use super::listener::{ListenerSettings, ListenerTls, Place};
use super::raw::{OneOrMany, RawListen, RawListener, Text};
use super::settings::Overrides;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::value;
use super::variables::Variables;
use crate::name::HostName;

const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

/// A listener that is written somewhere.
struct Written {
    listener: ListenerSettings,
    /// Where its place stands.
    span: Range<usize>,
    /// Whether it says itself whom it serves.
    has_allow: bool,
}

/// What the proxy listens on; `allow` are the networks that are served where a listener names none itself.
pub(super) fn listeners(
    document: &Document,
    variables: &Variables,
    overrides: &Overrides,
    allow: &[IpNet],
    mistakes: &mut Mistakes<'_>,
) -> Vec<ListenerSettings> {
    let plain = |place: Place| ListenerSettings::plain(place, allow.to_vec());
    let listen = document.raw.listen.as_ref();
    let says_whom = |listen: &RawListen| listen.allow.is_some() || listen.users.is_some();
    // What couldn't be read of `[listen]` may well have been the `allow` that is missed here.
    let open = !variables.allow.is_empty()
        || listen.is_some_and(|listen| says_whom(listen.get_ref()) || !document.is_whole(listen));
    let of_file = of_file(document, allow, mistakes);
    let texts = variables.listen.iter().map(|text| (text.get_ref().as_str(), text.span()));
    let of_environment: Vec<_> = places(texts, mistakes)
        .into_iter()
        .map(|(place, span)| Written { listener: plain(place), span, has_allow: false })
        .collect();
    refuse_doubles(&of_environment, mistakes);
    if !overrides.listen.is_empty() {
        for place in overrides.listen.iter().filter(|place| !open && place.is_exposed()) {
            mistakes.report_argument("--listen", &place.to_string(), exposed_by_flag(place));
        }
        return overrides.listen.iter().cloned().map(plain).collect();
    }
    let (chosen, exposed): (_, fn(&Place) -> Wrong) =
        if variables.listen.is_empty() { (of_file, exposed_in_file) } else { (of_environment, exposed_in_environment) };
    for written in chosen.iter().filter(|written| !open && !written.has_allow && written.listener.place.is_exposed()) {
        mistakes.report(&written.span, exposed(&written.listener.place));
    }
    chosen.into_iter().map(|written| written.listener).collect()
}

/// The listeners of the file: those of `[listen]`, which has a default if nothing else is there, and the tables'.
fn of_file(document: &Document, allow: &[IpNet], mistakes: &mut Mistakes<'_>) -> Vec<Written> {
    let plain =
        |(place, span)| Written { listener: ListenerSettings::plain(place, allow.to_vec()), span, has_allow: false };
    let addr = document.raw.listen.as_ref().and_then(|listen| listen.get_ref().addr.as_ref());
    let mut all: Vec<Written> = match addr {
        Some(addr) => addresses(addr, mistakes).into_iter().map(plain).collect(),
        None if document.raw.listener.is_empty() => vec![plain((DEFAULT.into(), 0..0))],
        None => Vec::new(),
    };
    for table in &document.raw.listener {
        all.extend(of_table(table, document, allow, mistakes));
    }
    refuse_doubles(&all, mistakes);
    all
}

/// The listeners of one `[[listener]]`: all its addresses have its options.
fn of_table(
    table: &Spanned<RawListener>,
    document: &Document,
    allow: &[IpNet],
    mistakes: &mut Mistakes<'_>,
) -> Vec<Written> {
    let listen = document.raw.listen.as_ref().map(Spanned::get_ref);
    let RawListener { addr, allow: own, cert, key, proxy_protocol, transparent } = table.get_ref();
    if addr.is_none() && document.is_whole(table) {
        let help = "write where it listens: `addr = \"0.0.0.0:3128\"`";
        mistakes.report(&table.span(), Wrong::new("this `[[listener]]` has no `addr`", help));
    }
    pair("listener", ("cert", cert.as_ref()), ("key", key.as_ref()), document.is_whole(table), mistakes);
    let tls =
        path(cert.as_ref(), mistakes).zip(path(key.as_ref(), mistakes)).map(|(cert, key)| ListenerTls { cert, key });
    let transparent = transparent.as_ref().filter(|transparent| *transparent.get_ref());
    if let Some(transparent) = transparent {
        refuse_beside_transparent(transparent, cert.as_ref(), proxy_protocol.as_ref(), mistakes);
        if own.is_none() && listen.is_some_and(|listen| listen.users.is_some() && listen.allow.is_none()) {
            let help = "say here from which networks they come, such as `allow = [\"10.0.0.0/8\"]`";
            let message = "clients that a firewall turns here can't be asked who they are";
            mistakes.report(&transparent.span(), Wrong::new(message, help));
        }
    }
    let balancers = proxy_protocol.as_ref().map(|written| {
        if written.get_ref().is_empty() {
            let help = "list the networks of your load balancers, or leave the key out if clients come themselves";
            mistakes.report(&written.span(), Wrong::new("an empty `proxy-protocol` lets nobody in", help));
        }
        networks(written.get_ref(), mistakes)
    });
    let listener = ListenerSettings {
        place: DEFAULT.into(),
        allow: own.as_ref().map_or_else(|| allow.to_vec(), |own| allowed(own, mistakes)),
        tls,
        balancers: balancers.unwrap_or_default(),
        transparent: transparent.is_some(),
    };
    let places = addr.as_ref().map(|addr| addresses(addr, mistakes)).unwrap_or_default();
    let written = |(place, span)| Written {
        listener: ListenerSettings { place, ..listener.clone() },
        span,
        has_allow: own.is_some(),
    };
    places.into_iter().map(written).collect()
}

/// What a connection that a firewall turned here can't have.
fn refuse_beside_transparent(
    transparent: &Spanned<bool>,
    cert: Option<&Text>,
    proxy_protocol: Option<&Spanned<Vec<Text>>>,
    mistakes: &mut Mistakes<'_>,
) {
    let beside = cert.map(|_| "cert").or_else(|| proxy_protocol.map(|_| "proxy-protocol"));
    if let Some(beside) = beside {
        let message = format!("`transparent` and `{beside}` exclude each other");
        let help =
            "clients that a firewall turns here know of no proxy; give those who do a `[[listener]]` of their own";
        mistakes.report(&transparent.span(), Wrong::new(message, help));
    }
    if cfg!(not(target_os = "linux")) {
        let help = "leave it out, and point the clients at the proxy with `HTTPS_PROXY`";
        mistakes.report(&transparent.span(), Wrong::new("`transparent` needs Linux", help));
    }
}

fn refuse_doubles(all: &[Written], mistakes: &mut Mistakes<'_>) {
    for (index, Written { listener, span, .. }) in all.iter().enumerate() {
        if all.iter().take(index).any(|earlier| listener.place.is_taken_by(&earlier.listener.place)) {
            mistakes.report(span, Wrong::new(format!("`{}` is listed twice", listener.place), "remove one of the two"));
        }
    }
}

/// Where the admin listener is, if anywhere.
pub(super) fn admin(
    listen: Option<&RawListen>,
    variables: &Variables,
    overrides: &Overrides,
    mistakes: &mut Mistakes<'_>,
) -> Option<Place> {
    let mut address = |text: &Text| mistakes.keep(&text.span(), value::place(text.get_ref()));
    let of_file = listen.and_then(|listen| listen.admin.as_ref()).and_then(&mut address);
    let of_environment = variables.admin.as_ref().and_then(address);
    overrides.admin.clone().or(of_environment).or(of_file)
}

/// The names under which the admin listener answers, beside addresses and `localhost`.
pub(super) fn admin_hosts(listen: Option<&RawListen>, mistakes: &mut Mistakes<'_>) -> Vec<HostName> {
    let written = listen.map(|listen| listen.admin_hosts.as_slice()).unwrap_or_default();
    written.iter().filter_map(|text| mistakes.keep(&text.span(), value::host(text.get_ref()))).collect()
}

/// The networks whose clients are served, and those whose clients the admin listener answers: if none are listed, those of
/// this machine; but users may come from anywhere, since they are asked for their names.
pub(super) fn allow(
    listen: Option<&RawListen>,
    variables: &Variables,
    mistakes: &mut Mistakes<'_>,
) -> (Vec<IpNet>, Vec<IpNet>) {
    let of_file = allow_of_file(listen, mistakes);
    let of_environment = networks(&variables.allow, mistakes);
    let listed = if variables.allow.is_empty() { of_file } else { Some(of_environment) };
    match listed {
        Some(listed) => (listed.clone(), listed),
        None if listen.is_some_and(|listen| listen.users.is_some()) => (everywhere(), loopback()),
        None => (loopback(), loopback()),
    }
}

fn allow_of_file(listen: Option<&RawListen>, mistakes: &mut Mistakes<'_>) -> Option<Vec<IpNet>> {
    listen.and_then(|listen| listen.allow.as_ref()).map(|written| allowed(written, mistakes))
}

/// The networks of an `allow`.
fn allowed(written: &Spanned<Vec<Text>>, mistakes: &mut Mistakes<'_>) -> Vec<IpNet> {
    if written.get_ref().is_empty() {
        let help = "list a network, or leave the key out for the clients of this machine";
        mistakes.report(&written.span(), Wrong::new("an empty `allow` serves nobody", help));
    }
    networks(written.get_ref(), mistakes)
}

fn networks(texts: &[Text], mistakes: &mut Mistakes<'_>) -> Vec<IpNet> {
    let network = |text: &Text| mistakes.keep(&text.span(), value::network(text.get_ref()));
    texts.iter().filter_map(network).collect()
}

fn everywhere() -> Vec<IpNet> {
    vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())]
}

/// The networks of the machine itself.
fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8);
    [v4.map(IpNet::V4).ok(), Some(IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST)))].into_iter().flatten().collect()
}

/// The places of an `addr`, each with where it is written.
fn addresses(addr: &Spanned<OneOrMany>, mistakes: &mut Mistakes<'_>) -> Vec<(Place, Range<usize>)> {
    let texts: Vec<(&str, Range<usize>)> = match addr.get_ref() {
        OneOrMany::One(text) => vec![(text, addr.span())],
        OneOrMany::Many(texts) => texts.iter().map(|text| (text.get_ref().as_str(), text.span())).collect(),
    };
    if texts.is_empty() {
        let help = "list an address, or leave the key out for `127.0.0.1:3128`";
        mistakes.report(&addr.span(), Wrong::new("an empty `addr` listens nowhere", help));
    }
    places(texts, mistakes)
}

fn places<'t>(
    texts: impl IntoIterator<Item = (&'t str, Range<usize>)>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<(Place, Range<usize>)> {
    let mut place = |(text, span): (&str, Range<usize>)| Some((mistakes.keep(&span, value::place(text))?, span));
    texts.into_iter().filter_map(&mut place).collect()
}

fn exposed_in_file(place: &Place) -> Wrong {
    let help = "say below `[listen]` whom to serve, such as `allow = [\"10.0.0.0/8\"]` or `users = \"/etc/namewall/users\"`, \
                or listen on `127.0.0.1` alone";
    Wrong::new(
        format!(
            "`{place}` can be reached from other machines, and neither `allow` nor `users` says whose clients are served"
        ),
        help,
    )
}

fn exposed_in_environment(place: &Place) -> Wrong {
    let help = format!(
        "say in the environment, too, whom to serve, such as `NAMEWALL_ALLOW=10.0.0.0/8`, or use \
         `NAMEWALL_LISTEN=127.0.0.1:{}`",
        port_of(place)
    );
    Wrong::new(format!("`{place}` can be reached from other machines, and no `allow` says from which"), help)
}

fn exposed_by_flag(place: &Place) -> Wrong {
    let help = format!(
        "say below `[listen]` of a config file whom to serve, such as `allow = [\"10.0.0.0/8\"]`, \
         or use `--listen 127.0.0.1:{}`",
        port_of(place)
    );
    Wrong::new("this address can be reached from other machines, and no `allow` says from which", help)
}

/// The port that a listener of this machine alone would have.
fn port_of(place: &Place) -> u16 {
    place.address().unwrap_or(DEFAULT).port()
}
