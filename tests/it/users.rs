//! Who may use the proxy, by name and password, and rules that are for some of them.

use std::time::Duration;

use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::Builder;
use namewall::demo::standin::body::full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::commands::{Shell, stderr, stdout};
use crate::world::{Ask, JSON, World, proxy_authorization, pypi};

/// `ci` and `dev` with the password `secret`: as `htpasswd -B` and as Python's argon2-cffi writes them.
const USERS: &str = "# ours\r\n\nci:$2y$04$CkGmt0TpsIjhaxp2ZuMVPuEA45W.x/BbM24ouP37MXVchCtXNxP5S\r\n\
    dev:$argon2id$v=19$m=256,t=1,p=2$+l2Xyw488cD6yFXPvodoJg$C1ChPv0JoTkM8yc4tYcqD9GoO4YCm1HLESLCQfYzDtg\n\
    j\u{fc}rgen:$2y$04$wKC.iAaZ6a7YqJ4NxUxIxeGajn23y8yPZC/pPMFgrBepzbuYRFL82\n";

/// The same users, and `ci` has another password, `other`.
const CHANGED: &str = "ci:$2y$04$XuNZ0ZyHYIYmrI0naDEqtOuHMZh8DvirxVZraT2h/eOiJaiIREB6y\n";

const RULES: &str = r#"
[[protect]]
id = "all"
names = ["acme-core"]

[[protect]]
id = "of-ci"
names = ["innocent"]
for = ["user:ci*"]

[[protect]]
id = "not-of-dev"
names = ["acmetool"]
except-for = ["user:dev"]

[[protect]]
id = "elsewhere"
names = ["mixed"]
for = ["192.0.2.0/24"]
"#;

const TARGET: &str = "CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n";

async fn world() -> World {
    World::of_users(pypi(), USERS, RULES).await
}

fn page(name: &str) -> Ask {
    Ask::get("pypi.org", format!("/simple/{name}/")).header("accept", JSON)
}

/// How often requests had this result.
async fn count(world: &World, result: &str) -> u64 {
    let metrics = world.admin("/metrics").await;
    let name = format!("namewall_auth_total{{result=\"{result}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// The head of the next answer on a connection, and its body.
async fn answer(tcp: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(Duration::from_secs(10), tcp.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn who_says_nothing_is_asked_and_may_answer_on_the_same_connection() {
    let world = world().await;
    let mut tcp = TcpStream::connect(world.address()).await.unwrap();
    tcp.write_all(format!("{TARGET}\r\n").as_bytes()).await.unwrap();
    let (head, body) = answer(&mut tcp).await;
    assert!(head.starts_with("HTTP/1.1 407 Proxy Authentication Required\r\n"), "{head}");
    assert!(head.contains("proxy-authenticate: Basic realm=\"namewall\", charset=\"UTF-8\"\r\n"), "{head}");
    assert!(!head.contains("connection: close"), "{head}");
    assert!(body.contains("urn:namewall:proxy-auth") && body.contains("HTTPS_PROXY"), "{body}");
    tcp.write_all(format!("{TARGET}{}\r\n", proxy_authorization("ci", "secret")).as_bytes()).await.unwrap();
    assert!(answer(&mut tcp).await.0.starts_with("HTTP/1.1 200 "));
    assert!(world.standin.log().is_empty());
}

#[tokio::test]
async fn an_absolute_form_request_is_asked_too_each_time() {
    let world = world().await;
    let mut tcp = TcpStream::connect(world.address()).await.unwrap();
    let head =
        format!("POST http://pypi.org/pypi HTTP/1.1\r\nHost: pypi.org\r\naccept: {JSON}\r\ncontent-length: 4\r\n");
    let said = proxy_authorization("dev", "secret");
    for (fields, status) in [("", "407"), (&*said, "200"), ("", "407"), ("Proxy-Authorization: Bearer x\r\n", "407")] {
        tcp.write_all(format!("{head}{fields}\r\nbody").as_bytes()).await.unwrap();
        let (head, _) = answer(&mut tcp).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{fields}: {head}");
        assert_eq!(head.contains("proxy-authenticate"), status == "407", "{head}");
    }
    assert_eq!((count(&world, "missing").await, count(&world, "malformed").await), (2, 1));
}

#[tokio::test]
async fn credentials_go_nowhere() {
    let world = world().await;
    let said = proxy_authorization("dev", "secret");
    let request = format!("GET http://pypi.org/simple/mixed/ HTTP/1.0\r\nHost: pypi.org\r\n{said}\r\n");
    assert!(world.raw(request.as_bytes()).await.contains(" 200 "));
    assert_eq!(world.ask(page("mixed").by("dev", "secret")).await.status, 200);
    let log = world.standin.log();
    assert!(!log.is_empty() && log.iter().all(|asked| asked.header("proxy-authorization").is_none()));
}

#[tokio::test]
async fn each_kind_of_hash_and_many_letters() {
    let world = world().await;
    for (name, password) in [("ci", "secret"), ("dev", "secret"), ("j\u{fc}rgen", "p:\u{e4}\u{20ac}")] {
        assert!(world.connect_with("pypi.org:443", &proxy_authorization(name, password)).await.is_ok(), "{name}");
    }
    for (name, password) in [("ci", "Secret"), ("CI", "secret"), ("nobody", "secret"), ("", ""), ("ci", "")] {
        let refused = world.connect_with("pypi.org:443", &proxy_authorization(name, password)).await.unwrap_err();
        assert!(refused.contains(" 407 "), "{name}: {refused}");
    }
    // A tunnel to anywhere else asks as well.
    let elsewhere = world.standin.address().to_string();
    assert!(world.connect(&elsewhere).await.unwrap_err().contains(" 407 "));
    assert!(world.connect_with(&elsewhere, &proxy_authorization("ci", "secret")).await.is_ok());
}

#[tokio::test]
async fn many_requests_cost_one_hash() {
    let world = world().await;
    let said = proxy_authorization("ci", "secret");
    let all = (0..50).map(|_| world.connect_with("pypi.org:443", &said));
    assert!(futures(all).await.iter().all(Result::is_ok));
    assert_eq!((count(&world, "verified").await, count(&world, "cached").await), (1, 49));
    let wrong = proxy_authorization("ci", "wrong");
    let all = (0..5).map(|_| world.connect_with("pypi.org:443", &wrong));
    assert!(futures(all).await.iter().all(Result::is_err));
    assert_eq!((count(&world, "wrong").await, count(&world, "still-wrong").await), (1, 4));
}

#[tokio::test]
async fn who_guesses_is_stopped_and_who_is_known_is_not() {
    let world = world().await;
    let known = proxy_authorization("ci", "secret");
    assert!(world.connect_with("pypi.org:443", &known).await.is_ok());
    let mut last = String::new();
    for number in 0..30 {
        let guess = proxy_authorization("ci", &number.to_string());
        last = world.connect_with("pypi.org:443", &guess).await.unwrap_err();
    }
    assert!(last.contains(" 503 ") && last.contains("retry-after: 60"), "{last}");
    assert_eq!((count(&world, "wrong").await, count(&world, "limited").await), (20, 10));
    assert!(world.connect_with("pypi.org:443", &known).await.is_ok());
    let metrics = world.admin("/metrics").await;
    assert!(!metrics.contains("secret"), "{metrics}");
}

#[tokio::test]
async fn a_rule_is_for_whom_it_says() {
    let world = world().await;
    for (name, ci, dev, juergen) in [
        ("acme-core", 404, 404, 404),
        ("innocent", 404, 200, 200),
        ("acmetool", 404, 200, 404),
        ("mixed", 200, 200, 200),
        ("disguise", 404, 404, 404),
    ] {
        for (user, password, status) in
            [("ci", "secret", ci), ("dev", "secret", dev), ("j\u{fc}rgen", "p:\u{e4}\u{20ac}", juergen)]
        {
            // Twice: the second may be a kept page.
            for _ in 0..2 {
                assert_eq!(world.ask(page(name).by(user, password)).await.status, status, "{name} {user}");
            }
        }
    }
    // Nothing that is hidden from one was asked for by that one.
    assert!(world.leaked().iter().all(|asked| asked.path().contains("acmetool")));
}

/// PyPI whose page of `six` may be kept, with a file that bears the name of `innocent`.
fn kept() -> Builder {
    const SIX: &str = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[
        {"filename":"six-1.0.tar.gz","url":"https://files.pythonhosted.org/packages/six-1.0.tar.gz","hashes":{}},
        {"filename":"innocent-9.0.tar.gz","url":"https://files.pythonhosted.org/packages/innocent-9.0.tar.gz","hashes":{}}]}"#;
    StandIn::builder().responder(|asked| {
        let response = Response::builder().header("content-type", JSON).header("etag", "\"v1\"");
        let response = response.header("cache-control", "max-age=600, public");
        (asked.path() == "/simple/six/").then(|| response.body(full(SIX)).unwrap())
    })
}

#[tokio::test]
async fn a_kept_page_is_given_to_those_alone_for_whom_the_same_rules_are_in_force() {
    let world = World::of_users(kept(), USERS, RULES).await;
    let (ci, dev) = (page("six").by("ci", "secret"), page("six").by("dev", "secret"));
    let mut tags = Vec::new();
    for (ask, sees) in [(&ci, false), (&dev, true), (&ci, false), (&dev, true)] {
        let answer = world.ask(ask.clone()).await;
        assert_eq!(answer.text().contains("innocent"), sees, "{}", answer.text());
        tags.push(answer.header("etag").to_owned());
    }
    assert_eq!((&tags[0], &tags[1]), (&tags[2], &tags[3]));
    assert_ne!(tags[0], tags[1]);
    assert_eq!(world.standin.log().len(), 2, "each page was asked for once");
    // One's tag is not the other's: no 304 revives what is hidden from the other.
    let answer = world.ask(ci.header("if-none-match", tags[1].clone())).await;
    assert!(answer.status == 200 && !answer.text().contains("innocent"));
    let answer = world.ask(dev.header("if-none-match", tags[1].clone())).await;
    assert_eq!(answer.status, 304);
}

#[tokio::test]
async fn without_users_a_rule_for_a_network_is_for_its_clients() {
    let rules = "[[protect]]\nid = \"here\"\nnames = [\"innocent\"]\nfor = [\"127.0.0.0/8\"]\n\
        [[protect]]\nid = \"not-here\"\nnames = [\"mixed\"]\nexcept-for = [\"127.0.0.1/32\"]\n\
        [[protect]]\nid = \"there\"\nnames = [\"disguise\"]\nfor = [\"192.0.2.0/24\"]\nmode = \"audit\"\n";
    let world = World::with(pypi(), rules).await;
    for (name, status) in [("innocent", 404), ("mixed", 200), ("disguise", 200)] {
        assert_eq!(world.get(&format!("/simple/{name}/")).await.status, status, "{name}");
    }
    let root = world.get("/simple/").await;
    assert_eq!(root.header("namewall-rule"), "here");
    assert!(root.text().contains("mixed") && !root.text().contains("innocent"));
}

#[tokio::test]
async fn the_users_change_while_it_serves() {
    let world = world().await;
    let (old, new) = (proxy_authorization("ci", "secret"), proxy_authorization("ci", "other"));
    assert!(world.connect_with("pypi.org:443", &old).await.is_ok());
    assert!(world.connect_with("pypi.org:443", &new).await.is_err());
    let mut settings = world.proxy.settings().clone();
    let file = settings.users.as_mut().unwrap();
    file.users = Ok(namewall::users::Users::parse(CHANGED).unwrap().into());
    let policy = settings.policy(time::OffsetDateTime::now_utc().date()).unwrap();
    world.proxy.accept_config(&settings, policy).unwrap();
    assert!(world.connect_with("pypi.org:443", &old).await.is_err());
    assert!(world.connect_with("pypi.org:443", &new).await.is_ok());
    // A config that asks nobody does not open what was asked for at the start.
    settings.users = None;
    let policy = settings.policy(time::OffsetDateTime::now_utc().date()).unwrap();
    world.proxy.accept_config(&settings, policy).unwrap();
    assert!(world.connect("pypi.org:443").await.is_err());
}

fn shell() -> Shell {
    let shell = Shell::new(&format!("[listen]\nusers = \"users\"\n{RULES}"));
    std::fs::write(shell.path().join("users"), USERS).unwrap();
    shell
}

#[test]
fn explain_says_it_for_somebody() {
    let shell = shell();
    let said = |arguments: &[&str], code| {
        let output = shell.run(&[&["explain"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    insta::assert_snapshot!(said(&["innocent", "acmetool", "acme-core"], 1));
    insta::assert_snapshot!(said(&["--as-user", "ci-7", "innocent"], 1));
    assert!(said(&["--as-user", "dev", "acmetool", "innocent"], 0).contains("everybody, except user:dev"));
    assert!(said(&["--as-client", "192.0.2.7", "mixed"], 1).contains("192.0.2.0/24"));
    let json: serde_json::Value = serde_json::from_str(&said(&["--json", "innocent"], 0)).unwrap();
    assert_eq!((&json[0]["verdict"], &json[0]["for"]), (&"allowed".into(), &serde_json::Value::Null));
    assert_eq!(json[0]["for_others"]["for"], "user:ci*");
    let json: serde_json::Value = serde_json::from_str(&said(&["--json", "--as-user", "ci", "innocent"], 1)).unwrap();
    assert_eq!((&json[0]["verdict"], &json[0]["for"]), (&"protected".into(), &"user:ci*".into()));
}

#[test]
fn somebody_is_one_whom_the_users_file_has() {
    let shell = shell();
    let explain = |user: &str| shell.run(&["explain", "--as-user", user, "innocent"]);
    let output = explain("user:ci");
    assert!(output.status.code() == Some(1) && stderr(&output).is_empty(), "{}", stderr(&output));
    for nobody in ["", "user:", "*", "user:ci-*", "a:b", " ci"] {
        let output = explain(nobody);
        assert_eq!(output.status.code(), Some(2), "{nobody}: {}", stdout(&output));
        assert!(
            stderr(&output).contains("write the whole name as in the users file, such as `ci`"),
            "{}",
            stderr(&output)
        );
    }
    let output = explain("nosuch");
    assert!(stderr(&output).contains("no user is called `nosuch`; write it as in `"), "{}", stderr(&output));
    let output = Shell::new(RULES_FOR_ALL).run(&["explain", "--as-user", "ci", "acme"]);
    assert!(stderr(&output).contains("no client is asked for its name"), "{}", stderr(&output));
}

const RULES_FOR_ALL: &str = "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\n";

#[test]
fn a_preview_is_of_all_rules_or_of_somebodys() {
    let shell = shell();
    let hidden = |arguments: &[&str]| {
        let output = shell.piped(
            &[&["check", "--format", "json", "--preview", "-"], arguments].concat(),
            "innocent\nmixed\nacmetool\n",
        );
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["preview"]["hidden"].as_u64().unwrap()
    };
    assert_eq!((hidden(&[]), hidden(&["--as-user", "ci"]), hidden(&["--as-user", "dev"])), (3, 2, 0));
}

#[test]
fn env_names_who_asks() {
    let shell = shell();
    let output = shell.run(&["env"]);
    assert!(output.status.success() && stderr(&output).contains("NAME:PASSWORD@"), "{}", stderr(&output));
    let output = shell.run(&["env", "--proxy", "http://j\u{fc}rgen:p@1@gateway.example:80", "--format", "json"]);
    let variables: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(variables["HTTPS_PROXY"], "http://j%C3%BCrgen:p%401@gateway.example:80");
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    let output = shell.run(&["env", "--proxy", "http://ci:hunter/2@gateway.example"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("%2F"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("hunter"), "{}", stderr(&output));
    let output = shell.run(&["env", "--proxy", "ftp://ci:hunter2@gateway.example"]);
    assert!(output.status.code() == Some(2) && !stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

/// All of them at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(move |context| {
        for (one, output) in all.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(ready) = one.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        match all.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(all.iter_mut().filter_map(|(_, output)| output.take()).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn many_users_behind_one_address_are_not_taken_for_guessers() {
    let all = (0..40).map(|number| (format!("user-{number}"), format!("secret-{number}")));
    let all: Vec<_> = all.collect();
    let lines = all.iter().map(|(name, password)| format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap()));
    let world = World::of_users(pypi(), &lines.collect::<String>(), RULES).await;
    let fields: Vec<_> = all.iter().map(|(name, password)| proxy_authorization(name, password)).collect();
    let served = futures(fields.iter().map(|said| world.connect_with("pypi.org:443", said))).await;
    let refused: Vec<_> = served.iter().filter_map(|served| served.as_ref().err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
