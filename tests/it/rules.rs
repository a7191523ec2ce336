//! Rules about single releases, and about what looks like a protected name.

use namewall::demo::standin::Builder;
use namewall::demo::{Artifact, Project, StandIn, Wheel};
use serde_json::json;

use crate::world::{Answer, Ask, JSON, World};

const FILES: &str = "files.pythonhosted.org";

const LATE: &str = r#"
[[protect]]
id = "late"
names = ["acme-core"]
versions = ">=2.0"
"#;

const ALIKE: &str = r#"
[[protect]]
id = "alike"
names = ["acme-core"]
except = ["acmecore"]
lookalikes = true
"#;

fn pypi() -> Builder {
    let wheel = |name, version| Artifact::wheel(&Wheel::new(name, version)).unwrap();
    StandIn::builder()
        .project(
            Project::new("acme-core")
                .file(wheel("acme-core", "1.0"))
                .file(wheel("acme-core", "1.5"))
                .file(Artifact::raw("acme-core-2.0.tar.gz", "2.0", "an sdist"))
                .file(wheel("acme-core", "2.0")),
        )
        .project(Project::new("acmecore").file(wheel("acmecore", "1.0")))
        .project(Project::new("acme-c0re").file(wheel("acme-c0re", "1.0")))
        .project(Project::new("acne-core").file(wheel("acne-core", "1.0")))
        .project(Project::new("innocent").file(wheel("innocent", "9.0")))
        // Whose version the names don't tell, but the index does.
        .project(
            Project::new("acme-core-odd")
                .file(Artifact {
                    owner: Some("acme-core".to_owned()),
                    ..Artifact::raw("acme-core-old.zip", "1.0", "old")
                })
                .file(Artifact {
                    owner: Some("acme-core".to_owned()),
                    ..Artifact::raw("acme-core-new.zip", "2.1", "new")
                }),
        )
}

fn path(world: &World, project: &str, file: &str) -> String {
    let url = world.standin.url_of(project, file).unwrap();
    url.strip_prefix("https://files.pythonhosted.org").unwrap().to_owned()
}

fn assert_hidden(answer: &Answer, rule: &str, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (404, "hidden"), "{what}");
    assert_eq!(answer.header("namewall-rule"), rule, "{what}");
}

fn names(root: &Answer) -> Vec<String> {
    let root = root.json();
    let projects = root["projects"].as_array().unwrap().iter();
    let mut names: Vec<String> = projects.map(|project| project["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_page_keeps_the_releases_that_no_rule_is_about() {
    let world = World::with(pypi(), LATE).await;
    let answer = world.get("/simple/acme-core/").await;
    let page = answer.json();
    let files: Vec<&str> = page["files"].as_array().unwrap().iter().map(|f| f["filename"].as_str().unwrap()).collect();
    assert_eq!(files, ["acme_core-1.0-py3-none-any.whl", "acme_core-1.5-py3-none-any.whl"]);
    assert!(!page["versions"].as_array().unwrap().contains(&json!("2.0")), "{page}");
    assert_eq!((answer.header("namewall-decision"), answer.header("namewall-rule")), ("filtered", "late"));
    let html = world.ask(Ask::get("pypi.org", "/simple/acme-core/").header("accept", "text/html")).await.text();
    assert!(html.contains("acme_core-1.5") && !html.contains("2.0"), "{html}");
    assert!(names(&world.get("/simple/").await).contains(&"acme-core".to_owned()));
    assert_eq!(world.get("/simple/innocent/").await.header("namewall-decision"), "");
}

#[tokio::test]
async fn files_of_such_a_release_are_refused_with_their_siblings() {
    let world = World::with(pypi(), LATE).await;
    let wheel = path(&world, "acme-core", "acme_core-2.0-py3-none-any.whl");
    let sdist = path(&world, "acme-core", "acme-core-2.0.tar.gz");
    for target in [wheel.clone(), format!("{wheel}.metadata"), sdist.clone(), format!("{sdist}.asc")] {
        let answer = world.ask(Ask::get(FILES, target.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-rule")), (403, "late"), "{target}");
    }
    let old = path(&world, "acme-core", "acme_core-1.0-py3-none-any.whl");
    for target in [old.clone(), format!("{old}.metadata")] {
        assert_eq!(world.ask(Ask::get(FILES, target.clone())).await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn a_version_that_no_name_tells_is_that_of_the_answer() {
    let world = World::with(pypi(), LATE).await;
    for (file, status) in [("acme-core-old.zip", 200), ("acme-core-new.zip", 403)] {
        let answer = world.ask(Ask::get(FILES, path(&world, "acme-core-odd", file))).await;
        assert_eq!(answer.status, status, "{file}");
    }
}

#[tokio::test]
async fn pages_about_such_a_release_are_not_there() {
    let world = World::with(pypi(), LATE).await;
    for target in [
        "/pypi/acme-core/2.0/json",
        "/pypi/Acme.Core/v2.0/json",
        "/project/acme-core/2.0/",
        "/integrity/acme-core/2.0/acme_core-2.0-py3-none-any.whl/provenance",
        "/integrity/acme-core/2.0/acme_core-1.0-py3-none-any.whl/provenance",
    ] {
        assert_hidden(&world.get(target).await, "late", target);
    }
    // What it says of the project is about its newest release, which is hidden.
    assert_hidden(&world.get("/pypi/acme-core/json").await, "late", "legacy JSON");
    for target in ["/pypi/acme-core/1.0/json", "/pypi/innocent/json", "/pypi/innocent/9.0/json"] {
        assert_eq!(world.get(target).await.status, 200, "{target}");
    }
    for target in ["/project/acme-core/", "/project/acme-core/1.0/"] {
        assert_ne!(world.get(target).await.header("namewall-decision"), "hidden", "{target}");
    }
}

#[tokio::test]
async fn legacy_json_loses_the_releases_that_are_hidden() {
    let early = LATE.replace(">=2.0", "<1.5");
    let world = World::with(pypi(), &early).await;
    let answer = world.get("/pypi/acme-core/json").await;
    assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "filtered"));
    let releases = &answer.json()["releases"];
    assert!(releases.get("1.0").is_none() && releases.get("2.0").is_some(), "{releases}");
}

#[tokio::test]
async fn lookalikes_are_hidden_but_for_exceptions() {
    let world = World::with(pypi(), ALIKE).await;
    for name in ["acme-core", "acme-c0re", "acne-core", "acmec0re", "acme-cor"] {
        assert_hidden(&world.get(&format!("/simple/{name}/")).await, "alike", name);
    }
    for name in ["acmecore", "innocent"] {
        assert_eq!(world.get(&format!("/simple/{name}/")).await.status, 200, "{name}");
    }
    assert_eq!(names(&world.get("/simple/").await), ["acme-core-odd", "acmecore", "innocent"]);
    let file = path(&world, "acne-core", "acne_core-1.0-py3-none-any.whl");
    let refused = world.ask(Ask::get(FILES, file).header("accept", JSON)).await;
    assert_eq!(refused.status, 403);
    assert_eq!(world.standin.mentions("acne").len(), 0);
}
