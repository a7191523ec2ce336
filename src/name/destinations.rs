//! Which destinations a list means, as people write it in `NO_PROXY`: names, addresses and networks, with a port or without.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::host::{Authority, HostName};

/// A list of destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations(Vec<Destination>);

/// An item of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    hosts: Hosts,
    /// `None` is every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// The name and all below it, as curl reads `corp.example` and `.corp.example`.
    Within(HostName),
    /// What is below the name, as `*.corp.example` says.
    Below(HostName),
    Network(IpNet),
}

/// An item that is not understood, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{item}` names no destination")]
pub struct Unclear {
    item: String,
    help: String,
}

impl Unclear {
    /// What would be right.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl Destinations {
    /// Whether `to` is one of them. A name is not looked up: an address in the list means those who ask for the address.
    #[must_use]
    pub fn cover(&self, to: &Authority) -> bool {
        let address = to.host.ip().map(|ip| ip.to_canonical());
        self.0.iter().any(|item| item.port.is_none_or(|port| port == to.port) && item.hosts.cover(&to.host, address))
    }

    /// Whether what a name leads to may be in the list, though the name is not.
    #[must_use]
    pub fn have_networks(&self) -> bool {
        self.0.iter().any(|item| matches!(item.hosts, Hosts::Network(_)))
    }

    /// Whether nothing is in the list.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of both lists.
    #[must_use]
    pub fn and(mut self, mut more: Self) -> Self {
        self.0.append(&mut more.0);
        self
    }

    /// Where the items of `list` stand: between commas and blanks, of which there may be several.
    #[must_use]
    pub fn items(list: &str) -> Vec<Range<usize>> {
        let is_gap = |letter: char| letter == ',' || letter.is_whitespace();
        let mut items = Vec::new();
        let mut start = 0;
        for piece in list.split_inclusive(is_gap) {
            let item = piece.trim_end_matches(is_gap);
            if !item.is_empty() {
                items.push(start..start + item.len());
            }
            start += piece.len();
        }
        items
    }
}

impl FromIterator<Destination> for Destinations {
    fn from_iter<I: IntoIterator<Item = Destination>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl FromStr for Destinations {
    type Err = Unclear;

    fn from_str(list: &str) -> Result<Self, Unclear> {
        Self::items(list).into_iter().map(|range| list.get(range).unwrap_or_default().parse()).collect()
    }
}

impl Hosts {
    fn cover(&self, host: &HostName, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::All, _) => true,
            (Self::Network(network), Some(address)) => network.contains(&address),
            (Self::Within(name), None) => host.is_within(name),
            (Self::Below(name), None) => host != name && host.is_within(name),
            _ => false,
        }
    }
}

impl FromStr for Destination {
    type Err = Unclear;

    fn from_str(item: &str) -> Result<Self, Unclear> {
        // Without what may be a password.
        let shown = match (item.split_once("://"), item.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
            (None, Some((_, rest))) => format!("…@{rest}"),
            (_, None) => item.to_owned(),
        };
        let unclear = |help: String| Unclear { item: shown.clone(), help };
        if let Some((_scheme, rest)) = item.split_once("://") {
            let rest = rest.rsplit_once('@').map_or(rest, |(_userinfo, rest)| rest);
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(unclear(format!("write the host without a scheme and a path: `{host}`")));
        }
        let (host, port) = split(item).map_err(|help| unclear(help.to_owned()))?;
        let hosts = hosts(host).map_err(unclear)?;
        Ok(Self { hosts, port })
    }
}

/// The host, and the port behind it.
fn split(item: &str) -> Result<(&str, Option<u16>), &'static str> {
    const PORT: &str = "a port is a number from 1 to 65535: `corp.example:8443`";
    // In brackets, or with none behind: IPv6 has colons of its own.
    let end = item.rfind(']').map_or(0, |at| at + 1);
    let tail = item.get(end..).unwrap_or_default();
    let colons = tail.matches(':').count();
    if colons == 0 || (end == 0 && colons > 1) {
        return Ok((item, None));
    }
    let Some((before, digits)) = item.rsplit_once(':').filter(|_| colons == 1) else { return Err(PORT) };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(port) if is_number && port != 0 => Ok((before, Some(port))),
        _ => Err(PORT),
    }
}

fn hosts(written: &str) -> Result<Hosts, String> {
    let bare = written.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    if let Some(inner) = bare {
        let address = inner.parse::<Ipv6Addr>();
        return address
            .map(|address| alone(address.into()))
            .map_err(|_unhelpful| "what stands in brackets is an IPv6 address: `[2001:db8::1]`".to_owned());
    }
    if let Ok(address) = written.parse::<IpAddr>() {
        return Ok(alone(address));
    }
    if written.contains('/') {
        // Many write an address of the network for the network: `127.0.0.1/8`.
        let network = written.parse::<IpNet>().map(|network| network.trunc());
        let network = network.map(|network| Hosts::Network(unmapped(&network).unwrap_or(network)));
        return network.map_err(|_unhelpful| {
            "write an address and the length of its prefix: `10.0.0.0/8` or `fd00::/8`".to_owned()
        });
    }
    let name = written.strip_suffix('.').unwrap_or(written);
    if name == "*" {
        return Ok(Hosts::All);
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(alone(address));
    }
    if let Some(network) = starred(name) {
        return Ok(Hosts::Network(network));
    }
    let (below, name) = match (name.strip_prefix("*."), name.strip_prefix('.')) {
        (Some(name), _) => (true, name),
        (None, Some(name)) => (false, name),
        (None, None) => (false, name),
    };
    if name.contains('*') {
        let plain = name.trim_start_matches(['*', '.']);
        return Err(format!("a star stands for a whole first part, as in `*.{}`", or_example(plain)));
    }
    let parsed = name.parse::<HostName>().map_err(|_unhelpful| {
        "write names, addresses and networks, with commas between them: `corp.example, 10.0.0.0/8, [::1]:8080`"
            .to_owned()
    })?;
    // An address by another way to write it.
    match parsed.ip() {
        Some(address) if !below => return Ok(alone(address)),
        Some(_) => return Err("nothing is below an address: write it alone".to_owned()),
        None => {}
    }
    // Of the name as it is understood: one dot more at its end changes nothing.
    let last = parsed.as_str().rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("write an address in full, or a network: `192.168.0.0/16`, `192.168.*`".to_owned());
    }
    Ok(if below { Hosts::Below(parsed) } else { Hosts::Within(parsed) })
}

fn or_example(name: &str) -> &str {
    if name.parse::<HostName>().is_ok() { name } else { "corp.example" }
}

/// The network of IPv4 that is written as one of IPv6: `::ffff:10.0.0.0/104`. Addresses are compared as those of IPv4.
#[must_use]
pub fn unmapped(network: &IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else { return None };
    let length = network.prefix_len().checked_sub(128 - 32)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, length).ok().map(IpNet::V4)
}

fn alone(address: IpAddr) -> Hosts {
    Hosts::Network(IpNet::from(address.to_canonical()))
}

/// The network that `10.*` or `192.168.*.*` means.
fn starred(name: &str) -> Option<IpNet> {
    let labels: Vec<&str> = name.split('.').collect();
    let fixed = labels.iter().position(|label| *label == "*").filter(|at| *at > 0)?;
    let (numbers, stars) = labels.split_at(fixed);
    if labels.len() > 4 || stars.iter().any(|label| *label != "*") {
        return None;
    }
    let mut octets = [0; 4];
    for (octet, number) in octets.iter_mut().zip(numbers) {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        *octet = number.parse().ok().filter(|_| is_number)?;
    }
    Ipv4Net::new(Ipv4Addr::from(octets), u8::try_from(fixed * 8).ok()?).ok().map(IpNet::V4)
}

/// As it can be read again.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::All => f.write_str("*")?,
            Hosts::Within(name) => write!(f, "{name}")?,
            Hosts::Below(name) => write!(f, "*.{name}")?,
            Hosts::Network(network) if network.prefix_len() < network.max_prefix_len() => write!(f, "{network}")?,
            Hosts::Network(network) => match (network.addr(), self.port) {
                (IpAddr::V6(address), Some(_)) => write!(f, "[{address}]")?,
                (address, _) => write!(f, "{address}")?,
            },
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(list: &str, to: &str) -> bool {
        list.parse::<Destinations>().unwrap().cover(&to.parse().unwrap())
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for text in ["[::0].", "::", "[::]", "[::]."] {
            assert_eq!(text.parse(), "::".parse::<Destination>(), "{text}");
        }
    }

    #[test]
    fn every_form_that_people_write() {
        for (list, covered, others) in [
            ("*", &["a.example:443", "10.0.0.1:80", "[::1]:1"][..], &[][..]),
            ("corp.example", &["corp.example:443", "a.b.Corp.Example:80"], &["notcorp.example:443", "example:443"]),
            (".corp.example", &["corp.example:443", "a.corp.example:443"], &["xcorp.example:443"]),
            ("*.corp.example", &["a.corp.example:443", "a.b.corp.example:1"], &["corp.example:443"]),
            ("Corp.EXAMPLE.", &["corp.example.:443", "a.corp.example:443"], &["corp.example.org:443"]),
            ("corp.example:8443", &["corp.example:8443", "a.corp.example:8443"], &["corp.example:443"]),
            ("*:8443", &["a.example:8443"], &["a.example:443"]),
            ("192.0.2.7", &["192.0.2.7:443", "[::ffff:192.0.2.7]:443"], &["192.0.2.8:443", "a.192.0.2.7.example:1"]),
            ("192.0.2.7:80", &["192.0.2.7:80"], &["192.0.2.7:443"]),
            ("::1", &["[::1]:443"], &["[::2]:443", "127.0.0.1:443"]),
            ("[::1]", &["[::1]:443"], &["[::2]:443"]),
            ("[::1]:8080", &["[::1]:8080"], &["[::1]:443"]),
            ("2001:DB8:0::7", &["[2001:db8::7]:443"], &["[2001:db8::8]:443"]),
            ("10.0.0.0/8", &["10.1.2.3:443"], &["11.0.0.1:443", "ten.example:443"]),
            ("127.0.0.1/8", &["127.9.9.9:443"], &["128.0.0.1:443"]),
            ("10.0.0.0/8:8080", &["10.1.2.3:8080"], &["10.1.2.3:443"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3:8080"], &["11.0.0.1:443"]),
            ("fd00::/8", &["[fd12::1]:443"], &["[fe80::1]:443"]),
            ("10.*", &["10.1.2.3:443"], &["11.1.2.3:443"]),
            ("192.168.*.*", &["192.168.7.7:443"], &["192.169.0.1:443"]),
            ("b\u{fc}cher.example", &["xn--bcher-kva.example:443"], &["bucher.example:443"]),
            (" a.example ,,\tb.example\nc.example, ", &["a.example:1", "b.example:1", "c.example:1"], &["d.example:1"]),
            ("", &[], &["a.example:443"]),
        ] {
            for to in covered {
                assert!(covers(list, to), "{list} covers {to}");
            }
            for to in others {
                assert!(!covers(list, to), "{list} does not cover {to}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_helps() {
        for (item, help) in [
            ("https://corp.example/simple", "`corp.example`"),
            ("corp.example:", "a port is"),
            ("corp.example:0", "a port is"),
            ("corp.example:99999", "a port is"),
            ("corp.example:http", "a port is"),
            ("[::1]:x", "a port is"),
            ("[::1", "with commas"),
            ("[corp.example]", "IPv6 address"),
            ("*corp.example", "`*.corp.example`"),
            ("corp.*", "`*.corp.example`"),
            ("a.*.example", "`*.corp.example`"),
            ("192.168.", "`192.168.0.0/16`"),
            ("192.168", "`192.168.0.0/16`"),
            ("a43.4..", "`192.168.0.0/16`"),
            ("*.[::1].", "nothing is below an address"),
            ("10.0.0.0/33", "length of its prefix"),
            ("corp.example/8", "length of its prefix"),
            ("fe80::1%eth0", "with commas"),
            ("<local>", "with commas"),
            ("a.example;b.example", "with commas"),
            (".", "with commas"),
        ] {
            let unclear = item.parse::<Destinations>().unwrap_err();
            assert!(unclear.help().contains(help), "{item}: {}", unclear.help());
            assert_eq!(unclear.to_string(), format!("`{item}` names no destination"));
        }
    }

    proptest! {
        #[test]
        fn a_list_covers_what_one_of_its_items_covers(list in "[a-c.*:1/, ]{0,24}", to in "[a-c]{1,2}\\.[a-c]:1") {
            let to: Authority = to.parse().unwrap();
            if let Ok(all) = list.parse::<Destinations>() {
                let mut items = Destinations::items(&list).into_iter().map(|range| list[range].parse::<Destinations>());
                prop_assert_eq!(all.cover(&to), items.any(|item| item.is_ok_and(|item| item.cover(&to))));
            }
        }

        #[test]
        fn anything_is_read_or_refused(list in "\\PC{0,40}") {
            let _whatever = list.parse::<Destinations>();
        }

        #[test]
        fn what_is_shown_means_the_same(item in "[a-c0-9.:*/\\[\\]]{1,16}") {
            if let Ok(destination) = item.parse::<Destination>() {
                prop_assert_eq!(destination.to_string().parse::<Destination>(), Ok(destination));
            }
        }

        #[test]
        fn a_name_covers_itself_and_what_is_below(name in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", below in "[a-z]{1,8}", port: u16) {
            let port = port.max(1);
            let (itself, inside, beside) =
                (format!("{name}:{port}"), format!("{below}.{name}:{port}"), format!("x{name}:{port}"));
            prop_assert!(covers(&name, &itself) && covers(&name, &inside));
            prop_assert!(!covers(&name, &beside));
        }

        #[test]
        fn a_network_covers_its_addresses(address: [u8; 4], length in 0..=32_u8) {
            let address = Ipv4Addr::from(address);
            let (network, to) = (format!("{address}/{length}"), format!("{address}:443"));
            prop_assert!(covers(&network, &to));
        }
    }
}
