//! One listener of the proxy as it is configured: where it is, who comes by it, and what is spoken there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;

use super::value;

/// What sockets that are handed over by their names are written with.
pub(super) const INHERITED: &str = "systemd:";

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Where it is.
    pub place: Place,
    /// The networks whose clients are served here.
    pub allow: Vec<IpNet>,
    /// With what it speaks TLS itself, as an `https://` proxy; `None` is in the clear.
    pub tls: Option<ListenerTls>,
    /// The networks of the load balancers that say whom they bring, in a PROXY header; nobody else may come by here. Empty:
    /// clients come themselves, and no header is read.
    pub balancers: Vec<IpNet>,
    /// Whether connections come that a firewall has turned here, so that what they were opened to is asked of the system.
    pub transparent: bool,
}

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At this address; port 0 is a free one.
    Address(SocketAddr),
    /// On the sockets of this name (`FileDescriptorName=`) that systemd hands over: systemd.socket(5).
    Inherited(String),
}

/// The files with which a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificate and its chain (PEM).
    pub cert: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
}

impl ListenerSettings {
    /// A listener in the clear for clients of these networks.
    #[must_use]
    pub const fn plain(place: Place, allow: Vec<IpNet>) -> Self {
        Self { place, allow, tls: None, balancers: Vec::new(), transparent: false }
    }

    /// Whether clients come by it themselves: neither by their firewall nor by their load balancer.
    #[must_use]
    pub const fn is_for_clients(&self) -> bool {
        !self.transparent && self.balancers.is_empty()
    }

    /// Its address, if it is one that clients can be pointed at.
    #[must_use]
    pub fn proxy_address(&self) -> Option<SocketAddr> {
        self.place.address().filter(|_| self.is_for_clients())
    }
}

impl Place {
    /// The address, unless it is known to who hands the socket over alone.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Inherited(_) => None,
        }
    }

    /// Whether two of it can't be listened on.
    pub(super) fn is_taken_by(&self, other: &Self) -> bool {
        self == other && self.address().is_none_or(|address| address.port() != 0)
    }

    /// Whether other machines may reach it; of a socket that is handed over nobody knows before.
    pub(super) fn is_exposed(&self) -> bool {
        self.address().is_none_or(|address| !address.ip().to_canonical().is_loopback())
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value::place(text).map_err(|wrong| format!("{}; {}", wrong.message(), wrong.help()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Inherited(name) => write!(f, "{INHERITED}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_name_of_systemd() {
        assert_eq!("[::1]:3128".parse(), Ok(Place::Address("[::1]:3128".parse().unwrap())));
        let inherited: Place = "systemd:proxy.socket".parse().unwrap();
        assert_eq!((inherited.to_string().as_str(), inherited.address()), ("systemd:proxy.socket", None));
        for wrong in ["systemd", "systemd:", "systemd:a:b", "systemd:a b", "", "3128", "systemd:a,b", "systemd:\u{e4}"]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn free_ports_are_as_many_as_are_asked_for() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        assert!(!place("127.0.0.1:0").is_taken_by(&place("127.0.0.1:0")));
        assert!(place("127.0.0.1:1").is_taken_by(&place("127.0.0.1:1")));
        assert!(place("systemd:a").is_taken_by(&place("systemd:a")));
        assert!(!place("systemd:a").is_taken_by(&place("systemd:b")));
    }
}
