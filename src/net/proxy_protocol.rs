//! Reads the header in which a load balancer says whom it brings: the PROXY protocol, versions 1 and 2
//! (haproxy.org/download/3.2/doc/proxy-protocol.txt), and not one byte more.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much a header of version 1 may take (section 2.1).
const MAX_V1: usize = 107;
/// What a header of version 2 has before what its length counts.
const FIXED_V2: usize = 16;
/// How much a header of version 2 may take here: TLS details of a balancer's client are kilobytes, not more.
const MAX_V2: usize = 8 * 1024;

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The connection broke or ended before.
    #[error("the connection ended before its PROXY header did: {0}")]
    Read(#[from] io::Error),
    /// What came is none.
    #[error("what came is no PROXY header")]
    Missing,
    /// One of its parts isn't right.
    #[error("its PROXY header is broken: {0}")]
    Broken(String),
    /// It is too long.
    #[error("its PROXY header has {0} bytes")]
    TooLong(usize),
}

/// Whom a balancer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The client at this address.
    Client(SocketAddr),
    /// Somebody, of whom it can't say the address.
    Somebody,
    /// Nobody: it comes for itself, to see whether we live.
    Nobody,
}

/// Reads the header. Set a deadline around it.
///
/// # Errors
/// [`HeaderError`].
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Brought, HeaderError> {
    // Both versions have as much at least.
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        read_v2(stream, header).await
    } else if header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        read_v1(stream, header).await
    } else {
        Err(HeaderError::Missing)
    }
}

async fn read_v1(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Result<Brought, HeaderError> {
    // Byte by byte: what is behind the line belongs to the client, and may be spliced.
    while !header.ends_with(b"\r\n") {
        if header.len() >= MAX_V1 {
            return Err(HeaderError::TooLong(header.len()));
        }
        header.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(&header[..]).map_err(|error| HeaderError::Broken(error.to_string()))?;
    Ok(match header.addresses {
        v1::Addresses::Unknown => Brought::Somebody,
        v1::Addresses::Tcp4(tcp) => Brought::Client((tcp.source_address, tcp.source_port).into()),
        v1::Addresses::Tcp6(tcp) => Brought::Client(source(tcp.source_address.into(), tcp.source_port)),
    })
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Result<Brought, HeaderError> {
    header.resize(FIXED_V2, 0);
    stream.read_exact(header.get_mut(v2::PROTOCOL_PREFIX.len()..).unwrap_or_default()).await?;
    let length = match header.get(FIXED_V2 - 2..) {
        Some(&[high, low]) => FIXED_V2 + usize::from(u16::from_be_bytes([high, low])),
        _ => FIXED_V2,
    };
    if length > MAX_V2 {
        return Err(HeaderError::TooLong(length));
    }
    header.resize(length, 0);
    stream.read_exact(header.get_mut(FIXED_V2..).unwrap_or_default()).await?;
    let header = v2::Header::try_from(&header[..]).map_err(|error| HeaderError::Broken(error.to_string()))?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Local, _) => Brought::Nobody,
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => Brought::Client((ip.source_address, ip.source_port).into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Brought::Client(source(ip.source_address.into(), ip.source_port))
        }
        // Of a protocol without such addresses, the connection's own are used (section 2.2).
        (v2::Command::Proxy, _) => Brought::Somebody,
    })
}

fn source(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(bytes: &[u8]) -> Result<(Brought, Vec<u8>), HeaderError> {
        let mut stream = bytes;
        let address = read(&mut stream).await?;
        Ok((address, stream.to_vec()))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, rest, b"GET"].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 127, 0, 0, 1, 0x10, 0, 0x0c, 0x38];

    #[tokio::test]
    async fn both_versions_tell_the_client_and_leave_what_follows() {
        let client = Brought::Client("192.0.2.7:4096".parse().unwrap());
        for bytes in [
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4096 3128\r\nGET".to_vec(),
            b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4096 3128\r\nGET".to_vec(),
            v2(1, 0x11, &V4),
            // With a TLV behind the addresses.
            v2(1, 0x11, &[&V4[..], &[0x04, 0, 2, 0, 0]].concat()),
        ] {
            assert_eq!(told(&bytes).await.unwrap(), (client, b"GET".to_vec()));
        }
        let six = v2(1, 0x21, &[&[0; 15][..], &[9], &[0; 16], &[0, 80, 0, 81]].concat());
        assert_eq!(told(&six).await.unwrap().0, Brought::Client("[::9]:80".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_balancer_may_come_for_itself_or_for_it_knows_not_whom() {
        for (bytes, brought) in [
            (b"PROXY UNKNOWN\r\nGET".to_vec(), Brought::Somebody),
            (b"PROXY UNKNOWN ::1 ::1 1 2\r\nGET".to_vec(), Brought::Somebody),
            (v2(1, 0, &[]), Brought::Somebody),
            (v2(1, 0x31, &[0; 216]), Brought::Somebody),
            (v2(0, 0, &[]), Brought::Nobody),
            (v2(0, 0x11, &V4), Brought::Nobody),
        ] {
            assert_eq!(told(&bytes).await.unwrap(), (brought, b"GET".to_vec()));
        }
    }

    #[tokio::test]
    async fn what_is_none_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [
            &b"CONNECT pypi.org:443 HTTP/1.1\r\n\r\n"[..],
            b"",
            b"PROXY TCP4 192.0.2.7",
            b"PROXY TCP4 192.0.2.777 127.0.0.1 4096 3128\r\n",
            b"PROXY UDP4 192.0.2.7 127.0.0.1 4096 3128\r\n",
            &long,
            &v2(2, 0x11, &V4),
            &v2(1, 0x11, &V4[..5]),
            &v2(1, 0x11, &[0; 9000]),
            &v2(1, 0x11, &V4)[..20],
        ] {
            assert!(told(bytes).await.is_err(), "{bytes:?}");
        }
    }
}
