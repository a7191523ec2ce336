//! HTTP/1.1 by hand: requests byte for byte as the test has them, answers as they come.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, within};

/// A connection on which requests follow each other.
#[derive(Debug)]
pub(crate) struct Http1<S> {
    stream: S,
    host: String,
}

impl Http1<TcpStream> {
    /// A connection to the proxy's own port (or to any other), without CONNECT.
    pub(crate) async fn plain(address: SocketAddr) -> Self {
        Self::new(within("connecting", TcpStream::connect(address)).await.unwrap(), &address.to_string())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(crate) fn new(stream: S, host: &str) -> Self {
        Self { stream, host: host.to_owned() }
    }

    /// GET of `target`, which is sent as it stands. A `host` among `headers` replaces the connection's.
    pub(crate) async fn get(&mut self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", target, headers, b"").await
    }

    /// A request of any method, with a body when it isn't empty.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        self.raw(&bytes, method).await
    }

    /// These bytes and no others; then one answer is read, as to a request of `method`.
    pub(crate) async fn raw(&mut self, bytes: &[u8], method: &str) -> Answer {
        self.write(bytes).await;
        self.read(method).await
    }

    /// Sends without waiting for an answer.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// One answer, as to a request of `method`.
    pub(crate) async fn read(&mut self, method: &str) -> Answer {
        within("the answer", read_answer(&mut self.stream, method)).await
    }

    /// Whether the other side closes now, without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        within("the end of the connection", self.stream.read(&mut [0])).await.is_ok_and(|read| read == 0)
    }
}

/// One answer (RFC 9112 §6.3). Status 0 when the connection ended before there was any.
pub(super) async fn read_answer(stream: &mut (impl AsyncRead + Unpin), method: &str) -> Answer {
    let mut answer = Answer::default();
    let Some(head) = read_head(stream).await else { return answer };
    let mut lines = head.split("\r\n");
    let mut status = lines.next().unwrap_or_default().splitn(3, ' ');
    answer.status = status.nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    answer.reason = status.next().unwrap_or_default().to_owned();
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    answer.headers = lines.filter_map(header).collect();

    let without_body = method == "HEAD" || (method == "CONNECT" && answer.status == 200);
    if without_body || matches!(answer.status, 204 | 304) {
        answer.complete = true;
    } else if answer.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        answer.complete = read_chunks(stream, &mut answer.body).await.is_some();
    } else if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<u64>().ok()) {
        let read = stream.take(length).read_to_end(&mut answer.body).await;
        answer.complete = read.is_ok_and(|read| read as u64 == length);
    } else {
        answer.complete = stream.read_to_end(&mut answer.body).await.is_ok();
    }
    answer
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).trim_end().to_owned())
}

async fn read_chunks(stream: &mut (impl AsyncRead + Unpin), body: &mut Vec<u8>) -> Option<()> {
    loop {
        let length = read_line(stream).await?;
        let length = u64::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        let read = (&mut *stream).take(length).read_to_end(body).await.ok()?;
        if read as u64 != length {
            return None;
        }
        let end = read_line(stream).await?;
        if length == 0 {
            // Trailers, if there were any, end with an empty line.
            let mut line = end;
            while !line.is_empty() {
                line = read_line(stream).await?;
            }
            return Some(());
        }
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(line).ok().map(|line| line.trim_end().to_owned())
}
