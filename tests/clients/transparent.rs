//! A client that reads no proxy variable, `hatch publish`, on a machine whose firewall turns its connections to namewall: in
//! namespaces of the test's own, with real nftables.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use namewall::demo::{StandIn, Wheel};

use crate::install::client;
use crate::pins;
use crate::support::Namewall;

/// Set for the test's second life, where Hatch is.
const INSIDE: &str = "NAMEWALL_TEST_HATCH";
/// Where PyPI is thought to be; there is nothing.
const NOWHERE: &str = "198.51.100.9";
const PORT: u16 = 3130;

#[tokio::test]
async fn hatch_publish_is_judged_where_a_firewall_turns_it() {
    if let Some(hatch) = std::env::var_os(INSIDE) {
        return inside(Path::new(&hatch)).await;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.arg(std::env::current_exe().unwrap());
    unshare.args(["--exact", "transparent::hatch_publish_is_judged_where_a_firewall_turns_it", "--nocapture"]);
    let output = unshare.env(INSIDE, client(pins::HATCH)).stdin(Stdio::null()).output().expect("unshare is needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn set_up(folder: &Path) {
    let hosts = folder.join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 localhost\n{NOWHERE} pypi.org upload.pypi.org\n")).unwrap();
    let script = format!(
        "mount --bind {} /etc/hosts
         ip link set lo up
         ip address add 10.77.0.2/32 dev lo
         ip route add default dev lo src 10.77.0.2
         nft add table ip namewall
         nft 'add chain ip namewall turned {{ type nat hook output priority -100; }}'
         nft add rule ip namewall turned ip daddr {NOWHERE} tcp dport 443 redirect to :{PORT}",
        hosts.display()
    );
    let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nftables and iproute2 are needed, and the right to make namespaces: {text}");
}

/// Publishes a wheel of that project; whether Hatch was content, and what it said.
async fn publish(hatch: &Path, wall: &Namewall, folder: &Path, project: &str) -> (bool, String) {
    let wheel = Wheel::new(project, "1.0");
    let path: PathBuf = folder.join(wheel.file_name());
    std::fs::write(&path, wheel.build().unwrap()).unwrap();
    let mut command = tokio::process::Command::new(hatch.join("python"));
    command.args([
        "-m",
        "hatch",
        "--no-color",
        "publish",
        "--no-prompt",
        "--user",
        "__token__",
        "--auth",
        "pypi-secret",
    ]);
    command.arg(&path).current_dir(folder).env_clear().env("HOME", folder).env("PATH", "/usr/bin:/bin");
    command.env("SSL_CERT_FILE", wall.bundle()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

async fn inside(hatch: &Path) {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path());
    let pypi = StandIn::builder().start().await.unwrap();
    let listener = format!(
        "[[listener]]\naddr = \"0.0.0.0:{PORT}\"\ntransparent = true\nallow = [\"10.77.0.2/32\", \"127.0.0.0/8\"]\n"
    );
    let wall = Namewall::before(&pypi).protect("acme", &["acme-*"]).config(&listener).start().await;

    let (success, said) = publish(hatch, &wall, folder.path(), "acme-core").await;
    assert!(
        !success && said.contains("403") && said.contains("acme-core is protected by namewall rule acme"),
        "{said}"
    );
    assert!(pypi.uploads().is_empty() && pypi.mentions("acme").is_empty(), "{said}");

    let (success, said) = publish(hatch, &wall, folder.path(), "paint").await;
    assert!(success, "{said}");
    let uploads = pypi.uploads();
    assert_eq!(uploads.len(), 1, "{said}");
    assert!(String::from_utf8_lossy(&uploads[0].body).contains("paint-1.0-py3-none-any.whl"));
}
