//! Every route and every disguise of it.

use super::*;

fn index(target: &str) -> Resource {
    Resource::of(SiteKind::Index, &Method::GET, target).unwrap()
}

fn names(resource: &Resource) -> Vec<&str> {
    resource.projects.iter().map(ProjectName::as_str).collect()
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

#[test]
fn every_disguise_of_a_page_is_that_page() {
    for target in [
        "/simple/acme/",
        "/simple/ACME/",
        "/simple/acme",
        "/simple/%61cme/",
        "/%73imple/acme/",
        "/simple%2Facme%2F",
        "/simple/acme/?format=application/vnd.pypi.simple.v1+json",
        "/simple//acme/",
        "/./simple/x/../acme/",
        "/simple\\acme\\",
        "//simple/acme/#fragment",
    ] {
        let resource = index(target);
        assert_eq!(resource.kind, Kind::Page(project("acme")), "{target}");
        assert!(names(&resource).contains(&"acme"), "{target}");
    }
    assert_eq!(index("/simple/Acme._-Core/").kind, Kind::Page(project("acme-core")));
}

#[test]
fn what_goes_upstream_is_canonical() {
    assert_eq!(index("/%73imple/%61cme/?x=1").target, "/simple/acme/");
    assert_eq!(index("/simple%2Facme").target, "/simple/acme");
    assert_eq!(index("/").target, "/");
    assert_eq!(index("/search/?q=http&o=").target, "/search/?q=http&o=");
    assert_eq!(index("/packages/aa/bb/cc/x-1.0%2Blocal%20.whl").target, "/packages/aa/bb/cc/x-1.0+local%20.whl");
}

#[test]
fn control_characters_and_wrong_bytes_are_refused() {
    let of = |target| Resource::of(SiteKind::Index, &Method::GET, target).map(|_| ());
    assert_eq!(of("/simple/acme/%0A"), Err(BadTarget::Control));
    assert_eq!(of("/pypi/acme/json%0a"), Err(BadTarget::Control));
    assert_eq!(of("/simple/acme%00/"), Err(BadTarget::Control));
    assert_eq!(of("/simple/%ff/"), Err(BadTarget::NotUtf8));
    assert_eq!(of(&"/a".repeat(MAX_TARGET)), Err(BadTarget::TooLong));
}

#[test]
fn names_that_are_none_are_nothing() {
    for target in ["/simple/%E2%84%AAeras/", "/simple/-acme/", "/simple/ac%20me/", "/simple/%2561cme/"] {
        assert_eq!(index(target).kind, Kind::Nothing, "{target}");
    }
}

/// Every route of PyPI by which a protected project could be named: what it asks for, and what its 404 looks like.
#[test]
fn every_route_names_its_project() {
    let digest = "0".repeat(60);
    let hashed = format!("/packages/aa/bb/{digest}");
    let (page, json) = (Kind::Page(project("acme")), Kind::LegacyJson(project("acme")));
    let (get, post) = (Method::GET, Method::POST);
    let rows: &[(&Method, &str, Kind, Absent)] = &[
        (&get, "/simple/acme/", page.clone(), Absent::Plain),
        (&get, "/simple/acme", page, Absent::Plain),
        (&get, "/pypi/acme/json", json.clone(), Absent::Json),
        (&get, "/pypi/acme/json/", json.clone(), Absent::Json),
        (&get, "/pypi/acme/1.0/json", json.clone(), Absent::Json),
        (&get, "/pypi/acme/1.0/json/", json, Absent::Json),
        (&get, "/project/acme/", Kind::Web, Absent::Page),
        (&get, "/project/acme/1.0/", Kind::Web, Absent::Page),
        (&get, "/p/acme/", Kind::Web, Absent::Page),
        (&get, "/p/acme/1.0/", Kind::Web, Absent::Page),
        (&get, "/pypi/acme/", Kind::Web, Absent::Page),
        (&get, "/pypi/acme/1.0/", Kind::Web, Absent::Page),
        (&get, "/project/acme/submit-malware-report/", Kind::Web, Absent::Page),
        (&post, "/project/acme/submit-malware-report/", Kind::Web, Absent::Page),
        (&get, "/manage/project/acme/releases/", Kind::Web, Absent::Page),
        (&get, "/manage/project/acme/release/1.0/", Kind::Web, Absent::Page),
        (&get, "/_includes/edit-project-button/acme", Kind::Web, Absent::Page),
        (&get, "/_includes/authed/edit-project-button/acme", Kind::Web, Absent::Page),
        (&get, "/_includes/authed/administer-project-include/acme", Kind::Web, Absent::Page),
        (&get, "/_includes/submit-malware-report/acme", Kind::Web, Absent::Page),
        (&get, "/integrity/acme/1.0/acme-1.0.tar.gz/provenance", Kind::Provenance, Absent::Provenance),
        (&get, "/rss/project/acme/releases.xml", Kind::Feed, Absent::Page),
        (&get, "/pypi?:action=display&name=acme", Kind::Web, Absent::Page),
        (&get, "/pypi?:action=files&name=acme&version=1.0", Kind::Web, Absent::Page),
        (&get, "/pypi?:action=doap&name=acme", Kind::Web, Absent::Page),
        (&get, "/pypi?:action=search&term=acme", Kind::Web, Absent::Page),
        (&get, "/search/?q=acme", Kind::Listing, Absent::Page),
        (&get, "/search/?q=tools+acme", Kind::Listing, Absent::Page),
        (&get, "/search/?q=%22acme%22", Kind::Listing, Absent::Page),
        (&get, "/search/?q=acme*,foo", Kind::Listing, Absent::Page),
        (&get, "/search/?q=&acme", Kind::Listing, Absent::Page),
        (&get, "/help/?acme=1", Kind::Web, Absent::Page),
        (&get, "/help/?x[acme]=1", Kind::Web, Absent::Page),
        (&get, "/user/acme/", Kind::Listing, Absent::Page),
        (&get, "/u/acme/", Kind::Listing, Absent::Page),
        (&get, "/org/acme/", Kind::Listing, Absent::Page),
        (&get, "/stats/?name=acme", Kind::Stats, Absent::Page),
        (&get, "/acme.sitemap.xml?x=acme", Kind::Sitemap, Absent::Page),
        (&post, "/danger-api/projects/acme/observations", Kind::Web, Absent::Page),
        (&get, "/packages/source/a/acme/acme-1.0.tar.gz", Kind::File, Absent::Refusal),
        (&get, &format!("{hashed}/acme-1.0.tar.gz"), Kind::File, Absent::Refusal),
        (&get, &format!("{hashed}/acme-1.0-py3-none-any.whl.metadata"), Kind::Metadata, Absent::Refusal),
        // PEP 752, and whatever comes then.
        (&get, "/namespace/acme", Kind::Web, Absent::Page),
        (&get, "/stage/acme/1.0/", Kind::Web, Absent::Page),
        (&get, "/a/route/of/tomorrow/acme/x", Kind::Web, Absent::Page),
        (&get, "/a/route/of/tomorrow?anything=acme", Kind::Web, Absent::Page),
        (&get, "/account/login/?next=/project/acme/", Kind::Web, Absent::Page),
        (&get, "/a/route/acme-1.0.tar.gz", Kind::Web, Absent::Page),
        (&get, "/a/route/acme;x=1", Kind::Web, Absent::Page),
        (&get, "/a/route/%2561cme", Kind::Web, Absent::Page),
    ];
    for (method, target, kind, absent) in rows {
        let resource = Resource::of(SiteKind::Index, method, target).unwrap();
        // A sitemap's bucket is a word of PyPI's; its query goes nowhere.
        if *kind == Kind::Sitemap {
            assert_eq!((&resource.kind, &*resource.target), (kind, "/acme.sitemap.xml"));
            continue;
        }
        assert_eq!((&resource.kind, resource.absent), (kind, *absent), "{target}");
        let of_file = resource.files.iter().flat_map(|file| file.candidates().projects);
        let named = resource.projects.iter().cloned().chain(of_file).any(|name| name.as_str() == "acme");
        assert!(named, "{target}: {resource:?}");
    }
}

#[test]
fn routes_that_name_nobody_are_known_too() {
    for (method, target, kind) in [
        (Method::GET, "/simple/", Kind::Root),
        (Method::GET, "/simple", Kind::Root),
        (Method::GET, "/rss/updates.xml", Kind::Feed),
        (Method::GET, "/rss/packages.xml", Kind::Feed),
        (Method::GET, "/sitemap.xml", Kind::Sitemap),
        (Method::GET, "/00.sitemap.xml", Kind::Sitemap),
        (Method::GET, "/stats/", Kind::Stats),
        (Method::GET, "/", Kind::Listing),
        (Method::GET, "", Kind::Listing),
        (Method::GET, "/search/?q=http", Kind::Listing),
        (Method::GET, "/user/somebody/", Kind::Listing),
        (Method::POST, "/pypi", Kind::XmlRpc),
        (Method::POST, "/pypi/", Kind::XmlRpc),
        (Method::POST, "/RPC2", Kind::XmlRpc),
        (Method::POST, "/legacy/", Kind::Upload),
        (Method::POST, "/legacy", Kind::Upload),
        (Method::GET, "/pypi?:action=list_classifiers", Kind::Web),
        (Method::GET, "/pypi?:action=browse&c=1", Kind::Web),
        (Method::GET, "/help/", Kind::Web),
        (Method::GET, "/classifiers/", Kind::Web),
        (Method::GET, "/static/css/warehouse.css", Kind::Web),
        (Method::GET, "/robots.txt", Kind::Web),
        (Method::GET, "/.well-known/security.txt", Kind::Web),
        (Method::GET, "/_/oidc/audience", Kind::Web),
        (Method::POST, "/_/oidc/mint-token", Kind::Web),
        (Method::POST, "/_/vulnerabilities/osv/report", Kind::Web),
        (Method::GET, "/_health/", Kind::Web),
        (Method::GET, "/manage/projects/", Kind::Web),
    ] {
        assert_eq!(Resource::of(SiteKind::Index, &method, target).unwrap().kind, kind, "{method} {target}");
    }
}

#[test]
fn pypis_own_words_are_nobodys_names() {
    for target in
        ["/help/", "/account/login/", "/static/css/warehouse.css", "/manage/account/", "/search/?o=&c=x", "/pypi"]
    {
        let resource = index(target);
        let first = target.split(['/', '?']).nth(1).unwrap();
        assert!(!names(&resource).contains(&first), "{target}: {resource:?}");
    }
    assert!(names(&index("/static/acme/x.js")).contains(&"acme"), "what follows is judged");
    assert_eq!(names(&index("/search/?q=&o=&c=&page=&name=&version=&format=")), Vec::<&str>::new());
    // On a host where they are no routes of PyPI's, they are anybody's.
    let docs = Resource::of(SiteKind::Files, &Method::GET, "/help/index.html").unwrap();
    assert!(names(&docs).contains(&"help"));
}

#[test]
fn other_hosts_name_projects_in_places_of_their_own() {
    let digest = "0".repeat(60);
    for (site, target) in [
        // Legacy documentation, on its own host and on the file host.
        (SiteKind::Index, "/acme/".to_owned()),
        (SiteKind::Index, "/acme/api/index.html".to_owned()),
        (SiteKind::Files, "/acme/index.html".to_owned()),
        // Inspector.
        (SiteKind::Index, "/project/acme/1.0/".to_owned()),
        (SiteKind::Index, format!("/project/acme/1.0/packages/aa/bb/{digest}/acme-1.0.tar.gz/acme/setup.py")),
        (SiteKind::Index, "/?project=acme".to_owned()),
    ] {
        let resource = Resource::of(site, &Method::GET, &target).unwrap();
        assert!(names(&resource).contains(&"acme"), "{target}: {resource:?}");
    }
    let of_another = format!("/project/other/1.0/packages/aa/bb/{digest}/acme-1.0.tar.gz/x.py");
    assert!(index(&of_another).files.iter().any(|file| file.as_str() == "acme-1.0.tar.gz"));
}

#[test]
fn what_is_not_ascii_is_folded_as_a_database_would() {
    let names_of = |target| names(&index(target)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert!(names_of("/a/route/%E2%84%AAeras").contains(&"keras".to_owned()));
    assert!(names_of("/search/?q=%C4%B0nner").contains(&"inner".to_owned()));
}

#[test]
fn files_and_their_siblings() {
    let digest = "0".repeat(60);
    let file =
        |name: &str| Resource::of(SiteKind::Files, &Method::GET, &format!("/packages/aa/bb/{digest}/{name}")).unwrap();
    assert_eq!(file("acme-1.0.tar.gz").kind, Kind::File);
    assert_eq!(file("%61cme-1.0-py3-none-any.whl").files[0].as_str(), "acme-1.0-py3-none-any.whl");
    assert_eq!(file("acme-1.0-py3-none-any.whl.metadata").kind, Kind::Metadata);
    let legacy = "/packages/source/A/Acme/acme-1.0.tar.gz";
    let legacy = Resource::of(SiteKind::Files, &Method::GET, legacy).unwrap();
    assert_eq!((names(&legacy), &legacy.kind), (vec!["acme"], &Kind::File));
    let odd = Resource::of(SiteKind::Files, &Method::GET, "/packages/aa/bb/acme-1.0-py3-none-any.whl").unwrap();
    assert_eq!((odd.kind, odd.files.len()), (Kind::File, 1));
    // Conveyor would join this to acme's JSON.
    let dots = Resource::of(SiteKind::Files, &Method::GET, "/packages/source/x/x%2F..%2Facme/acme-1.0.tar.gz");
    assert!(names(&dots.unwrap()).contains(&"acme"));
}

#[test]
fn words_of_the_routes_are_no_names() {
    assert!(index("/simple/six/").projects.iter().all(|name| name.as_str() != "simple"));
    assert_eq!(names(&index("/pypi/six/json")), ["six"]);
}

#[test]
fn uploads_and_calls_are_told_from_pages() {
    let upload = |method, target| Resource::of(SiteKind::Upload, &method, target).unwrap();
    assert_eq!(upload(Method::POST, "/legacy/").kind, Kind::Upload);
    assert_eq!(names(&upload(Method::POST, "/pypi/acme/json")), ["acme"]);
    let odd = Method::from_bytes(b"post").unwrap();
    for method in [Method::POST, Method::PUT, odd] {
        assert_eq!(upload(method.clone(), "/pypi").kind, Kind::XmlRpc, "{method}");
        assert_eq!(Resource::of(SiteKind::Index, &method, "/RPC2").unwrap().kind, Kind::XmlRpc, "{method}");
    }
}

#[test]
fn mirrors_have_prefixes() {
    let mirror = |target: &str| Resource::of(SiteKind::Mirror, &Method::GET, target).unwrap();
    assert_eq!(mirror("/pypi/web/simple/acme/").kind, Kind::Page(project("acme")));
    assert_eq!(mirror("/repository/pypi/simple/").kind, Kind::Root);
    let digest = "a".repeat(60);
    let file = mirror(&format!("/pypi/web/packages/aa/bb/{digest}/acme-1.0.zip"));
    assert_eq!((file.kind, file.files.len()), (Kind::File, 1));
    for (target, kind) in [
        ("/root/pypi/+simple/acme/", Kind::Page(project("acme"))),
        ("/simple/acme/index.html", Kind::Page(project("acme"))),
        ("/simple/acme/index.v1_json", Kind::Page(project("acme"))),
        ("/simple/index.html", Kind::Root),
        ("/simple/simple/", Kind::Page(project("simple"))),
        ("/pypi/simple/simple/", Kind::Page(project("simple"))),
        ("/artifactory/api/pypi/remote/simple/acme/", Kind::Page(project("acme"))),
        ("/pypi/web/pypi/acme/json", Kind::LegacyJson(project("acme"))),
        ("/pypi/acme/json", Kind::LegacyJson(project("acme"))),
        ("/json/acme", Kind::LegacyJson(project("acme"))),
        ("/files/acme-1.0-py3-none-any.whl", Kind::File),
        ("/download/acme-1.0.tar.gz.asc?signature=x", Kind::Metadata),
        ("/", Kind::Listing),
        ("/root/pypi/", Kind::Listing),
        ("/packages/source/a/", Kind::Listing),
        ("/index.html", Kind::Listing),
        ("/iso/debian-13.iso", Kind::Web),
    ] {
        assert_eq!(mirror(target).kind, kind, "{target}");
    }
    assert!(mirror("/files/six-1.0.tar.gz?X-Signature=abc").target.ends_with("?X-Signature=abc"));
}

#[test]
fn releases_in_urls() {
    for (target, releases) in [
        ("/pypi/Acme/2.0/json", &["acme 2.0"][..]),
        ("/pypi/acme/json", &[]),
        ("/pypi/acme/2.0/", &["acme 2.0"]),
        ("/project/acme/2%2E0/", &["acme 2.0"]),
        ("/project/acme/v2/", &["acme v2"]),
        ("/project/acme/", &[]),
        ("/project/acme/collaborators/", &[]),
        ("/manage/project/acme/release/2.0/", &["acme 2.0"]),
        ("/integrity/acme/2.0/acme-2.0.zip/provenance", &["acme 2.0"]),
        ("/simple/acme/", &[]),
    ] {
        let resource = index(target);
        let found: Vec<_> = resource.releases.iter().map(|r| format!("{} {}", r.project, r.version)).collect();
        assert_eq!(found, releases, "{target}");
    }
}
