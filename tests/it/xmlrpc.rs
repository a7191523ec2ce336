//! XML-RPC: three calls of mirrors pass, filtered; everything else is a fault.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use namewall::demo::StandIn;
use namewall::demo::standin::body::{broken_after, full};

use crate::world::{Answer, Ask, RULES, World};

fn call(method: &str, params: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>{params}</params>\n</methodCall>\n"
    )
}

fn int(number: i64) -> String {
    format!("<param><value><int>{number}</int></value></param>")
}

fn answer_of(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>\n"
    )
}

fn all_projects() -> String {
    let member = |name: &str| format!("<member>\n<name>{name}</name>\n<value><int>7</int></value>\n</member>\n");
    let many: String = (0..5000).map(|n| member(&format!("project-{n}"))).collect();
    answer_of(&format!("<struct>\n{}{}{many}{}</struct>", member("Acme_Core"), member("six"), member("acme.x")))
}

fn changes() -> String {
    let change = |name: &str, action: &str| {
        format!(
            "<value><array><data>\n<value><string>{name}</string></value>\n<value><string>1.0</string></value>\n<value><int>1700000000</int></value>\n<value><string>{action}</string></value>\n<value><int>29000001</int></value>\n</data></array></value>\n"
        )
    };
    let all = change("six", "new release")
        + &change("acme-core", "create")
        + &change("other", "add py3 file acme_core-1.0-py3-none-any.whl")
        + &change("six", "add source file six-1.0.tar.gz");
    answer_of(&format!("<array><data>\n{all}</data></array>"))
}

/// A PyPI that answers a call by what the test says, and remembers nothing of its body: that is read by the stand-in's
/// own log of requests.
async fn world(body: String) -> World {
    let pypi = StandIn::builder().responder(move |asked| {
        (asked.method == Method::POST).then(|| {
            Response::builder().header("content-type", "text/xml; charset=utf-8").body(full(body.clone())).unwrap()
        })
    });
    World::with(pypi, RULES).await
}

async fn post(world: &World, target: &str, body: String) -> Answer {
    world.ask(Ask::get("pypi.org", target).method(Method::POST).header("content-type", "text/xml").body(body)).await
}

#[tokio::test]
async fn the_calls_of_mirrors_are_served_without_what_is_protected() {
    let world = world(all_projects()).await;
    for target in ["/pypi", "/pypi/", "/RPC2"] {
        let answer = post(&world, target, call("list_packages_with_serial", "")).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        assert!(text.contains("<name>six</name>") && text.contains("project-4999"), "{target}");
        assert!(!text.to_lowercase().contains("acme"), "{target}");
    }
    assert_eq!(world.proxy.tally().entries.values().sum::<u64>(), 6, "two entries, three times");
    let world = self::world(changes()).await;
    let text = post(&world, "/pypi", call("changelog_since_serial", &int(29_000_000))).await.text();
    assert!(text.contains("six-1.0.tar.gz") && !text.to_lowercase().contains("acme"), "{text}");
    let world = self::world(answer_of("<int>29000001</int>")).await;
    let text = post(&world, "/pypi", call("changelog_last_serial", "")).await.text();
    assert!(text.contains("<int>29000001</int>"), "{text}");
}

#[tokio::test]
async fn every_other_call_is_a_fault_and_asks_nobody() {
    let world = world(all_projects()).await;
    let name = "<param><value><string>acme-core</string></value></param>";
    for body in [
        call("package_roles", name),
        call("user_packages", name),
        call("search", name),
        call("browse", name),
        call("list_packages", ""),
        call("system.multicall", name),
        call("list_packages_with_serial", name),
        call("changelog_since_serial", name),
        "not XML".to_owned(),
        String::new(),
        "<!DOCTYPE x [<!ENTITY m 'list_packages_with_serial'>]><methodCall><methodName>&m;</methodName></methodCall>"
            .to_owned(),
        format!("<!--{}-->", "x".repeat(100_000)),
    ] {
        let answer = post(&world, "/pypi", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "refused"), "{body}");
        assert!(answer.text().contains("<fault>") && answer.text().contains("namewall"), "{}", answer.text());
    }
    let form =
        Ask::get("pypi.org", "/pypi").method(Method::POST).header("content-type", "application/x-www-form-urlencoded");
    let answer = world.ask(form.body(":action=display&name=acme-core")).await;
    assert!(answer.text().contains("<fault>"), "{answer:?}");
    assert_eq!(world.standin.log().len(), 0);
}

#[tokio::test]
async fn answers_that_cannot_be_trusted() {
    for body in [
        "",
        "<html></html>",
        "<methodResponse><params>",
        &answer_of("<struct><member><name>six</name></member></struct>"),
    ] {
        let world = world(body.to_owned()).await;
        let answer = post(&world, "/pypi", call("list_packages_with_serial", "")).await;
        assert!(answer.status == 502 || answer.body.is_err(), "{body}: {answer:?}");
    }
    // One that breaks off far behind its beginning is no complete answer, over either protocol.
    let long = all_projects();
    let pypi = StandIn::builder().responder(move |_| {
        let body = broken_after(long[..long.len() / 2].to_owned());
        Response::builder().header("content-type", "text/xml").body(body).ok()
    });
    let world = World::with(pypi, RULES).await;
    for h2 in [false, true] {
        let mut ask = Ask::get("pypi.org", "/pypi").method(Method::POST).header("content-type", "text/xml");
        ask.h2 = h2;
        let answer = world.ask(ask.body(call("list_packages_with_serial", ""))).await;
        assert!(answer.body.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn no_other_status_brings_a_list_along() {
    for (status, expected) in [(203, 502), (206, 502), (403, 403), (503, 503)] {
        let list = all_projects();
        let pypi = StandIn::builder().responder(move |_| {
            let response = Response::builder().status(status).header("content-type", "text/xml");
            let body = if status < 300 { list.clone() } else { "busy".to_owned() };
            response.body(full(body)).ok()
        });
        let world = World::with(pypi, RULES).await;
        let answer = post(&world, "/pypi", call("list_packages_with_serial", "")).await;
        assert_eq!(answer.status, expected, "{status}");
        assert!(!answer.text().contains("Acme_Core"), "{status}");
    }
}

#[tokio::test]
async fn a_fault_of_upstream_is_passed_on() {
    let fault = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32500</int></value></member><member><name>faultString</name><value><string>RuntimeError: rate limited</string></value></member></struct></value></fault></methodResponse>";
    let world = world(fault.to_owned()).await;
    let text = post(&world, "/pypi", call("changelog_last_serial", "")).await.text();
    assert!(text.contains("<fault>") && text.contains("rate limited"), "{text}");
}

#[tokio::test]
async fn answers_of_another_status_are_errors_or_none() {
    for (status, expected) in [(203, 502), (206, 502), (404, 404), (503, 503)] {
        let pypi = StandIn::builder().responder(move |_| {
            let response = Response::builder().status(status).header("content-type", "text/xml");
            response.body(full(if status < 300 { all_projects() } else { "busy".to_owned() })).ok()
        });
        let answer = post(&World::with(pypi, RULES).await, "/pypi", call("list_packages_with_serial", "")).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        assert!(!answer.text().to_lowercase().contains("acme"), "{status}: {answer:?}");
    }
}

/// Each answer blocks a thread until it is read. Clients that don't read must leave threads for DNS and for others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_hold_few_threads() {
    let member = |n: usize| format!("<member>\n<name>project-{n}</name>\n<value><int>{n}</int></value>\n</member>\n");
    let many: String = (0..30_000).map(member).collect();
    let world = world(answer_of(&format!("<struct>\n{many}</struct>"))).await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let tls = world.tls(tcp, "pypi.org", true).await.unwrap();
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) =
        client.initial_stream_window_size(16_384).handshake::<_, Full<Bytes>>(TokioIo::new(tls)).await.unwrap();
    let mut held = tokio::task::JoinSet::new();
    held.spawn(async move { drop(connection.await) });
    for _ in 0..60 {
        let mut sender = sender.clone();
        let request = Request::post("https://pypi.org/pypi").header("content-type", "text/xml");
        let request = request.body(Full::from(call("list_packages_with_serial", ""))).unwrap();
        held.spawn(async move {
            let _unread = sender.send_request(request).await;
            std::future::pending::<()>().await;
        });
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = world.standin.log().len();
    assert!((1..=32).contains(&asked), "{asked} answers at once");
}
