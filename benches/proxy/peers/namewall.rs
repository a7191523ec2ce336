//! namewall itself, as people run it: with its cache of pages, without, and under policies of other sizes.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Plan, Result, Stage, UNITS, support, version};

pub(crate) const NAME: &str = "namewall";
pub(crate) const UNCACHED: &str = "namewall-uncached";

const NO_CACHE: &str = "[cache]\nsize = 0\n";

pub(super) fn plan(stage: &Stage) -> Result<Plan> {
    of(stage, NAME, 3128, &ten_rules())
}

/// Only where this namewall has a cache.
pub(super) fn plan_uncached(stage: &Stage) -> Result<Plan> {
    let plan = of(stage, UNCACHED, 3129, &(NO_CACHE.to_owned() + &ten_rules()))?;
    let config = plan.command.get_args().nth(2).unwrap_or_default();
    let checked = Command::new(&stage.namewall).arg("check").arg("--config").arg(config).output()?;
    if checked.status.code() == Some(0) { Ok(plan) } else { Err("this namewall has no cache".into()) }
}

/// With so many names in its policy, with or without its cache.
pub(crate) fn with_policy(stage: &Stage, name: &'static str, names: usize) -> Result<Plan> {
    let cache = if name == UNCACHED { NO_CACHE } else { "" };
    let rules = if names == 10 { ten_rules() } else { support::config(names, "") };
    of(stage, name, 3130, &(cache.to_owned() + &rules))
}

fn of(stage: &Stage, name: &'static str, port: u16, tables: &str) -> Result<Plan> {
    let folder = stage.folder.join(port.to_string());
    fs::create_dir_all(&folder)?;
    let config = folder.join("namewall.toml");
    fs::write(&config, text(port, &stage.origin_ca, tables))?;
    let mut command = Command::new(&stage.namewall);
    command.arg("serve").arg("--config").arg(config).arg("--ready-file").arg(folder.join("ready.json"));
    Ok(Plan {
        name,
        version: version(Command::new(&stage.namewall).arg("--version"))?.replace("namewall ", ""),
        note: if name == UNCACHED { "its cache is off" } else { "hides names" },
        hides: true,
        command,
        address: ([127, 0, 0, 1], port).into(),
        ca: folder.join("ca/ca.pem"),
    })
}

fn text(port: u16, origin_ca: &Path, tables: &str) -> String {
    let root = origin_ca.display();
    format!(
        "[listen]\naddr = [\"127.0.0.1:{port}\"]\n[ca]\ndir = \"ca\"\n[log]\ndecisions = \"decisions.jsonl\"\n\
         [upstream]\nextra-roots = [\"{root}\"]\n{tables}"
    )
}

/// The same rules as those of the other benches: a name, two wildcards, an expression, an exception and files of each.
fn ten_rules() -> String {
    let rule = |unit: &str| {
        format!(
            "[[protect]]\nid = \"{unit}\"\nnames = [\"{unit}\", \"{unit}-*\", \"*-{unit}-internal\", \
             \"re:{unit}[0-9]+\"]\nexcept = [\"{unit}-sdk\"]\nfiles = [\"{unit}*.egg\"]\n"
        )
    };
    UNITS.map(rule).concat()
}
