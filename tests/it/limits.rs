//! What is over the limits is answered so that it can be tried again; what is within them is served all the while.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use namewall::config::Limits;
use namewall::demo::standin::body::{full, pieces};
use namewall::demo::{Project, StandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Ask, JSON, RULES, World, echo, exchange, pypi};

async fn world(adjust: impl FnOnce(&mut Limits)) -> World {
    World::adjusted(pypi(), RULES, |settings| {
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        adjust(&mut settings.limits);
    })
    .await
}

/// What one is answered who asks the proxy itself for something.
async fn asked(world: &World) -> String {
    world.raw(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
}

/// The same of a client with another address.
async fn asked_by_another(world: &World) -> String {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(world.address()).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn turned_away(world: &World, reason: &str, count: u32) {
    let metrics = world.admin("/metrics").await;
    let line = format!("namewall_turned_away_total{{reason=\"{reason}\"}} {count}\n");
    assert!(metrics.contains(&line), "{line}: {metrics}");
}

/// Connections that have said half a word, and so are served for as long as that may take.
async fn half_words(world: &World, count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut tcp = TcpStream::connect(world.address()).await.unwrap();
        tcp.write_all(b"G").await.unwrap();
        open.push(tcp);
    }
    let begun = Instant::now();
    while !world.admin("/metrics").await.contains(&format!("namewall_connections {count}\n")) {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open
}

#[tokio::test]
async fn one_connection_too_many_is_told_when_to_come_again() {
    let world = world(|limits| limits.connections = 3).await;
    let open = half_words(&world, 3).await;
    let answer = asked(&world).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("(connections)"), "{answer}");
    assert!(answer.contains("namewall-request-id: "), "{answer}");
    turned_away(&world, "connections", 1).await;
    drop(open);
    let begun = Instant::now();
    while !asked(&world).await.starts_with("HTTP/1.1 400") {
        assert!(begun.elapsed() < Duration::from_secs(10), "the places are free again");
    }
}

#[tokio::test]
async fn one_client_takes_no_more_than_its_share() {
    let world = world(|limits| limits.connections_per_client = 2).await;
    let open = half_words(&world, 2).await;
    let answer = asked(&world).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 5"), "{answer}");
    turned_away(&world, "client-connections", 1).await;
    // Another one has a share of its own.
    let answer = asked_by_another(&world).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    drop(open);
}

/// Those who are one client's too many wait to hear so; others have their places meanwhile.
#[tokio::test]
async fn one_client_takes_no_places_of_others() {
    let world = world(|limits| (limits.connections, limits.connections_per_client) = (6, 2)).await;
    let _open = half_words(&world, 2).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(world.address()).await.unwrap());
    }
    let begun = Instant::now();
    while !world.admin("/metrics").await.contains("namewall_turned_away_total{reason=\"client-connections\"} 10\n") {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = asked_by_another(&world).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

/// Of whom a load balancer brings, its header is read before the request.
#[tokio::test]
async fn whom_a_balancer_brings_is_told_that_there_is_no_place() {
    let world = World::adjusted(pypi(), RULES, |settings| {
        let local: ipnet::IpNet = "127.0.0.0/8".parse().unwrap();
        settings.listeners[0].balancers = vec![local];
        settings.limits.connections = 1;
    })
    .await;
    let mut first = TcpStream::connect(world.address()).await.unwrap();
    first.write_all(b"PROXY TCP4 127.0.0.5 127.0.0.1 1024 3128\r\nG").await.unwrap();
    let begun = Instant::now();
    loop {
        let answer = world
            .raw(b"PROXY TCP4 127.0.0.6 127.0.0.1 1024 3128\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = answer.await;
        if answer.starts_with("HTTP/1.1 503") {
            return assert!(answer.contains("retry-after: 5"), "{answer}");
        }
        // The first hasn't been let in yet.
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("not-a-proxy-request"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

/// As many connections lead to PyPI as may; who needs one more is told when to come again.
#[tokio::test]
async fn ways_to_pypi_have_a_number() {
    let long = StandIn::builder().responder(|asked| {
        let body = || pieces((0..400).map(|_| vec![b'x'; 1000]), Duration::from_millis(100));
        asked.path().ends_with(".whl").then(|| http::Response::new(body()))
    });
    let world = World::adjusted(long, RULES, |settings| {
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        settings.limits.upstream = 1;
    })
    .await;
    let download = || {
        let world = &world;
        async move {
            let tcp = world.connect("files.pythonhosted.org:443").await.unwrap();
            let mut tls = world.tls(tcp, "files.pythonhosted.org", false).await.unwrap();
            let path = "/packages/aa/bb/cc/innocent-1.0-py3-none-any.whl";
            let ask = format!("GET {path} HTTP/1.1\r\nhost: files.pythonhosted.org\r\n\r\n");
            tls.write_all(ask.as_bytes()).await.unwrap();
            let mut answer = vec![0; 200];
            tls.read_exact(&mut answer).await.unwrap();
            (String::from_utf8(answer).unwrap(), tls)
        }
    };
    let (first, _open) = download().await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let (second, _) = download().await;
    assert!(second.starts_with("HTTP/1.1 503") && second.contains("retry-after: 5"), "{second}");
    turned_away(&world, "upstream-connections", 1).await;
}

/// Who never says a word is not waited for as long as one who may say another.
#[tokio::test]
async fn a_first_word_is_waited_for_for_a_time_of_its_own() {
    let world =
        world(|limits| (limits.opening, limits.idle) = (Duration::from_millis(300), Duration::from_secs(60))).await;
    let mut silent = TcpStream::connect(world.address()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), silent.read(&mut [0])).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn tunnels_have_a_number_an_idle_time_and_an_end() {
    let world = world(|limits| limits.tunnels = 1).await;
    let address = echo().await;
    let open = world.connect(&address).await.unwrap();
    let refused = world.connect(&address).await.unwrap_err();
    assert!(refused.contains("503") && refused.contains("retry-after: 5"), "{refused}");
    turned_away(&world, "tunnels", 1).await;
    // What is passed on leads as far.
    let passed = format!("GET http://{address}/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let refused = world.raw(passed.as_bytes()).await;
    assert!(refused.contains("503") && refused.contains("retry-after: 5"), "{refused}");
    turned_away(&world, "tunnels", 2).await;
    // What is ours is no tunnel.
    assert_eq!(world.get("/simple/innocent/").await.status, 200);
    drop(open);
    let begun = Instant::now();
    while world.connect(&address).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the place is free again");
    }

    let world = self::world(|limits| limits.tunnel_lifetime = Duration::from_millis(500)).await;
    let mut lively = world.connect(&echo().await).await.unwrap();
    let begun = Instant::now();
    while lively.write_all(b"x").await.is_ok() && lively.read_u8().await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it has an end though it is used");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let world = self::world(|limits| limits.tunnel_idle = Duration::from_millis(400)).await;
    let mut idle = world.connect(&echo().await).await.unwrap();
    idle.write_all(b"xy").await.unwrap();
    let mut told = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), idle.read_to_end(&mut told)).await.unwrap().unwrap();
    assert_eq!(told, b"xy");
}

#[tokio::test]
async fn a_connection_ends_after_so_many_requests() {
    let world = world(|limits| limits.requests_per_connection = 3).await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let tls = world.tls(tcp, "pypi.org", false).await.unwrap();
    let (mut from, mut to) = tokio::io::split(tls);
    let mut answers = String::new();
    for number in 1..=3 {
        let asked = format!("GET /simple/innocent/ HTTP/1.1\r\nhost: pypi.org\r\naccept: {JSON}\r\n\r\n");
        to.write_all(asked.as_bytes()).await.unwrap();
        let head_of_all = |text: &str| text.matches("HTTP/1.1 200").count();
        while head_of_all(&answers) < number {
            let mut some = [0; 4096];
            let length = from.read(&mut some).await.unwrap();
            assert!(length > 0, "{answers}");
            answers += &String::from_utf8_lossy(&some[..length]);
        }
    }
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), from.read_to_end(&mut rest)).await.unwrap().unwrap();
    let all = answers + &String::from_utf8_lossy(&rest);
    assert_eq!(all.to_ascii_lowercase().matches("connection: close").count(), 1, "{all}");
}

#[tokio::test]
async fn a_head_has_a_size() {
    let world = world(|limits| limits.head_size = 8 * 1024).await;
    let field = "x".repeat(10 * 1024);
    let answer =
        world.raw(format!("GET http://pypi.org/ HTTP/1.1\r\nhost: pypi.org\r\nx: {field}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let tls = world.tls(tcp, "pypi.org", true).await.unwrap();
    let ask = Ask::get("pypi.org", "/simple/innocent/").header("x", field).h2();
    assert_eq!(exchange(tls, &ask).await.status, 431);
}

#[tokio::test]
async fn who_dawdles_is_not_waited_for() {
    let world = world(|limits| {
        limits.opening = Duration::from_millis(300);
        limits.idle = Duration::from_millis(300);
    })
    .await;
    for said in [&b""[..], b"GET / HTTP/1.1\r\nhost:"] {
        let mut tcp = TcpStream::connect(world.address()).await.unwrap();
        tcp.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), tcp.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{said:?}");
    }
    // A tunnel to ours in which nothing is said.
    let mut tcp = world.connect("pypi.org:443").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(10), tcp.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn an_h2_connection_idles_no_longer_than_another_and_a_slow_answer_is_not_idle() {
    let slow = |asked: &namewall::demo::standin::Asked| {
        let is_slow = asked.target.starts_with("/packages/slow");
        is_slow.then(|| http::Response::new(pieces(["x"; 8], Duration::from_millis(250))))
    };
    let world = World::adjusted(pypi().responder(slow), RULES, |settings| {
        settings.limits.idle = Duration::from_millis(600);
    })
    .await;
    let open = async |host: &'static str| {
        let tls = world.tls(world.connect(&format!("{host}:443")).await.unwrap(), host, true).await.unwrap();
        let io = TokioIo::new(tls);
        let (sender, connection) =
            hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), io).await.unwrap();
        (sender, tokio::spawn(connection))
    };
    let (_unused, silent) = open("pypi.org").await;
    let (mut used, idle) = open("pypi.org").await;
    let (mut busy, running) = open("files.pythonhosted.org").await;
    let asked = |url: &str| http::Request::get(url).body(Empty::new()).unwrap();
    assert_eq!(used.send_request(asked("https://pypi.org/simple/innocent/")).await.unwrap().status(), 200);
    let file = asked("https://files.pythonhosted.org/packages/slow/innocent-9.0.tar.gz");
    let answer = busy.send_request(file).await.unwrap();
    assert_eq!(answer.status(), 200);
    let begun = Instant::now();
    for connection in [silent, idle] {
        let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
        assert!(ended.is_ok_and(|ended| ended.is_ok()), "it is told to go");
    }
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert!(!running.is_finished(), "{:?}", begun.elapsed());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), 8, "to its end, which takes longer than it may idle");
    assert!(begun.elapsed() > Duration::from_millis(1200), "{:?}", begun.elapsed());
    assert!(tokio::time::timeout(Duration::from_secs(10), running).await.is_ok(), "then it idles");
}

#[tokio::test]
async fn a_client_gets_so_many_bytes_a_second() {
    let large = vec![b'x'; 600_000];
    let project = Project::new("large").file(namewall::demo::Artifact::raw("large-1.0.tar.gz", "1.0", large.clone()));
    let builder = StandIn::builder().project(project);
    let world = World::adjusted(builder, RULES, |settings| settings.limits.bytes_per_client = 200_000).await;
    let page = world.get("/simple/large/").await.json();
    let url =
        page["files"][0]["url"].as_str().unwrap().strip_prefix("https://files.pythonhosted.org").unwrap().to_owned();
    let begun = Instant::now();
    let file = world.ask(Ask::get("files.pythonhosted.org", url)).await;
    assert_eq!(file.bytes().len(), large.len());
    // A second's worth is there at once, and nobody waits behind the last piece.
    let took = begun.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(20)).contains(&took), "{took:?}");
    let begun = Instant::now();
    let mut tunnel = world.connect(&echo().await).await.unwrap();
    let (mut from, mut to) = tunnel.split();
    let sending = async { to.write_all(&large[..300_000]).await.unwrap() };
    let mut back = vec![0; 300_000];
    let (_, ()) = tokio::join!(from.read_exact(&mut back), sending);
    assert!(begun.elapsed() > Duration::from_millis(700), "both ways count: {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_end_is_announced_before_it_comes() {
    let builder = pypi();
    let world = World::adjusted(builder, RULES, |settings| {
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        settings.drain_notice = Duration::from_secs(2);
    })
    .await;
    let (address, admin) = (world.address(), world.proxy.admin().unwrap());
    let (_standin, proxy, _folder) = world.into_parts();
    let begun = Instant::now();
    let stopping = tokio::spawn(async move { proxy.stop(std::future::pending()).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ask = async |to: std::net::SocketAddr, path: &str| {
        let mut tcp = TcpStream::connect(to).await?;
        tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let ready = ask(admin, "/readyz").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("draining"), "{ready}");
    assert!(ask(address, "/").await.unwrap().starts_with("HTTP/1.1 400"), "it serves whoever comes");
    stopping.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert!(ask(address, "/").await.is_err());
}

#[tokio::test]
async fn a_second_signal_ends_the_notice_too() {
    let world = World::adjusted(pypi(), RULES, |settings| settings.drain_notice = Duration::from_secs(600)).await;
    let (_standin, proxy, _folder) = world.into_parts();
    let begun = Instant::now();
    proxy.stop(tokio::time::sleep(Duration::from_millis(100))).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// A page whose body says nothing: used where only the connection counts.
#[tokio::test]
async fn the_limits_of_the_config_are_the_ones_in_force() {
    let world = World::with(
        StandIn::builder().responder(|_| http::Response::builder().body(full("")).ok()),
        "[limits]\nconnections-per-client = 1\n",
    )
    .await;
    let mut first = TcpStream::connect(world.address()).await.unwrap();
    first.write_all(b"G").await.unwrap();
    let begun = Instant::now();
    loop {
        let answer = asked(&world).await;
        if answer.starts_with("HTTP/1.1 429") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{answer}");
    }
}
