//! Project pages and legacy JSON, as every kind of client asks for them.

use http::Method;

use crate::world::{Ask, HTML, JSON, World};

#[tokio::test]
async fn a_protected_page_is_not_there_and_nothing_asks_for_it() {
    let world = World::new().await;
    for target in [
        "/simple/acme-core/",
        "/simple/acme-core",
        "/simple/ACME_Core/",
        "/simple/%61cme-core/",
        "/%73imple/acme-core/",
        "/simple%2Facme-core%2F",
        "/simple/acme-core/?format=application/vnd.pypi.simple.v1+json",
        "/pypi/acme-core/json",
        "/pypi/Acme.Core/99.0/json",
        "/project/acme-core/",
        "/rss/project/acme/releases.xml",
        "/integrity/acme/1.0/acme-1.0.tar.gz/provenance",
        "/a/route/of/tomorrow/acme-core",
        "/search/?q=acme-core",
    ] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST] {
            for h2 in [false, true] {
                let mut ask = Ask::get("pypi.org", target).method(method.clone()).header("accept", JSON);
                ask.h2 = h2;
                let answer = world.ask(ask).await;
                assert_eq!(answer.status, 404, "{method} {target}");
                assert_eq!(answer.header("namewall-decision"), "hidden");
                assert_eq!(answer.header("namewall-rule"), "acme");
                assert_eq!(answer.header("cache-control"), "no-store");
                assert!(!answer.header("namewall-request-id").is_empty());
            }
        }
    }
    assert_eq!(world.leaked().len(), 0, "{:?}", world.leaked());
    assert_eq!(world.standin.handshakes(), [], "not even a connection");
}

#[tokio::test]
async fn the_bodies_of_404_have_the_shape_that_pypi_uses() {
    let world = World::new().await;
    assert_eq!(world.get("/simple/acme/").await.text(), "404 Not Found");
    assert_eq!(world.get("/pypi/acme/json").await.json()["message"], "Not Found");
    let browser =
        Ask::get("pypi.org", "/project/acme/").header("accept", "text/html").header("user-agent", "Mozilla/5.0");
    let page = world.ask(browser).await.text();
    assert!(page.contains("rule <b>acme</b>") && page.contains("https://pypi.acme.example/simple/"), "{page}");
}

#[tokio::test]
async fn control_characters_are_refused() {
    let world = World::new().await;
    for target in ["/simple/acme-core/%0A", "/pypi/acme/json%0A", "/simple/acme%00/"] {
        assert_eq!(world.get(target).await.status, 400, "{target}");
    }
    assert_eq!(world.leaked().len(), 0);
}

#[tokio::test]
async fn names_that_only_look_alike_pass() {
    let world = World::new().await;
    for name in ["acmetool", "acme-sdk", "innocent"] {
        assert_eq!(world.get(&format!("/simple/{name}/")).await.status, 200, "{name}");
    }
    assert_eq!(world.get("/simple/no-such-project/").await.status, 404);
    assert_eq!(world.get("/simple/Innocent/").await.status, 301);
}

#[tokio::test]
async fn a_page_from_which_nothing_goes_keeps_its_bytes() {
    let world = World::new().await;
    let direct = direct_page(&world, "innocent").await;
    for h2 in [false, true] {
        let mut ask = Ask::get("pypi.org", "/simple/innocent/").header("accept", JSON);
        ask.h2 = h2;
        let answer = world.ask(ask).await;
        assert_eq!(answer.text(), direct);
        assert_eq!(answer.header("content-type"), JSON);
        assert_eq!(answer.header("content-length"), direct.len().to_string());
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("vary"), "Accept, Accept-Encoding");
        assert_eq!(answer.header("namewall-decision"), "");
        assert!(!answer.header("x-pypi-last-serial").is_empty());
    }
    let asked = &world.standin.log()[0];
    assert_eq!(asked.header("accept-encoding"), Some("identity"), "the client takes no gzip");
}

async fn direct_page(world: &World, name: &str) -> String {
    let catalog = world.standin.catalog();
    let url = |file: &namewall::demo::Artifact| format!("https://files.pythonhosted.org{}", file.path());
    namewall::demo::simple::detail(catalog.project(name).unwrap(), namewall::demo::simple::Form::Json, url)
}

#[tokio::test]
async fn an_entry_with_a_protected_name_goes_and_its_version_too() {
    let world = World::new().await;
    let answer = world.get("/simple/mixed/").await;
    let page = answer.json();
    let files: Vec<&str> = page["files"].as_array().unwrap().iter().map(|f| f["filename"].as_str().unwrap()).collect();
    assert_eq!(files, ["mixed-1.0-py3-none-any.whl"]);
    assert_eq!(page["versions"], serde_json::json!(["1.0"]));
    assert_eq!(answer.header("namewall-decision"), "filtered");
    let legacy = world.get("/pypi/mixed/json").await;
    assert!(!legacy.text().contains("acme_core"), "{}", legacy.text());
    assert_eq!(legacy.status, 200);
}

#[tokio::test]
async fn a_page_with_nothing_left_is_not_there() {
    let world = World::new().await;
    let answer = world.get("/simple/disguise/").await;
    assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (404, "hidden"));
}

#[tokio::test]
async fn html_for_whom_json_is_unknown() {
    let world = World::new().await;
    // pip 20.3.
    let ask = Ask::get("pypi.org", "/simple/mixed/").header("accept", "text/html");
    let answer = world.ask(ask.header("user-agent", "pip/20.3.4").header("cache-control", "max-age=0")).await;
    assert!(answer.header("content-type").starts_with("text/html"));
    let page = answer.text();
    assert!(page.contains(">mixed-1.0-py3-none-any.whl</a>"), "{page}");
    assert!(page.contains("#sha256=") && page.contains("data-core-metadata=\"sha256="), "{page}");
    assert!(!page.contains("acme"), "{page}");
    assert!(world.standin.log()[0].header("accept").unwrap().starts_with(JSON), "asked as JSON, rendered here");
    let html = world.ask(Ask::get("pypi.org", "/simple/mixed/").header("accept", HTML)).await;
    assert_eq!(html.header("content-type"), HTML);
    // A query beats the field, as at PyPI's edge.
    let target = "/simple/mixed/?format=application/vnd.pypi.simple.v1%2Bjson";
    assert_eq!(
        world.ask(Ask::get("pypi.org", target).header("accept", "text/html")).await.header("content-type"),
        JSON
    );
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let world = World::new().await;
    let get = world.get("/simple/mixed/").await;
    let head = world.ask(Ask::get("pypi.org", "/simple/mixed/").method(Method::HEAD).header("accept", JSON)).await;
    assert_eq!(head.bytes().len(), 0);
    for name in ["content-length", "content-type", "etag", "vary", "cache-control", "namewall-decision"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_page_answers_no_other_methods() {
    let world = World::new().await;
    let answer = world.ask(Ask::get("pypi.org", "/simple/innocent/").method(Method::OPTIONS)).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn xml_rpc_is_a_fault() {
    let world = World::new().await;
    let answer = world.ask(Ask::get("pypi.org", "/pypi").method(Method::POST).header("content-type", "text/xml")).await;
    assert!(answer.text().contains("<fault>"));
    assert_eq!(world.standin.log().len(), 0);
}

#[tokio::test]
async fn audit_rules_hide_nothing() {
    let rules = "[[protect]]\nid = \"watch\"\nnames = [\"acme-*\"]\nmode = \"audit\"\n";
    let world = World::with(crate::world::pypi(), rules).await;
    assert_eq!(world.get("/simple/acme-core/").await.status, 200);
    assert!(world.proxy.tally().entries.is_empty());
}

#[tokio::test]
async fn file_patterns_hold_on_every_page() {
    let rules = "[[protect]]\nid = \"sdists\"\nfiles = [\"*.tar.gz\"]\n";
    let world = World::with(crate::world::pypi(), rules).await;
    let page = world.get("/simple/innocent/").await.text();
    assert!(!page.contains(".tar.gz") && page.contains("innocent-2.0-py3-none-any.whl"), "{page}");
    assert!(page.contains(r#""versions":["1.0","2.0"]"#), "2.0 has a wheel still: {page}");
}

#[tokio::test]
async fn head_has_no_body_over_either_protocol() {
    let world = World::new().await;
    for target in ["/simple/acme-core/", "/simple/no-such-project/", "/simple/mixed/"] {
        for h2 in [false, true] {
            let mut ask = Ask::get("pypi.org", target).method(Method::HEAD).header("accept", JSON);
            ask.h2 = h2;
            let answer = world.ask(ask).await;
            assert_eq!(answer.body.as_ref().map(bytes::Bytes::len), Ok(0), "{target} h2={h2}: {answer:?}");
            assert_ne!(answer.header("content-length"), "", "{target} h2={h2}");
        }
    }
}

#[tokio::test]
async fn where_a_reader_came_from_is_nobodys_business() {
    let world = World::new().await;
    let ask = Ask::get("pypi.org", "/static/logo.svg").header("referer", "https://pypi.org/project/acme-core/");
    world.ask(ask).await;
    assert_eq!((world.standin.log().len(), world.leaked().len()), (1, 0));
}
