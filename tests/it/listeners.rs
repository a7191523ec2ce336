//! What listeners want of those who come by them: TLS, a PROXY header, the right network; and sockets that are handed over.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use namewall::config::{ListenerSettings, ListenerTls, Settings};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::commands::Shell;
use crate::world::{Ask, JSON, RULES, World, echo, exchange, pypi, trusting};

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// One more listener on a free port.
fn listener() -> ListenerSettings {
    ListenerSettings::plain("127.0.0.1:0".parse().unwrap(), networks(&["127.0.0.0/8"]))
}

/// A world with that listener beside the ordinary one.
async fn world(listener: ListenerSettings) -> World {
    World::adjusted(pypi(), RULES, |settings| settings.listeners.push(listener)).await
}

/// A certificate of its own for the proxy itself.
fn identity(folder: &Path) -> ListenerTls {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = ListenerTls { cert: folder.join("proxy.pem"), key: folder.join("proxy.key") };
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    std::fs::write(&files.cert, certificate.pem()).unwrap();
    files
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// Connects to the second listener.
async fn dial(world: &World) -> TcpStream {
    TcpStream::connect(world.proxy.addresses()[1]).await.unwrap()
}

/// Opens a tunnel on a stream to the proxy; the head of the answer.
async fn connect<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, to: &str) -> String {
    stream.write_all(format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_closed) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn the_proxy_itself_can_be_reached_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let files = identity(folder.path());
    let world = world(ListenerSettings { tls: Some(files.clone()), ..listener() }).await;
    let to_proxy = async || {
        let name = ServerName::try_from("localhost").unwrap();
        trusting(certificate(&files.cert), b"http/1.1").connect(name, dial(&world).await).await
    };
    // What is ours is opened within it, over both versions of HTTP.
    for h2 in [false, true] {
        let mut proxy = to_proxy().await.unwrap();
        assert!(connect(&mut proxy, "pypi.org:443").await.starts_with("HTTP/1.1 200"));
        let inner = trusting(certificate(world.proxy.ca()), if h2 { b"h2" } else { b"http/1.1" });
        let inner = inner.connect(ServerName::try_from("pypi.org").unwrap(), proxy).await.unwrap();
        let ask = Ask::get("pypi.org", "/simple/mixed/").header("accept", JSON);
        let answer = exchange(inner, &if h2 { ask.h2() } else { ask }).await;
        assert!(answer.status == 200 && !answer.text().contains("acme"), "{answer:?}");
    }
    // All else goes through it unread, and more than fits into any buffer.
    let mut proxy = to_proxy().await.unwrap();
    assert!(connect(&mut proxy, &echo().await).await.starts_with("HTTP/1.1 200"));
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let expected = sent.clone();
    let (mut from, mut to) = tokio::io::split(proxy);
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    from.read_to_end(&mut received).await.unwrap();
    sending.await.unwrap();
    assert!(received == expected);
    // A renewed certificate is taken up without a restart.
    let old = certificate(&files.cert);
    identity(folder.path());
    assert_ne!(old, certificate(&files.cert));
    let begun = Instant::now();
    while to_proxy().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the new certificate is not in force");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_load_balancer_says_whom_it_brings() {
    let listener =
        ListenerSettings { allow: networks(&["192.0.2.0/24"]), balancers: networks(&["127.0.0.0/8"]), ..listener() };
    let world = World::adjusted(pypi(), RULES, |settings| {
        settings.listeners.push(listener);
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        settings.decisions = Some(settings.state_folder().join("decisions.jsonl"));
    })
    .await;
    let v2 = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[192, 0, 2, 8, 127, 0, 0, 1, 0x10, 0, 0x0c, 0x38]].concat();
    for header in [b"PROXY TCP4 192.0.2.7 127.0.0.1 4096 3128\r\n".to_vec(), v2] {
        let mut tcp = dial(&world).await;
        // In as many pieces as one likes.
        let (one, other) = header.split_at(9);
        tcp.write_all(one).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        tcp.write_all(other).await.unwrap();
        assert!(connect(&mut tcp, "pypi.org:443").await.starts_with("HTTP/1.1 200"));
        let tls = world.tls(tcp, "pypi.org", false).await.unwrap();
        assert_eq!(exchange(tls, &Ask::get("pypi.org", "/simple/acme-core/")).await.status, 404);
    }
    // Who is in no network that is served, who brings nobody, and who is told to be somebody strange.
    for refused in [&b"PROXY TCP4 203.0.113.7 127.0.0.1 4096 3128\r\n"[..], b"", b"PROXY TCP4 nobody\r\n"] {
        let mut tcp = dial(&world).await;
        tcp.write_all(refused).await.unwrap();
        assert_eq!(connect(&mut tcp, "pypi.org:443").await, "", "{refused:?}");
    }
    // Somebody of whom it can't say the address has the balancer's.
    let mut tcp = dial(&world).await;
    tcp.write_all(b"PROXY UNKNOWN\r\n").await.unwrap();
    assert_eq!(connect(&mut tcp, "pypi.org:443").await, "");
    // A health check.
    let mut tcp = dial(&world).await;
    tcp.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await.unwrap();
    assert!(connect(&mut tcp, "pypi.org:443").await.starts_with("HTTP/1.1 200"));
    let metrics = world.admin("/metrics").await;
    for (reason, count) in [("network", 2), ("proxy-header", 2)] {
        let line = format!("namewall_turned_away_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    let (_standin, proxy, folder) = world.into_parts();
    proxy.stop(std::future::ready(())).await;
    let log = std::fs::read_to_string(folder.path().join("ca/decisions.jsonl")).unwrap();
    let clients: Vec<_> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["client"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(clients, ["192.0.2.7", "192.0.2.8"]);
}

#[tokio::test]
async fn a_header_of_whom_nobody_asked_is_no_header() {
    let world = world(ListenerSettings { balancers: networks(&["198.51.100.0/24"]), ..listener() }).await;
    let mut tcp = dial(&world).await;
    tcp.write_all(b"PROXY TCP4 127.0.0.1 127.0.0.1 4096 3128\r\n").await.unwrap();
    assert_eq!(connect(&mut tcp, "pypi.org:443").await, "", "it is no load balancer");
    // And an ordinary listener takes nobody's word for who it is.
    let answer = world.raw(b"PROXY TCP4 192.0.2.7 127.0.0.1 4096 3128\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn each_listener_has_networks_of_its_own() {
    let world = world(ListenerSettings { allow: networks(&["10.0.0.0/8"]), ..listener() }).await;
    assert_eq!(connect(&mut dial(&world).await, "pypi.org:443").await, "");
    assert_eq!(world.get("/simple/innocent/").await.status, 200);
}

/// Starts `serve` on the socket with this descriptor, as systemd does.
fn serve_on(shell: &Shell, descriptor: i32, ready: &Path) -> Running {
    let start = format!(
        "exec 3<&{descriptor}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=proxy exec {} serve --listen systemd:proxy --ready-file {}",
        env!("CARGO_BIN_EXE_namewall"),
        ready.display()
    );
    // Not sh: dash knows descriptors of one digit alone.
    let mut command = Command::new("bash");
    command.args(["-c", &start]).current_dir(shell.path()).env("HOME", shell.path());
    for name in ["XDG_STATE_HOME", "HTTPS_PROXY", "https_proxy", "NAMEWALL_CONFIG"] {
        command.env_remove(name);
    }
    let child = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    while !ready.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Ended when the test is, however that goes.
struct Running(Child);

impl Running {
    /// Ends it as systemd does.
    fn stop(&mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_socket_that_is_handed_over_outlives_the_process() {
    let shell = Shell::new("[listen]\nallow = [\"127.0.0.0/8\"]\ndrain = \"5s\"\n");
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    let ready = |number: u32| -> PathBuf { shell.path().join(format!("ready-{number}.json")) };
    let mut child = serve_on(&shell, socket.as_raw_fd(), &ready(0));
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(ready(0)).unwrap()).unwrap();
    assert_eq!(told["listen"][0], address.to_string());
    // Who asks all the while is never refused, and always answered.
    let stop = std::sync::atomic::AtomicBool::new(false);
    let answered = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut stream = std::net::TcpStream::connect(address).expect("refused");
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                        .unwrap();
                    let mut answer = String::new();
                    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
                    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
                    answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        for number in 1..4 {
            std::thread::sleep(Duration::from_millis(200));
            child.stop();
            child = serve_on(&shell, socket.as_raw_fd(), &ready(number));
        }
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(answered.into_inner() > 50);
    child.stop();
}

#[test]
fn a_socket_that_nobody_handed_over_is_told_of() {
    let shell = Shell::new("[listen]\naddr = \"systemd:proxy\"\nallow = [\"127.0.0.0/8\"]\n");
    let output = shell.run(&["serve"]);
    assert_eq!(output.status.code(), Some(3));
    let text = crate::commands::stderr(&output);
    assert!(text.contains("systemd:proxy") && text.contains("start the socket unit"), "{text}");
}

#[test]
fn a_key_of_another_certificate_is_told_of_at_the_start() {
    let shell = Shell::new("");
    let files = identity(shell.path());
    std::fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let config = "[[listener]]\naddr = \"127.0.0.1:0\"\ncert = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    std::fs::write(shell.path().join("namewall.toml"), config).unwrap();
    let output = shell.run(&["serve"]);
    assert_eq!(output.status.code(), Some(3));
    let text = crate::commands::stderr(&output);
    assert!(text.contains("the key is not the certificate's"), "{text}");
}

#[test]
fn env_points_at_a_listener_that_clients_use_themselves() {
    const BALANCED: &str = "[[listener]]\naddr = \"127.0.0.1:1\"\nproxy-protocol = [\"10.0.0.1/32\"]\n";
    const TURNED: &str = "[[listener]]\naddr = \"127.0.0.1:2\"\ntransparent = true\n";
    const TLS: &str = "[[listener]]\naddr = \"127.0.0.1:3\"\ncert = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    const PLAIN: &str = "[[listener]]\naddr = \"127.0.0.1:4\"\n";
    let env = |listeners: &[&str]| {
        let shell = Shell::new(&listeners.concat());
        identity(shell.path());
        let output = shell.run(&["env", "--format", "json"]);
        let variables: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (variables["HTTPS_PROXY"].as_str().unwrap_or_default().to_owned(), crate::commands::stderr(&output))
    };
    assert_eq!(env(&[BALANCED, TURNED, TLS, PLAIN]), ("http://127.0.0.1:4".to_owned(), String::new()));
    let (proxy, said) = env(&[BALANCED, TURNED, TLS]);
    assert!(proxy == "https://127.0.0.1:3" && said.contains("its certificate has to be valid for 127.0.0.1"), "{said}");
    let (proxy, said) = env(&[BALANCED, TURNED]);
    assert!(proxy.is_empty() && said.contains("a load balancer (`proxy-protocol`)"), "{said}");
    let everywhere = TLS.replace("127.0.0.1", "0.0.0.0");
    let (proxy, said) = env(&["[listen]\nallow = [\"10.0.0.0/8\"]\n", &everywhere]);
    assert!(proxy.is_empty() && said.contains("--proxy https://HOST:3"), "{said}");
}

#[test]
fn a_table_of_a_listener_is_read_whole() {
    let shell = Shell::new(
        "[listen]\nallow = [\"10.0.0.0/8\"]\n[[listener]]\naddr = [\"127.0.0.1:1\", \"systemd:tls\"]\ncert = \"c\"\nkey = \"k\"\n\
         proxy-protocol = [\"10.0.0.1/32\"]\n[[listener]]\naddr = \"0.0.0.0:2\"\ntransparent = true\nallow = [\"10.2.0.0/16\"]\n",
    );
    let overrides = namewall::config::Overrides {
        config: Some(shell.path().join("namewall.toml")),
        ..namewall::config::Overrides::default()
    };
    let settings = Settings::load(&overrides).unwrap();
    let [first, second, third] = &settings.listeners[..] else { panic!("{:?}", settings.listeners) };
    assert_eq!((first.place.to_string(), second.place.to_string()), ("127.0.0.1:1".into(), "systemd:tls".into()));
    assert_eq!(ListenerSettings { place: first.place.clone(), ..second.clone() }, *first);
    assert_eq!(first.tls.as_ref().unwrap().cert, shell.path().join("c"));
    assert_eq!((&first.balancers, &first.allow), (&networks(&["10.0.0.1/32"]), &networks(&["10.0.0.0/8"])));
    assert!(third.transparent && third.allow == networks(&["10.2.0.0/16"]) && third.tls.is_none());
    assert_eq!(settings.proxies().count(), 0, "none of them is for clients that know of nothing but an address");
}

#[tokio::test]
async fn the_pac_file_names_what_clients_can_use() {
    let folder = tempfile::tempdir().unwrap();
    let tls = ListenerSettings { tls: Some(identity(folder.path())), ..listener() };
    let balanced = ListenerSettings { balancers: networks(&["10.0.0.0/8"]), ..listener() };
    let with = async |listeners: Vec<ListenerSettings>| {
        World::adjusted(pypi(), RULES, |settings| {
            settings.admin = Some("127.0.0.1:0".parse().unwrap());
            settings.listeners = listeners;
        })
        .await
    };
    let world = with(vec![listener(), tls, balanced.clone()]).await;
    let pac = world.admin("/proxy.pac").await;
    let [plain, tls, balancer] = world.proxy.addresses() else { panic!("three") };
    assert!(pac.starts_with("HTTP/1.1 200") && pac.contains(&format!("\"PROXY {plain}; HTTPS {tls}\"")), "{pac}");
    assert!(!pac.contains(&balancer.to_string()), "{pac}");
    let pac = with(vec![balanced]).await.admin("/proxy.pac").await;
    assert!(pac.starts_with("HTTP/1.1 404") && pac.contains("load balancers"), "{pac}");
}
