//! Decides whether a CONNECT is intercepted or tunnelled, by the host that it names and by the one its TLS asks for.

use std::collections::HashMap;

use crate::name::HostName;
use crate::net::peek::{FirstBytes, FirstProtocol};
use crate::pypi::site::{Site, SiteKind, site_of};

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

/// What to do with a connection that CONNECT opened to `target`, given its first bytes.
pub(super) fn decide(sites: &HashMap<HostName, SiteKind>, target: &HostName, first: &FirstBytes) -> Route {
    let named = site_of(sites, target);
    match &first.protocol {
        FirstProtocol::Tls { server_name } => {
            let asked = server_name.as_ref().and_then(|name| site_of(sites, name));
            let misdirected = server_name.as_ref().is_some_and(|name| name != target);
            match (named, asked) {
                (Some(site), _) => Route::Intercept { site, misdirected },
                // To an address or to another name, but asking for one of ours: that is one of ours.
                (None, Some(site)) => Route::Intercept { site, misdirected: false },
                (None, None) => Route::Tunnel,
            }
        }
        FirstProtocol::BrokenTls | FirstProtocol::Other | FirstProtocol::Nothing if named.is_some() => Route::Close,
        // A hello that we can't read and that names one of our hosts may be one that a server can read.
        FirstProtocol::BrokenTls if names_any(sites, &first.bytes) => Route::Close,
        FirstProtocol::BrokenTls | FirstProtocol::Other | FirstProtocol::Nothing => Route::Tunnel,
    }
}

fn names_any(sites: &HashMap<HostName, SiteKind>, bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    sites.keys().any(|host| memchr::memmem::find(&lower, host.as_str().as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::site::default_sites;

    fn route(target: &str, sni: Option<&str>) -> Route {
        let server_name = sni.map(|name| name.parse().unwrap());
        opened(target, FirstProtocol::Tls { server_name }, b"")
    }

    fn opened(target: &str, protocol: FirstProtocol, bytes: &[u8]) -> Route {
        let first = FirstBytes { bytes: bytes.into(), protocol };
        decide(&default_sites().collect(), &target.parse().unwrap(), &first)
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
        assert_eq!(route("pypi.org", Some("files.pythonhosted.org")), index(true));
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
    fn nothing_but_readable_tls_reaches_an_intercepted_host() {
        assert_eq!(opened("example.com", FirstProtocol::BrokenTls, b"\x16..PyPI.org.."), Route::Close);
        assert_eq!(opened("pypi.org", FirstProtocol::Other, b"GET /simple/acme/ HTTP/1.1"), Route::Close);
    }
}
