//! `[[inventory]]`: what a private index serves is protected, from its first list on and whatever becomes of the index.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use namewall::config::environment::Environment;
use namewall::config::{Overrides, Settings};
use namewall::name::{ProjectName, Subject};
use namewall::policy::{Pattern, Policy, Rule};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{Answer, JSON, World, pypi};

/// How the private index answers.
#[derive(Clone, Debug, Default)]
struct Behaviour {
    names: Vec<String>,
    authorization: Option<&'static str>,
    html: bool,
    page_size: Option<usize>,
    redirect: Option<String>,
}

#[derive(Debug, Default)]
struct Shelf {
    behaviour: Mutex<Behaviour>,
    asked: Mutex<Vec<(String, HeaderMap, StatusCode)>>,
}

/// A private index that does as it is told.
struct Index {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _server: JoinSet<()>,
}

impl Index {
    async fn start(names: &[&str]) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), names).await
    }

    async fn at(address: SocketAddr, names: &[&str]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Shelf::default());
        let mut server = JoinSet::new();
        let serving = Arc::clone(&shelf);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shelf = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let answer = shelf.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                connections
                    .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let index = Self { address, shelf, _server: server };
        index.serve(names);
        index
    }

    fn serve(&self, names: &[&str]) {
        self.shelf.behaviour.lock().unwrap().names = names.iter().map(|&name| name.to_owned()).collect();
    }

    fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shelf.behaviour.lock().unwrap());
    }

    fn asked(&self) -> Vec<(String, HeaderMap, StatusCode)> {
        self.shelf.asked.lock().unwrap().clone()
    }

    fn config(&self, more: &str) -> String {
        format!("[[inventory]]\nid = \"corp\"\nurl = \"http://{}/simple/\"\nrefresh = \"1s\"\n{more}", self.address)
    }
}

impl Shelf {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let answer = self.decide(request);
        let asked = (request.uri().to_string(), request.headers().clone(), answer.status());
        self.asked.lock().unwrap().push(asked);
        answer
    }

    fn decide(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let behaviour = self.behaviour.lock().unwrap().clone();
        let field = |name| request.headers().get(name).map(|value| value.to_str().unwrap());
        let plain = |status| Response::builder().status(status).body(Full::default()).unwrap();
        if let Some(expected) = behaviour.authorization
            && field(header::AUTHORIZATION) != Some(expected)
        {
            return plain(StatusCode::UNAUTHORIZED);
        }
        if let Some(to) = behaviour.redirect {
            let mut answer = plain(StatusCode::FOUND);
            answer.headers_mut().insert(header::LOCATION, to.parse().unwrap());
            return answer;
        }
        let etag = format!("\"{}\"", behaviour.names.join("+"));
        if field(header::IF_NONE_MATCH) == Some(&etag) {
            return plain(StatusCode::NOT_MODIFIED);
        }
        let page: usize =
            request.uri().query().and_then(|query| query.strip_prefix("page=")).map_or(0, |page| page.parse().unwrap());
        let size = behaviour.page_size.unwrap_or(usize::MAX);
        let names: Vec<&String> = behaviour.names.iter().skip(page.saturating_mul(size)).take(size).collect();
        let (content_type, body) = if behaviour.html {
            let links: String = names.iter().map(|name| format!("<a href=\"{name}/\">{name}</a>\n")).collect();
            ("text/html; charset=utf-8", format!("<!DOCTYPE html><html><body>{links}</body></html>"))
        } else {
            let projects: Vec<_> = names.iter().map(|name| serde_json::json!({ "name": name })).collect();
            (JSON, serde_json::json!({"meta": {"api-version": "1.0"}, "projects": projects}).to_string())
        };
        let mut answer = Response::builder().header(header::CONTENT_TYPE, content_type).header(header::ETAG, etag);
        if behaviour.names.len() > page.saturating_add(1).saturating_mul(size) {
            answer = answer.header(header::LINK, format!("<?page={}>; rel=\"next\"", page + 1));
        }
        answer.body(Full::new(body.into())).unwrap()
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn status(world: &World, name: &str) -> u16 {
    world.get(&format!("/simple/{name}/")).await.status.as_u16()
}

fn rule(answer: &Answer) -> &str {
    answer.header("namewall-rule")
}

#[tokio::test]
async fn what_the_index_serves_is_protected_in_any_spelling() {
    let index = Index::start(&["Acme_Core", "disguise", "Acme.SDK"]).await;
    let world = World::with(pypi(), &index.config("except = [\"acme-sdk\"]")).await;
    for spelling in ["acme-core", "ACME_Core", "acme..core", "Disguise"] {
        let answer = world.get(&format!("/simple/{spelling}/")).await;
        assert_eq!((answer.status.as_u16(), rule(&answer)), (404, "corp"), "{spelling}");
    }
    assert_eq!(status(&world, "innocent").await, 200);
    assert_eq!(status(&world, "acme-sdk").await, 200);
    assert_eq!(status(&world, "acmetool").await, 200);
    let root = world.get("/simple/").await.text();
    assert!(root.contains("innocent") && root.contains("Acme.SDK") && !root.contains("acme-core"), "{root}");
    let file = world
        .ask(crate::world::Ask::get("files.pythonhosted.org", "/packages/aa/bb/cc/acme_core-99.0-py3-none-any.whl"))
        .await;
    assert_eq!(file.status, 403);
    assert!(file.text().contains("served by the private index"), "{}", file.text());
    assert!(file.text().contains(&format!("http://{}/simple/", index.address)), "{}", file.text());
    assert!(world.standin.mentions("acme-core").is_empty() && world.standin.mentions("acme_core").is_empty());
    // From then on it is asked whether the list has changed, and a change is felt.
    until("a 304", async || index.asked().iter().any(|(_, _, status)| *status == 304)).await;
    index.serve(&["acmetool"]);
    until("the new list", async || status(&world, "acmetool").await == 404).await;
    assert_eq!(status(&world, "innocent").await, 200);
    assert_eq!(status(&world, "disguise").await, 200);
}

#[tokio::test]
async fn before_the_first_list_nothing_of_pypi_is_shown() {
    let index = Index::start(&["acme-core"]).await;
    let (address, config) = (index.address, index.config(""));
    drop(index);
    let rules = format!("[[protect]]\nid = \"own\"\nnames = [\"own\"]\n{config}");
    let world = World::with(pypi(), &rules).await;
    for (host, target) in [
        ("pypi.org", "/simple/innocent/"),
        ("pypi.org", "/simple/acme-core/"),
        ("pypi.org", "/pypi/innocent/json"),
        ("pypi.org", "/simple/"),
        ("pypi.org", "/rss/packages.xml"),
        ("pypi.org", "/project/innocent/"),
        ("files.pythonhosted.org", "/packages/aa/bb/cc/innocent-1.0-py3-none-any.whl"),
        ("upload.pypi.org", "/legacy/"),
    ] {
        let answer = world.ask(crate::world::Ask::get(host, target)).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"), "{target}");
        assert!(answer.text().contains("inventory-missing"), "{}", answer.text());
    }
    // A rule of the config needs no inventory.
    assert_eq!(status(&world, "own").await, 404);
    assert!(world.standin.mentions("innocent").is_empty());
    let _index = Index::at(address, &["acme-core"]).await;
    until("the first list", async || status(&world, "innocent").await == 200).await;
    assert_eq!(status(&world, "acme-core").await, 404);
}

#[tokio::test]
async fn a_first_list_of_nothing_opens_nothing() {
    let index = Index::start(&[]).await;
    for html in [false, true] {
        index.behave(|index| index.html = html);
        let world = World::with(pypi(), &index.config("")).await;
        assert_eq!(status(&world, "innocent").await, 503, "html: {html}");
        index.serve(&["acme-core"]);
        until("the first list", async || status(&world, "innocent").await == 200).await;
        index.serve(&[]);
    }
    let world = World::with(pypi(), &index.config("on-missing = \"ignore\"")).await;
    assert_eq!(status(&world, "innocent").await, 200);
}

#[tokio::test]
async fn a_missing_list_can_be_ignored() {
    let index = Index::start(&[]).await;
    let config = index.config("on-missing = \"ignore\"");
    drop(index);
    let world = World::with(pypi(), &config).await;
    assert_eq!(status(&world, "innocent").await, 200);
}

#[tokio::test]
async fn a_list_outlives_a_restart_while_the_index_is_down() {
    let index = Index::start(&["acme-core", "disguise"]).await;
    let config = index.config("");
    let world = World::with(pypi(), &config).await;
    assert_eq!(status(&world, "acme-core").await, 404);
    drop(index);
    let world = world.restarted(&config).await;
    assert_eq!(status(&world, "acme-core").await, 404);
    assert_eq!(status(&world, "disguise").await, 404);
    assert_eq!(status(&world, "innocent").await, 200);
    // Another index is another list, whatever its id.
    let other = config.replace("/simple/", "/other/");
    let world = world.restarted(&other).await;
    assert_eq!(status(&world, "innocent").await, 503);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_kept_is_for_its_owner_alone_and_read_whole_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt;
    let index = Index::start(&["acme-core"]).await;
    let config = index.config("");
    let world = World::with(pypi(), &config).await;
    let file = world.proxy.ca().with_file_name("inventory").join("corp.list");
    until("the kept list", async || file.exists()).await;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("namewall-inventory 1\n") && text.ends_with("names 1\nacme-core\n"), "{text}");
    drop(index);
    std::fs::write(&file, text.replace("acme-core\n", "")).unwrap();
    let world = world.restarted(&config).await;
    assert_eq!(status(&world, "innocent").await, 503);
}

#[tokio::test]
async fn a_list_that_shrinks_suddenly_stays_as_it_was() {
    let many: Vec<String> = (0..30).map(|number| format!("acme-{number}")).chain(["innocent".to_owned()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let index = Index::start(&many).await;
    let world = World::with(pypi(), &index.config("")).await;
    assert_eq!(status(&world, "innocent").await, 404);
    let whole = |count: usize| {
        let asked = index.asked();
        asked.iter().filter(|(_, _, status)| *status == 200).count() >= count
    };
    let before = index.asked().iter().filter(|(_, _, status)| *status == 200).count();
    index.serve(&["acme-1"]);
    until("short lists", async || whole(before + 4)).await;
    index.serve(&[]);
    until("empty lists", async || whole(before + 6)).await;
    assert_eq!(status(&world, "innocent").await, 404);
    // One that is as long again is news.
    let (_, rest) = many.split_last().unwrap();
    index.serve(rest);
    until("the other list", async || status(&world, "innocent").await == 200).await;
    assert_eq!(status(&world, "acme-1").await, 404);
}

#[tokio::test]
async fn a_list_takes_nothing_away_that_is_asserted_to_be_protected() {
    let index = Index::start(&["innocent", "disguise"]).await;
    let config = index.config("[[assert]]\nprotected = [\"innocent\"]\n");
    let world = World::with(pypi(), &config).await;
    assert_eq!(status(&world, "innocent").await, 404);
    index.serve(&["disguise", "acmetool"]);
    let answered = |count: usize| index.asked().iter().filter(|(_, _, status)| *status == 200).count() >= count;
    until("the new list", async || answered(3)).await;
    assert_eq!([status(&world, "innocent").await, status(&world, "acmetool").await], [404, 200]);
    // Nor does a restart.
    let world = world.restarted(&config).await;
    assert_eq!(status(&world, "innocent").await, 404);
    index.serve(&["innocent", "acmetool"]);
    until("a list that keeps it", async || status(&world, "acmetool").await == 404).await;
    assert_eq!(status(&world, "disguise").await, 200);
}

#[tokio::test]
async fn lists_come_in_pages_and_in_html() {
    let index = Index::start(&["acme-core", "disguise", "acmetool"]).await;
    index.behave(|index| index.page_size = Some(1));
    let world = World::with(pypi(), &index.config("")).await;
    for name in ["acme-core", "disguise", "acmetool"] {
        assert_eq!(status(&world, name).await, 404, "{name}");
    }
    assert!(index.asked().iter().any(|(uri, ..)| uri == "/simple/?page=2"), "{:?}", index.asked());
    index.behave(|index| *index = Behaviour { html: true, names: vec!["innocent".to_owned()], ..Behaviour::default() });
    until("the HTML", async || status(&world, "innocent").await == 404).await;
    // A page without links is no list.
    index.serve(&[]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(status(&world, "innocent").await, 404);
}

#[tokio::test]
async fn credentials_are_sent_to_the_index_alone() {
    let index = Index::start(&["innocent"]).await;
    // ci:hunter2
    index.behave(|index| index.authorization = Some("Basic Y2k6aHVudGVyMg=="));
    let config = index.config("").replace("http://", "http://ci:hunter2@");
    let world = World::with(pypi(), &config).await;
    let answer = world.get("/simple/innocent/").await;
    assert_eq!(answer.status, 404);
    assert!(!format!("{:?}", world.proxy).contains("hunter2"));
    let other = Index::start(&["disguise"]).await;
    let to = format!("http://{}/simple/", other.address);
    index.behave(|index| index.redirect = Some(to));
    until("the other list", async || status(&world, "disguise").await == 404).await;
    assert!(other.asked().iter().all(|(_, headers, _)| !headers.contains_key(header::AUTHORIZATION)));
    // Nor on its further pages there.
    other.behave(|index| (index.names, index.page_size) = (vec!["disguise".into(), "acmetool".into()], Some(1)));
    until("the second page", async || status(&world, "acmetool").await == 404).await;
    assert!(other.asked().iter().any(|(uri, ..)| uri.ends_with("?page=1")));
    assert!(other.asked().iter().all(|(_, headers, _)| !headers.contains_key(header::AUTHORIZATION)));
    // A page in HTML somewhere else is most likely one to sign in.
    other.behave(|index| *index = Behaviour { html: true, names: vec!["innocent".to_owned()], ..Behaviour::default() });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((status(&world, "disguise").await, status(&world, "innocent").await), (404, 200));
}

#[tokio::test]
async fn the_admin_listener_tells_of_inventories() {
    let index = Index::start(&[]).await;
    let (address, config) = (index.address, index.config(""));
    drop(index);
    let world = World::adjusted(pypi(), &config, |settings| {
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let answer = world.admin("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("inventory corp"), "{answer}");
    assert!(!world.admin("/metrics").await.contains("namewall_inventory_age_seconds{"));
    let _index = Index::at(address, &["acme-core", "b"]).await;
    until("readiness", async || world.admin("/readyz").await.starts_with("HTTP/1.1 200")).await;
    let changed = "namewall_inventory_fetches_total{id=\"corp\",result=\"changed\"} 1\n";
    until("the count", async || world.admin("/metrics").await.contains(changed)).await;
    let told = world.admin("/metrics").await;
    for line in [
        "namewall_inventory_age_seconds{id=\"corp\"} ",
        "namewall_inventory_names{id=\"corp\"} 2\n",
        "namewall_inventory_fetches_total{id=\"corp\",result=\"failed\"} ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
}

#[tokio::test]
async fn an_inventory_that_comes_with_a_reload_waits_for_a_restart() {
    let world = World::with(pypi(), "[[protect]]\nid = \"own\"\nnames = [\"disguise\"]\n").await;
    assert_eq!(status(&world, "innocent").await, 200);
    let folder = tempfile::tempdir().unwrap();
    let index = Index::start(&["acme-core"]).await;
    let settings = settings(folder.path(), &index.config("[[protect]]\nid = \"new\"\nnames = [\"acmetool\"]\n"), &[]);
    world.proxy.set_policy(settings.policy(time::OffsetDateTime::now_utc().date()).unwrap()).unwrap();
    // Nobody would ever ask for its list: the proxy would be closed for good.
    assert_eq!([status(&world, "innocent").await, status(&world, "acmetool").await], [200, 404]);
}

#[tokio::test]
async fn a_reload_of_the_rules_forgets_no_list() {
    let index = Index::start(&["acme-core"]).await;
    let world = World::with(pypi(), &index.config("")).await;
    assert_eq!(status(&world, "acme-core").await, 404);
    let rule = Rule { names: vec![Pattern::parse("disguise").unwrap()], id: "new".to_owned(), ..Rule::default() };
    let today = time::OffsetDateTime::now_utc().date();
    world.proxy.set_policy(Policy::compile(vec![rule], today).unwrap()).unwrap();
    for name in ["acme-core", "disguise"] {
        assert_eq!(status(&world, name).await, 404, "{name}");
    }
    index.serve(&["acmetool"]);
    until("the new list", async || status(&world, "acmetool").await == 404).await;
    assert_eq!((status(&world, "disguise").await, status(&world, "acme-core").await), (404, 200));
}

#[tokio::test]
async fn what_a_reload_asserts_holds_under_the_next_list() {
    let index = Index::start(&["innocent", "disguise"]).await;
    let world = World::with(pypi(), &index.config("")).await;
    assert_eq!(status(&world, "innocent").await, 404);
    let folder = tempfile::tempdir().unwrap();
    let config = index.config("[[assert]]\nprotected = [\"innocent\"]\n");
    let settings = settings(folder.path(), &config, &[]);
    let policy = settings.policy(time::OffsetDateTime::now_utc().date()).unwrap();
    world.proxy.accept_config(&settings, policy).unwrap();
    index.serve(&["disguise", "acmetool"]);
    let answered = |count: usize| index.asked().iter().filter(|(_, _, status)| *status == 200).count() >= count;
    until("the new list", async || answered(3)).await;
    assert_eq!([status(&world, "innocent").await, status(&world, "acmetool").await], [404, 200]);
}

/// A list changes by itself: a proxy that would not start because of it is worse than a name too many that is hidden.
#[test]
fn a_kept_list_that_names_what_is_asserted_to_be_allowed_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = "[[inventory]]\nid = \"corp\"\nurl = \"https://pypi.acme.example/simple/\"\n";
    let config = format!("{inventory}[[assert]]\nallowed = [\"requests\"]\n");
    std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
    let state = folder.path().join(".local/state/namewall/inventory");
    std::fs::create_dir_all(&state).unwrap();
    let kept = "namewall-inventory 1\nurl https://pypi.acme.example/simple/\nnames 1\nrequests\n";
    std::fs::write(state.join("corp.list"), kept).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(arguments).current_dir(folder.path()).env("HOME", folder.path());
        for name in ["NAMEWALL_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = run(&["-v", "run", "--", "true"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("`requests` is asserted to be allowed, but the pattern `requests` of rule `corp`"), "{told}");
    // `check` is where one looks for it.
    assert_eq!(run(&["check"]).0, Some(1));
}

#[test]
fn explain_judges_by_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[[inventory]]\nid = \"corp\"\nurl = \"https://u:hunter2@pypi.acme.example/simple/?token=hunter2\"\n";
    std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
    let state = folder.path().join(".local/state/namewall/inventory");
    std::fs::create_dir_all(&state).unwrap();
    let kept = "namewall-inventory 1\nurl https://pypi.acme.example/simple/\nnames 1\nacme-core\n";
    std::fs::write(state.join("corp.list"), kept).unwrap();
    let explain = |thing: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(["explain", thing]).current_dir(folder.path()).env("HOME", folder.path());
        for name in ["NAMEWALL_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = explain("Acme_Core");
    assert_eq!(code, Some(1), "{text}");
    for part in ["corp", "served by the private index", "https://pypi.acme.example/simple/", "namewall.toml:1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(explain("requests").0, Some(0));
}

#[test]
fn nothing_is_called_unprotected_while_a_list_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = "[[inventory]]\nid = \"corp\"\nurl = \"https://pypi.acme.example/simple/\"\n";
    let rule = "[[protect]]\nid = \"own\"\nnames = [\"own\"]\n";
    let more = "[[assert]]\nprotected = [\"acme-core\"]\n";
    std::fs::write(path("namewall.toml"), format!("{config}{rule}{more}")).unwrap();
    std::fs::write(path("requirements.txt"), "requests==2.0\n").unwrap();
    std::fs::write(path("names"), "requests\n").unwrap();
    std::fs::write(path("page"), r#"{"meta": {"api-version": "1.0"}, "projects": []}"#).unwrap();
    let namewall = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(arguments).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        let output = command.stdin(std::fs::File::open(path("page")).unwrap()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (arguments, code) in [
        (&["explain", "requests"][..], 3),
        (&["filter", "--as", "root"], 3),
        (&["scan", "requirements.txt"], 3),
        (&["check", "--preview", "names"], 3),
    ] {
        let (found, told) = namewall(arguments);
        assert!(told.contains("what inventory `corp` lists has never come here"), "{arguments:?}: {told}");
        assert_eq!(found, code, "{arguments:?}: {told}");
    }
    assert_eq!(namewall(&["explain", "own"]).0, 1, "a rule is enough");
    let (code, told) = namewall(&["check"]);
    assert_eq!(code, 0, "what a list protects can't be asserted without it: {told}");
}

fn settings(folder: &std::path::Path, config: &str, variables: &[(&str, &str)]) -> Settings {
    let path = folder.join("namewall.toml");
    std::fs::write(&path, format!("[ca]\ndir = {:?}\n{config}", folder.join("ca"))).unwrap();
    let environment = Environment::from_pairs(variables.iter().copied());
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    Settings::load_from(&overrides, &environment, folder).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn credentials_come_from_files_netrc_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    std::fs::write(folder.path().join("token"), "hunter2\n").unwrap();
    std::fs::write(folder.path().join("netrc"), "machine 127.0.0.1 login ci password hunter2\n").unwrap();
    let netrc = folder.path().join("netrc");
    let basic = "Basic Y2k6aHVudGVyMg==";
    for (more, variables, expected) in [
        ("user = \"ci\"\npassword-file = \"password\"", vec![], basic),
        ("token-file = \"token\"", vec![], "Bearer hunter2"),
        ("netrc = \"netrc\"", vec![], basic),
        ("", vec![("NETRC", netrc.to_str().unwrap())], basic),
        ("", vec![("NAMEWALL_INVENTORY_CORP_TOKEN", "hunter2")], "Bearer hunter2"),
        ("user = \"ci\"", vec![("NAMEWALL_INVENTORY_CORP_PASSWORD", "hunter2")], basic),
        (
            "token-file = \"nowhere\"",
            vec![("NAMEWALL_INVENTORY_CORP_TOKEN", "hunter2"), ("NAMEWALL_INVENTORY_CORP_USER", "x")],
            "Bearer hunter2",
        ),
    ] {
        let index = Index::start(&["acme-core"]).await;
        index.behave(|index| index.authorization = Some(expected));
        let mut settings = settings(folder.path(), &index.config(more), &variables);
        settings.listeners[0].place = "127.0.0.1:0".parse().unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        let today = time::OffsetDateTime::now_utc().date();
        let _gone = std::fs::remove_dir_all(folder.path().join("ca/inventory"));
        let policy = settings.policy(today).unwrap();
        assert_eq!(policy.missing().collect::<Vec<_>>(), ["corp"]);
        let proxy = namewall::proxy::Proxy::start(settings.clone(), policy).await.unwrap();
        // What is kept is what the commands judge by, too.
        let name = ProjectName::parse("ACME.Core").unwrap();
        let judged = settings.policy(today).unwrap();
        assert!(
            judged.judge(Subject::Project(name.as_name())).is_protected(),
            "{more} {variables:?}: {:?}",
            index.asked()
        );
        proxy.stop(std::future::ready(())).await;
    }
}
