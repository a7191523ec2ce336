//! bandersnatch, which mirrors all of PyPI by XML-RPC, simple pages and files: what it is told of has no protected name.

use http::{Method, Response};
use namewall::clients::env::variables;
use namewall::demo::StandIn;
use namewall::demo::standin::body::full;
use tokio::process::Command;

use crate::install::client;
use crate::pins;
use crate::support::Namewall;

/// What bandersnatch asks before it mirrors: all projects, and what has changed since a serial.
const SCRIPT: &str = "
import asyncio, json
from bandersnatch.master import Master

async def main():
    async with Master('https://pypi.org') as master:
        everything = await master.all_packages()
        changed = await master.changed_packages(1)
        simple = await master.fetch_simple_index()
        print(json.dumps([everything, changed, [p['name'] for p in simple['projects']]]))

asyncio.run(main())
";

const PROJECTS: &str = "<struct><member><name>Acme_Core</name><value><int>7</int></value></member><member><name>six</name><value><int>8</int></value></member></struct>";

fn change(name: &str, action: &str) -> String {
    let string = |text: &str| format!("<value><string>{text}</string></value>");
    let int = |number: u64| format!("<value><int>{number}</int></value>");
    let fields = [string(name), string("1.0"), int(1_700_000_000), string(action), int(9)].concat();
    format!("<value><array><data>{fields}</data></array></value>")
}

#[tokio::test]
async fn bandersnatch_is_told_of_all_but_what_is_protected() {
    let changes = [
        change("six", "new release"),
        change("acme-core", "new release"),
        change("other", "add py3 file acme_core-9.0-py3-none-any.whl"),
    ];
    let changes = format!("<array><data>{}</data></array>", changes.concat());
    let pypi = StandIn::builder()
        .project(namewall::demo::Project::new("Acme_Core"))
        .project(namewall::demo::Project::new("six"))
        .responder(move |asked| {
            // Which call it is stands in the body, which the stand-in doesn't show; its length tells them apart.
            let value = if asked.header("content-length")?.parse::<usize>().ok()? > 140 { &changes } else { PROJECTS };
            let answer = format!("<?xml version='1.0'?><methodResponse><params><param><value>{value}</value></param></params></methodResponse>");
            (asked.method == Method::POST).then(|| Response::builder().header("content-type", "text/xml").body(full(answer)).unwrap())
        });
    let pypi = pypi.start().await.unwrap();
    let wall = Namewall::before(&pypi).protect("acme", &["acme-*"]).start().await;
    let mut python = Command::new(client(pins::BANDERSNATCH).join("python"));
    python.arg("-c").arg(SCRIPT).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    python.envs(variables(&wall.url(), &wall.bundle(), &wall.ca(), None)).kill_on_drop(true);
    let output = python.output().await.unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(told, serde_json::json!([{ "six": 8 }, { "six": 9 }, ["six"]]), "{said}");
    assert!(pypi.mentions("acme").is_empty());
}
