//! `config/gateway.toml`: a whole gateway's config that is valid, and of which every line is heeded.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use namewall::config::environment::Environment;
use namewall::config::{Overrides, Settings};

use crate::commands::{Shell, stderr};

const CONFIG: &str = include_str!("../../config/gateway.toml");

/// Beside the config, what it names.
fn shell() -> Shell {
    let shell = Shell::new(CONFIG);
    let user = "ci:$2y$05$sNh1M7.QackYSTDreg6OrO.DGdzrB/uxJkb//bYZYmcKSpg/zjZYe\n";
    for (file, text) in [("users", user), ("egress-password", "a word\n")] {
        fs::write(shell.path().join(file), text).unwrap();
        fs::set_permissions(shell.path().join(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(shell.path().join("corp-root.pem"), "").unwrap();
    fs::create_dir(shell.path().join("rules.d")).unwrap();
    fs::write(shell.path().join("rules.d/team.toml"), "[[protect]]\nid = \"team\"\nnames = [\"team-*\"]\n").unwrap();
    shell
}

/// All that the settings hold, in an order that no hash changes; or that there are none.
fn settings(folder: &Path, config: &str) -> Option<Vec<String>> {
    let path = folder.join("namewall.toml");
    fs::write(&path, config).unwrap();
    let environment = Environment::from_pairs(HashMap::<String, String>::new());
    let settings = Settings::load_from(&Overrides { config: Some(path), ..Overrides::default() }, &environment, folder);
    let mut lines: Vec<String> = format!("{:#?}", settings.ok()?).lines().map(ToOwned::to_owned).collect();
    lines.sort();
    Some(lines)
}

#[test]
fn it_is_valid() {
    let output = shell().run(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn every_line_of_it_is_heeded() {
    let shell = shell();
    let whole = settings(shell.path(), CONFIG).unwrap();
    // Not because of a comment, though.
    assert_eq!(settings(shell.path(), &CONFIG.replace("# A whole gateway", "# a whole gateway")).unwrap(), whole);
    let mut begun = 0;
    let mut keys = 0;
    for line in CONFIG.split_inclusive('\n') {
        if line.contains(" = ") && !line.starts_with('#') {
            // What is behind it stays where it is.
            let without = format!("{}#{}", &CONFIG[..begun], &CONFIG[begun + 1..]);
            // Of a password nothing is shown, but that its file is missed.
            let without = if line.contains("-file = ") {
                CONFIG.replace(line, &line.replace(" = \"", " = \"no-"))
            } else {
                without
            };
            assert!(settings(shell.path(), &without).as_ref() != Some(&whole), "nothing comes of: {line}");
            keys += 1;
        }
        begun += line.len();
    }
    assert!(keys > 50, "{keys}");
}
