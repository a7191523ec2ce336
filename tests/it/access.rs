//! The access log over real sockets: a line for each request and tunnel, nothing secret in it, and nobody waits for it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use namewall::config::{AccessFormat, AccessTo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::admin::with_admin;
use crate::world::{Ask, JSON, RULES, World, echo, pypi, trusting};

async fn world(path: &Path, format: AccessFormat) -> World {
    World::adjusted(pypi(), RULES, |settings| {
        with_admin(settings);
        settings.access = Some(AccessTo::File(path.to_owned()));
        settings.access_format = format;
    })
    .await
}

/// A server that answers each plain request with the same five bytes.
async fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let _read = tcp.read(&mut head).await;
            let _sent = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
        }
    });
    address
}

/// Waits until the log has so many lines.
async fn lines(path: &Path, count: usize) -> Vec<String> {
    for _ in 0..500 {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {count} lines in {}: {}", path.display(), fs::read_to_string(path).unwrap_or_default());
}

async fn lines_of_json(path: &Path, count: usize) -> Vec<Value> {
    lines(path, count).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn each_request_and_each_tunnel_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    let (world, origin) = (world(&path, AccessFormat::Json).await, origin().await);
    let hidden = world.get("/simple/acme/?token=s3cret").await;
    let allowed = world.get("/simple/innocent/").await;
    let plain = format!("GET http://{origin}/a?token=s3cret HTTP/1.1\r\nhost: {origin}\r\nconnection: close\r\n\r\n");
    let forwarded = world.raw(plain.as_bytes()).await;
    let refused = world.raw(plain.replace("http://", "http://ann:s3cret@").as_bytes()).await;
    let mut tunnel = world.connect(&origin).await.unwrap();
    tunnel.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tunnel.read_to_string(&mut answer).await.unwrap();
    drop(tunnel);
    let told = lines_of_json(&path, 5).await;
    assert_eq!(told.len(), 5, "none for the CONNECT to a host of ours: {told:?}");
    let seen: Vec<_> = told
        .iter()
        .map(|line| (line["kind"].as_str().unwrap(), line["path"].as_str().unwrap(), line["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("intercepted", "/simple/acme/", 404),
            ("intercepted", "/simple/innocent/", 200),
            ("forward", "/a", 200),
            ("refused", "/a", 400),
            ("tunnel", "", 200)
        ]
    );
    assert_eq!((&told[0]["decision"], &told[0]["rule"]), (&"hidden".into(), &"acme".into()));
    assert_eq!((&told[1]["decision"], &told[1]["host"]), (&Value::Null, &"pypi.org".into()));
    let lengths: Vec<_> = told.iter().map(|line| line["bytes"].as_u64().unwrap()).collect();
    assert_eq!(lengths[..3], [hidden.bytes().len() as u64, allowed.bytes().len() as u64, 5]);
    assert_eq!((lengths[4], told[4]["host"].as_str().unwrap()), (answer.len() as u64, origin.as_str()));
    let ids: Vec<_> = told.iter().map(|line| line["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids[..2], [hidden.header("namewall-request-id"), allowed.header("namewall-request-id")]);
    for (answer, id) in [(forwarded, ids[2]), (refused, ids[3])] {
        assert!(answer.contains(&format!("namewall-request-id: {id}\r\n")), "{id}: {answer}");
    }
    assert!(told.iter().all(|line| line["client"] == "127.0.0.1" && line["ms"].as_f64().unwrap() < 10_000.0));
    assert!(!fs::read_to_string(&path).unwrap().contains("s3cret"), "no credential, no query");
}

#[tokio::test]
async fn the_common_format_is_one_line_whatever_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let world = world(&path, AccessFormat::Common).await;
    world.get("/simple/innocent/").await;
    let odd = Ask::get("pypi.org", "/simple/%0a\"x/").header("accept", JSON).h2();
    world.ask(odd).await;
    let told = lines(&path, 2).await;
    let line = regex::Regex::new(
        r#"^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET https://pypi\.org/simple/([^ ]*) HTTP/(1\.1|2\.0)" \d{3} \d+$"#,
    )
    .unwrap();
    let paths = told.iter().map(|told| line.captures(told).unwrap_or_else(|| panic!("{told}"))[1].to_owned());
    assert_eq!(paths.collect::<Vec<_>>(), ["innocent/", "%0a\\\"x/"]);
}

#[tokio::test]
async fn a_trace_passes_through_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    let world = world(&path, AccessFormat::Json).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = Ask::get("pypi.org", "/simple/innocent/").header("accept", JSON);
    world.ask(ask.header("traceparent", parent).header("tracestate", "a=1")).await;
    assert_eq!(lines_of_json(&path, 1).await[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let asked = world.standin.log();
    let upstream = asked.iter().find(|asked| asked.target.contains("innocent")).unwrap();
    assert_eq!(
        (&upstream.headers["traceparent"], &upstream.headers["tracestate"]),
        (&parent.parse().unwrap(), &"a=1".parse().unwrap())
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_that_cannot_be_written_holds_up_nobody() {
    let world = world(Path::new("/dev/full"), AccessFormat::Json).await;
    for _ in 0..20 {
        assert_eq!(world.get("/simple/innocent/").await.status, 200);
    }
    let lost = "namewall_log_dropped_total{log=\"access\"} 20\n";
    for _ in 0..500 {
        if world.admin("/metrics").await.contains(lost) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{}", world.admin("/metrics").await);
}

#[tokio::test]
async fn a_renamed_log_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    let world = world(&path, AccessFormat::Json).await;
    world.get("/simple/innocent/").await;
    lines(&path, 1).await;
    fs::rename(&path, folder.path().join("access.jsonl.1")).unwrap();
    world.proxy.reopen_logs();
    world.get("/simple/acme/").await;
    assert!(lines(&path, 1).await[0].contains("/simple/acme/"));
}

#[tokio::test]
async fn who_leaves_early_is_told_of_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    let world = World::adjusted(pypi().latency(Duration::from_secs(3)), RULES, |settings| {
        settings.access = Some(AccessTo::File(path.clone()));
    })
    .await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let mut tls = world.tls(tcp, "pypi.org", false).await.unwrap();
    tls.write_all(b"GET /simple/innocent/ HTTP/1.1\r\nhost: pypi.org\r\n\r\n").await.unwrap();
    tls.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(tls);
    let line = lines_of_json(&path, 1).await.remove(0);
    assert_eq!(line["status"], 499);
    assert!(!line["request_id"].as_str().unwrap().is_empty(), "{line}");
    assert!(TcpStream::connect(world.address()).await.is_ok());
}

#[tokio::test]
async fn whatever_becomes_of_a_tunnel_it_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    let world = World::adjusted(pypi(), RULES, |settings| {
        settings.access = Some(AccessTo::File(path.clone()));
        settings.limits.opening = Duration::from_millis(500);
        settings.drain = Duration::from_millis(300);
    })
    .await;
    // No TLS, none that is finished, not a word, and TLS in which nothing is asked.
    let mut plain = world.connect("pypi.org:443").await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(plain.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let tcp = world.connect("pypi.org:443").await.unwrap();
    assert!(trusting_nobody().connect("pypi.org".try_into().unwrap(), tcp).await.is_err());
    let mut silent = world.connect("pypi.org:443").await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let unused = world.connect("pypi.org:443").await.unwrap();
    drop(world.tls(unused, "pypi.org", false).await.unwrap());
    let told = lines_of_json(&path, 4).await;
    // One that is cut off when the proxy ends.
    let mut lasting = world.connect(&echo().await).await.unwrap();
    lasting.write_all(b"hello").await.unwrap();
    lasting.read_exact(&mut [0; 5]).await.unwrap();
    let (_standin, proxy, _folder) = world.into_parts();
    proxy.stop(std::future::pending()).await;
    let all = lines_of_json(&path, 5).await;
    assert_eq!((told.len(), all.len()), (4, 5), "{all:?}");
    for line in &all {
        assert_eq!(
            (&line["method"], &line["kind"], &line["status"]),
            (&"CONNECT".into(), &"tunnel".into(), &200.into())
        );
        assert!(!line["request_id"].as_str().unwrap().is_empty(), "{line}");
    }
    assert!(told.iter().all(|line| line["host"] == "pypi.org:443" && line["bytes"] == 0), "{told:?}");
    assert_eq!(all[4]["bytes"], 5, "what it has carried till then");
}

/// A client that takes nobody's certificate.
fn trusting_nobody() -> tokio_rustls::TlsConnector {
    let key = rcgen::KeyPair::generate().unwrap();
    let stranger = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    trusting(stranger.der().clone(), b"http/1.1")
}
