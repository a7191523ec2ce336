//! safe-chain's proxy on its own; what it hides are releases that are on its lists, not names.

use std::fs;
use std::process::Command;

use super::{Plan, Result, Stage, tools};

pub(super) const NAME: &str = "safe-chain";

const PORT: u16 = 3142;
const SCRIPT: &str = include_str!("safe-chain.mjs");

pub(super) fn plan(stage: &Stage) -> Result<Plan> {
    let (node, package) = (tools::found("node")?, tools::safe_chain()?);
    let folder = stage.folder.join(NAME);
    fs::create_dir_all(&folder)?;
    let script = folder.join("proxy.mjs");
    fs::write(&script, SCRIPT)?;
    let about: serde_json::Value = serde_json::from_str(&fs::read_to_string(package.join("package.json"))?)?;
    let mut command = Command::new(node);
    command.arg(script).arg(package).arg(PORT.to_string());
    command.env("HOME", &folder).env("NODE_EXTRA_CA_CERTS", &stage.origin_ca);
    Ok(Plan {
        name: NAME,
        version: about["version"].as_str().unwrap_or_default().to_owned(),
        note: "hides one release of each page, by its lists; not names",
        hides: false,
        command,
        address: ([127, 0, 0, 1], PORT).into(),
        ca: folder.join(".safe-chain/certs/ca-cert.pem"),
    })
}
