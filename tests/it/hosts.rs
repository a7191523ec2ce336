//! CONNECT, SNI and Host: either of the first two is enough to look inside, and all must agree.

use http::StatusCode;

use crate::world::{Ask, JSON, World, exchange};

#[tokio::test]
async fn an_address_with_our_name_in_tls_is_looked_into() {
    let world = World::new().await;
    // The address is that of some server; what counts is which name is asked for.
    let mut ask = Ask::get("pypi.org", "/simple/acme-core/").header("accept", JSON);
    ask.connect = Some(world.standin.address().to_string());
    let answer = world.ask(ask).await;
    assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (404, "hidden"));
    assert_eq!(world.leaked().len(), 0);
}

#[tokio::test]
async fn another_spelling_of_the_host_is_the_host() {
    let world = World::new().await;
    for connect in ["PyPI.org:443", "pypi.org.:443"] {
        let mut ask = Ask::get("pypi.org", "/simple/acme-core/");
        ask.connect = Some(connect.to_owned());
        assert_eq!(world.ask(ask).await.status, 404, "{connect}");
    }
}

#[tokio::test]
async fn hosts_that_disagree_are_misdirected() {
    let world = World::new().await;
    for host in ["files.pythonhosted.org", "example.com", "pypi.org:8443", "user@pypi.org", ""] {
        let ask = Ask::get("pypi.org", "/simple/innocent/").header("host", host);
        assert_eq!(world.ask(ask).await.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let two = Ask::get("pypi.org", "/simple/innocent/").header("host", "pypi.org").header("host", "pypi.org");
    assert_eq!(world.ask(two).await.status, StatusCode::MISDIRECTED_REQUEST);
    let absolute = Ask::get("pypi.org", "https://example.com/simple/innocent/");
    assert_eq!(world.ask(absolute).await.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(world.standin.log().len(), 0);
    let absolute = Ask::get("pypi.org", "https://pypi.org/simple/acme-core/");
    assert_eq!(world.ask(absolute).await.status, 404);
}

#[tokio::test]
async fn plain_http_in_absolute_form_is_judged_alike() {
    let world = World::new().await;
    let answer = world.raw(b"GET http://pypi.org/simple/acme-core/ HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("namewall-rule: acme"), "{answer}");
    let answer =
        world.raw(b"GET http://pypi.org/simple/mixed/ HTTP/1.1\r\nhost: pypi.org\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("acme_core"), "{answer}");
    assert_eq!(world.leaked().len(), 0);
}

#[tokio::test]
async fn sub_domains_are_ours_too() {
    let world = World::new().await;
    let answer = world.ask(Ask::get("cdn.files.pythonhosted.org", "/acme-1.0-py3-none-any.whl")).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn one_connection_many_verdicts() {
    let world = World::new().await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let tls = world.tls(tcp, "pypi.org", false).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    for (target, status) in [("/simple/innocent/", 200), ("/simple/acme-core/", 404), ("/simple/mixed/", 200)] {
        let request = http::Request::get(target).header("host", "pypi.org").header("accept", JSON);
        let request = request.body(http_body_util::Full::<bytes::Bytes>::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{target}");
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_but_tls_is_spoken_with_our_hosts() {
    let world = World::new().await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let ask = Ask::get("pypi.org", "/simple/acme-core/");
    let outcome = tokio::spawn(async move { exchange(tcp, &ask).await }).await;
    assert!(outcome.is_err(), "closed without an answer");
    assert_eq!(world.standin.log().len(), 0);
}

#[tokio::test]
async fn the_upload_host_is_judged_like_the_others() {
    let world = World::new().await;
    let post = |target: &str| Ask::get("upload.pypi.org", target).method(http::Method::POST);
    assert_eq!(world.ask(post("/pypi/acme/json")).await.status, 404);
    assert!(world.ask(post("/pypi")).await.text().contains("<fault>"));
    assert_eq!(world.standin.log().len(), 0);
}

#[tokio::test]
async fn a_name_below_our_hosts_is_judged_before_it_is_looked_up() {
    let world = World::new().await;
    for host in ["acme-core.pypi.org", "x.acme-core.pypi.org", "acme-core.files.pythonhosted.org"] {
        let answer = world.ask(Ask::get(host, "/help/")).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-rule")), (404, "acme"), "{host}");
    }
    assert!(world.standin.log().is_empty() && world.leaked().is_empty());
}
