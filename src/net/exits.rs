//! Where clients may be let out: by the name that they ask for, and by the address that it leads to.
//!
//! A gateway stands where its clients can't go. What it can reach for them and they can't reach themselves (its own services,
//! the metadata of its cloud) must stay out of their reach: that is server-side request forgery otherwise, whatever the rules say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Exits;
use crate::name::{Authority, HostName};

/// On whose behalf a way is opened.
#[derive(Clone, Copy, Debug)]
pub enum Errand<'e> {
    /// namewall's own, or to a host of ours: where it leads is the config's word.
    Own,
    /// A client's.
    Client {
        /// Where clients may be let out.
        exits: &'e Exits,
        /// Whether the client is on this machine.
        is_local: bool,
    },
}

/// Why a client is not let out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The config denies it.
    #[error("{0} is denied by `deny` below `[tunnel]`")]
    Denied(Authority),
    /// The config doesn't allow it.
    #[error("{0} is not in `allow` below `[tunnel]`")]
    NotAllowed(Authority),
    /// It leads to where no client has anything to do.
    #[error("{to} leads to {address}, {what}, where this proxy lets nobody out")]
    OffLimits {
        /// What was asked for.
        to: Authority,
        /// What it leads to.
        address: IpAddr,
        /// What that is.
        what: &'static str,
    },
    /// Its name says where it leads, and no client has anything to do there.
    #[error("{to} names {what}, where this proxy lets nobody out")]
    Named {
        /// What was asked for.
        to: Authority,
        /// What that is.
        what: &'static str,
    },
}

impl Exits {
    /// Whether anything can come of `to`, before it is looked up.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn by_name(&self, to: &Authority) -> Result<(), Refused> {
        if self.deny.cover(to) {
            return Err(Refused::Denied(to.clone()));
        }
        match &self.allow {
            Some(allow) if !allow.cover(to) && (to.host.ip().is_some() || !allow.have_networks()) => {
                Err(Refused::NotAllowed(to.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a client may be let out to `to`, which somebody else will look up: nothing but its name is known here.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn unseen(&self, to: &Authority, is_local: bool) -> Result<(), Refused> {
        self.by_name(to)?;
        if let Some(address) = to.host.ip().or_else(|| as_number(to.host.as_str()).map(IpAddr::V4)) {
            return self.by_address(to, address, is_local);
        }
        if names_metadata(to.host.as_str()) {
            return Err(Refused::Named { to: to.clone(), what: "the metadata service of a cloud" });
        }
        if names_this_machine(to.host.as_str()) && !is_local {
            return Err(Refused::Named { to: to.clone(), what: "the proxy's own machine" });
        }
        match &self.allow {
            // A network in it says nothing of a name.
            Some(allow) if !allow.cover(to) => Err(Refused::NotAllowed(to.clone())),
            _ => Ok(()),
        }
    }

    /// Whether a client may be let out to `address`, to which `to` leads.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn by_address(&self, to: &Authority, address: IpAddr, is_local: bool) -> Result<(), Refused> {
        let address = address.to_canonical();
        if let Some(what) = off_limits(address, is_local) {
            return Err(Refused::OffLimits { to: to.clone(), address, what });
        }
        let at = |address: IpAddr| Authority { host: address.into(), port: to.port };
        let reached = at(address);
        // A translator leads to what is denied by its own address, too.
        if self.deny.cover(&reached) || self.deny.cover(&at(unwrapped(address))) {
            return Err(Refused::Denied(to.clone()));
        }
        match &self.allow {
            Some(allow) if !allow.cover(to) && !allow.cover(&reached) => Err(Refused::NotAllowed(to.clone())),
            _ => Ok(()),
        }
    }
}

impl Errand<'_> {
    /// Whether anything can come of `to`, before it is looked up.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn by_name(&self, to: &Authority) -> Result<(), Refused> {
        match self {
            Self::Own => Ok(()),
            Self::Client { exits, .. } => exits.by_name(to),
        }
    }

    /// Whether `to` may be asked of a proxy that looks it up itself.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn unseen(&self, to: &Authority) -> Result<(), Refused> {
        match self {
            Self::Own => Ok(()),
            Self::Client { exits, is_local } => exits.unseen(to, *is_local),
        }
    }

    /// Those of `addresses`, to which `to` leads, that may be dialled; there is one at least.
    ///
    /// # Errors
    /// [`Refused`], of the last one.
    pub fn permitted(&self, to: &Authority, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
        let Self::Client { exits, is_local } = self else { return Ok(addresses) };
        let mut refused = None;
        let mut permitted = addresses;
        permitted.retain(|address| match exits.by_address(to, *address, *is_local) {
            Ok(()) => true,
            Err(why) => {
                refused = Some(why);
                false
            }
        });
        match refused {
            Some(why) if permitted.is_empty() => Err(why),
            _ => Ok(permitted),
        }
    }
}

/// Where a cloud answers whoever asks from a machine with that machine's credentials, beside the link-local addresses.
const METADATA: [IpAddr; 8] = [
    // Alibaba Cloud, Azure's host, Oracle Cloud.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // Over IPv6, beside AWS: Google Cloud, Oracle Cloud, Scaleway, Linode, Alibaba Cloud.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200)),
];

fn is_metadata(address: IpAddr) -> bool {
    // AWS keeps a whole network for what it tells instances, and for what hands credentials to pods.
    let is_of_aws = matches!(address, IpAddr::V6(v6) if matches!(v6.segments(), [0xfd00, 0xec2, ..]));
    is_of_aws || METADATA.contains(&address)
}

/// By these names it is found; what is behind them differs from cloud to cloud.
fn names_metadata(name: &str) -> bool {
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal"]
        .contains(&name)
}

/// The address that `host` is, or that everybody makes of it without asking anybody. Of this machine's names it is known only
/// that they lead here: to the unspecified one.
pub(super) fn plain_address(host: &HostName) -> Option<IpAddr> {
    let as_number = || as_number(host.as_str()).map(IpAddr::V4);
    let as_here = || names_this_machine(host.as_str()).then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    host.ip().or_else(as_number).or_else(as_here)
}

/// By these names a machine finds itself.
fn names_this_machine(name: &str) -> bool {
    let is_localhost = name == "localhost" || name == "localhost.localdomain" || name.ends_with(".localhost");
    is_localhost || is_own_name(name)
}

#[cfg(unix)]
fn is_own_name(name: &str) -> bool {
    let own = rustix::system::uname();
    let own = own.nodename().to_string_lossy().to_ascii_lowercase();
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    name == own || (!name.contains('.') && name == first(&own))
}

#[cfg(not(unix))]
const fn is_own_name(_: &str) -> bool {
    false
}

/// The address that resolvers read in a name that is but numbers, however few and in whatever base (inet_aton(3)).
fn as_number(name: &str) -> Option<Ipv4Addr> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some("") => Some(0),
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    };
    let numbers = name.trim_end_matches('.').split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, first) = numbers.split_last()?;
    let bytes = u32::try_from(first.len()).ok().filter(|count| *count < 4)?;
    let high = first.iter().try_fold(0_u32, |high, byte| (*byte < 256).then_some(high << 8 | byte))?;
    let room = 32 - 8 * bytes;
    let fits = room == 32 || *last < 1 << room;
    fits.then(|| Ipv4Addr::from(if room == 32 { *last } else { high << room | last }))
}

/// What `address` is, if nobody is let out there.
fn off_limits(address: IpAddr, is_local: bool) -> Option<&'static str> {
    let address = unwrapped(address);
    if is_metadata(address) {
        return Some("the metadata service of a cloud");
    }
    let (link_local, broadcast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.is_broadcast()),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), false),
    };
    match () {
        () if link_local => Some("a link-local address"),
        () if address.is_multicast() || broadcast => Some("an address of many"),
        // What listens here for this machine alone is this machine's.
        () if (address.is_loopback() || address.is_unspecified()) && !is_local => Some("the proxy's own machine"),
        () => None,
    }
}

/// The IPv4 address that an IPv6 one is made of, where a translator would reach it (RFC 6052, RFC 3056).
pub(super) fn unwrapped(address: IpAddr) -> IpAddr {
    const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    let IpAddr::V6(v6) = address else { return address };
    let octets = v6.octets();
    let four = |from: usize| match octets.get(from..from + 4) {
        Some(&[a, b, c, d]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => address,
    };
    match v6.segments() {
        // RFC 8215 gives a network's own translators a prefix beside it; RFC 7915's hosts are `::ffff:0:a.b.c.d`.
        [0x64, 0xff9b, 0 | 1, 0, 0, 0, ..] if v6 != NAT64 => four(12),
        [0, 0, 0, 0, 0xffff, 0, ..] => four(12),
        [0x2002, ..] => four(2),
        // The old way to write it (RFC 4291 section 2.5.5.1); `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => four(12),
        _ => address,
    }
}

/// Whether a client at `address` is on this machine.
#[must_use]
pub const fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Destinations;

    fn to(text: &str) -> Authority {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_is_let_out_to_what_is_the_machines() {
        let exits = Exits { allow: Some("*".parse().unwrap()), deny: Destinations::default() };
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd00:ec2::123",
            "fd00:ec2:ffff::1",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "fd00:100::100:200",
            "64:ff9b:1::a9fe:a9fe",
            "::ffff:0:169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            for is_local in [true, false] {
                let refused = exits.by_address(&to("evil.example:80"), ip(address), is_local);
                assert!(matches!(refused, Err(Refused::OffLimits { .. })), "{address}");
            }
        }
        for own in ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(exits.by_address(&to("evil.example:80"), ip(own), false).is_err(), "{own}");
            assert!(exits.by_address(&to("evil.example:80"), ip(own), true).is_ok(), "{own}");
        }
        for other in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1", "fd00:ec3::254", "fd20:ce::253"] {
            assert!(exits.by_address(&to("a.example:80"), ip(other), false).is_ok(), "{other}");
        }
    }

    #[test]
    fn what_is_denied_beats_what_is_allowed_by_name_and_by_address() {
        let exits = Exits {
            allow: Some("corp.example, 10.0.0.0/8, *:8443".parse().unwrap()),
            deny: "secret.corp.example, 10.9.0.0/16".parse().unwrap(),
        };
        let refused = |name: &str, address: &str| {
            exits.by_name(&to(name)).and_then(|()| exits.by_address(&to(name), ip(address), false)).err()
        };
        assert_eq!(refused("a.corp.example:443", "192.0.2.1"), None);
        assert_eq!(refused("elsewhere.example:443", "10.1.2.3"), None, "it leads to where one may go");
        assert_eq!(refused("elsewhere.example:8443", "192.0.2.1"), None);
        assert_eq!(refused("10.1.2.3:22", "10.1.2.3"), None);
        for (name, address) in [("secret.corp.example:443", "10.1.2.3"), ("a.corp.example:443", "10.9.2.3")] {
            assert!(matches!(refused(name, address), Some(Refused::Denied(_))), "{name} {address}");
        }
        for (name, address) in [("elsewhere.example:443", "192.0.2.1"), ("192.0.2.1:443", "192.0.2.1")] {
            assert!(matches!(refused(name, address), Some(Refused::NotAllowed(_))), "{name} {address}");
        }
        // Without a network that it may lead to, a name is not even looked up.
        let names = Exits { allow: Some("corp.example".parse().unwrap()), ..Exits::default() };
        assert!(names.by_name(&to("elsewhere.example:443")).is_err());
        assert!(Exits::default().by_name(&to("elsewhere.example:443")).is_ok());
    }

    #[test]
    fn what_is_denied_is_so_behind_a_translator() {
        let exits = Exits { allow: None, deny: "10.0.0.0/8, 192.0.2.1:22".parse().unwrap() };
        for address in ["64:ff9b::10.1.2.3", "64:ff9b:1::10.1.2.3", "2002:a01:203::1", "::ffff:10.1.2.3", "::10.1.2.3"]
        {
            let to = to(&format!("[{address}]:443"));
            let refused = exits.by_address(&to, ip(address), false);
            assert!(matches!(refused, Err(Refused::Denied(_))), "{address}");
            assert!(exits.unseen(&to, false).is_err(), "{address}");
        }
        assert!(exits.by_address(&to("a.example:22"), ip("64:ff9b::192.0.2.1"), false).is_err());
        assert!(exits.by_address(&to("a.example:443"), ip("64:ff9b::192.0.2.1"), false).is_ok());
        let translated = Exits { allow: None, deny: "64:ff9b::/96".parse().unwrap() };
        assert!(translated.by_address(&to("a.example:443"), ip("64:ff9b::192.0.2.1"), false).is_err());
    }

    #[test]
    fn what_somebody_else_looks_up_is_judged_by_its_name_alone() {
        let exits = Exits::default();
        for name in [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "::1",
        ] {
            let to = Authority { host: name.parse().unwrap(), port: 80 };
            assert!(exits.unseen(&to, false).is_err() && exits.unseen(&to, true).is_ok(), "{name}");
        }
        for name in [
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "metadata.google.internal",
            "metadata.goog",
        ] {
            let to = Authority { host: name.parse().unwrap(), port: 80 };
            assert!(exits.unseen(&to, true).is_err(), "{name}");
        }
        for name in ["pypi.org", "1.example", "8.8.8.8", "134744072", "256.1.1.1.example", "0x"] {
            let to = Authority { host: name.parse().unwrap(), port: 80 };
            assert!(name == "0x" || exits.unseen(&to, false).is_ok(), "{name}");
        }
        let networks = Exits { allow: Some("10.0.0.0/8, corp.example".parse().unwrap()), ..Exits::default() };
        assert!(networks.unseen(&to("evil.example:443"), false).is_err(), "it may lead anywhere");
        assert!(networks.unseen(&to("a.corp.example:443"), false).is_ok());
        assert!(networks.unseen(&to("10.1.2.3:443"), false).is_ok());
        assert_eq!(as_number("1.2.3.4"), Some(Ipv4Addr::new(1, 2, 3, 4)));
        for none in ["", "a", "1.2.3.4.5", "256.1", "1.16777216", "1..2"] {
            assert_eq!(as_number(none), None, "{none}");
        }
    }

    #[test]
    fn of_several_addresses_the_good_ones_are_left() {
        let errand = Errand::Client { exits: &Exits::default(), is_local: false };
        let permitted =
            |addresses: &[&str]| errand.permitted(&to("a.example:1"), addresses.iter().map(|a| ip(a)).collect());
        assert_eq!(permitted(&["169.254.169.254", "192.0.2.1"]), Ok(vec![ip("192.0.2.1")]));
        assert!(permitted(&["169.254.169.254"]).is_err());
        assert_eq!(Errand::Own.permitted(&to("a.example:1"), vec![ip("127.0.0.1")]), Ok(vec![ip("127.0.0.1")]));
        assert!(is_local(ip("127.1.2.3")) && is_local(ip("::1")) && !is_local(ip("10.0.0.1")));
    }
}
