//! The way through the proxy: CONNECT, TLS with any name, a protocol of choice.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Answer, Http1, Http2, Namewall, h1, within};

/// Where to, and under which names. All three are the same unless a test says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    host: String,
    connect: String,
    sni: String,
}

impl Dial {
    /// To port 443 of `host`.
    pub(crate) fn to(host: &str) -> Self {
        Self { host: host.to_owned(), connect: format!("{host}:443"), sni: host.to_owned() }
    }

    /// Names this authority in CONNECT.
    pub(crate) fn connect(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.connect);
        self
    }

    /// Names this host in the TLS handshake.
    pub(crate) fn sni(mut self, host: &str) -> Self {
        host.clone_into(&mut self.sni);
        self
    }

    /// An HTTP/1.1 connection.
    pub(crate) async fn h1(&self, wall: &Namewall) -> Http1<TlsStream<TcpStream>> {
        let stream = self.tls(wall, "http/1.1").await.expect("a TLS connection through the proxy");
        Http1::new(stream, &self.host)
    }

    /// An HTTP/2 connection.
    pub(crate) async fn h2(&self, wall: &Namewall) -> Http2 {
        let stream = self.tls(wall, "h2").await.expect("a TLS connection through the proxy");
        Http2::new(stream, &self.host).await
    }

    /// The TLS connection itself, trusting nothing but the proxy's authority: a tunnel to the real host is an error.
    pub(crate) async fn tls(&self, wall: &Namewall, alpn: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let (stream, answer) = self.tunnel(wall.address()).await;
        assert_eq!(answer.status, 200, "CONNECT {}: {answer:?}", self.connect);
        let connector = TlsConnector::from(Arc::new(trusting(&wall.ca(), alpn)));
        within("the TLS handshake", connector.connect(self.sni.clone().try_into().unwrap(), stream)).await
    }

    /// The proxy's answer to CONNECT, and the stream behind it.
    pub(crate) async fn tunnel(&self, proxy: SocketAddr) -> (TcpStream, Answer) {
        let mut stream = within("connecting", TcpStream::connect(proxy)).await.unwrap();
        let request = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", self.connect);
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = within("the answer to CONNECT", h1::read_answer(&mut stream, "CONNECT")).await;
        (stream, answer)
    }
}

fn trusting(root: &std::path::Path, alpn: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    config
}
