//! One build for all packages: static, as the container wants it, and quick to make.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::tools::{repository, said, target};

/// Has `command`, which calls cargo or is cargo, build in that way: a build that is there already is taken.
pub(crate) fn statically(command: &mut Command) -> &mut Command {
    command.args(["--profile", "dev", "--target", host(), "--config", "profile.dev.package.'*'.opt-level=0"]);
    command.current_dir(repository()).env("CARGO_TARGET_DIR", folder());
    command.env("RUSTFLAGS", "-C target-feature=+crt-static")
}

/// The program.
pub(crate) fn static_program() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        said(statically(Command::new(env!("CARGO")).args(["build", "--quiet", "--locked", "--bin", "namewall"])));
    });
    folder().join(host()).join("debug/namewall")
}

fn folder() -> PathBuf {
    target().join("static")
}

fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let told = said(Command::new("rustc").arg("-vV"));
        told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    })
}
