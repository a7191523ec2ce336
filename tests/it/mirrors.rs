//! Hosts that have nothing but HTML, below paths of their own: what a client is shown was understood, and written anew.

use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body::full;

use crate::world::{Answer, Ask, HTML, JSON, RULES, World};

const MIRROR: &str = "mirror.corp.example";

/// A mirror whose every page is `body`.
async fn world(content_type: &'static str, body: &'static str) -> World {
    let config = format!("[[intercept]]\nhost = \"{MIRROR}\"\nkind = \"mirror\"\n{RULES}");
    let pypi = StandIn::builder().hosts([MIRROR]).responder(move |_| {
        Response::builder().header("content-type", content_type).header("etag", "\"t\"").body(full(body)).ok()
    });
    World::with(pypi, &config).await
}

async fn get(world: &World, target: &str, accept: &str) -> Answer {
    world.ask(Ask::get(MIRROR, target).header("accept", accept)).await
}

const PAGE: &str = r##"<!DOCTYPE html><html><head><title>Links</title><meta name="pypi:repository-version" content="1.0"></head><body>
<a href="../../packages/aa/six-1.0.tar.gz#sha256=00" data-requires-python="&gt;=3.8" onclick="evil()" class=x>six-1.0.tar.gz</a><br>
<a href="../../packages/bb/six-2.0-py3-none-any.whl#sha256=11" data-yanked="it's &lt;broken&gt;" data-core-metadata=true>six-2.0-py3-none-any.whl</a>
<a href="../../packages/&#97;cme_core-99.0.tar.gz">six-3.0.tar.gz</a>
<a href="javascript:alert(1)">x</a><!-- <a href="acme-1.0.zip"> -->
<script>document.write('<a href="acme-1.0.zip">')</script>
</body></html>"##;

#[tokio::test]
async fn a_page_in_html_is_written_anew() {
    let world = world("text/html; charset=utf-8", PAGE).await;
    for prefix in ["", "/pypi", "/pypi/web", "/repository/pypi", "/artifactory/api/pypi/remote"] {
        for accept in [JSON, HTML, "text/html"] {
            let answer = get(&world, &format!("{prefix}/simple/six/"), accept).await;
            assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "filtered"), "{prefix}");
            let page = answer.text();
            for part in [
                "href=\"../../packages/aa/six-1.0.tar.gz#sha256=00\" data-requires-python=\"&gt;=3.8\">",
                "data-yanked=\"it&#39;s &lt;broken&gt;\"",
                "data-core-metadata=\"true\"",
            ] {
                assert!(page.contains(part), "{part} in {page}");
            }
            for part in ["acme", "onclick", "class=", "javascript", "script", "<!-- "] {
                assert!(!page.contains(part), "{part} in {page}");
            }
        }
    }
    // devpi's and bandersnatch's ways of writing it.
    for target in ["/root/pypi/+simple/six/", "/simple/six/index.html", "/simple/six"] {
        assert!(!get(&world, target, HTML).await.text().contains("acme"), "{target}");
    }
    let html = get(&world, "/simple/six/", HTML).await;
    assert!(html.header("etag").starts_with("\"nw-"), "{}", html.header("etag"));
}

#[tokio::test]
async fn a_base_is_resolved_and_not_written_again() {
    const WITH_BASE: &str = "<base href=\"https://cdn.corp.example/files/\"><a href=\"six-1.0.tar.gz\">six-1.0.tar.gz</a><a href='/x/acme-1.0.zip'>x</a>";
    let page = get(&world("text/html", WITH_BASE).await, "/simple/six/", HTML).await.text();
    assert!(page.contains("href=\"https://cdn.corp.example/files/six-1.0.tar.gz\""), "{page}");
    assert!(!page.contains("<base") && !page.contains("acme"), "{page}");
    const RELATIVE_BASE: &str = "<base href=\"/files/\"><a href=\"six-1.0.tar.gz\">six-1.0.tar.gz</a>";
    let page = get(&world("text/html", RELATIVE_BASE).await, "/pypi/simple/six/", HTML).await.text();
    assert!(page.contains("href=\"https://mirror.corp.example/files/six-1.0.tar.gz\""), "{page}");
}

#[tokio::test]
async fn a_root_list_in_html_loses_its_protected_projects() {
    const ROOT: &str = "<html><body><a href=\"acme-core/\">Acme_Core</a><a href=\"six/\">six</a><a href='../simple/ACME.x/'>y</a></body></html>";
    let world = world("text/html", ROOT).await;
    for target in ["/simple/", "/pypi/web/simple/", "/simple/index.html"] {
        let page = get(&world, target, "text/html").await.text();
        assert!(page.contains("href=\"six/\"") && !page.to_lowercase().contains("acme"), "{target}: {page}");
    }
}

#[tokio::test]
async fn what_bears_a_protected_name_is_not_asked_of_a_mirror() {
    let world = world("text/html", PAGE).await;
    for (target, status) in [
        ("/simple/acme-core/", 404),
        ("/pypi/web/simple/Acme_Core/", 404),
        ("/root/pypi/+simple/acme-core/", 404),
        ("/simple/acme-core/index.html", 404),
        ("/pypi/web/json/acme-core", 404),
        ("/pypi/acme-core/json", 404),
        ("/some/folder/acme-core/", 404),
        ("/pypi/web/packages/aa/bb/acme_core-99.0.tar.gz", 403),
        ("/files/acme_core-99.0-py3-none-any.whl?signature=x", 403),
        ("/files/acme_core-99.0-py3-none-any.whl.metadata", 403),
    ] {
        assert_eq!(get(&world, target, JSON).await.status.as_u16(), status, "{target}");
    }
    assert!(world.leaked().is_empty(), "{:?}", world.leaked());
    // A file that some client could take for a protected project's: no mirror says whose it is, so it stays away.
    let file = get(&world, "/packages/acme-1.0-1.tar.gz", JSON).await;
    assert_eq!(file.status, 403);
    assert_eq!(get(&world, "/packages/six-1.0.tar.gz?x=y", JSON).await.status, 200);
    assert_eq!(world.standin.log().last().unwrap().target, "/packages/six-1.0.tar.gz?x=y", "signatures stay");
}

#[tokio::test]
async fn a_mirror_with_json_is_read_as_pypi_is() {
    const PAGE: &str = r#"{"meta":{"api-version":"1.0"},"name":"six","files":[{"filename":"six-1.0.tar.gz","url":"../../p/six-1.0.tar.gz","hashes":{}},{"filename":"six-2.0.tar.gz","url":"../../p/acme-2.0.tar.gz","hashes":{}}]}"#;
    let world = world(JSON, PAGE).await;
    let page = get(&world, "/pypi/web/simple/six/", JSON).await;
    assert_eq!(page.header("content-type"), JSON);
    assert!(page.text().contains("../../p/six-1.0.tar.gz") && !page.text().contains("six-2.0"), "{}", page.text());
}

#[tokio::test]
async fn folders_that_list_projects_list_none_that_is_protected() {
    const FOLDER: &str =
        "<html><body><h1>Index of /</h1><a href=\"acme-core/\">acme-core/</a> <a href=\"six/\">six/</a></body></html>";
    let world = world("text/html", FOLDER).await;
    for target in ["/", "/root/pypi/", "/root/pypi", "/packages/source/a/", "/pypi/web/"] {
        let answer = get(&world, target, "text/html").await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "filtered"), "{target}");
        assert!(!answer.text().contains("acme"), "{target}: {}", answer.text());
    }
    // What such a host has besides is nobody's business.
    let world = self::world("application/octet-stream", "any bytes").await;
    for target in ["/iso/", "/iso/debian-13.iso", "/README"] {
        let answer = get(&world, target, "*/*").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "any bytes"), "{target}");
    }
}
