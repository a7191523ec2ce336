//! Which addresses are namewall's own. A proxy that dials itself does so until no descriptor is left; and whom it brings to
//! itself it takes for somebody of its own machine, which is more than most clients may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tokio::net::TcpStream;

use super::exits::{plain_address, unwrapped};
use crate::name::Authority;

/// Where namewall listens.
#[derive(Clone, Debug)]
pub(super) struct Own(Vec<SocketAddr>);

impl Own {
    pub(super) const fn new(listeners: Vec<SocketAddr>) -> Self {
        Self(listeners)
    }

    /// Whether `address` is one of them.
    pub(super) fn is(&self, address: &SocketAddr) -> bool {
        let ip = unwrapped(address.ip().to_canonical());
        self.with_port(address.port()).any(|listening| {
            let is_anywhere = listening.is_unspecified();
            listening == ip || ip.is_unspecified() || (is_anywhere && (ip.is_loopback() || is_of_this_machine(ip)))
        })
    }

    /// Whether somebody else who looks `to` up would come to one of them, as far as that is known without asking anybody.
    pub(super) fn is_named(&self, to: &Authority) -> bool {
        plain_address(&to.host).is_some_and(|ip| self.is(&SocketAddr::new(ip, to.port)))
    }

    /// Whether `stream` has ended where it began, at one of them: of all addresses of a machine the kernel knows best.
    pub(super) fn is_end_of(&self, stream: &TcpStream) -> bool {
        let (Ok(near), Ok(far)) = (stream.local_addr(), stream.peer_addr()) else { return false };
        near.ip().to_canonical() == far.ip().to_canonical()
            && self.with_port(far.port()).any(|listening| listening.is_unspecified())
    }

    fn with_port(&self, port: u16) -> impl Iterator<Item = IpAddr> {
        self.0.iter().filter(move |own| own.port() == port).map(|own| own.ip().to_canonical())
    }
}

/// Whether `ip` is an address of this machine: what else can nobody be bound to.
fn is_of_this_machine(ip: IpAddr) -> bool {
    // Unless the machine may be bound to whatever it likes (`ip_nonlocal_bind`), where that says nothing.
    let nobodys: IpAddr = match ip {
        // Reserved (RFC 1112), and for what is thrown away (RFC 6666).
        IpAddr::V4(_) => Ipv4Addr::new(240, 0, 0, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1).into(),
    };
    let can_be_bound = |ip: IpAddr| UdpSocket::bind((ip, 0)).is_ok();
    can_be_bound(ip) && !can_be_bound(nobodys)
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// An address of this machine that others reach it by, if it has one.
    pub(in super::super) fn reached_by_others() -> Option<IpAddr> {
        // Nothing is sent by it.
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("198.51.100.1:9").ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
    }

    fn own(listening: &str) -> Own {
        Own::new(vec![listening.parse().unwrap()])
    }

    fn is(listening: &str, address: &str) -> bool {
        own(listening).is(&address.parse().unwrap())
    }

    #[test]
    fn each_way_to_write_it_is_known() {
        for (listening, address) in [
            ("127.0.0.1:3128", "127.0.0.1:3128"),
            ("0.0.0.0:3128", "127.9.9.9:3128"),
            ("[::]:3128", "127.0.0.1:3128"),
            ("127.0.0.1:3128", "[::ffff:127.0.0.1]:3128"),
            ("127.0.0.1:3128", "[64:ff9b::127.0.0.1]:3128"),
            ("10.1.2.3:3128", "[64:ff9b::10.1.2.3]:3128"),
            ("127.0.0.1:3128", "0.0.0.0:3128"),
        ] {
            assert!(is(listening, address), "{listening} {address}");
        }
        for (listening, address) in [
            ("127.0.0.1:3128", "127.0.0.1:3129"),
            ("127.0.0.1:3128", "10.1.2.3:3128"),
            ("0.0.0.0:3128", "203.0.113.7:3128"),
            ("[::]:3128", "[2001:db8::7]:3128"),
        ] {
            assert!(!is(listening, address), "{listening} {address}");
        }
    }

    #[test]
    fn who_listens_anywhere_listens_at_each_address_of_the_machine() {
        let Some(ip) = reached_by_others() else { return };
        assert!(is("0.0.0.0:3128", &format!("{ip}:3128")) && is("[::]:3128", &format!("{ip}:3128")));
        assert!(!is("0.0.0.0:3128", &format!("{ip}:3129")), "another's");
        assert!(!is("127.0.0.1:3128", &format!("{ip}:3128")), "another's");
    }

    #[test]
    fn names_that_everybody_looks_up_alike_are_known() {
        let named = |to: &str| own("127.0.0.1:3128").is_named(&to.parse().unwrap());
        for to in ["127.0.0.1:3128", "localhost:3128", "a.localhost:3128", "127.1:3128", "2130706433:3128", "[::]:3128"]
        {
            assert!(named(to), "{to}");
        }
        for to in ["localhost:3129", "pypi.org:3128", "10.1.2.3:3128"] {
            assert!(!named(to), "{to}");
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a test plays both ends")]
    async fn a_connection_that_ends_where_it_began_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        assert!(own(&format!("0.0.0.0:{}", address.port())).is_end_of(&stream));
        assert!(!own("0.0.0.0:1").is_end_of(&stream));
        // Whoever listens at one address doesn't at the others.
        assert!(!own(&format!("10.1.2.3:{}", address.port())).is_end_of(&stream));
    }
}
