//! Parent proxies: real ones of two kinds, broken ones, and ways that lead back to where they began.

mod loops;
mod servers;

use std::process::Stdio;

use namewall::config::environment::Environment;
use namewall::config::{Overrides, Parents, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::servers::{GONE, Server, free_port, puppet};
use crate::commands::{Shell, stderr};
use crate::world::{Ask, JSON, RULES, World, pypi};

/// What a config with these lines in `[upstream]` says of parents, under these variables.
fn parents_under(variables: &[(&str, &str)], lines: &str) -> Parents {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("namewall.toml"), format!("[upstream]\n{lines}\n")).unwrap();
    std::fs::write(folder.path().join("password"), "s3cr@t: %\n").unwrap();
    let environment = Environment::from_pairs(variables.iter().copied());
    let settings = Settings::load_from(&Overrides::default(), &environment, folder.path());
    settings.unwrap_or_else(|error| panic!("{error}")).parents
}

fn parents(lines: &str) -> Parents {
    parents_under(&[], lines)
}

async fn behind(parents: Parents) -> World {
    World::adjusted(pypi(), RULES, |settings| settings.parents = parents).await
}

/// A server that greets first and sends back what it hears, on one connection after the other.
async fn greeter() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                tcp.write_all(b"hello ").await.unwrap();
                let (mut read, mut write) = tcp.split();
                let _end = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// Says `length` bytes into a tunnel to a [`greeter`] and expects them behind its greeting.
async fn talk(world: &World, to: &str, length: usize) {
    let tunnel = world.connect(to).await.unwrap_or_else(|head| panic!("{to}: {head}"));
    let said: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
    let (mut read, mut write) = tunnel.into_split();
    let mut greeting = [0; 6];
    read.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello ");
    let sent = said.clone();
    // Not closed before all is there: squid ends a tunnel with the first half of it.
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write
    });
    let mut heard = vec![0; length];
    read.read_exact(&mut heard).await.unwrap();
    assert!(heard == said);
    drop(sending.await.unwrap());
}

async fn plain(world: &World, url: &str) -> String {
    world
        .raw(
            format!(
                "GET {url} HTTP/1.1\r\nhost: x\r\nproxy-authorization: Basic b3duOm93bg==\r\nconnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
        .await
}

/// A plain HTTP server that says what it was asked.
async fn echo() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = tcp.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{head}", head.len());
            let _sent = tcp.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// Pages through the proxy, filtered, and what is protected asked of nobody.
async fn filters(world: &World) {
    let page = world.get("/simple/mixed/").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("mixed-1.0") && !page.text().contains("acme_core"), "{}", page.text());
    assert_eq!(world.get("/simple/acme-core/").await.status, 404);
    let file = world.ask(Ask::get("files.pythonhosted.org", "/packages/innocent-1.0-py3-none-any.whl")).await;
    assert!(file.status == 200 || file.status == 404, "{}", file.status);
    assert_eq!(world.leaked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_squid() {
    let squid = Server::squid("");
    let world = behind(parents(&format!("proxy = \"http://127.0.0.1:{}\"", squid.port))).await;
    filters(&world).await;
    let greeter = greeter().await;
    for length in [1, 1_000_000] {
        talk(&world, &greeter, length).await;
    }
    squid.logged("access.log", &format!("CONNECT {greeter}"));
    let echo = echo().await;
    let answer = plain(&world, &format!("http://{echo}/where")).await;
    assert!(answer.contains("get /where http/1.1") && answer.contains("parent.example"), "{answer}");
    assert!(!answer.contains("b3duom93bg"), "a client's credentials stay here: {answer}");
    let log = squid.logged("access.log", &format!("GET http://{echo}/where"));
    assert!(!log.contains(&format!("CONNECT {echo}")), "many refuse CONNECT to port 80: {log}");
    // Of a tunnel squid tells when it has ended.
    let (standin, proxy, _folder) = world.into_parts();
    proxy.stop(std::future::ready(())).await;
    squid.logged("access.log", &format!("CONNECT {}", standin.address()));
}

#[tokio::test(flavor = "multi_thread")]
async fn squid_wants_to_know_who_asks() {
    let squid = Server::squid_for_ann("s3cr@t: %");
    let port = squid.port;
    let (greeter, echo) = (greeter().await, echo().await);
    let in_url = format!("proxy = \"http://ann:s3cr%40t%3A%20%25@127.0.0.1:{port}\"");
    let in_file = format!("proxy = \"http://ann@127.0.0.1:{port}\"\nproxy-password-file = \"password\"");
    for lines in [in_url, in_file] {
        let world = behind(parents(&lines)).await;
        filters(&world).await;
        talk(&world, &greeter, 1000).await;
        let answer = plain(&world, &format!("http://{echo}/")).await;
        assert!(answer.contains("200 OK") && !answer.contains("proxy-authorization"), "{answer}");
    }
    for (user, words) in [("", "asks for a user and a password"), ("ann:hunter2@", "refuses the user or the password")]
    {
        let world = behind(parents(&format!("proxy = \"http://{user}127.0.0.1:{port}\""))).await;
        let page = world.get("/simple/innocent/").await;
        let refused = world.connect(&greeter).await.unwrap_err();
        let answer = plain(&world, &format!("http://{echo}/")).await;
        assert_eq!(page.status, 502);
        assert!(refused.contains(" 502 ") && answer.contains(" 502 "), "{refused} {answer}");
        for text in [page.text(), answer] {
            assert!(text.contains(&format!("through the parent proxy http://127.0.0.1:{port}")), "{text}");
            assert!(text.contains(words) && !text.contains("hunter2"), "{text}");
            assert!(!text.contains("ann:") && !text.contains("ann@"), "{text}");
        }
        assert_eq!(world.standin.log().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn squid_is_spoken_to_over_tls() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("squid.pem");
    std::fs::write(&pem, certificate.cert.pem() + &certificate.signing_key.serialize_pem()).unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, certificate.cert.pem()).unwrap();
    let port = free_port();
    let squid = Server::squid(&format!("https_port 127.0.0.1:{port} tls-cert={}\n", pem.display()));
    let through = || parents(&format!("proxy = \"https://localhost:{port}\""));
    let world = World::adjusted(pypi(), RULES, |settings| {
        settings.parents = through();
        settings.extra_roots.push(root);
    })
    .await;
    filters(&world).await;
    let (greeter, echo) = (greeter().await, echo().await);
    for length in [1, 3_000_000] {
        talk(&world, &greeter, length).await;
    }
    assert!(plain(&world, &format!("http://{echo}/")).await.contains("parent.example"));
    squid.logged("access.log", &format!("CONNECT {greeter}"));
    // There is no switch that makes a stranger trusted.
    let world = behind(through()).await;
    let page = world.get("/simple/innocent/").await;
    assert_eq!(page.status, 502);
    assert!(page.text().contains("TLS handshake") && page.text().contains("https://localhost"), "{}", page.text());
    assert!(world.connect(&greeter).await.unwrap_err().contains(" 502 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_danted() {
    let danted = Server::danted();
    let greeter = greeter().await;
    for scheme in ["socks5", "socks5h"] {
        let world = behind(parents(&format!("proxy = \"{scheme}://127.0.0.1:{}\"", danted.port))).await;
        filters(&world).await;
        talk(&world, &greeter, 1_000_000).await;
        let named = greeter.replace("127.0.0.1", "localhost");
        talk(&world, &named, 1).await;
        let echo = echo().await;
        let answer = plain(&world, &format!("http://{echo}/where")).await;
        assert!(answer.contains("get /where http/1.1") && !answer.contains("b3duom93bg"), "{answer}");
        let dead = world.connect(&format!("127.0.0.1:{GONE}")).await.unwrap_err();
        assert!(dead.contains(" 502 "), "{dead}");
    }
    let log = danted.log("log");
    assert!(log.contains(&greeter.replace(':', ".")), "{log}");
}

#[tokio::test]
async fn socks_with_a_password() {
    let answers: &[&[u8]] = &[b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01early "];
    let (port, heard) = puppet(answers).await;
    let world = behind(parents(&format!("proxy = \"socks5h://ann:pw@127.0.0.1:{port}\""))).await;
    let mut tunnel = world.connect("somewhere.example:22").await.unwrap();
    let mut early = [0; 6];
    tunnel.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early ", "what came with the answer is the tunnel's");
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard, b"\x05\x02\x00\x02\x01\x03ann\x02pw\x05\x01\x00\x03\x11somewhere.example\x00\x16");
    for (answers, words) in [
        (&[&b"\x05\xff"[..]][..], "refuses the user"),
        (&[b"\x05\x02", b"\x01\x01"], "refuses the user"),
        (&[b"\x05\x00", b"\x05\x02\x00\x01\0\0\0\0\0\0"], "rules don't allow"),
        (&[b"\x05\x00", b"\x05\x04"], "host is unreachable"),
        (&[b"HTTP/1.1 400 no\r\n\r\n"], "not SOCKS 5"),
    ] {
        let answers: &'static [&'static [u8]] = Box::leak(answers.to_vec().into_boxed_slice());
        let (port, _) = puppet(answers).await;
        let world = behind(parents(&format!("proxy = \"socks5h://ann:hunter2@127.0.0.1:{port}\""))).await;
        let page = world.get("/simple/innocent/").await;
        assert_eq!(page.status, 502);
        assert!(page.text().contains(words) && !page.text().contains("hunter2"), "{words}: {}", page.text());
    }
}

#[tokio::test]
async fn what_comes_with_the_answer_to_connect_reaches_the_client() {
    let (port, heard) =
        puppet(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 201 Opened\r\nContent-Length: 5\r\n\r\nSSH-2.0-x\r\n"]).await;
    let world = behind(parents(&format!("proxy = \"http://127.0.0.1:{port}\""))).await;
    let mut tunnel = world.connect("somewhere.example:22").await.unwrap();
    let mut greeting = [0; 11];
    tunnel.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"SSH-2.0-x\r\n");
    let heard = String::from_utf8(heard.lock().unwrap().clone()).unwrap();
    assert!(heard.starts_with("CONNECT somewhere.example:22 HTTP/1.1\r\nHost: somewhere.example:22\r\n"), "{heard}");
}

#[tokio::test]
async fn broken_parents_are_told_by_name_and_nobody_goes_past_them() {
    let squid_says = "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n";
    for (answers, status, words) in [
        (&[squid_says.as_bytes()][..], 502, "403 Forbidden"),
        (&[b"HTTP/1.1 504 Gateway Timeout\r\n\r\n"], 504, "504"),
        (&[b"HTTP/1.1 508 Loop Detected\r\n\r\n"], 508, "508"),
        (&[b"SSH-2.0-OpenSSH\r\n"], 502, "not HTTP/1"),
    ] {
        let answers: &'static [&'static [u8]] = Box::leak(answers.to_vec().into_boxed_slice());
        let (port, _) = puppet(answers).await;
        let world = behind(parents(&format!("proxy = \"http://ann:hunter2@127.0.0.1:{port}\""))).await;
        let page = world.get("/simple/innocent/").await;
        let text = page.text();
        assert_eq!(page.status.as_u16(), status, "{text}");
        assert!(text.contains(words) && text.contains(&format!("http://127.0.0.1:{port}")), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(world.connect("somewhere.example:1").await.unwrap_err().contains(&format!(" {status} ")), "{words}");
        assert_eq!(world.standin.log().len(), 0);
    }
    let gone = GONE;
    for proxy in ["http", "https", "socks5", "socks5h"] {
        let world = behind(parents(&format!("proxy = \"{proxy}://127.0.0.1:{gone}\""))).await;
        let page = world.get("/simple/innocent/").await;
        assert_eq!((page.status.as_u16(), world.standin.log().len()), (502, 0), "{proxy}");
        assert!(page.text().contains(&format!("cannot reach the parent proxy {proxy}://127.0.0.1:{gone}")));
        let greeter = greeter().await;
        assert!(world.connect(&greeter).await.unwrap_err().contains(" 502 "), "{proxy}");
        assert!(plain(&world, &format!("http://{greeter}/")).await.contains(" 502 "), "{proxy}");
    }
}

#[tokio::test]
async fn exceptions_and_routes_lead_past_it() {
    let gone = GONE;
    let (greeter, echo) = (greeter().await, echo().await);
    let (port, heard) = puppet(&[b"HTTP/1.1 200 OK\r\n\r\n"]).await;
    let variables = format!("http://127.0.0.1:{gone}");
    let no_proxy = format!("pypi.org, .pythonhosted.org,{greeter}");
    let world =
        behind(parents_under(&[("HTTPS_PROXY", &variables), ("NO_PROXY", &no_proxy)], "no-proxy = \"*.x.example\""))
            .await;
    filters(&world).await;
    talk(&world, &greeter, 10).await;
    assert!(plain(&world, &format!("http://{echo}/")).await.contains("200 OK"), "HTTPS_PROXY is none for http://");
    assert!(world.connect("other.example:443").await.unwrap_err().contains(" 502 "));

    let routes = format!(
        "proxy = \"http://127.0.0.1:{gone}\"\n[[upstream.route]]\nto = [\"pypi.org\"]\nproxy = \"direct\"\n\
         [[upstream.route]]\nto = \"*.corp.example\"\nproxy = \"http://127.0.0.1:{port}\"\n"
    );
    let world = behind(parents(&routes)).await;
    assert_eq!(world.get("/simple/innocent/").await.status, 200);
    assert!(world.connect("other.example:443").await.unwrap_err().contains(" 502 "));
    world.connect("a.corp.example:22").await.unwrap();
    assert!(String::from_utf8_lossy(&heard.lock().unwrap()).starts_with("CONNECT a.corp.example:22"));
}

#[tokio::test]
async fn a_stranger_with_our_name_behind_a_parent_is_looked_into() {
    // The first bytes are looked at although the proxy has just answered on the same connection.
    let squid = Server::squid("");
    let world = behind(parents(&format!("proxy = \"http://127.0.0.1:{}\"", squid.port))).await;
    let mut ask = Ask::get("pypi.org", "/simple/acme-core/").header("accept", JSON);
    ask.connect = Some(world.standin.address().to_string());
    for _ in 0..3 {
        let answer = world.ask(ask.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (404, "hidden"));
    }
    assert_eq!(world.leaked().len(), 0);
}

/// What namewall asks for itself: PyPI's list of all projects, and that of a private index.
#[tokio::test(flavor = "multi_thread")]
async fn lists_come_through_it_too() {
    let squid = Server::squid("");
    let standin = pypi().start().await.unwrap();
    let index = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = index.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = index.accept().await {
            let _asked = tcp.read(&mut [0; 4096]).await;
            let list = r#"{"meta": {"api-version": "1.0"}, "projects": [{"name": "acmetool"}]}"#;
            let length = list.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: {length}\r\n\r\n");
            let _sent = tcp.write_all((head + list).as_bytes()).await;
        }
    });
    let inventory = format!("[[inventory]]\nid = \"corp\"\nurl = \"http://{at}/simple/\"\n");
    let shell = Shell::new(&inventory);
    let root = standin.write_root(shell.path()).unwrap();
    let config = standin.upstream_table(&root) + &inventory;
    std::fs::write(shell.path().join("namewall.toml"), config).unwrap();
    let claimed = |port: u16| {
        let mut command = shell.command(&["claimed"]);
        command.env("ALL_PROXY", format!("http://127.0.0.1:{port}")).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let past = claimed(GONE).await.unwrap();
    assert_eq!(past.status.code(), Some(3), "{}", stderr(&past));
    assert!(stderr(&past).contains("cannot reach the parent proxy"), "{}", stderr(&past));
    assert_eq!(standin.log().len(), 0);
    let through = claimed(squid.port).await.unwrap();
    assert_eq!(through.status.code(), Some(1), "acmetool is on PyPI, too: {}", stderr(&through));
    squid.logged("access.log", &format!("GET http://{at}/simple/"));
    squid.logged("access.log", &format!("CONNECT {}", standin.address()));
}

#[test]
fn an_invalid_value_is_an_error_and_never_a_direct_connection() {
    for (variable, value, words) in [
        ("HTTPS_PROXY", "ftp://u:hunter2@proxy:21", "`ftp` is no way to speak to a proxy"),
        ("ALL_PROXY", "socks4://127.0.0.1:1080", "SOCKS 4 is not spoken"),
        ("https_proxy", "http://proxy:99999", "a port is a number from 1 to 65535"),
        ("HTTPS_PROXY", "http://", "proxy"),
        ("HTTPS_PROXY", "proxy", "neither a proxy's URL nor `direct`"),
    ] {
        let shell = Shell::new("");
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["run", "--", "true"], &["check"]] {
            let output = shell.command(arguments).env(variable, value).stdin(Stdio::null()).output().unwrap();
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{value}: {text}");
            assert!(text.contains(words) && text.contains(&format!("${variable}:1:1")), "{value}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    let shell = Shell::new("[upstream]\nproxy = \"http://proxy:80800\"\n");
    let output = shell.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("namewall.toml:2:9"), "{}", stderr(&output));
}
