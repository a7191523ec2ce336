//! The authority's life, as curl, Python and the system's own trust store see it.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::commands::{stderr, stdout};
use crate::world::World;

const BINARY: &str = env!("CARGO_BIN_EXE_namewall");

/// The folder of the world's authority.
fn ca_dir(world: &World) -> PathBuf {
    world.proxy.ca().parent().unwrap().to_owned()
}

/// The program with the world's config.
fn namewall(world: &World, arguments: &[&str]) -> Output {
    let config = ca_dir(world).with_file_name("namewall.toml");
    let mut command = Command::new(BINARY);
    command.args(["--config", config.to_str().unwrap()]).args(arguments).env_remove("NAMEWALL_CONFIG");
    command.stdin(Stdio::null()).output().unwrap()
}

fn succeeds(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

/// Whether curl, trusting what is in `roots` alone, gets a page through the proxy.
async fn curl(world: &World, roots: &Path) -> bool {
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "-o", "/dev/null", "--proxy", &format!("http://{}", world.address())]);
    curl.arg("--cacert").arg(roots).arg("https://pypi.org/simple/innocent/").env_clear();
    curl.output().await.unwrap().status.success()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not in 40 s");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn certificates(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.split_inclusive("-----END CERTIFICATE-----\n").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_loses_no_client_that_trusts_the_old_one_and_no_request() {
    let world = World::new().await;
    let (ca, dir) = (world.proxy.ca().to_owned(), ca_dir(&world));
    let [old, both, new] = ["old.pem", "both.pem", "new.pem"].map(|name| dir.with_file_name(name));
    fs::copy(&ca, &old).unwrap();

    let said = succeeds(&namewall(&world, &["ca", "renew"]));
    assert!(said.contains("next         signs from 20") && said.contains("it holds both now"), "{said}");
    assert_eq!(certificates(&ca).len(), 2);
    let bundle = fs::read_to_string(world.proxy.bundle()).unwrap();
    assert!(certificates(&ca).iter().all(|certificate| bundle.contains(certificate)));
    assert_eq!(fs::metadata(dir.join("ca-next.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(succeeds(&namewall(&world, &["ca", "export"])), fs::read_to_string(&ca).unwrap());
    assert!(succeeds(&namewall(&world, &["ca", "show"])).contains("next         signs from 20"));
    // Once more changes nothing.
    let before = fs::read(dir.join("ca-next.pem")).unwrap();
    succeeds(&namewall(&world, &["ca", "renew"]));
    assert_eq!(fs::read(dir.join("ca-next.pem")).unwrap(), before);

    fs::copy(&ca, &both).unwrap();
    fs::write(&new, &certificates(&ca)[1]).unwrap();
    // Long enough for the proxy to have taken it up.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(curl(&world, &old).await && curl(&world, &both).await && !curl(&world, &new).await);

    let now = namewall(&world, &["ca", "renew", "--now"]);
    assert!(succeeds(&now).contains("signs from now on"), "{}", stdout(&now));
    until("the new one signs", async || {
        assert!(curl(&world, &both).await, "a request was lost");
        assert!(curl(&world, world.proxy.bundle()).await, "a request was lost");
        curl(&world, &new).await
    })
    .await;
    assert!(curl(&world, &both).await && !curl(&world, &old).await);
    world.proxy.stop(std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compromised_one_is_gone_at_once() {
    let world = World::new().await;
    let ca = world.proxy.ca().to_owned();
    let old = ca_dir(&world).with_file_name("old.pem");
    fs::copy(&ca, &old).unwrap();
    succeeds(&namewall(&world, &["ca", "renew"]));
    let both = certificates(&ca);
    let said = succeeds(&namewall(&world, &["ca", "renew", "--compromised"]));
    assert!(said.contains("must forget the old one"), "{said}");
    let new = certificates(&ca);
    assert!(new.len() == 1 && !both.contains(&new[0]) && !ca_dir(&world).join("ca-next.pem").exists());
    let bundle = fs::read_to_string(world.proxy.bundle()).unwrap();
    assert!(bundle.contains(&new[0]) && both.iter().all(|gone| !bundle.contains(gone)));
    until("the new one signs", async || curl(&world, &ca).await).await;
    assert!(!curl(&world, &old).await);
    world.proxy.stop(std::future::ready(())).await;
}

fn shell(script: &str, dir: &Path) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
}

/// As strict as Python 3.13's default, which trusts the organisation's root and nothing else.
const PYTHON: &str = "
import socket, ssl, sys
port, roots = sys.argv[1:]
context = ssl.create_default_context(cafile=roots)
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(('127.0.0.1', int(port)), 20) as plain:
    plain.sendall(b'CONNECT pypi.org:443 HTTP/1.1\\r\\nhost: pypi.org:443\\r\\n\\r\\n')
    assert b' 200 ' in plain.recv(4096)
    with context.wrap_socket(plain, server_hostname='pypi.org') as tls:
        tls.sendall(b'GET /simple/innocent/ HTTP/1.1\\r\\nhost: pypi.org\\r\\nconnection: close\\r\\n\\r\\n')
        assert b' 200 ' in tls.recv(4096)
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisations_ca_serves_those_who_trust_its_root_alone() {
    let world = World::new().await;
    let dir = ca_dir(&world);
    let said = succeeds(&namewall(&world, &["ca", "init", "--from-organisation"]));
    assert!(said.contains("ca-request.csr") && said.contains("openssl x509 -req -in ca-request.csr"), "{said}");
    assert_eq!(fs::metadata(dir.join("ca-request-key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    // The PKI of a corporation: a root, and an intermediate that issues.
    shell(
        r#"openssl req -x509 -newkey rsa:2048 -nodes -keyout root-key.pem -out root.pem -days 99 -subj /O=Corp/CN=Root -addext keyUsage=critical,keyCertSign
        openssl req -new -newkey rsa:2048 -nodes -keyout issuing-key.pem -out issuing.csr -subj /O=Corp/CN=Issuing
        printf 'basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n' > issuing.ext
        openssl x509 -req -in issuing.csr -CA root.pem -CAkey root-key.pem -set_serial 2 -days 90 -extfile issuing.ext -out issuing.pem"#,
        &dir,
    );
    // What the program says that they run, with their names.
    let (from, to) = (said.find("openssl x509").unwrap(), said.find("Put what they").unwrap());
    let command = said[from..to].replace("root.pem", "issuing.pem").replace("root-key.pem", "issuing-key.pem");
    shell(&format!("{command}\ncat namewall.pem issuing.pem root.pem > ../chain.pem\ncp root.pem .."), &dir);

    let (chain, root) = (dir.with_file_name("chain.pem"), dir.with_file_name("root.pem"));
    assert!(!curl(&world, &root).await);
    let said = succeeds(&namewall(&world, &["ca", "import", chain.to_str().unwrap()]));
    assert!(said.contains("may sign for pypi.io, pypi.org, ") && said.contains("no other name"), "{said}");
    until("it signs", async || curl(&world, &root).await).await;
    assert!(curl(&world, world.proxy.bundle()).await);
    let port = world.address().port().to_string();
    let python = Command::new("python3").args(["-c", PYTHON, &port]).arg(&root).output().unwrap();
    assert!(python.status.success(), "{}", stderr(&python));
    assert!(!dir.join("ca-request-key.pem").exists());
    let renewed = namewall(&world, &["ca", "renew"]);
    assert!(stderr(&renewed).contains("ca init --from-organisation"), "{}", stderr(&renewed));
    let installed = namewall(&world, &["ca", "status"]);
    assert!(stderr(&installed).contains("that root is what clients have to trust"), "{}", stderr(&installed));
    world.proxy.stop(std::future::ready(())).await;
}

/// In a mount namespace of its own, over copies of the folders: the machine's store is never touched.
const IN_A_STORE_OF_ITS_OWN: &str = r#"
mount --bind "$W/ssl" /etc/ssl
mount --bind "$W/local" /usr/local/share/ca-certificates
mount --bind "$W/hooks" /etc/ca-certificates/update.d
fetch() { curl -s --max-time 20 -o /dev/null -w '%{http_code}' --proxy "$PROXY" https://pypi.org/simple/innocent/ || true; }
step() { name=$1; shift; code=0; "$@" > "$W/$name" 2>&1 || code=$?; echo "$name $code"; }
echo "fetch-before $(fetch)"
step status-before "$NAMEWALL" ca status
step install "$NAMEWALL" ca install
echo "fetch-installed $(fetch)"
step again "$NAMEWALL" ca install
step gateway "$NAMEWALL" ca install --certificate "$W/gateway.pem"
step wide "$NAMEWALL" ca install --certificate "$W/wide.pem"
step named "$NAMEWALL" ca install --certificate "$W/wide.pem" --host com
step unwide "$NAMEWALL" ca uninstall --certificate "$W/wide.pem"
step status-installed "$NAMEWALL" ca status --json
step renew "$NAMEWALL" ca renew --compromised
step status-renewed "$NAMEWALL" ca status
step replace "$NAMEWALL" ca install
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; test "$(fetch)" != 200 || break; done
echo "fetch-renewed $(fetch)"
echo "files $(ls /usr/local/share/ca-certificates | wc -l)"
step uninstall "$NAMEWALL" ca uninstall
echo "fetch-uninstalled $(fetch)"
step uninstall-again "$NAMEWALL" ca uninstall
step status-uninstalled "$NAMEWALL" ca status --json
ls -l /etc/ssl/certs > "$W/links"
grep -rl 'PRIVATE KEY' /etc/ssl/certs /usr/local/share/ca-certificates && exit 9
exit 0
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_systems_store_holds_what_is_in_force_and_nothing_else_of_ours() {
    let has = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !Path::new("/usr/sbin/update-ca-certificates").exists() || !has("unshare", &["-m", "true"]) {
        eprintln!("skipped: it takes Debian's update-ca-certificates, and root for a mount namespace");
        return;
    }
    let world = World::new().await;
    let (other, scratch) = (World::new().await, tempfile::tempdir().unwrap());
    let w = scratch.path();
    fs::copy(other.proxy.ca(), w.join("gateway.pem")).unwrap();
    self_made(w, &["pypi.org", "com"]);
    shell("mkdir local hooks; cp -a /etc/ssl ssl", w);
    let machine =
        || (fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap(), names("/usr/local/share/ca-certificates"));
    let before = machine();
    let mut script = tokio::process::Command::new("unshare");
    script.args(["-m", "sh", "-ec", IN_A_STORE_OF_ITS_OWN]).env_clear();
    script.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("W", w).env("NAMEWALL", BINARY);
    script.env("NAMEWALL_CONFIG", ca_dir(&world).with_file_name("namewall.toml"));
    script.env("PROXY", format!("http://{}", world.address())).env("HOME", w);
    let output = script.output().await.unwrap();
    let said = |name: &str| fs::read_to_string(w.join(name)).unwrap_or_default();
    let all = || ["install", "status-before", "replace", "uninstall", "status-renewed", "links"].map(said).join("\n");
    assert!(output.status.success(), "{}{}{}", stdout(&output), stderr(&output), all());
    let expected = "fetch-before 000\nstatus-before 1\ninstall 0\nfetch-installed 200\nagain 0\ngateway 0\nwide 3\nnamed 0\nunwide 0\n\
        status-installed 0\nrenew 0\nstatus-renewed 1\nreplace 0\nfetch-renewed 200\nfiles 2\nuninstall 0\n\
        fetch-uninstalled 000\nuninstall-again 1\nstatus-uninstalled 1\n";
    assert_eq!(stdout(&output), expected, "{}", all());
    assert!(said("status-before").contains("to install it: sudo /"), "{}", said("status-before"));
    assert!(
        said("install").contains("it may vouch for ") && said("install").contains("pypi.org"),
        "{}",
        said("install")
    );
    assert!(said("again").contains("already installed"), "{}", said("again"));
    assert!(said("wide").contains("not intercepted (com)"), "{}", said("wide"));
    let status: serde_json::Value = serde_json::from_str(&said("status-installed")).unwrap();
    assert_eq!((&status["installed"], status["others"].as_array().unwrap().len()), (&true.into(), 1), "{status}");
    let renewed = said("status-renewed");
    assert!(
        renewed.contains("not installed") && renewed.contains("\nolder ") && renewed.contains("\nanother "),
        "{renewed}"
    );
    assert!(said("replace").contains("installed O=namewall") && said("replace").contains("removed O=namewall"));
    let status: serde_json::Value = serde_json::from_str(&said("status-uninstalled")).unwrap();
    assert_eq!(status["others"].as_array().unwrap().len(), 1, "the gateway's stays: {status}");
    let links = said("links");
    let links: Vec<_> = links.lines().filter(|line| line.contains("namewall-")).collect();
    assert_eq!(links.len(), 2, "the gateway's and its hash: {links:?}");
    assert_eq!(machine(), before);
    world.proxy.stop(std::future::ready(())).await;
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn who_may_not_change_the_store_is_told_the_command() {
    let scratch = tempfile::tempdir().unwrap();
    let certificate = scratch.path().join("ca.pem");
    let world = World::new().await;
    fs::copy(world.proxy.ca(), &certificate).unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["ca", "install", "--certificate", "ca.pem"]).current_dir(scratch.path()).env_clear();
    if has_root() {
        command.uid(65534).gid(65534);
    }
    let output = match command.output() {
        Ok(output) if Path::new("/usr/sbin/update-ca-certificates").exists() => output,
        _ => return eprintln!("skipped: it takes Debian's store, and a binary that nobody may run"),
    };
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let command = format!("sudo {BINARY} ca install --certificate {}", certificate.canonicalize().unwrap().display());
    assert!(stderr(&output).contains(&command), "{}", stderr(&output));
}

/// Confined to names, and made by nobody of ours.
fn self_made(dir: &Path, names: &[&str]) -> PathBuf {
    let permitted: String = names.iter().map(|name| format!("permitted;DNS:{name},")).collect();
    shell(
        &format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout wide-key.pem -out wide.pem -days 9 -subj /O=namewall/CN=wide \
             -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
             -addext nameConstraints=critical,{permitted}excluded\\;IP:0.0.0.0/0.0.0.0,excluded\\;IP:::/:: 2>/dev/null"
        )
        .replace("permitted;", "permitted\\;"),
        dir,
    );
    dir.join("wide.pem")
}

#[test]
fn what_could_vouch_for_the_whole_web_is_not_installed() {
    let scratch = tempfile::tempdir().unwrap();
    let wide = self_made(scratch.path(), &["pypi.org", "com", "org"]);
    let install = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["ca", "install", "--certificate"]).args(arguments).env_clear().env("HOME", scratch.path());
        // Refused before the store is so much as looked at.
        stderr(&command.output().unwrap())
    };
    let said = install(&[wide.to_str().unwrap()]);
    assert!(said.contains("not intercepted (com, org): don't install it"), "{said}");
    // What isn't there, or is no certificate, is no matter of our own authority's.
    let said = install(&["/nonexistent.pem"]);
    assert!(said.contains("there is no file `/nonexistent.pem`") && !said.contains("ca init"), "{said}");
    for none in ["/dev/null", scratch.path().join("wide-key.pem").to_str().unwrap()] {
        let said = install(&[none]);
        assert!(said.contains("holds no certificate") && !said.contains("ca renew"), "{said}");
    }
}

/// As beside a service: its folder can be looked into, and its keys can't be read.
#[tokio::test]
async fn who_may_not_read_the_key_is_shown_and_given_the_certificates() {
    if !has_root() {
        return eprintln!("skipped: it takes root to be somebody else");
    }
    let world = World::new().await;
    let scratch = tempfile::tempdir().unwrap();
    succeeds(&namewall(&world, &["ca", "renew"]));
    for name in ["ca.pem", "ca-key.pem", "ca-next.pem"] {
        fs::copy(ca_dir(&world).join(name), scratch.path().join(name)).unwrap();
    }
    let config = scratch.path().join("namewall.toml");
    fs::write(&config, format!("[ca]\ndir = {:?}\n", scratch.path())).unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["--config", config.to_str().unwrap(), "ca"]).args(arguments).current_dir("/").env_clear();
        command.uid(65534).gid(65534).stdin(Stdio::null()).output()
    };
    let Ok(shown) = as_nobody(&["show"]) else { return eprintln!("skipped: a binary that nobody may run") };
    let shown = succeeds(&shown);
    assert!(shown.contains("may sign for ") && shown.contains("\nnext         signs from a moment on"), "{shown}");
    let both = fs::read_to_string(scratch.path().join("ca.pem")).unwrap();
    assert_eq!(succeeds(&as_nobody(&["export"]).unwrap()), both);
    let bundle = succeeds(&as_nobody(&["export", "--bundle"]).unwrap());
    assert!(bundle.ends_with(&both) && bundle.len() > both.len());
    if Path::new("/usr/sbin/update-ca-certificates").exists() {
        let status = as_nobody(&["status"]).unwrap();
        assert!(status.status.code() == Some(1) && stdout(&status).contains("\nnext "), "{}", stderr(&status));
    }
}

fn has_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
