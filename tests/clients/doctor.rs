//! `namewall doctor` with real clients: each asks for itself, and is understood in its own words.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use namewall::clients::env::variables;

use crate::install::client;
use crate::pins;
use crate::world::World;

/// The checks of the clients in `folders`, as `(id, status, message)`, in a shell in which `change` was done to the
/// variables that `namewall env` prints.
async fn checks(world: &World, folders: &[PathBuf], change: impl Fn(&mut String)) -> Vec<(String, String, String)> {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
    command.args(["doctor", "--json", "--timeout", "120", "--protect", "acme-core", "--config"]);
    command.arg(world.wall.folder().join("namewall.toml")).env_clear().current_dir(home.path());
    let path = folders.iter().cloned().chain([PathBuf::from("/usr/bin"), PathBuf::from("/bin")]);
    command.env("PATH", std::env::join_paths(path).unwrap()).env("HOME", home.path());
    for (name, mut value) in variables(&world.wall.url(), &world.wall.bundle(), &world.wall.ca(), None) {
        change(&mut value);
        command.env(name, value);
    }
    // This machine may have an /etc/pip.conf.
    command.env("PIP_CONFIG_FILE", "/dev/null").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let all = json["checks"].as_array().unwrap().iter();
    all.map(|check| (text(check, "id"), text(check, "status"), text(check, "message"))).collect()
}

fn of<'a>(checks: &'a [(String, String, String)], id: &str) -> (&'a str, &'a str) {
    let found = checks.iter().find(|(known, ..)| known == id);
    let (_, status, message) = found.unwrap_or_else(|| panic!("no check {id} in {checks:#?}"));
    (status, message)
}

/// What an installer makes of a Python program. (Those in `target/clients` name a Python that was moved.)
fn script(folder: &Path, name: &str, environment: &Path) {
    let python = environment.join("python");
    let text = format!("#!{}\nimport sys\nfrom {name}.__main__ import main\nsys.exit(main())\n", python.display());
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn real_clients_get_through_and_are_stopped() {
    let world = World::protecting().await;
    let scripts = tempfile::tempdir().unwrap();
    script(scripts.path(), "twine", &client(pins::TWINE));
    let folders = [client(pins::NEWEST_PIP), client(pins::NEWEST_UV), scripts.path().to_owned()];
    let checks = checks(&world, &folders, |_| ()).await;
    for (id, version) in
        [("clients.pip", pins::NEWEST_PIP.version()), ("clients.uv", pins::NEWEST_UV.version()), ("clients.twine", "")]
    {
        let (status, message) = of(&checks, id);
        assert_eq!(status, "ok", "{message}");
        for part in [version, "reaches both hosts through namewall, and is stopped at acme-core"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert!(checks.iter().all(|(_, status, _)| status != "fail"), "{checks:#?}");
    world.assert_nothing_leaked();
}

#[tokio::test]
async fn old_pips_are_understood_too() {
    let world = World::protecting().await;
    for pin in [pins::PIP_19, pins::PIP_23] {
        let checks = checks(&world, &[client(pin)], |_| ()).await;
        let (status, message) = of(&checks, "clients.pip");
        assert_eq!(status, "ok", "{message}");
        assert!(message.contains(pin.version()) && message.contains("is stopped at acme-core"), "{message}");
    }
    world.assert_nothing_leaked();
}

#[tokio::test]
async fn real_clients_that_do_not_trust_say_so() {
    let world = World::protecting().await;
    let root = world.pypi.write_root(world.wall.folder()).unwrap().display().to_string();
    let (bundle, ca) = (world.wall.bundle().display().to_string(), world.wall.ca().display().to_string());
    let folders = [client(pins::NEWEST_PIP), client(pins::NEWEST_UV)];
    let checks = checks(&world, &folders, |value| {
        if *value == bundle || *value == ca {
            value.clone_from(&root);
        }
    })
    .await;
    for id in ["clients.pip", "clients.uv"] {
        let (status, message) = of(&checks, id);
        assert_eq!(status, "fail", "{message}");
        assert!(message.contains("does not trust the certificate that it is shown for pypi.org"), "{message}");
    }
    assert_eq!(of(&checks, "trust.requests-ca-bundle").0, "fail");
    world.assert_nothing_leaked();
}
