//! Distribution files and their siblings: by name, and by the owner that upstream names.

use http::Method;
use namewall::demo::{Artifact, Project, StandIn};

use crate::world::{Answer, Ask, RULES, World};

const FILES: &str = "files.pythonhosted.org";

fn path(world: &World, project: &str, file: &str) -> String {
    let url = world.standin.url_of(project, file).unwrap();
    url.strip_prefix("https://files.pythonhosted.org").unwrap().to_owned()
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 403, "{what}");
    assert_eq!(answer.header("namewall-decision"), "refused", "{what}");
}

#[tokio::test]
async fn a_protected_file_is_refused_in_every_way_of_asking() {
    let world = World::new().await;
    let wheel = path(&world, "acme-core", "acme_core-99.0-py3-none-any.whl");
    for target in [
        wheel.clone(),
        format!("{wheel}.metadata"),
        format!("{wheel}.asc"),
        wheel.replace("acme_core", "%61cme_core"),
        format!("{wheel}?x=y"),
        "/packages/py3/a/acme-core/acme_core-99.0-py3-none-any.whl".to_owned(),
        "/packages/aa/bb/acme_core-99.0-py3-none-any.whl".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let ask = Ask::get(FILES, target.clone()).method(method).header("range", "bytes=-100");
            assert_refused(&world.ask(ask.clone()).await, &target);
            assert_refused(&world.ask(ask.h2()).await, &target);
        }
    }
    assert_eq!(world.leaked().len(), 0, "{:?}", world.leaked());
}

#[tokio::test]
async fn a_refusal_speaks_to_pip_and_to_uv() {
    let world = World::new().await;
    let wheel = path(&world, "acme-core", "acme_core-99.0-py3-none-any.whl");
    let answer = world.ask(Ask::get(FILES, wheel)).await;
    assert_eq!(answer.reason.as_deref(), Some("Forbidden: acme-core is protected by namewall rule acme"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["title"], "acme-core is protected by namewall rule acme");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("Internal to Acme") && detail.contains("https://pypi.acme.example/simple/"), "{detail}");
    assert!(problem["type"].is_string());
}

#[tokio::test]
async fn an_ordinary_file_comes_whole_and_in_ranges() {
    let world = World::new().await;
    let target = path(&world, "innocent", "innocent-2.0.tar.gz");
    let whole = world.ask(Ask::get(FILES, target.clone())).await;
    assert_eq!((whole.text().as_str(), whole.header("content-length")), ("an sdist", "8"));
    assert!(whole.header("cache-control").contains("immutable"), "files keep their own fields");
    let range = world.ask(Ask::get(FILES, target.clone()).header("range", "bytes=3-")).await;
    assert_eq!((range.status.as_u16(), range.text().as_str()), (206, "sdist"));
    let head = world.ask(Ask::get(FILES, target).method(Method::HEAD)).await;
    assert_eq!((head.header("content-length"), head.bytes().len()), ("8", 0));
}

fn file(name: &str, owner: &str) -> Artifact {
    Artifact { owner: Some(owner.to_owned()), ..Artifact::raw(name, "1.0", "bytes") }
}

#[tokio::test]
async fn the_owner_that_upstream_names_decides() {
    // The name could be acme's post-release, or `acme-1-0`'s; and a harmless name can be a protected project's file.
    let pypi = StandIn::builder().project(
        Project::new("x")
            .file(file("acme-1.0-1.tar.gz", "acme-1-0"))
            .file(file("harmless-1.0.tar.gz", "acme"))
            .file(file("acme-2.0-1.zip", ""))
            .file(file("nobody-1.0.tar.gz", "")),
    );
    let rules = "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\n";
    let world = World::with(pypi, rules).await;
    let get = async |name| world.ask(Ask::get(FILES, path(&world, "x", name))).await;
    assert_eq!(get("acme-1.0-1.tar.gz").await.status, 200, "the owner is another project");
    assert_refused(&get("harmless-1.0.tar.gz").await, "the owner is protected");
    assert_refused(&get("acme-2.0-1.zip").await, "no owner: the name's looks count");
    assert_eq!(get("nobody-1.0.tar.gz").await.status, 200);
}

#[tokio::test]
async fn files_on_the_index_host_are_files_too() {
    let world = World::new().await;
    let wheel = path(&world, "acme-core", "acme_core-99.0-py3-none-any.whl");
    assert_refused(&world.ask(Ask::get("pypi.org", wheel)).await, "a redirect would name it");
    let innocent = path(&world, "innocent", "innocent-2.0.tar.gz");
    assert_eq!(world.ask(Ask::get("pypi.org", innocent)).await.status, 301);
    assert_eq!(world.leaked().len(), 0);
}

#[tokio::test]
async fn a_redirect_to_a_protected_name_is_not_followed_up() {
    let pypi = StandIn::builder().responder(|asked| {
        let to = match asked.path() {
            "/simple/renamed/" => "/simple/acme-core/",
            "/packages/source/o/old/old-1.0.tar.gz" => {
                "https://files.pythonhosted.org/packages/source/a/acme/acme-1.0.zip"
            }
            _ => return None,
        };
        let moved = http::Response::builder().status(302).header("location", to);
        moved.body(namewall::demo::standin::body::full("")).ok()
    });
    let world = World::with(pypi, RULES).await;
    let page = world.get("/simple/renamed/").await;
    assert_eq!((page.status.as_u16(), page.header("location")), (404, ""));
    let file = world.ask(Ask::get(FILES, "/packages/source/o/old/old-1.0.tar.gz")).await;
    assert_eq!((file.status.as_u16(), file.header("location")), (403, ""));
}
