//! Ways that lead back to where they began, and ways through another namewall, which don't.

use super::servers::free_port;
use super::*;
use crate::commands::{ACME, stdout};

/// Two proxies of one machine that lead to each other, and may ask each other for PyPI's hosts by name.
async fn two(dials_by_name: bool) -> (World, World) {
    let ports = [free_port(), free_port()];
    let folder = tempfile::tempdir().unwrap().keep();
    let mut worlds = Vec::new();
    for (own, other) in [(ports[0], ports[1]), (ports[1], ports[0])] {
        let world = World::adjusted(pypi(), RULES, |settings| {
            settings.listeners[0].place = format!("127.0.0.1:{own}").parse().unwrap();
            settings.parents = parents(&format!("proxy = \"http://127.0.0.1:{other}\""));
            settings.ca = namewall::config::CaSource::Dir(folder.clone());
            if dials_by_name {
                settings.connect_to.clear();
            }
        });
        worlds.push(world.await);
    }
    let second = worlds.pop().unwrap();
    (worlds.pop().unwrap(), second)
}

#[tokio::test]
async fn two_that_lead_to_one_another_notice() {
    for dials_by_name in [false, true] {
        let (one, other) = two(dials_by_name).await;
        let page = one.get("/simple/innocent/").await;
        assert_eq!(page.status, 508, "{dials_by_name}: {}", page.text());
        assert!(page.text().contains("loop"), "{}", page.text());
        let tunnel = other.connect("somewhere.example:443").await.unwrap_err();
        assert!(tunnel.contains(" 508 "), "{tunnel}");
        let answer = plain(&one, "http://somewhere.example/").await;
        assert!(answer.contains(" 508 ") && answer.contains("been here before"), "{answer}");
        assert_eq!(one.standin.log().len() + other.standin.log().len(), 0);
    }
}

#[tokio::test]
async fn a_parent_is_not_asked_for_the_way_to_the_admin_listener() {
    let (port, heard) = puppet(&[b"HTTP/1.1 200 OK\r\n\r\n"]).await;
    let world = World::adjusted(pypi(), RULES, |settings| {
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        settings.parents = parents(&format!("proxy = \"http://127.0.0.1:{port}\""));
    })
    .await;
    let admin = world.proxy.admin().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"] {
        let tunnel = world.connect(&format!("{host}:{admin}")).await.unwrap_err();
        assert!(tunnel.contains(" 508 "), "{host}: {tunnel}");
        let answer = plain(&world, &format!("http://{host}:{admin}/metrics")).await;
        assert!(answer.contains(" 508 "), "{host}: {answer}");
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn a_proxy_that_would_lead_to_itself_does_not_start() {
    let shell = Shell::new(ACME);
    for (listen, name) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("0.0.0.0", "127.0.0.1")] {
        let port = free_port();
        let mut serve = shell.command(&["serve", "--listen", &format!("{listen}:{port}")]);
        serve.env("HTTPS_PROXY", format!("http://u:hunter2@{name}:{port}")).env("NAMEWALL_ALLOW", "127.0.0.0/8");
        let output = serve.stdin(Stdio::null()).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        for words in ["$HTTPS_PROXY names", "this proxy itself", "namewall env --unset"] {
            assert!(text.contains(words) && !text.contains("hunter2"), "{words}: {text}");
        }
    }
}

/// As in a shell whose variables lead to a gateway, or in another `run`.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_behind_another_namewall_goes_through_it() {
    let standin = pypi().start().await.unwrap();
    let shell = Shell::new("");
    let root = standin.write_root(shell.path()).unwrap();
    let upstream = standin.upstream_table(&root);
    let upstream: String =
        upstream.lines().filter(|line| !line.starts_with("proxy")).map(|line| format!("{line}\n")).collect();
    for (name, rules) in [("outer", ACME), ("inner", "")] {
        std::fs::write(shell.path().join(format!("{name}.toml")), format!("{upstream}{rules}")).unwrap();
    }
    let curl = "curl -s -o /dev/null -w '%{http_code} ' https://pypi.org/simple/innocent/ https://pypi.org/simple/acme-core/ -o /dev/null";
    let program = env!("CARGO_BIN_EXE_namewall");
    let script = format!("{program} run --config inner.toml --protect other -- {curl}");
    let mut outer = shell.command(&["run", "--config", "outer.toml", "--", "sh", "-c", &script]);
    let output = tokio::task::spawn_blocking(move || outer.stdin(Stdio::null()).output().unwrap()).await.unwrap();
    assert_eq!(stdout(&output).trim(), "200 404", "{}", stderr(&output));
    assert_eq!(standin.mentions("acme").len(), 0, "the outer one hides it: {}", stderr(&output));
}
