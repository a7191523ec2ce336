//! `namewall demo`, as a user runs it.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// The promise is "well under a minute"; this machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_demo_shows_the_attack_and_its_end_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_namewall"));
    demo.args(["demo", "--color", "never"]).stdin(Stdio::null()).kill_on_drop(true);
    // What a user might have set: none of it may play along.
    demo.env("PIP_INDEX_URL", "http://127.0.0.1:9/").env("UV_INDEX", "http://127.0.0.1:9/");
    demo.env("HTTPS_PROXY", "http://127.0.0.1:9/").env("NO_PROXY", "*").env("TMPDIR", folder.path());
    let output = tokio::time::timeout(LIMIT, demo.output()).await.expect("the demo ends in time").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let stranger = told.find("I am acme-core 99.0").expect("the attack is shown");
    let company = told.rfind("I am acme-core 1.0").expect("its end is shown");
    assert!(stranger < company, "{told}");
    assert!(told.contains("hidden: acme-core (page)") && told.contains("by rule `acme`"), "{told}");
    assert!(!told.contains('\x1b'), "colours were not wanted: {told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
}
