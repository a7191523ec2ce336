//! Host names and authorities as they are compared: lower case, no trailing dot, A-labels.

use std::borrow::Borrow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A DNS name or an IP address literal (without brackets), in the one form in which hosts are compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Box<str>);

/// A host and a port: what a CONNECT names, what a socket is dialled for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    /// The host.
    pub host: HostName,
    /// The TCP port.
    pub port: u16,
}

/// Why some text is no host, or no `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHost {
    /// Not a DNS name and not an IP address.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// The port is missing or not in 1 to 65535.
    #[error("`{0}` has no port (1 to 65535) behind its host")]
    Port(String),
}

impl HostName {
    /// Whether `self` is `parent` or a name below it.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        self.0.strip_suffix(&*parent.0).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }

    /// The host and every name above it, the nearest first: what may stand in a list for it.
    pub fn with_parents(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |name| name.split_once('.').map(|(_, parent)| parent))
    }

    /// The address, when the host is an IP literal.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// The host as text, IPv6 without brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For maps by host that are asked about a name above one.
impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl FromStr for HostName {
    type Err = InvalidHost;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidHost::Host(raw.to_owned());
        if let Some(inner) = raw.strip_prefix('[') {
            let literal = inner.strip_suffix(']').ok_or_else(invalid)?;
            let address: Ipv6Addr = literal.parse().ok().ok_or_else(invalid)?;
            return Ok(Self(address.to_string().into()));
        }
        if let Ok(address) = raw.parse::<IpAddr>() {
            return Ok(Self(address.to_string().into()));
        }
        let name = raw.strip_suffix('.').unwrap_or(raw);
        let ascii = if name.is_ascii() {
            name.to_ascii_lowercase()
        } else {
            match url::Host::parse(name) {
                Ok(url::Host::Domain(domain)) => domain,
                _ => return Err(invalid()),
            }
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if ascii.len() > 253 || !ascii.split('.').all(label) {
            return Err(invalid());
        }
        Ok(Self(ascii.into()))
    }
}

impl Authority {
    /// Parses `host`, `host:port`, `[v6]` or `[v6]:port`; `default_port` stands in for a missing port.
    ///
    /// # Errors
    /// [`InvalidHost`] when the host or the port is none.
    pub fn parse_or(raw: &str, default_port: u16) -> Result<Self, InvalidHost> {
        let end_of_host = raw.rfind(']').map_or(0, |at| at + 1);
        match raw.get(end_of_host..).and_then(|tail| tail.rfind(':')) {
            None => Ok(Self { host: raw.parse()?, port: default_port }),
            Some(colon) => {
                let (host, port) = raw.split_at(end_of_host + colon);
                let digits = port.get(1..).unwrap_or_default();
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(InvalidHost::Port(raw.to_owned()));
                }
                match digits.parse() {
                    Ok(port) if port != 0 => Ok(Self { host: host.parse()?, port }),
                    _ => Err(InvalidHost::Port(raw.to_owned())),
                }
            }
        }
    }
}

impl FromStr for Authority {
    type Err = InvalidHost;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        // Port 0 is never a valid default, so that its absence shows.
        let authority = Self::parse_or(raw, 0)?;
        if authority.port == 0 { Err(InvalidHost::Port(raw.to_owned())) } else { Ok(authority) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.0.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_in_one_form() {
        for (raw, host) in [
            ("PyPI.org", "pypi.org"),
            ("pypi.org.", "pypi.org"),
            ("[2A04:4E42::223]", "2a04:4e42::223"),
            ("2a04:4e42:0:0::223", "2a04:4e42::223"),
            ("151.101.0.223", "151.101.0.223"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(raw.parse::<HostName>().unwrap().as_str(), host);
        }
        for raw in ["", ".", "..", "a..b", "pypi.org..", "a b", "pypi.org/", "user@pypi.org", "[::1", "[pypi.org]"] {
            assert!(raw.parse::<HostName>().is_err(), "{raw}");
        }
    }

    #[test]
    fn authorities() {
        let parse = |raw: &str| raw.parse::<Authority>().map(|a| a.to_string());
        assert_eq!(parse("PyPI.org:443").as_deref(), Ok("pypi.org:443"));
        assert_eq!(parse("[::1]:8443").as_deref(), Ok("[::1]:8443"));
        for raw in ["pypi.org", "pypi.org:", "pypi.org:0", "pypi.org:65536", "pypi.org:+1", "[::1]", ":443", ""] {
            assert!(parse(raw).is_err(), "{raw}");
        }
        assert_eq!(Authority::parse_or("pypi.org", 443).unwrap().to_string(), "pypi.org:443");
    }

    #[test]
    fn within() {
        let host = |raw: &str| raw.parse::<HostName>().unwrap();
        assert!(host("pypi.org").is_within(&host("pypi.org")));
        assert!(host("www.pypi.org").is_within(&host("pypi.org")));
        assert!(!host("evilpypi.org").is_within(&host("pypi.org")));
    }
}
