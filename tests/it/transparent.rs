//! Clients that know of no proxy, and a firewall that turns their connections to one: real curl, real nftables, in network
//! namespaces of the test's own.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use namewall::config::{ListenerSettings, Place};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{RULES, World, pypi};

/// Set for the test's second life, in namespaces of its own.
const INSIDE: &str = "NAMEWALL_TEST_INSIDE";
const PORT: u16 = 3130;
/// The gateway, as the client sees it; somebody's server; and one to which the gateway's own connections are turned back.
const GATEWAY: &str = "10.77.0.1";
const ELSEWHERE: &str = "203.0.113.5";
const TURNED_BACK: &str = "203.0.113.66";

#[test]
fn who_knows_of_no_proxy_is_filtered_too() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let this = std::env::current_exe().unwrap();
    let again =
        unshare.arg(this).args(["--exact", "transparent::who_knows_of_no_proxy_is_filtered_too", "--nocapture"]);
    let output = again.env(INSIDE, "1").stdin(Stdio::null()).output().expect("unshare (util-linux) is needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Runs a shell's commands, all of which must succeed.
fn set_up(script: &str) {
    let output = Command::new("sh").args(["-euc", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nftables and iproute2 are needed, and the right to make namespaces: {text}");
}

fn inside() {
    set_up(&format!(
        "mount -t tmpfs none /run
         ip link set lo up
         ip address add {ELSEWHERE}/32 dev lo
         ip netns add client
         ip link add gate type veth peer name eth0 netns client
         ip address add {GATEWAY}/24 dev gate
         ip link set gate up
         ip -n client address add 10.77.0.2/24 dev eth0
         ip -n client link set lo up
         ip -n client link set eth0 up
         ip -n client route add default via {GATEWAY}
         nft -f - <<END
table ip namewall {{
    chain turned {{
        type nat hook prerouting priority dstnat
        iifname \"gate\" ip daddr != {GATEWAY} tcp dport {{ 22, 80, 443 }} redirect to :{PORT}
    }}
    chain back {{
        type nat hook output priority -100
        ip daddr {TURNED_BACK} tcp dport 443 redirect to :{PORT}
    }}
}}
END
"
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(filtered());
}

/// Runs curl on the client's side, where no variable names a proxy.
async fn curl(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new("ip");
    command.args(["netns", "exec", "client", "curl", "--silent", "--show-error", "--max-time", "20"]).args(arguments);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).output().await.unwrap()
}

/// What a shell on the client's side says.
async fn bash(script: String) -> String {
    let mut command = tokio::process::Command::new("ip");
    command.args(["netns", "exec", "client", "timeout", "20", "bash", "-c", &script]).stdin(Stdio::null());
    said(&command.output().await.unwrap())
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Somebody's server, which says its line as soon as one connects, or answers whatever comes.
async fn serve(port: u16, greeting: &'static str, answer: &'static str) {
    let listener = TcpListener::bind((ELSEWHERE, port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(greeting.as_bytes()).await.unwrap();
                let mut asked = [0; 1024];
                let length = stream.read(&mut asked).await.unwrap_or_default();
                let _may_be_gone = stream.write_all(answer.as_bytes()).await;
                length
            });
        }
    });
}

async fn filtered() {
    // For both families: there, addresses of the older one look like the newer's.
    let any: SocketAddr = (Ipv6Addr::UNSPECIFIED, PORT).into();
    let world = World::adjusted(pypi(), RULES, |settings| {
        let mut listener = ListenerSettings::plain(Place::Address(any), vec!["10.77.0.0/24".parse().unwrap()]);
        listener.allow.push("203.0.113.0/24".parse().unwrap());
        listener.transparent = true;
        settings.listeners.push(listener);
        std::sync::Arc::make_mut(&mut settings.exits).deny = "denied.example".parse().unwrap();
    })
    .await;
    let trusted = world.proxy.ca().to_str().unwrap().to_owned();
    // Wherever the name is thought to be: its host's address is nowhere to be found here.
    let pypi = |target: &str| {
        let resolve = ["--resolve", "pypi.org:443:198.51.100.9", "--resolve", "pypi.org:80:198.51.100.9"];
        let mut all = resolve.map(str::to_owned).to_vec();
        all.extend([
            "--cacert".to_owned(),
            trusted.clone(),
            "--write-out".into(),
            " %{http_code}".into(),
            target.into(),
        ]);
        async move { said(&curl(&all.iter().map(String::as_str).collect::<Vec<_>>()).await) }
    };
    assert!(pypi("https://pypi.org/simple/innocent/").await.ends_with(" 200"));
    let mixed = pypi("https://pypi.org/simple/mixed/").await;
    assert!(mixed.ends_with(" 200") && mixed.contains("mixed-1.0") && !mixed.contains("acme"), "{mixed}");
    assert!(pypi("https://pypi.org/simple/acme-core/").await.ends_with(" 404"));
    // In the clear it is answered as over TLS.
    assert!(pypi("http://pypi.org/simple/innocent/").await.ends_with(" 200"));
    assert!(pypi("http://pypi.org/simple/acme-core/").await.ends_with(" 404"));
    assert!(world.leaked().is_empty(), "{:?}", world.leaked());

    // Somebody else's server gets what was meant for it, whoever speaks first.
    serve(80, "", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nelsewhere").await;
    serve(22, "SSH-2.0-elsewhere\r\n", "").await;
    let plain = curl(&["http://elsewhere.example/", "--resolve", "elsewhere.example:80:203.0.113.5"]).await;
    assert_eq!(said(&plain), "elsewhere");
    let ssh = curl(&["--http0.9", "--max-time", "3", "telnet://203.0.113.5:22"]).await;
    assert!(said(&ssh).starts_with("SSH-2.0-elsewhere"), "{}", said(&ssh));
    https_elsewhere(world.proxy.ca().parent().unwrap()).await;

    // Who keeps quiet at first could wait for his server's word; what he says then is judged no less.
    let late = |path: &str| {
        let ask = format!("GET {path} HTTP/1.1\\r\\nhost: pypi.org\\r\\nconnection: close\\r\\n\\r\\n");
        bash(format!("exec 3<>/dev/tcp/{ELSEWHERE}/80; sleep 0.6; printf '{ask}' >&3; head -1 <&3"))
    };
    assert!(late("/simple/acme-core/").await.starts_with("HTTP/1.1 404"));
    assert!(late("/simple/innocent/").await.starts_with("HTTP/1.1 200"));
    assert!(world.leaked().is_empty(), "{:?}", world.leaked());

    // A name to which nobody is let out is one by this way, too.
    for url in ["http://denied.example/", "https://denied.example/"] {
        let port = if url.starts_with("https") { 443 } else { 80 };
        let resolve = format!("denied.example:{port}:{ELSEWHERE}");
        let denied = curl(&["--insecure", "--resolve", &resolve, url]).await;
        assert!(!denied.status.success(), "{}", said(&denied));
    }

    // What namewall opens itself and is turned back to it is noticed; nobody waits for it.
    let begun = std::time::Instant::now();
    let back = curl(&["--insecure", &format!("https://{TURNED_BACK}/")]).await;
    assert!(!back.status.success() && begun.elapsed() < Duration::from_secs(10), "{}", said(&back));
    // Who comes by itself wanted to go nowhere.
    let direct = curl(&[&format!("http://{GATEWAY}:{PORT}/")]).await;
    assert!(!direct.status.success(), "{}", said(&direct));
}

/// TLS that isn't ours is never opened: the client sees the server's own certificate.
async fn https_elsewhere(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = folder.join("elsewhere.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(namewall::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind((ELSEWHERE, 443)).await.unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(tcp).await.unwrap();
        let mut asked = [0; 1024];
        let _length = tls.read(&mut asked).await.unwrap();
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsealed").await.unwrap();
        let _closed = tls.shutdown().await;
    });
    let resolve = "elsewhere.example:443:203.0.113.5";
    let root = path.to_str().unwrap();
    let sealed = curl(&["--cacert", root, "--resolve", resolve, "https://elsewhere.example/"]).await;
    assert_eq!(said(&sealed), "sealed");
}
