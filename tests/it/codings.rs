//! Content codings: what upstream may send, what the client is given, and what is neither.

use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body::full;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::faults::assert_failed;
use crate::world::{Answer, Ask, HTML, JSON, RULES, World};

/// Two files; one of them goes.
const MIXED: &str = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[{"filename":"six-1.0.tar.gz","url":"https://files.pythonhosted.org/six-1.0.tar.gz","hashes":{}},{"filename":"acme-9.0.tar.gz","url":"https://files.pythonhosted.org/acme-9.0.tar.gz","hashes":{}}],"versions":["1.0","9.0"]}"#;
const CLEAN: &str = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[{"filename":"six-1.0.tar.gz","url":"https://files.pythonhosted.org/six-1.0.tar.gz","hashes":{}}],"versions":["1.0"]}"#;

async fn read(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).await.unwrap();
    all
}

async fn coded(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => read(GzipEncoder::new(plain)).await,
        "deflate" => read(ZlibEncoder::new(plain)).await,
        "deflate (bare)" => read(DeflateEncoder::new(plain)).await,
        "br" => read(BrotliEncoder::new(plain)).await,
        "zstd" => read(ZstdEncoder::new(plain)).await,
        _ => plain.to_vec(),
    }
}

/// A PyPI whose every page is `body`, said to be in `coding`, with an entity tag.
async fn world(coding: &'static str, body: Vec<u8>) -> World {
    let named = coding.split(' ').next().unwrap();
    let pypi = StandIn::builder().responder(move |_| {
        let response = Response::builder().header("content-type", JSON).header("etag", "\"t\"");
        response.header("content-encoding", named).body(full(body.clone())).ok()
    });
    World::with(pypi, RULES).await
}

async fn page(world: &World, accept_encoding: &'static str) -> Answer {
    let ask = Ask::get("pypi.org", "/simple/six/").header("accept", JSON);
    world.ask(ask.header("accept-encoding", accept_encoding)).await
}

const CODINGS: [&str; 6] = ["identity", "gzip", "deflate", "deflate (bare)", "br", "zstd"];

#[tokio::test]
async fn a_page_is_filtered_in_whatever_coding_it_comes() {
    for coding in CODINGS {
        let world = world(coding, coded(coding, MIXED.as_bytes()).await).await;
        let answer = page(&world, "gzip, deflate, br, zstd").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, ""), "{coding}");
        assert!(answer.text().contains("six-1.0.tar.gz") && !answer.text().contains("acme"), "{coding}: {answer:?}");
        assert_eq!(answer.header("content-length"), answer.bytes().len().to_string());
        // The list of projects goes the other way through the house.
        let root =
            self::world(coding, coded(coding, br#"{"meta":{},"projects":[{"name":"acme"},{"name":"six"}]}"#).await)
                .await;
        let root = root.get("/simple/").await.text();
        assert!(root.contains("six") && !root.contains("acme"), "{coding}: {root}");
    }
}

#[tokio::test]
async fn a_page_from_which_nothing_goes_stays_as_it_was_packed() {
    let packed = coded("gzip", CLEAN.as_bytes()).await;
    let world = world("gzip", packed.clone()).await;
    for h2 in [false, true] {
        let mut ask = Ask::get("pypi.org", "/simple/six/").header("accept", JSON).header("accept-encoding", "gzip, br");
        ask.h2 = h2;
        let answer = world.ask(ask.clone()).await;
        assert_eq!((answer.header("content-encoding"), answer.bytes()), ("gzip", &packed.clone().into()));
        assert!(answer.header("etag").starts_with("\"nw-"), "strong: {}", answer.header("etag"));
        assert_eq!(answer.header("content-length"), packed.len().to_string());
        let head = world.ask(ask.method(http::Method::HEAD)).await;
        for name in ["content-length", "content-encoding", "content-type", "etag", "vary", "cache-control"] {
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }
    // Who takes no gzip gets none, also from an upstream that sends it unasked; its tag is weak then.
    let answer = page(&world, "identity").await;
    assert_eq!((answer.header("content-encoding"), answer.text().as_str()), ("", CLEAN));
    assert!(answer.header("etag").starts_with("W/\"nw-"), "{}", answer.header("etag"));
    // HTML is written here.
    let html = world.ask(Ask::get("pypi.org", "/simple/six/").header("accept", HTML).header("accept-encoding", "gzip"));
    assert_eq!(html.await.header("content-encoding"), "");
}

#[tokio::test]
async fn upstream_is_asked_for_what_the_client_takes() {
    let world = World::with(crate::world::pypi(), &format!("[cache]\nsize = 0\n{RULES}")).await;
    for (accept_encoding, asked_for) in [
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("identity", "identity"),
        ("gzip;q=0", "identity"),
        ("*", "gzip"),
        ("br", "identity"),
    ] {
        let ask = Ask::get("pypi.org", "/simple/innocent/").header("accept", JSON);
        let answer = world.ask(ask.header("accept-encoding", accept_encoding)).await;
        let asked = world.standin.log().pop().unwrap();
        assert_eq!(asked.header("accept-encoding"), Some(asked_for), "{accept_encoding}");
        let packed = if asked_for == "gzip" { "gzip" } else { "" };
        assert_eq!(answer.header("content-encoding"), packed, "{accept_encoding}");
    }
}

#[tokio::test]
async fn codings_that_are_not_understood() {
    for coding in ["gzip,gzip", "br,gzip", "x-unknown", "compress", "gzip;q=1"] {
        assert_failed(&page(&world(coding, CLEAN.into()).await, "gzip").await, "unknown-coding");
    }
}

#[tokio::test]
async fn coded_bodies_that_are_cut_off_or_garbled() {
    for coding in ["gzip", "deflate", "deflate (bare)", "br", "zstd"] {
        let whole = coded(coding, MIXED.as_bytes()).await;
        for length in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
            let cut = page(&world(coding, whole[..length].to_vec()).await, "gzip").await;
            // Whether what is missing is the end, or whether that is nonsense, is for the decoder to say.
            let reason = cut.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
            assert!(cut.status == 502 && ["upstream-broke-off", "bad-coding"].contains(&&*reason), "{coding}: {cut:?}");
        }
        let answer = page(&world(coding, [&whole[..], b"\xff\xff\xff\xff"].concat()).await, "gzip").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("namewall-decision")),
            (502, "failed"),
            "{coding}: {answer:?}"
        );
        let lie = page(&world(coding, CLEAN.into()).await, "gzip").await;
        assert_eq!((lie.status.as_u16(), lie.header("namewall-decision")), (502, "failed"), "{coding}: {lie:?}");
    }
}

#[tokio::test]
async fn bombs_do_not_go_off() {
    // A valid page of 60 MB that is nothing but spaces, packed a thousandfold; and one that is too long for any page.
    for (coding, length, reason) in [
        ("gzip", 60 << 20, "decompression-bomb"),
        ("zstd", 60 << 20, "decompression-bomb"),
        ("br", 60 << 20, "decompression-bomb"),
        ("deflate", 60 << 20, "decompression-bomb"),
        ("identity", 65 << 20, "page-limit"),
    ] {
        let mut page_of_spaces = CLEAN.replacen('{', "{ ", 1).into_bytes();
        page_of_spaces.splice(1..1, std::iter::repeat_n(b' ', length));
        let world = world(coding, coded(coding, &page_of_spaces).await).await;
        assert_failed(&page(&world, "gzip").await, reason);
        assert_failed(&world.get("/pypi/six/json").await, reason);
        // The list of projects holds no more than a unit of it at once.
        let root = world.get("/simple/").await;
        assert!(root.status == 502, "{root:?}");
    }
}

#[tokio::test]
async fn an_error_page_comes_in_no_coding_that_nobody_asked_for() {
    let gzipped = {
        use async_compression::tokio::write::GzipEncoder;
        use tokio::io::AsyncWriteExt;
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(b"its words").await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    };
    let pypi = StandIn::builder().responder(move |_| {
        let response = Response::builder().status(404).header("content-encoding", "gzip");
        response.body(full(gzipped.clone())).ok()
    });
    let answer = World::with(pypi, RULES).await.get("/simple/six/").await;
    assert_eq!((answer.text().as_str(), answer.header("content-encoding")), ("its words", ""));
}
