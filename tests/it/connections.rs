//! Tunnels to everybody else, garbage on the port, the end of the proxy.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Ask, JSON, RULES, World};

/// A server that does as it is told with its first connection.
async fn server<F, R>(serve: F) -> String
where
    F: FnOnce(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    address
}

#[tokio::test]
async fn a_server_may_speak_first() {
    let world = World::new().await;
    let address = server(|mut tcp| async move {
        tcp.write_all(b"SSH-2.0-server\r\n").await.unwrap();
        let mut said = [0; 4];
        tcp.read_exact(&mut said).await.unwrap();
        tcp.write_all(&said).await.unwrap();
    })
    .await;
    let mut tunnel = world.connect(&address).await.unwrap();
    let mut greeting = [0; 16];
    tunnel.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"SSH-2.0-server\r\n");
    tunnel.write_all(b"ping").await.unwrap();
    let mut echo = String::new();
    tunnel.read_to_string(&mut echo).await.unwrap();
    assert_eq!(echo, "ping");
}

#[tokio::test]
async fn half_closed_is_half_open() {
    let world = World::new().await;
    let address = server(|mut tcp| async move {
        let mut question = String::new();
        tcp.read_to_string(&mut question).await.unwrap();
        tcp.write_all(format!("you said {question}").as_bytes()).await.unwrap();
    })
    .await;
    let mut tunnel = world.connect(&address).await.unwrap();
    tunnel.write_all(b"all of it").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut answer = String::new();
    tunnel.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "you said all of it");
}

#[tokio::test]
async fn large_amounts_pass_both_ways_unaltered() {
    let world = World::new().await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let address = server(|mut tcp| async move {
        let mut all = Vec::new();
        tcp.read_to_end(&mut all).await.unwrap();
        tcp.write_all(&all).await.unwrap();
    })
    .await;
    let (mut read, mut write) = world.connect(&address).await.unwrap().into_split();
    let upload = sent.clone();
    tokio::spawn(async move {
        write.write_all(&upload).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await.unwrap();
    assert!(back == sent);
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_a_clear_error() {
    let world = World::new().await;
    let head = world.connect("127.0.0.1:1").await.unwrap_err();
    assert!(head.starts_with("HTTP/1.0 502") || head.starts_with("HTTP/1.1 502"), "{head}");
    let own = world.address().to_string();
    assert!(world.connect(&own).await.unwrap_err().contains(" 508 "), "never to itself");
}

#[tokio::test]
async fn plain_http_to_others_passes_without_the_hops_fields() {
    let world = World::new().await;
    let address = server(|mut tcp| async move {
        let mut head = vec![0; 4096];
        let length = tcp.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
        let body = format!("{}|{}", head.contains("get /simple/acme/ http/1.1"), head.contains("proxy-"));
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        tcp.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let request = format!(
        "GET http://{address}/simple/acme/ HTTP/1.1\r\nhost: {address}\r\nproxy-authorization: Basic x\r\nproxy-connection: keep-alive\r\nconnection: close\r\n\r\n"
    );
    let answer = world.raw(request.as_bytes()).await;
    assert!(answer.ends_with("true|false"), "a private index is nobody's business but its owner's: {answer}");
}

#[tokio::test]
async fn a_request_to_the_proxy_itself_is_told_what_it_is() {
    let world = World::new().await;
    let answer = world.raw(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("HTTPS_PROXY"), "{answer}");
}

#[tokio::test]
async fn garbage_disturbs_nobody() {
    let world = World::new().await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    for garbage in [
        &b"\x00\x01\x02\x03"[..],
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT\r\n\r\n",
        b"CONNECT pypi.org HTTP/1.1\r\n\r\n",
        b"CONNECT pypi.org:99999 HTTP/1.1\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"",
        &[0xff; 100_000],
    ] {
        let _whatever = world.raw(garbage).await;
    }
    let tls = world.tls(tcp, "pypi.org", false).await.unwrap();
    let ask = Ask::get("pypi.org", "/simple/innocent/").header("accept", JSON);
    assert_eq!(crate::world::exchange(tls, &ask).await.status, 200, "the connection from before is as it was");
    assert_eq!(world.get("/simple/innocent/").await.status, 200);
}

#[tokio::test]
async fn a_drain_finishes_what_runs() {
    let world = World::with(crate::world::pypi().latency(Duration::from_millis(500)), RULES).await;
    let address = world.address();
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let tls = world.tls(tcp, "pypi.org", false).await.unwrap();
    let (standin, proxy, _folder) = world.into_parts();
    let asking = tokio::spawn(async move {
        crate::world::exchange(tls, &Ask::get("pypi.org", "/simple/innocent/").header("accept", JSON)).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.stop(std::future::pending()).await;
    assert_eq!(asking.await.unwrap().status, 200, "it was under way");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    drop(standin);
}

#[tokio::test]
async fn an_answer_before_the_body_reaches_a_client_that_sends_it_all() {
    let world = World::new().await;
    for length in [200, 1_000_000, 20_000_000] {
        let tcp = world.connect("pypi.org:443").await.unwrap();
        let (mut read, mut write) = tokio::io::split(world.tls(tcp, "pypi.org", false).await.unwrap());
        let head = format!("POST /simple/acme/ HTTP/1.1\r\nhost: pypi.org\r\ncontent-length: {length}\r\n\r\n");
        let sending = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await?;
            write.write_all(&vec![0; length]).await?;
            write.flush().await
        });
        let mut answer = vec![0; 4096];
        let count = read.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 404"), "{length}: {answer}");
        assert_eq!(answer.contains("connection: close"), length > 16 * 1024 * 1024, "{length}: {answer}");
        // Whether all of a body that nobody wants could be sent is not the point.
        let _sent = sending.await.unwrap();
    }
}
