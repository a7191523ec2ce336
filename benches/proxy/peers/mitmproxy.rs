//! mitmproxy with an add-on that hides the same names.

use std::fs;
use std::process::Command;

use super::{Plan, Result, Stage, expression, tools, version};

pub(super) const NAME: &str = "mitmproxy";

const ADD_ON: &str = include_str!("mitmproxy.py");

pub(super) fn plan(stage: &Stage) -> Result<Plan> {
    let program = tools::mitmdump()?;
    let folder = stage.folder.join(NAME);
    fs::create_dir_all(&folder)?;
    let add_on = folder.join("hide.py");
    fs::write(&add_on, ADD_ON)?;
    let mut command = Command::new(&program);
    command.args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port", "3140", "--set"]);
    command.arg(format!("confdir={}", folder.display())).arg("--set");
    command.arg(format!("ssl_verify_upstream_trusted_ca={}", stage.origin_ca.display()));
    // As people who know it would have other hosts.
    command.args(["--ignore-hosts", r"other\.test"]);
    command.arg("--scripts").arg(add_on).env("HIDDEN", expression());
    Ok(Plan {
        name: NAME,
        version: version(Command::new(&program).arg("--version"))?.replace("Mitmproxy: ", ""),
        note: "with an add-on of 30 lines that hides the same names",
        hides: true,
        command,
        address: ([127, 0, 0, 1], 3140).into(),
        ca: folder.join("mitmproxy-ca-cert.pem"),
    })
}
