//! What an upstream can do wrong: each is a 502 with its reason, and never the bytes.

use std::time::Duration;

use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body::{broken_after, full};

use crate::world::{Answer, JSON, RULES, World};

const PAGE: &str = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[],"versions":[]}"#;

pub fn assert_failed(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 502, "{reason}: {answer:?}");
    assert_eq!(answer.header("namewall-decision"), "failed");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["type"], format!("urn:namewall:{reason}"), "{answer:?}");
}

/// What becomes of a page that upstream answers with these fields and this body.
async fn page(fields: &'static [(&'static str, &'static str)], body: &'static [u8]) -> Answer {
    let pypi = StandIn::builder().responder(move |_| {
        let response =
            fields.iter().fold(Response::builder(), |response, (name, value)| response.header(*name, *value));
        response.body(full(body)).ok()
    });
    World::with(pypi, RULES).await.get("/simple/six/").await
}

#[tokio::test]
async fn a_good_page_passes() {
    assert_eq!(page(&[("content-type", JSON)], PAGE.as_bytes()).await.text(), PAGE);
}

#[tokio::test]
async fn pages_that_cannot_be_understood() {
    let json = &[("content-type", JSON)];
    assert_failed(&page(json, b"").await, "page-truncated");
    assert_failed(&page(json, &PAGE.as_bytes()[..PAGE.len() - 1]).await, "page-truncated");
    assert_failed(&page(json, b"<html></html>").await, "page-syntax");
    assert_failed(&page(json, b"{\"name\":\"six\",\"name\":\"acme\",\"files\":[]}").await, "page-syntax");
    assert_failed(&page(json, br#"{"meta":{"api-version":"1.4"},"name":"acme","files":[]}"#).await, "page-shape");
    assert_failed(&page(json, br#"{"meta":{"api-version":"2.0"},"name":"six","files":[]}"#).await, "page-shape");
    assert_failed(&page(&[], PAGE.as_bytes()).await, "page-shape");
    assert_failed(
        &page(&[("content-type", "application/vnd.pyx.simple.v1+json")], PAGE.as_bytes()).await,
        "page-shape",
    );
    assert_failed(&page(&[("content-type", "text/html; charset=utf-16")], PAGE.as_bytes()).await, "page-shape");
}

#[tokio::test]
async fn statuses_that_no_page_has() {
    for status in [204, 206] {
        let pypi = StandIn::builder()
            .responder(move |_| Response::builder().status(status).header("content-type", JSON).body(full(PAGE)).ok());
        assert_failed(&World::with(pypi, RULES).await.get("/simple/six/").await, "upstream-status");
    }
    // A 304 that nobody asked for must not revive what the client has.
    let pypi = StandIn::builder().responder(|_| Response::builder().status(304).body(full("")).ok());
    assert_failed(&World::with(pypi, RULES).await.get("/simple/six/").await, "upstream-status");
}

#[tokio::test]
async fn errors_of_upstream_are_its_own() {
    for status in [404_u16, 429, 500, 503] {
        let pypi =
            StandIn::builder().responder(move |_| Response::builder().status(status).body(full("its words")).ok());
        let answer = World::with(pypi, RULES).await.get("/simple/six/").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, "its words"));
    }
}

#[tokio::test]
async fn an_upstream_that_breaks_off() {
    let pypi = StandIn::builder().responder(|_| {
        Response::builder().header("content-type", JSON).body(broken_after(&PAGE.as_bytes()[..20])).ok()
    });
    assert_failed(&World::with(pypi, RULES).await.get("/simple/six/").await, "upstream-broke-off");
    let wrong_length = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: 999\r\n\r\n{PAGE}");
    let world = World::with(StandIn::builder().raw(wrong_length), RULES).await;
    assert_failed(&world.get("/simple/six/").await, "upstream-broke-off");
    let world = World::with(StandIn::builder().raw("this is no HTTP\r\n\r\n"), RULES).await;
    assert_failed(&world.get("/simple/six/").await, "upstream-protocol");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_not_whole_for_the_client() {
    let pypi = StandIn::builder().responder(|_| Response::builder().body(broken_after("half")).ok());
    let world = World::with(pypi, RULES).await;
    let digest = "0".repeat(60);
    let target = format!("/packages/aa/bb/{digest}/six-1.0.tar.gz");
    for h2 in [false, true] {
        let mut ask = crate::world::Ask::get("files.pythonhosted.org", target.clone());
        ask.h2 = h2;
        assert!(world.ask(ask).await.body.is_err());
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_whom_it_says() {
    let world = World::with(StandIn::builder().expired(), RULES).await;
    assert_failed(&world.get("/simple/six/").await, "upstream-unverified");
    let world = World::with(StandIn::builder().hosts(["pypi.org"]), RULES).await;
    assert_eq!(world.get("/simple/nothing/").await.status, 404, "its certificate is good for this host");
}

#[tokio::test]
async fn our_own_authority_counts_for_nothing_upstream() {
    // Another namewall's proxy would be believed by whoever trusts its authority; we are not among them.
    let world = World::new().await;
    let own = std::fs::read_to_string(world.proxy.ca()).unwrap();
    assert!(own.contains("BEGIN CERTIFICATE"));
    let bundle = std::fs::read_to_string(world.proxy.bundle()).unwrap();
    let body = own.lines().nth(1).unwrap();
    assert!(bundle.contains(body), "clients' bundle holds it");
}

#[tokio::test]
async fn nobody_is_there() {
    let config = "connect-to = { \"pypi.org:443\" = \"127.0.0.1:1\" }\n";
    let config = format!("{config}{RULES}");
    let world = World::with(StandIn::builder().hosts(["files.pythonhosted.org"]), &config).await;
    assert_failed(&world.get("/simple/six/").await, "upstream-unreachable");
}

#[tokio::test]
async fn a_slow_upstream_is_waited_for() {
    let pypi = crate::world::pypi().latency(Duration::from_millis(300));
    assert_eq!(World::with(pypi, RULES).await.get("/simple/innocent/").await.status, 200);
}

#[tokio::test]
async fn a_redirect_that_cannot_be_read_is_not_passed_on() {
    let pypi = StandIn::builder().responder(|_| {
        let location = http::HeaderValue::from_bytes(b"/simple/acme/?x=\xe9").unwrap();
        Response::builder().status(301).header("location", location).body(full("")).ok()
    });
    assert_failed(&World::with(pypi, RULES).await.get("/simple/six/").await, "bad-redirect");
}

/// However the end of a body is announced, and on whatever surface: what breaks off is an error for the client too.
#[tokio::test]
async fn what_breaks_off_is_complete_on_no_surface() {
    let targets = || {
        let digest = "0".repeat(60);
        [
            ("pypi.org", "/help/".to_owned()),
            ("pypi.org", "/integrity/six/1.0/six-1.0.tar.gz/provenance".to_owned()),
            ("pypi.org", "/simple/".to_owned()),
            ("pypi.org", "/simple/six/".to_owned()),
            ("pypi.org", "/pypi/six/json".to_owned()),
            ("pypi.org", "/rss/updates.xml".to_owned()),
            ("pypi.org", "/stats/".to_owned()),
            ("files.pythonhosted.org", format!("/packages/aa/bb/{digest}/six-1.0.tar.gz")),
            ("files.pythonhosted.org", format!("/packages/aa/bb/{digest}/six-1.0-py3-none-any.whl.metadata")),
        ]
    };
    // Cut off by the server library; short of its length; in the middle of a chunk; and, where nothing announces the
    // end, without the alert that ends TLS in good order (which `raw` sends: so there the length must be told).
    let short = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: 999\r\n\r\nhalf");
    let chunked = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf");
    let unended = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    let worlds = [
        World::with(StandIn::builder().responder(|_| Response::builder().body(broken_after("half")).ok()), RULES).await,
        World::with(StandIn::builder().raw(short), RULES).await,
        World::with(StandIn::builder().raw(chunked), RULES).await,
        World::with(StandIn::builder().raw(unended), RULES).await,
    ];
    for (number, world) in worlds.iter().enumerate() {
        for (host, target) in targets() {
            for h2 in [false, true] {
                let mut ask = crate::world::Ask::get(host, target.clone());
                ask.h2 = h2;
                let answer = world.ask(ask).await;
                assert!(answer.status == 502 || answer.body.is_err(), "{number} {target} h2={h2}: {answer:?}");
            }
        }
    }
}
