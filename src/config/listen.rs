//! Compiles `[listen]` and the variables beside it: the addresses, and whether strangers could reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::raw::{OneOrMany, RawListen, Text};
use super::settings::Overrides;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::value;
use super::variables::Variables;
use crate::name::HostName;

const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

/// Where the proxy listens.
pub(super) fn addresses(
    document: &Document,
    variables: &Variables,
    overrides: &Overrides,
    mistakes: &mut Mistakes<'_>,
) -> Vec<SocketAddr> {
    let listen = document.raw.listen.as_ref();
    let written = listen.and_then(|listen| listen.get_ref().addr.as_ref());
    let of_file = written.map(|addr| of_file(addr, mistakes));
    // What couldn't be read of `[listen]` may well have been the `allow` that is missed here.
    let open = !variables.allow.is_empty()
        || listen.is_some_and(|listen| listen.get_ref().allow.is_some() || !document.is_whole(listen));
    let of_environment = parsed(variables.listen.iter().map(|text| (text.get_ref().as_str(), text.span())), mistakes);
    if overrides.listen.is_empty() {
        let (addresses, exposed): (_, fn(&SocketAddr) -> Wrong) = if variables.listen.is_empty() {
            (of_file.unwrap_or_else(|| vec![(DEFAULT, 0..0)]), exposed_in_file)
        } else {
            (of_environment, exposed_in_environment)
        };
        let strange = addresses.iter().filter(|(address, _)| !open && !is_loopback(address));
        strange.for_each(|(address, span)| mistakes.report(span, exposed(address)));
        return addresses.into_iter().map(|(address, _)| address).collect();
    }
    for address in overrides.listen.iter().filter(|address| !open && !is_loopback(address)) {
        mistakes.report_argument("--listen", &address.to_string(), exposed_by_flag(address));
    }
    overrides.listen.clone()
}

/// Where the admin listener is, if anywhere.
pub(super) fn admin(
    listen: Option<&RawListen>,
    variables: &Variables,
    overrides: &Overrides,
    mistakes: &mut Mistakes<'_>,
) -> Option<SocketAddr> {
    let mut address = |text: &Text| mistakes.keep(&text.span(), value::address(text.get_ref()));
    let of_file = listen.and_then(|listen| listen.admin.as_ref()).and_then(&mut address);
    let of_environment = variables.admin.as_ref().and_then(address);
    overrides.admin.or(of_environment).or(of_file)
}

/// The names under which the admin listener answers, beside addresses and `localhost`.
pub(super) fn admin_hosts(listen: Option<&RawListen>, mistakes: &mut Mistakes<'_>) -> Vec<HostName> {
    let written = listen.map(|listen| listen.admin_hosts.as_slice()).unwrap_or_default();
    written.iter().filter_map(|text| mistakes.keep(&text.span(), value::host(text.get_ref()))).collect()
}

/// The networks whose clients are served: those of this machine unless others are listed.
pub(super) fn allow(listen: Option<&RawListen>, variables: &Variables, mistakes: &mut Mistakes<'_>) -> Vec<IpNet> {
    let of_file = allow_of_file(listen, mistakes);
    let of_environment = networks(&variables.allow, mistakes);
    if variables.allow.is_empty() { of_file } else { of_environment }
}

fn allow_of_file(listen: Option<&RawListen>, mistakes: &mut Mistakes<'_>) -> Vec<IpNet> {
    let Some(written) = listen.and_then(|listen| listen.allow.as_ref()) else { return loopback() };
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

/// The networks of the machine itself.
fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8);
    [v4.map(IpNet::V4).ok(), Some(IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST)))].into_iter().flatten().collect()
}

/// The addresses of the file, each with its place.
fn of_file(addr: &Spanned<OneOrMany>, mistakes: &mut Mistakes<'_>) -> Vec<(SocketAddr, Range<usize>)> {
    let texts: Vec<(&str, Range<usize>)> = match addr.get_ref() {
        OneOrMany::One(text) => vec![(text, addr.span())],
        OneOrMany::Many(texts) => texts.iter().map(|text| (text.get_ref().as_str(), text.span())).collect(),
    };
    if texts.is_empty() {
        let help = "list an address, or leave the key out for `127.0.0.1:3128`";
        mistakes.report(&addr.span(), Wrong::new("an empty `addr` listens nowhere", help));
    }
    parsed(texts, mistakes)
}

fn parsed<'t>(
    texts: impl IntoIterator<Item = (&'t str, Range<usize>)>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<(SocketAddr, Range<usize>)> {
    let mut addresses: Vec<(SocketAddr, Range<usize>)> = Vec::new();
    for (text, span) in texts {
        let Some(address) = mistakes.keep(&span, value::address(text)) else { continue };
        if address.port() != 0 && addresses.iter().any(|(earlier, _)| *earlier == address) {
            mistakes.report(&span, Wrong::new(format!("`{address}` is listed twice"), "remove one of the two"));
        }
        addresses.push((address, span));
    }
    addresses
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn exposed_in_file(address: &SocketAddr) -> Wrong {
    let help = "say below `[listen]` whom to serve, such as `allow = [\"10.0.0.0/8\"]`, or listen on `127.0.0.1` alone";
    Wrong::new(format!("`{address}` can be reached from other machines, and `allow` doesn't say from which"), help)
}

fn exposed_in_environment(address: &SocketAddr) -> Wrong {
    let help = format!(
        "say in the environment, too, whom to serve, such as `NAMEWALL_ALLOW=10.0.0.0/8`, or use \
         `NAMEWALL_LISTEN=127.0.0.1:{}`",
        address.port()
    );
    Wrong::new(format!("`{address}` can be reached from other machines, and no `allow` says from which"), help)
}

fn exposed_by_flag(address: &SocketAddr) -> Wrong {
    let help = format!(
        "say below `[listen]` of a config file whom to serve, such as `allow = [\"10.0.0.0/8\"]`, \
         or use `--listen 127.0.0.1:{}`",
        address.port()
    );
    Wrong::new("this address can be reached from other machines, and no `allow` says from which", help)
}
