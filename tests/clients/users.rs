//! Clients that tell the proxy who they are, in its URL: right, wrong, and not at all.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::install::client;
use crate::pins::{self, Pins};
use crate::world::{PLANTED, World};

/// As `htpasswd -B` writes it; the password is `p:ä@1`.
const USERS: &str = "j\u{fc}rgen:$2y$04$HRtfdWsIUvNEn.5Xgt/bK.oUQqM2iW1l7hZc9xa6w8dxJStobOjl6\n";
const RIGHT: &str = "j%C3%BCrgen:p%3A%C3%A4%401";
const WRONG: &str = "j%C3%BCrgen:p%3A%C3%A4%402";

struct Guarded {
    world: World,
    folder: TempDir,
}

impl Guarded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        std::fs::write(&users, USERS).unwrap();
        let world = World::listening(&format!("users = {users:?}")).await;
        Self { world, folder }
    }

    /// Runs a client that has these words before the proxy's host.
    async fn run(&self, said: &str, mut command: Command) -> (bool, String) {
        let url = match said {
            "" => self.world.wall.url(),
            said => self.world.wall.url().replace("http://", &format!("http://{said}@")),
        };
        command.env("HTTPS_PROXY", &url).env("https_proxy", &url).env("http_proxy", &url);
        self.world.run(command, self.folder.path()).await
    }

    async fn assert_by_name(&self) {
        let told = self.world.wall.decision(|told| told["decision"] != "allowed").await;
        assert_eq!(told["user"], "j\u{fc}rgen", "{told}");
        assert!(!self.world.wall.log().contains("p:\u{e4}"), "{}", self.world.wall.log());
    }
}

fn curl(arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/curl");
    command.args(["--disable", "--silent", "--show-error", "--max-time", "60"]).args(arguments);
    command
}

#[tokio::test]
async fn curl_is_served_by_name() {
    assert!(Path::new("/usr/bin/curl").exists(), "this test needs curl");
    let guarded = Guarded::new().await;
    let innocent = guarded.world.pypi.url_of("paint", "paint-3.0-py3-none-any.whl").unwrap();
    let planted = guarded.world.pypi.url_of("acme-core", PLANTED).unwrap();
    for (said, success) in [("", false), (WRONG, false), (RIGHT, true)] {
        let (was, told) = guarded.run(said, curl(&["--fail", "--output", "paint.whl", &innocent])).await;
        // After words that were wrong, some versions say no more than that there was an error.
        assert!(was == success && (success || told.contains("407") || told.contains("(22)")), "{said}: {told}");
    }
    // Without a word at first, and once more on the same connection when it is asked.
    let user = ["--proxy-anyauth", "--proxy-user", "j\u{fc}rgen:p:\u{e4}@1", "--verbose"];
    let (success, told) = guarded.run("", curl(&[&user[..], &["--output", "paint.whl", &innocent]].concat())).await;
    assert!(success && told.contains("HTTP/1.1 407 Proxy Authentication Required"), "{told}");
    assert!(!told.contains("onnection #1"), "another connection: {told}");
    // Absolute form: each request says it.
    let plain = planted.replace("https://", "http://");
    let (_, told) = guarded.run(RIGHT, curl(&["--include", &plain])).await;
    assert!(told.contains(" 403 ") && told.contains("acme-core is protected"), "{told}");
    let (_, told) = guarded.run(WRONG, curl(&["--include", &plain])).await;
    assert!(told.contains("HTTP/1.1 407 ") && told.contains("the name or the password is wrong"), "{told}");
    guarded.assert_by_name().await;
    guarded.world.assert_nothing_leaked();
}

async fn installs(pins: Pins, program: &str, arguments: &[&str], answer: &str) {
    let guarded = Guarded::new().await;
    let command = |project: &str| {
        let mut command = Command::new(client(pins).join(program));
        command.args(arguments).arg(project);
        command
    };
    let (success, told) = guarded.run(RIGHT, command("paint")).await;
    assert!(success, "{told}");
    assert!(guarded.folder.path().join("there/paint-3.0.dist-info").exists(), "{told}");
    let (success, _) = guarded.run(RIGHT, command("acme-core")).await;
    assert!(!success);
    guarded.assert_by_name().await;
    let (success, told) = guarded.run(WRONG, command("dye")).await;
    assert!(!success && told.contains(answer), "{told}");
    let (success, told) = guarded.run("", command("dye")).await;
    assert!(!success && told.contains(answer), "{told}");
    assert!(guarded.world.pypi.mentions("dye").is_empty());
}

#[tokio::test]
async fn pips_are_served_by_name() {
    for pins in [pins::PIP_23, pins::NEWEST_PIP] {
        let arguments = ["-m", "pip", "install", "--no-cache-dir", "--retries", "1", "--target", "there"];
        installs(pins, "python", &arguments, "407 Proxy Authentication Required").await;
    }
}

#[tokio::test]
async fn uv_is_served_by_name() {
    let arguments = ["pip", "install", "--no-cache", "--python-version", "3.11", "--target", "there"];
    installs(pins::NEWEST_UV, "uv", &arguments, "proxy authorization required").await;
}
