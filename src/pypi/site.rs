//! PyPI's hosts, and what each of them serves.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

use crate::name::HostName;

/// What a host serves; decides how its URLs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SiteKind {
    /// An index: simple pages, legacy JSON, web pages, feeds (pypi.org).
    Index,
    /// Distribution files (files.pythonhosted.org).
    Files,
    /// The upload endpoint (upload.pypi.org).
    Upload,
    /// A host of somebody else's that has an index and files on it, below any path.
    Mirror,
}

/// A host that is intercepted, and what it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The host.
    pub host: HostName,
    /// What it serves.
    pub kind: SiteKind,
}

/// The hosts that are intercepted, and what each serves.
pub type Sites = HashMap<HostName, SiteKind>;

/// The hosts that are intercepted by default.
pub const SITES: &[(&str, SiteKind)] = &[
    ("pypi.org", SiteKind::Index),
    ("files.pythonhosted.org", SiteKind::Files),
    ("upload.pypi.org", SiteKind::Upload),
    ("test.pypi.org", SiteKind::Index),
    ("test-files.pythonhosted.org", SiteKind::Files),
    // Old names; GET is redirected to the index, XML-RPC is served in place.
    ("pypi.python.org", SiteKind::Index),
    ("testpypi.python.org", SiteKind::Index),
    ("www.pypi.org", SiteKind::Index),
    ("pypi.io", SiteKind::Index),
    ("www.pypi.io", SiteKind::Index),
    ("test.pypi.io", SiteKind::Index),
    ("upload.pypi.io", SiteKind::Upload),
    ("warehouse.python.org", SiteKind::Index),
    ("warehouse-staging.python.org", SiteKind::Index),
    // Legacy documentation, below each project's name; the file host serves it, too.
    ("pythonhosted.org", SiteKind::Files),
    ("test.pythonhosted.org", SiteKind::Files),
    // A viewer of every project's files.
    ("inspector.pypi.io", SiteKind::Index),
];

/// The name of the edge that serves all of PyPI's hosts, and python.org's beside them.
pub const EDGE: &str = "python.map.fastly.net";

/// The addresses of that edge: who reaches one of them can have any of those hosts (pypi/infra's `main.tf`).
pub const EDGE_ADDRESSES: [IpAddr; 8] =
    [edge_v4(0), edge_v4(64), edge_v4(128), edge_v4(192), edge_v6(0), edge_v6(0x200), edge_v6(0x400), edge_v6(0x600)];

const fn edge_v4(third: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(151, 101, third, 223))
}

const fn edge_v6(third: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2a04, 0x4e42, third, 0, 0, 0, 0, 0x223))
}

impl SiteKind {
    /// The word in the config.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Files => "files",
            Self::Upload => "upload",
            Self::Mirror => "mirror",
        }
    }
}

/// The default hosts, parsed.
pub fn default_sites() -> impl Iterator<Item = (HostName, SiteKind)> {
    SITES.iter().filter_map(|(host, kind)| Some((host.parse().ok()?, *kind)))
}

/// Whether `host` is the edge itself, by its name or by an address of it.
#[must_use]
pub fn is_edge(host: &HostName) -> bool {
    let name = host.as_str();
    let below = name.strip_suffix(EDGE).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    below || host.ip().is_some_and(|address| is_edge_address(&address))
}

/// Whether `address` is one of the edge's.
#[must_use]
pub fn is_edge_address(address: &IpAddr) -> bool {
    EDGE_ADDRESSES.contains(&address.to_canonical())
}

/// The intercepted site that `host` is, or is a sub-domain of.
#[must_use]
pub fn site_of(sites: &Sites, host: &HostName) -> Option<Site> {
    // The nearest listed parent decides: `test.pypi.org` before `pypi.org`.
    let kind = host.with_parents().find_map(|name| sites.get(name))?;
    Some(Site { host: host.clone(), kind: *kind })
}

/// The host of a URL, and what is asked of it there: path and query.
pub(crate) fn host_and_path(url: &Url) -> Option<(HostName, String)> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some((url.host_str()?.parse().ok()?, format!("{}{query}", url.path())))
}

/// The labels of `host` that stand before the intercepted host which it is below; none if it is one itself.
pub fn labels_below<'h>(sites: &Sites, host: &'h HostName) -> impl Iterator<Item = &'h str> {
    let parent = host.with_parents().find(|name| sites.contains_key(*name)).unwrap_or_default();
    let front = host.as_str().strip_suffix(parent).unwrap_or_default();
    front.split('.').filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_by_name_and_by_address() {
        for host in
            ["dualstack.python.map.fastly.net", "151.101.64.223", "[2a04:4e42:200::223]", "[::ffff:151.101.0.223]"]
        {
            assert!(is_edge(&host.parse().unwrap()), "{host}");
        }
        for host in ["map.fastly.net", "xpython.map.fastly.net", "151.101.0.222", "www.python.org"] {
            assert!(!is_edge(&host.parse().unwrap()), "{host}");
        }
    }

    #[test]
    fn labels_below_our_hosts() {
        let sites: Sites = default_sites().collect();
        let labels = |host: &str| labels_below(&sites, &host.parse().unwrap()).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(labels("a.acme.pypi.org"), ["a", "acme"]);
        for host in ["pypi.org", "test.pypi.org"] {
            assert!(labels(host).is_empty(), "{host}");
        }
    }

    #[test]
    fn every_default_site_is_a_host() {
        assert_eq!(default_sites().count(), SITES.len());
    }
}
