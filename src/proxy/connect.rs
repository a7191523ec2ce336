//! Decides whether a CONNECT is intercepted or tunnelled, by the host that it names and by the one its TLS asks for.

use std::net::IpAddr;

use crate::name::HostName;
use crate::net::hello::hides_its_name;
use crate::net::peek::{FirstBytes, FirstProtocol};
use crate::pypi::site::{Site, Sites, is_edge, is_edge_address, site_of};

/// What is done with a connection whose first bytes are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Opened: the requests in it are judged.
    Intercept {
        site: Site,
        /// Whether CONNECT and SNI disagree: every request is answered 421 (RFC 9110 section 15.5.20).
        misdirected: bool,
    },
    /// Carried without a look.
    Tunnel,
    /// Closed: on an intercepted host nothing but TLS is spoken.
    Close,
}

/// What to do with a connection that CONNECT opened to `target`, given its first bytes and the address that it reached.
pub(super) fn decide(sites: &Sites, target: &HostName, reached: Option<IpAddr>, first: &FirstBytes) -> Route {
    let named = site_of(sites, target);
    match &first.protocol {
        FirstProtocol::Tls { server_name } => {
            let asked = server_name.as_ref().and_then(|name| site_of(sites, name));
            let misdirected = server_name.as_ref().is_some_and(|name| name != target);
            match (named, asked) {
                // With the certificate that the client wants to see, so that it hears why nothing comes of it.
                (Some(named), asked) => Route::Intercept { site: asked.unwrap_or(named), misdirected },
                // To an address or to another name, but asking for one of ours: that is one of ours.
                (None, Some(site)) => Route::Intercept { site, misdirected: false },
                (None, None) if could_be_ours(target, reached, server_name.as_ref(), &first.bytes) => Route::Close,
                (None, None) => Route::Tunnel,
            }
        }
        FirstProtocol::BrokenTls | FirstProtocol::Other | FirstProtocol::Nothing if named.is_some() => Route::Close,
        // A hello that we can't read and that names one of our hosts may be one that a server can read.
        FirstProtocol::BrokenTls if names_any(sites, &first.bytes) || leads_to_edge(target, reached) => Route::Close,
        FirstProtocol::Other if leads_to_edge(target, reached) && names_any(sites, &first.bytes) => Route::Close,
        FirstProtocol::BrokenTls | FirstProtocol::Other | FirstProtocol::Nothing => Route::Tunnel,
    }
}

/// Whether this is a connection to PyPI's own edge whose hello keeps quiet about which of its hosts is meant. With a
/// name of its own, as python.org's sites have there, it is somebody else's.
fn could_be_ours(target: &HostName, reached: Option<IpAddr>, server_name: Option<&HostName>, hello: &[u8]) -> bool {
    leads_to_edge(target, reached) && (server_name.is_none() || (is_edge(target) && hides_its_name(hello)))
}

fn leads_to_edge(target: &HostName, reached: Option<IpAddr>) -> bool {
    is_edge(target) || reached.is_some_and(|address| is_edge_address(&address))
}

fn names_any(sites: &Sites, bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    sites.keys().any(|host| memchr::memmem::find(&lower, host.as_str().as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::site::{SiteKind, default_sites};

    fn route(target: &str, sni: Option<&str>) -> Route {
        let server_name = sni.map(|name| name.parse().unwrap());
        opened(target, FirstProtocol::Tls { server_name }, b"")
    }

    fn opened(target: &str, protocol: FirstProtocol, bytes: &[u8]) -> Route {
        let first = FirstBytes { bytes: bytes.into(), protocol };
        decide(&default_sites().collect(), &target.parse().unwrap(), None, &first)
    }

    fn intercept(host: &str, kind: SiteKind, misdirected: bool) -> Route {
        Route::Intercept { site: Site { host: host.parse().unwrap(), kind }, misdirected }
    }

    #[test]
    fn either_name_is_enough_to_intercept() {
        let index = |misdirected| intercept("pypi.org", SiteKind::Index, misdirected);
        assert_eq!(route("pypi.org", Some("pypi.org")), index(false));
        assert_eq!(route("PyPI.org.", None), index(false));
        assert_eq!(route("151.101.0.223", Some("pypi.org")), index(false));
        assert_eq!(route("dualstack.python.map.fastly.net", Some("pypi.org")), index(false));
        assert_eq!(route("pypi.org", Some("example.com")), index(true));
        let files = intercept("files.pythonhosted.org", SiteKind::Files, true);
        assert_eq!(route("pypi.org", Some("files.pythonhosted.org")), files);
        assert_eq!(route("test.pypi.org", None), intercept("test.pypi.org", SiteKind::Index, false));
        assert_eq!(
            route("a.files.pythonhosted.org", None),
            intercept("a.files.pythonhosted.org", SiteKind::Files, false)
        );
    }

    #[test]
    fn everything_else_is_tunnelled() {
        for host in ["example.com", "notpypi.org", "pypi.org.example.com"] {
            assert_eq!(route(host, Some(host)), Route::Tunnel, "{host}");
        }
        assert_eq!(opened("example.com", FirstProtocol::Other, b"SSH-2.0"), Route::Tunnel);
        assert_eq!(opened("example.com", FirstProtocol::BrokenTls, b"\x16whatever"), Route::Tunnel);
    }

    #[test]
    fn the_edge_is_tunnelled_to_for_others_alone() {
        for edge in ["151.101.0.223", "dualstack.python.map.fastly.net", "2a04:4e42::223"] {
            assert_eq!(route(edge, None), Route::Close, "{edge}");
            assert_eq!(route(edge, Some("pypi.org")), intercept("pypi.org", SiteKind::Index, false), "{edge}");
            assert_eq!(route(edge, Some("www.python.org")), Route::Tunnel, "{edge}");
            let plain = |words: &[u8]| opened(edge, FirstProtocol::Other, words);
            assert_eq!(plain(b"GET /simple/acme/ HTTP/1.1\r\nHost: PyPI.org"), Route::Close, "{edge}");
            assert_eq!(plain(b"GET / HTTP/1.1\r\nHost: www.python.org"), Route::Tunnel, "{edge}");
            assert_eq!(opened(edge, FirstProtocol::BrokenTls, b"\x16"), Route::Close, "{edge}");
        }
        // By somebody's own name for it, or by its true name.
        let reached = Some("151.101.128.223".parse().unwrap());
        let first = |server_name| FirstBytes { bytes: b""[..].into(), protocol: FirstProtocol::Tls { server_name } };
        let by = |target: &str, first| decide(&default_sites().collect(), &target.parse().unwrap(), reached, &first);
        assert_eq!(by("evil.example", first(None)), Route::Close);
        assert_eq!(by("www.python.org", first("www.python.org".parse().ok())), Route::Tunnel);
    }

    #[test]
    fn nothing_but_readable_tls_reaches_an_intercepted_host() {
        assert_eq!(opened("example.com", FirstProtocol::BrokenTls, b"\x16..PyPI.org.."), Route::Close);
        assert_eq!(opened("pypi.org", FirstProtocol::Other, b"GET /simple/acme/ HTTP/1.1"), Route::Close);
    }
}
