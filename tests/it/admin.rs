//! The admin listener over real sockets: decisions as a list and as they come, and who is answered at all.

use std::time::Duration;

use namewall::config::Settings;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::world::{RULES, World, pypi};

pub fn with_admin(settings: &mut Settings) {
    settings.admin = Some("127.0.0.1:0".parse().unwrap());
}

async fn world() -> World {
    World::adjusted(pypi(), RULES, with_admin).await
}

async fn open(world: &World, head: &str) -> BufReader<TcpStream> {
    let mut tcp = TcpStream::connect(world.proxy.admin().unwrap()).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(tcp)
}

async fn asked(world: &World, head: &str) -> String {
    let mut answer = String::new();
    open(world, head).await.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn follow(world: &World, target: &str, fields: &str) -> BufReader<TcpStream> {
    let head = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{fields}\r\n");
    open(world, &head).await
}

/// Reads on until a line begins with `start`, and gives what follows in it.
async fn line(events: &mut BufReader<TcpStream>, start: &str) -> String {
    let mut line = String::new();
    while !line.starts_with(start) {
        line.clear();
        let read = tokio::time::timeout(Duration::from_secs(10), events.read_line(&mut line)).await;
        assert!(read.unwrap_or_else(|_| panic!("no {start}")).unwrap() > 0, "ended without {start}");
    }
    line[start.len()..].trim_end().to_owned()
}

pub fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test]
async fn decisions_are_listed_newest_first_in_the_words_of_the_log() {
    let world = world().await;
    for path in ["/simple/acme/", "/simple/mixed/", "/simple/innocent/", "/simple/acme-core/?token=s3cret"] {
        world.get(path).await;
    }
    let told = body(&world.admin("/decisions").await);
    let decisions = told["decisions"].as_array().unwrap();
    let seen: Vec<_> = decisions.iter().map(|one| (one["decision"].as_str(), one["project"].as_str())).collect();
    assert_eq!(
        seen,
        [(Some("hidden"), Some("acme-core")), (Some("filtered"), Some("mixed")), (Some("hidden"), Some("acme"))]
    );
    let keys: Vec<_> = decisions[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "ts",
            "request_id",
            "decision",
            "surface",
            "project",
            "file",
            "rule",
            "pattern",
            "mode",
            "removed",
            "client",
            "user",
            "method",
            "host",
            "path",
            "status",
            "policy"
        ]
    );
    assert!(!told.to_string().contains("s3cret"), "no query string");
    assert_eq!(body(&world.admin("/decisions?limit=1").await)["decisions"].as_array().unwrap().len(), 1);
    assert!(world.admin("/decisions?limit=many").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn decisions_are_followed_and_resumed() {
    let world = world().await;
    world.get("/simple/acme/").await;
    let mut events = follow(&world, "/decisions", "").await;
    assert_eq!(line(&mut events, "content-type: ").await, "text/event-stream");
    line(&mut events, "retry: ").await;
    world.get("/simple/acme-core/").await;
    let id = line(&mut events, "id: ").await;
    let decision: Value = serde_json::from_str(&line(&mut events, "data: ").await).unwrap();
    assert_eq!(decision["project"], "acme-core", "what was before is not told to who asks for what comes");
    drop(events);
    world.get("/simple/acme-data/").await;
    let mut again = follow(&world, "/decisions", &format!("last-event-id: {id}\r\n")).await;
    assert!(line(&mut again, "data: ").await.contains("\"acme-data\""));
    let mut lost = follow(&world, "/decisions?after=1-1", "").await;
    assert_eq!(line(&mut lost, "event: ").await, "lagged");
    assert_eq!(line(&mut lost, "data: ").await, "{\"missed\":null}");
    assert!(line(&mut lost, "data: ").await.contains("\"acme\""), "all that is left");
}

#[tokio::test]
async fn followers_are_bounded_and_end_with_the_proxy() {
    let world = world().await;
    let mut followers = Vec::new();
    for _ in 0..32 {
        let mut events = follow(&world, "/decisions", "").await;
        line(&mut events, "retry: ").await;
        followers.push(events);
    }
    let mut answer = follow(&world, "/decisions", "connection: close\r\n").await;
    assert_eq!(line(&mut answer, "HTTP/1.1 ").await, "503 Service Unavailable");
    line(&mut answer, "retry-after: ").await;
    drop(followers.pop());
    for _ in 0.. {
        let mut events = follow(&world, "/decisions", "").await;
        if line(&mut events, "HTTP/1.1 ").await == "200 OK" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (standin, proxy, _folder) = world.into_parts();
    let stopping = tokio::time::timeout(Duration::from_secs(2), proxy.stop(std::future::pending()));
    assert!(stopping.await.is_ok(), "nobody who follows holds up the end");
    let mut rest = String::new();
    assert!(followers[0].read_to_string(&mut rest).await.is_ok(), "an end, not a break");
    drop(standin);
}

#[tokio::test]
async fn it_answers_to_its_own_names_alone() {
    let world = World::adjusted(pypi(), &format!("{RULES}[log]\nformat = \"text\"\n"), |settings| {
        with_admin(settings);
        settings.admin_hosts = vec!["namewall.corp.example".parse().unwrap()];
    })
    .await;
    for (host, status) in [
        ("127.0.0.1:3129", 200),
        ("[::1]", 200),
        ("LOCALHOST:1", 200),
        ("Namewall.corp.example:3129", 200),
        ("evil.example", 421),
        ("namewall.corp.example.evil.example", 421),
        ("", 421),
    ] {
        let answer = asked(&world, &format!("GET /livez HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
}

#[tokio::test]
async fn it_reads_only_and_a_connection_lasts() {
    let world = world().await;
    let refused = asked(&world, "POST /decisions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("allow: GET, HEAD"), "{refused}");
    let twice = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n\
        HEAD /decisions HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n";
    let answers = asked(&world, twice).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert!(answers.ends_with("\r\n\r\n"), "HEAD has no body, and follows nothing: {answers}");
}

#[tokio::test]
async fn metrics_are_told_as_openmetrics_and_move_with_what_happens() {
    let world = world().await;
    let before = world.admin("/metrics").await;
    assert!(
        before.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{before}"
    );
    assert!(before.ends_with("\n# EOF\n"), "{before}");
    let length = world.get("/simple/innocent/").await.bytes().len();
    world.get("/simple/acme/").await;
    let after = world.admin("/metrics").await;
    for line in [
        "namewall_requests_total{surface=\"page\",status=\"200\"} 1".to_owned(),
        "namewall_requests_total{surface=\"page\",status=\"404\"} 1".to_owned(),
        "namewall_decisions_total{decision=\"hidden\",surface=\"page\",rule=\"acme\"} 1".to_owned(),
        "namewall_upstream_seconds_count 1".to_owned(),
        "namewall_filter_seconds_count 1".to_owned(),
        format!("namewall_bytes_total{{kind=\"intercepted\",direction=\"down\"}} {}", length + "404 Not Found".len()),
    ] {
        assert!(after.contains(&format!("{line}\n")), "{line}: {after}");
    }
}
