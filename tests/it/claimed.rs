//! Protected names that strangers hold: found in the public list alone, by the command and by the proxy that runs.

use std::convert::Infallible;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use namewall::config::{Settings, WebhookUrl};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::world::{RULES, World, pypi};

const LIST: &str = r#"{"meta":{"_last-serial":9,"api-version":"1.4"},"projects":[{"_last-serial":7,"name":"requests"},
{"_last-serial":5,"name":"Acme_Core"},{"_last-serial":6,"name":"acme-sdk"}]}"#;

fn run(folder: &TempDir, config: &str, arguments: &[&str]) -> Output {
    std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
    command.args(arguments).current_dir(folder.path()).env("HOME", folder.path()).env_remove("NAMEWALL_CONFIG");
    command.env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME").env_remove("NETRC");
    command.stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_list_in_a_file_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("list.json", LIST);
    write("names", "requests\nAcme.Core\nacme-sdk\n");
    write("none", "requests\nacme-sdk\n");
    write("cut.json", &LIST[..LIST.len() - 3]);
    write("page.html", "<html></html>");
    write("list.html", "<!DOCTYPE html><html><body><a href=\"/simple/acme-core/\">Acme_Core</a></body></html>");
    let output = run(&folder, RULES, &["claimed", "--from", "list.json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("rule acme: 1 claimed\n  Acme_Core  by acme-*  last changed at serial 5\n"), "{text}");
    assert!(text.ends_with("claimed: 1 protected of 3 names on the public index\n"), "{text}");
    let output = run(&folder, RULES, &["claimed", "--from", "list.json", "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["listed"], &json["claimed"]), (&3.into(), &1.into()));
    let claim = &json["rules"][0]["claimed"][0];
    assert_eq!(
        (&json["rules"][0]["rule"], &claim["name"], &claim["last-serial"]),
        (&"acme".into(), &"acme-core".into(), &5.into())
    );
    for (file, code) in [("names", 1), ("none", 0), ("cut.json", 4), ("page.html", 4), ("list.html", 1), ("nowhere", 2)]
    {
        assert_eq!(run(&folder, RULES, &["claimed", "--from", file]).status.code(), Some(code), "{file}");
    }
}

#[tokio::test]
async fn the_public_list_is_asked_for_once_and_no_name_ever() {
    let standin = pypi().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = standin.write_root(folder.path()).unwrap();
    let config = format!("{}\n{RULES}", standin.upstream_table(&root));
    let (folder, output) = tokio::task::spawn_blocking(move || {
        let output = run(&folder, &config, &["claimed"]);
        (folder, output)
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("  acme-core  by acme-*  last changed at serial"), "{}", stdout(&output));
    assert!(!stdout(&output).contains("SDK"));
    let asked: Vec<String> = standin.log().iter().map(|asked| asked.path().to_owned()).collect();
    assert_eq!(asked, ["/simple/"]);
    // It made no authority on its way.
    assert!(!folder.path().join(".local/state/namewall/ca.pem").exists());
    let unreachable = "[upstream]\nconnect-to = { \"pypi.org:443\" = \"127.0.0.1:1\" }\n";
    let output = tokio::task::spawn_blocking(move || run(&folder, &format!("{unreachable}{RULES}"), &["claimed"]))
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

async fn metrics(world: &World) -> String {
    let mut tcp = TcpStream::connect(world.proxy.admin().unwrap()).await.unwrap();
    tcp.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer
}

fn with_admin(settings: &mut Settings) {
    settings.admin = Some("127.0.0.1:0".parse().unwrap());
}

#[tokio::test]
async fn a_list_that_passes_is_counted() {
    let rules = format!("{RULES}[[protect]]\nid = \"other\"\nnames = [\"other\"]\n");
    let world = World::adjusted(pypi(), &rules, with_admin).await;
    assert!(!metrics(&world).await.contains("namewall_claimed_names{"));
    assert_eq!(world.get("/simple/").await.text().matches("acme-core").count(), 0);
    let told = metrics(&world).await;
    for line in ["namewall_claimed_names{rule=\"acme\"} 1\n", "namewall_claimed_names{rule=\"other\"} 0\n"] {
        assert!(told.contains(line), "{told}");
    }
}

/// Takes messages; refuses the first.
async fn webhook() -> (String, Arc<Mutex<Vec<Value>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
    let messages = Arc::new(Mutex::new(Vec::new()));
    let (taken, mut server) = (Arc::clone(&messages), JoinSet::new());
    server.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| {
                let taken = Arc::clone(&taken);
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let mut taken = taken.lock().unwrap();
                    taken.push(serde_json::from_slice(&body).unwrap());
                    let status = if taken.len() == 1 { 500 } else { 204 };
                    Ok::<_, Infallible>(Response::builder().status(status).body(Full::<Bytes>::default()).unwrap())
                }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            let _ended = builder.keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
        }
    });
    (url, messages, server)
}

#[tokio::test]
async fn a_webhook_is_told_once_and_tried_again() {
    let (url, messages, _server) = webhook().await;
    let world = World::adjusted(pypi(), RULES, |settings| {
        with_admin(settings);
        settings.claimed.every = Some(Duration::from_millis(100));
        settings.claimed.webhook = Some(WebhookUrl::new(url.parse().unwrap()));
        assert!(!format!("{settings:?}").contains("s3cret"));
    })
    .await;
    let begun = Instant::now();
    while messages.lock().unwrap().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", messages.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // More looks at a list that is the same tell nothing new.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = messages.lock().unwrap().clone();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["added"], told[1]["added"]);
    assert_eq!(told[1]["added"], serde_json::json!([{"rule": "acme", "name": "acme-core"}]));
    assert_eq!(told[1]["counts"], serde_json::json!({"claimed": 1, "added": 1, "gone": 0}));
    assert!(metrics(&world).await.contains("namewall_claimed_names{rule=\"acme\"} 1\n"));
    assert!(world.leaked().is_empty());
}

#[tokio::test]
async fn a_webhook_is_told_of_a_list_that_passes() {
    let (url, messages, _server) = webhook().await;
    let world = World::adjusted(pypi(), RULES, |settings| {
        settings.claimed.webhook = Some(WebhookUrl::new(url.parse().unwrap()));
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(messages.lock().unwrap().is_empty(), "nobody has looked yet");
    for _ in 0..3 {
        assert_eq!(world.get("/simple/").await.status, 200);
    }
    let begun = Instant::now();
    while messages.lock().unwrap().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", messages.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.get("/simple/").await.status, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = messages.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "refused once, then told once");
    assert_eq!(told[1]["added"], serde_json::json!([{"rule": "acme", "name": "acme-core"}]));
}
