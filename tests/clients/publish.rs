//! Real publishers: a package of the company's doesn't get to the public index, anybody else's does.

use namewall::demo::Wheel;
use tokio::process::Command;

use crate::install::client;
use crate::pins;
use crate::world::World;

fn twine() -> Command {
    let mut command = Command::new(client(pins::TWINE).join("python"));
    command.args(["-m", "twine", "upload", "--non-interactive", "--disable-progress-bar", "--username", "__token__"]);
    command.args(["--password", "pypi-secret"]);
    command
}

fn uv() -> Command {
    let mut command = Command::new(client(pins::NEWEST_UV).join("uv"));
    command.args(["publish", "--no-config", "--token", "pypi-secret", "--trusted-publishing", "never"]);
    command
}

/// Publishes a wheel of that project; whether the publisher was content, and what it said.
async fn publish(world: &World, publisher: fn() -> Command, project: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let wheel = Wheel::new(project, "1.0");
    let path = folder.path().join(wheel.file_name());
    std::fs::write(&path, wheel.build().unwrap()).unwrap();
    let mut command = publisher();
    command.arg(&path);
    world.run(command, folder.path()).await
}

async fn guards(publisher: fn() -> Command) {
    let world = World::protecting().await;
    let (success, said) = publish(&world, publisher, "acme-core").await;
    assert!(!success && said.contains("acme-core is protected by namewall rule acme"), "{said}");
    assert!(world.pypi.uploads().is_empty(), "{said}");
    world.assert_nothing_leaked();

    let (success, said) = publish(&world, publisher, "paint").await;
    assert!(success, "{said}");
    let uploads = world.pypi.uploads();
    assert_eq!(uploads.len(), 1, "{said}");
    let body = String::from_utf8_lossy(&uploads[0].body).into_owned();
    assert!(body.contains("paint-1.0-py3-none-any.whl"), "{body}");
    assert!(
        !world.wall.log().contains("pypi-secret") && !format!("{:?}", world.wall.decisions()).contains("pypi-secret")
    );
}

#[tokio::test]
async fn twine_is_refused_what_is_protected_and_publishes_the_rest() {
    guards(twine).await;
}

#[tokio::test]
async fn uv_is_refused_what_is_protected_and_publishes_the_rest() {
    guards(uv).await;
}
