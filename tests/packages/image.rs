//! The container image: built from scratch by its own Containerfile, and run as nobody in particular on a read-only root.
//!
//! Its build stage needs an image from a registry, so the program is built here by the stage's own command and handed in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use namewall::demo::{Artifact, Project, StandIn, Wheel};
use serde_json::Value;
use tempfile::TempDir;

use crate::build::static_program;
use crate::tools::{ended, repository, said};

/// The image, unpacked, in buildah's storage in a folder of its own.
struct Image {
    folder: TempDir,
    root: PathBuf,
    config: Value,
}

impl Image {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = folder.path().join("stage");
        said(
            Command::new(repository().join("packaging/container/root")).arg(stage.join("image")).arg(static_program()),
        );
        let buildah = |arguments: &[&str]| {
            let mut command = Command::new("buildah");
            command.args(["--storage-driver", "vfs"]);
            command.arg("--root").arg(folder.path().join("storage")).arg("--runroot").arg(folder.path().join("run"));
            said(command.args(arguments).current_dir(repository())).trim().to_owned()
        };
        let stage = format!("build={}", stage.display());
        let file = "packaging/container/Containerfile";
        buildah(&[
            "build",
            "--quiet",
            "--isolation",
            "chroot",
            "--build-context",
            &stage,
            "--tag",
            "namewall",
            "-f",
            file,
        ]);
        let config: Value = serde_json::from_str(&buildah(&["inspect", "--type", "image", "namewall"])).unwrap();
        let container = buildah(&["from", "--pull-never", "namewall"]);
        let root = buildah(&["mount", &container]).into();
        Self { folder, root, config: config["OCIv1"]["config"].clone() }
    }
}

/// A running container, by what an engine does: a read-only root, the state in a volume, two files of the engine's own.
struct Container {
    child: Child,
    ready: Value,
}

impl Container {
    fn start(image: &Image, config: &str) -> Self {
        let state = image.folder.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::write(image.folder.path().join("hosts"), "127.0.0.1 standin.test\n").unwrap();
        fs::write(image.folder.path().join("config"), config).unwrap();
        let script = r#"
            set -eu
            touch "$root/etc/hosts"
            chown "$user" "$folder/state"
            mount --bind "$root" "$root"
            mount --bind "$folder/hosts" "$root/etc/hosts"
            mount --bind "$folder/config" "$root/etc/namewall/namewall.toml"
            mount --bind "$folder/state" "$root/var/lib/namewall"
            mount -o remount,bind,ro "$root"
            exec chroot --userspec="$user" "$root" "$@"
        "#;
        let words = |name: &str| {
            let words = image.config[name].as_array().unwrap().iter();
            words.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args(words("Entrypoint")).args(words("Cmd"));
        // Its own ports may be in use on this machine.
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--ready-file",
            "/var/lib/namewall/ready.json",
        ]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("root", &image.root).env("folder", image.folder.path());
        command.env("user", image.config["User"].as_str().unwrap());
        let log = image.folder.path().join("log");
        let mut child = command.stdin(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let (ready, started) = (state.join("ready.json"), Instant::now());
        while !ready.exists() {
            let late = started.elapsed() > Duration::from_secs(30);
            if late || child.try_wait().unwrap().is_some() {
                let _ended = (child.kill(), child.wait());
                panic!("the container is not ready: {}", fs::read_to_string(&log).unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, ready: serde_json::from_slice(&fs::read(ready).unwrap()).unwrap() }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ended = (self.child.kill(), self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_runs_as_nobody_on_a_read_only_root_and_hides_what_it_is_told_to() {
    let wheel = |name| Project::new(name).file(Artifact::wheel(&Wheel::new(name, "1.0")).unwrap());
    let pypi = StandIn::builder().project(wheel("acme-core")).project(wheel("paint")).start().await.unwrap();
    let image = tokio::task::spawn_blocking(Image::build).await.unwrap();
    assert_eq!(image.config["User"], "65532:65532");

    // As it is, its config is right, and the rules folder is where one would look for it.
    let check = ended(Command::new("chroot").arg(&image.root).args(["/usr/bin/namewall", "check"]).env_remove("HOME"));
    assert_eq!(check.0, Some(0), "{}", check.1);
    assert!(image.root.join("etc/namewall/rules.d").is_dir());

    fs::write(image.root.join("etc/namewall/rules.d/root.pem"), pypi.root_pem()).unwrap();
    fs::write(image.root.join("etc/namewall/rules.d/acme.toml"), "[[protect]]\nid = \"acme\"\nnames = [\"acme-*\"]\n")
        .unwrap();
    let config = fs::read_to_string(image.root.join("etc/namewall/namewall.toml")).unwrap();
    // By name, so that the static program has to look it up, in a root that has nothing of the system's resolver.
    let upstream =
        pypi.upstream_table(Path::new("/etc/namewall/rules.d/root.pem")).replace("127.0.0.1:", "standin.test:");
    let container = Container::start(&image, &format!("{config}\n{upstream}"));

    let state = image.folder.path().join("state");
    let bundle = fs::read_to_string(state.join("bundle.pem")).unwrap();
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 50, "the public roots are not in the bundle");
    let address = |key: &Value| format!("http://{}", key.as_str().unwrap());
    let proxy = address(&container.ready["listen"][0]);
    let get = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}", url]);
        said(curl.args(["--proxy", &proxy, "--noproxy", "127.0.0.1", "--cacert"]).arg(state.join("bundle.pem")))
    };
    assert_eq!(get(&format!("{}/livez", address(&container.ready["admin"]))), "200");
    assert_eq!(get("https://pypi.org/simple/paint/"), "200");
    assert_eq!(get("https://pypi.org/simple/acme-core/"), "404");
    assert!(pypi.mentions("acme").is_empty());
}
