//! curl, which is on nearly every machine: of any version, it finds proxy and trust in the environment.

use std::path::Path;

use tokio::process::Command;

use crate::world::{PLANTED, World};

fn curl(arguments: &[&str]) -> Command {
    // By its path, since `PATH` is the test's.
    let mut command = Command::new("/usr/bin/curl");
    command.args(["--disable", "--silent", "--show-error"]).args(arguments);
    command
}

#[tokio::test]
async fn curl_gets_what_is_innocent_and_is_told_why_not_of_the_rest() {
    assert!(Path::new("/usr/bin/curl").exists(), "this test needs curl");
    let world = World::protecting().await;
    let folder = tempfile::tempdir().unwrap();
    let planted = world.pypi.url_of("acme-core", PLANTED).unwrap();

    let (_, said) = world.run(curl(&["--include", &planted]), folder.path()).await;
    assert!(said.contains(" 403") && said.contains("acme-core is protected by namewall rule acme"), "{said}");
    let (success, said) = world.run(curl(&["--fail", "https://pypi.org/simple/acme-core/"]), folder.path()).await;
    assert!(!success && said.contains("404"), "{said}");
    world.assert_nothing_leaked();

    let innocent = world.pypi.url_of("paint", "paint-3.0-py3-none-any.whl").unwrap();
    let (success, said) = world.run(curl(&["--fail", "--output", "paint.whl", &innocent]), folder.path()).await;
    assert!(success, "{said}");
    let stored = world.pypi.catalog().project("paint").unwrap().files()[0].bytes.clone();
    assert_eq!(std::fs::read(folder.path().join("paint.whl")).unwrap(), stored);
}
