//! Uploads to the public index: what is protected is refused before a byte leaves, all else arrives as it was sent.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, Version};
use namewall::demo::StandIn;
use namewall::demo::standin::body::full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Answer, Ask, RULES, World};

const UPLOAD: &str = "upload.pypi.org";
const BOUNDARY: &str = "5f6a7b8c9d0e4f5a8b9c0d1e2f3a4b5c";
const SECRET: &str = "Basic X190b2tlbl9fOnB5cGktc2VjcmV0";

fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str, filename: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[&[u8]]) -> Vec<u8> {
    [&parts.concat()[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
}

/// As twine orders its fields: the name first, the file last.
fn twine(project: &str, filename: &str, content: &[u8]) -> Vec<u8> {
    form(&[
        field("name", project).as_bytes(),
        field("metadata_version", "2.1").as_bytes(),
        field("version", "1.0").as_bytes(),
        field("classifiers", "Programming Language :: Python :: 3").as_bytes(),
        field("requires_dist", "acme-core>=1").as_bytes(),
        field(":action", "file_upload").as_bytes(),
        field("protocol_version", "1").as_bytes(),
        &file("content", filename, content),
    ])
}

fn post(host: &'static str, body: impl Into<Bytes>) -> Ask {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let ask = Ask::get(host, "/legacy/").method(Method::POST).header("content-type", content_type);
    ask.header("authorization", SECRET).body(body)
}

fn assert_refused(world: &World, answer: &Answer, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (403, "refused"), "{what}: {answer:?}");
    assert_eq!(world.standin.log().len(), 0, "{what}: nothing leaves");
}

#[tokio::test]
async fn an_ordinary_upload_arrives_as_it_was_sent() {
    let world = World::new().await;
    for (number, length) in [10, 300_000, 2_000_000, 20_000_000].into_iter().enumerate() {
        let content: Vec<u8> = (0..length).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let body = twine("paint", "paint-1.0-py3-none-any.whl", &content);
        for (host, h2) in [(UPLOAD, false), ("test.pypi.org", false), (UPLOAD, true)] {
            let mut ask = post(host, body.clone());
            ask.h2 = h2;
            let answer = world.ask(ask).await;
            assert_eq!(answer.status, 200, "{length} {host}: {answer:?}");
            let upload = world.standin.uploads().pop().unwrap();
            assert!(upload.body == body, "{length} bytes to {host}, h2={h2}");
            assert_eq!(upload.asked.header("authorization"), Some(SECRET));
            assert_eq!(upload.length, body.len() as u64);
        }
        assert_eq!(world.standin.uploads().len(), (number + 1) * 3);
    }
}

#[tokio::test]
async fn a_protected_name_is_refused_wherever_it_stands() {
    let wheel = |name: &str| file("content", name, b"PK");
    let paint = wheel("paint-1.0-py3-none-any.whl");
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("as twine sends it", twine("acme-core", "acme_core-1.0-py3-none-any.whl", b"PK")),
        ("in another spelling", twine("Acme.Core", "x-1.0-py3-none-any.whl", b"PK")),
        ("in the file's name alone", twine("paint", "ACME_Core-1.0-py3-none-any.whl", b"PK")),
        ("in a second name", form(&[field("name", "paint").as_bytes(), field("name", "acme-core").as_bytes(), &paint])),
        ("behind the file", form(&[&paint, field("name", "acme-core").as_bytes()])),
        (
            "in a second name, behind the file",
            form(&[field("name", "paint").as_bytes(), &paint, field("name", "acme-core").as_bytes()]),
        ),
        ("in a second file", form(&[field("name", "paint").as_bytes(), &paint, &wheel("acme_core-1.0.tar.gz")])),
        (
            "in the signature",
            form(&[
                field("name", "paint").as_bytes(),
                &paint,
                &file("gpg_signature", "acme_core-1.0.tar.gz.asc", b"x"),
            ]),
        ),
        ("percent-encoded", twine("paint", "%61cme_core-1.0-py3-none-any.whl", b"PK")),
        (
            "in a field of another kind",
            form(&[field("name", "paint").as_bytes(), &paint, &file("other", "acme_core-1.0.zip", b"x")]),
        ),
    ];
    let world = World::new().await;
    for (what, body) in rows {
        for host in [UPLOAD, "test.pypi.org", "pypi.org", "upload.pypi.io"] {
            let answer = world.ask(post(host, body.clone())).await;
            assert_refused(&world, &answer, what);
            assert_eq!(answer.header("namewall-rule"), "acme", "{what}");
            let phrase = answer.reason.unwrap();
            assert!(
                phrase.starts_with("Forbidden: acme") && phrase.ends_with("by namewall rule acme"),
                "{what}: {phrase}"
            );
        }
    }
    let tally = world.proxy.tally();
    assert!(tally.entries.keys().all(|key| key.surface.as_str() == "upload"), "{tally:?}");
    assert!(!format!("{tally:?}").contains("secret"));
}

#[tokio::test]
async fn what_is_classified_as_private_is_not_published() {
    let world = World::with(crate::world::pypi(), "").await;
    let body = form(&[
        field("name", "paint").as_bytes(),
        field("classifiers", "Private :: Do Not Upload").as_bytes(),
        &file("content", "paint-1.0.tar.gz", b"x"),
    ]);
    let answer = world.ask(post(UPLOAD, body)).await;
    assert_refused(&world, &answer, "even without a rule");
    assert!(answer.json()["detail"].as_str().unwrap().contains("Private ::"), "{answer:?}");
}

#[tokio::test]
async fn an_upload_that_reads_in_two_ways_is_refused() {
    let good = twine("paint", "paint-1.0.tar.gz", b"x");
    let world = World::new().await;
    let answers = [
        ("cut off", world.ask(post(UPLOAD, good[..good.len() - 10].to_vec())).await),
        ("nameless", world.ask(post(UPLOAD, form(&[&file("content", "paint-1.0.tar.gz", b"x")]))).await),
        (
            "with line feeds alone",
            world.ask(post(UPLOAD, String::from_utf8(good.clone()).unwrap().replace("\r\n", "\n"))).await,
        ),
        ("behind a preamble", world.ask(post(UPLOAD, [b"name=acme-core\r\n", &good[..]].concat())).await),
        ("before an epilogue", world.ask(post(UPLOAD, [&good[..], b"--x"].concat())).await),
        ("as a form of another kind", {
            let ask = Ask::get(UPLOAD, "/legacy/").method(Method::POST);
            world.ask(ask.header("content-type", "application/x-www-form-urlencoded").body("name=acme-core")).await
        }),
        ("without a type", world.ask(Ask::get(UPLOAD, "/legacy/").method(Method::POST).body(good.clone())).await),
        ("with two types", world.ask(post(UPLOAD, good.clone()).header("content-type", "text/plain")).await),
        ("in a coding", world.ask(post(UPLOAD, good.clone()).header("content-encoding", "gzip")).await),
        ("by another method", {
            let mut ask = post(UPLOAD, form(&[&file("content", "paint-1.0.tar.gz", b"x")]));
            ask.method = Method::from_bytes(b"post").unwrap();
            world.ask(ask).await
        }),
    ];
    for (what, answer) in answers {
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert!(answer.json()["type"].as_str().unwrap().starts_with("urn:namewall:upload-"), "{what}: {answer:?}");
    }
    assert_eq!(world.standin.log().len(), 0);
}

#[tokio::test]
async fn a_form_anywhere_on_the_upload_host_is_an_upload() {
    let world = World::new().await;
    for target in ["/legacy", "/legacy/", "/tomorrow/", "/%6cegacy/", "/legacy/?:action=file_upload"] {
        let mut ask = post(UPLOAD, twine("acme-core", "acme_core-1.0.tar.gz", b"x"));
        ask.target = target.to_owned();
        assert_refused(&world, &world.ask(ask).await, target);
    }
    // What may go has a connection to itself, as files have: it takes long.
    let mut ask = post(UPLOAD, twine("six", "six-1.0.tar.gz", b"x"));
    ask.target = "/tomorrow/".to_owned();
    world.ask(ask).await;
    let asked = world.standin.log();
    assert_eq!(
        asked.iter().map(|asked| (&*asked.target, asked.version)).collect::<Vec<_>>(),
        [("/tomorrow/", Version::HTTP_11)]
    );
}

/// A name that comes after many megabytes: they have left by then, but the index never reads the end.
#[tokio::test]
async fn a_long_upload_is_broken_off_when_a_name_comes_late() {
    let world = World::new().await;
    let content = vec![7; 30_000_000];
    let body = form(&[
        field("name", "paint").as_bytes(),
        &file("content", "paint-1.0.tar.gz", &content),
        field("name", "acme-core").as_bytes(),
    ]);
    for h2 in [false, true] {
        let mut ask = post(UPLOAD, body.clone());
        ask.h2 = h2;
        let answer = world.ask(ask).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-rule")), (403, "acme"), "{answer:?}");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.standin.uploads().is_empty(), "no upload arrived whole");
    assert!(world.leaked().is_empty());
}

/// A file before its name: nothing is sent before the name is known, however long the file is.
#[tokio::test]
async fn a_file_before_its_name_waits_for_it() {
    let world = World::new().await;
    let content = vec![7; 30_000_000];
    let late = |name: &str| form(&[&file("content", "paint-1.0.tar.gz", &content), field("name", name).as_bytes()]);
    assert_refused(&world, &world.ask(post(UPLOAD, late("acme-core"))).await, "the name comes last");
    let body = late("paint");
    assert_eq!(world.ask(post(UPLOAD, body.clone())).await.status, 200);
    assert!(world.standin.uploads().pop().unwrap().body == body);
}

#[tokio::test]
async fn an_index_that_answers_early_is_heard() {
    let pypi = StandIn::builder().responder(|asked| {
        (asked.method == Method::POST)
            .then(|| Response::builder().status(403).body(full("Invalid credentials")).unwrap())
    });
    let world = World::with(pypi, RULES).await;
    let body = twine("paint", "paint-1.0.tar.gz", &[7; 100_000]);
    let answer = world.ask(post(UPLOAD, body)).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (403, "Invalid credentials"), "{answer:?}");
    assert_eq!(answer.header("namewall-decision"), "", "that was not us");
}

/// A client that breaks off, or waits to be told to go on.
#[tokio::test]
async fn clients_that_stop_in_the_middle() {
    let world = World::new().await;
    let tcp = world.connect("upload.pypi.org:443").await.unwrap();
    let mut tls = world.tls(tcp, UPLOAD, false).await.unwrap();
    let body = twine("paint", "paint-1.0.tar.gz", b"x");
    let head = |expect: &str| {
        format!(
            "POST /legacy/ HTTP/1.1\r\nHost: {UPLOAD}\r\n{expect}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
    };
    tls.write_all(head("").as_bytes()).await.unwrap();
    tls.write_all(&body[..100]).await.unwrap();
    tls.shutdown().await.unwrap();
    drop(tls);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.standin.log().len(), 0);
    // As curl does with larger bodies.
    let tcp = world.connect("upload.pypi.org:443").await.unwrap();
    let mut tls = world.tls(tcp, UPLOAD, false).await.unwrap();
    tls.write_all(head("Expect: 100-continue\r\n").as_bytes()).await.unwrap();
    let mut told = [0; 25];
    tls.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    tls.write_all(&body).await.unwrap();
    let mut answer = [0; 15];
    tls.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert_eq!(world.standin.uploads().len(), 1);
}

/// A client that listens only when it has said all is told why, however long that takes.
#[tokio::test]
async fn a_long_upload_that_is_refused_is_heard_out() {
    let world = World::new().await;
    let body = twine("acme-core", "acme_core-1.0.tar.gz", &vec![7; 60_000_000]);
    let tcp = world.connect("upload.pypi.org:443").await.unwrap();
    let mut tls = world.tls(tcp, UPLOAD, false).await.unwrap();
    let head = format!(
        "POST /legacy/ HTTP/1.1\r\nHost: {UPLOAD}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    tls.write_all(head.as_bytes()).await.unwrap();
    tls.write_all(&body).await.unwrap();
    let mut answer = [0; 61];
    tls.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403 Forbidden: acme-core is protected by namewall ru");
    assert_eq!(world.standin.log().len(), 0);
}
