//! Connections to the stand-in: TLS, the protocol that ALPN chose, and one answer for each request.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::body::Body;
use super::log::{Asked, Handshake};
use super::{Origin, routes};

/// Serves until the task is aborted; the connections end with it.
pub(super) async fn accept(listener: TcpListener, tls: Arc<ServerConfig>, origin: Arc<Origin>) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, acceptor.clone(), Arc::clone(&origin)));
        while connections.try_join_next().is_some() {}
    }
}

/// A client that breaks off or speaks nonsense is its own trouble: the log has what it asked until then.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, origin: Arc<Origin>) {
    let Ok(()) = stream.set_nodelay(true) else { return };
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let handshake = agreed(&stream);
    origin.log.handshake(handshake.clone());
    let _ended = match &origin.raw {
        Some(answer) => raw(stream, answer).await.is_ok(),
        None => serve(stream, handshake, Arc::clone(&origin)).await.is_ok(),
    };
}

fn agreed(stream: &TlsStream<TcpStream>) -> Handshake {
    let (_, session) = stream.get_ref();
    Handshake {
        sni: session.server_name().map(ToOwned::to_owned),
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
    }
}

async fn serve(stream: TlsStream<TcpStream>, handshake: Handshake, origin: Arc<Origin>) -> hyper::Result<()> {
    let h2 = handshake.alpn.as_deref() == Some("h2");
    let service = service_fn(move |request| answer(request, handshake.sni.clone(), Arc::clone(&origin)));
    let stream = TokioIo::new(stream);
    if h2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
    } else {
        http1::Builder::new().serve_connection(stream, service).await
    }
}

async fn answer(
    request: Request<Incoming>,
    sni: Option<String>,
    origin: Arc<Origin>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let host = head.uri.authority().map(|authority| authority.to_string());
    let host = host.or_else(|| head.headers.get(HOST)?.to_str().ok().map(ToOwned::to_owned)).unwrap_or_default();
    let asked = Asked {
        method: head.method,
        version: head.version,
        host,
        sni,
        target: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: head.headers,
    };
    origin.log.request(asked.clone());
    tokio::time::sleep(origin.latency).await;
    if let Some(answer) = origin.responders.iter().find_map(|responder| responder(&asked)) {
        return Ok(answer);
    }
    Ok(routes::answer(&origin, asked, body).await)
}

/// Reads request heads and answers each with the same bytes, then closes.
async fn raw(mut stream: TlsStream<TcpStream>, answer: &Bytes) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(answer).await?;
    stream.shutdown().await
}
