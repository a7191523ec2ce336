//! HTTP/2, as uv speaks it.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use super::{Answer, within};

/// A connection on which requests may run side by side (`clone` it for that).
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    _connection: JoinSet<hyper::Result<()>>,
}

impl Http2 {
    pub(super) async fn new(stream: TlsStream<TcpStream>, host: &str) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = within("the HTTP/2 handshake", handshake).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(connection);
        Self { sender, host: host.to_owned(), _connection: running }
    }

    /// GET of `target` on the connection's host.
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", &self.host.clone(), target, headers, b"").await
    }

    /// A request of any method, for any `:authority`.
    pub(crate) async fn request(
        &self,
        method: &str,
        authority: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("https://{authority}{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(Bytes::copy_from_slice(body))).unwrap();
        within("the answer", exchange(self.sender.clone(), request)).await
    }
}

async fn exchange(mut sender: SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Answer {
    let Ok(response) = sender.send_request(request).await else { return Answer::default() };
    let (head, mut body) = response.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        complete: true,
        ..Answer::default()
    };
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => answer.body.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(_) => answer.complete = false,
        }
    }
    answer
}
