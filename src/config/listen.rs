//! Compiles `[listen]`: the addresses, and whether strangers could reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::raw::{OneOrMany, RawListen};
use super::settings::Overrides;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::value;

const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

/// Where the proxy listens.
pub(super) fn addresses(document: &Document, overrides: &Overrides, mistakes: &mut Mistakes<'_>) -> Vec<SocketAddr> {
    let listen = document.raw.listen.as_ref();
    let written = listen.and_then(|listen| listen.get_ref().addr.as_ref());
    let of_file = written.map(|addr| of_file(addr, mistakes));
    // What couldn't be read of `[listen]` may well have been the `allow` that is missed here.
    let open = listen.is_some_and(|listen| listen.get_ref().allow.is_some() || !document.is_whole(listen));
    if overrides.listen.is_empty() {
        let of_file = of_file.unwrap_or_else(|| vec![(DEFAULT, 0..0)]);
        let exposed = of_file.iter().filter(|(address, _)| !open && !is_loopback(address));
        exposed.for_each(|(address, span)| mistakes.report(span, exposed_in_file(address)));
        return of_file.into_iter().map(|(address, _)| address).collect();
    }
    for address in overrides.listen.iter().filter(|address| !open && !is_loopback(address)) {
        mistakes.report_argument("--listen", &address.to_string(), exposed_by_flag(address));
    }
    overrides.listen.clone()
}

/// Where the admin listener is, if anywhere.
pub(super) fn admin(
    listen: Option<&RawListen>,
    overrides: &Overrides,
    mistakes: &mut Mistakes<'_>,
) -> Option<SocketAddr> {
    let written = listen.and_then(|listen| listen.admin.as_ref());
    let of_file = written.and_then(|text| mistakes.keep(&text.span(), value::address(text.get_ref())));
    overrides.admin.or(of_file)
}

/// The networks whose clients are served: those of this machine unless others are listed.
pub(super) fn allow(listen: Option<&RawListen>, mistakes: &mut Mistakes<'_>) -> Vec<IpNet> {
    let Some(written) = listen.and_then(|listen| listen.allow.as_ref()) else { return loopback() };
    if written.get_ref().is_empty() {
        let help = "list a network, or leave the key out for the clients of this machine";
        mistakes.report(&written.span(), Wrong::new("an empty `allow` serves nobody", help));
    }
    let network = |text: &Spanned<String>| mistakes.keep(&text.span(), value::network(text.get_ref()));
    written.get_ref().iter().filter_map(network).collect()
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

fn exposed_by_flag(address: &SocketAddr) -> Wrong {
    let help = format!(
        "say below `[listen]` of a config file whom to serve, such as `allow = [\"10.0.0.0/8\"]`, \
         or use `--listen 127.0.0.1:{}`",
        address.port()
    );
    Wrong::new("this address can be reached from other machines, and no `allow` says from which", help)
}
