//! A proxy that opens nothing: it leads past namewall, straight to the stand-in for PyPI. What clients do without rules,
//! and what they had in their caches before there were any, is seen through it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running relay. Dropping it closes everything.
pub(crate) struct Relay {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Relay {
    /// Whatever host a CONNECT names, it leads to `origin`.
    pub(crate) async fn to(origin: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move { connect(stream, origin).await.is_ok() });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, _server: server }
    }

    /// What `HTTPS_PROXY` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn connect(mut client: TcpStream, origin: SocketAddr) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    if !head.starts_with(b"CONNECT ") {
        return client.write_all(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n").await;
    }
    let mut origin = TcpStream::connect(origin).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut origin).await.map(drop)
}
