//! uv as a judge: which version of each project it would take, had it all pages of an index before it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::entry::{Entry, Fate};
use super::index::Index;
use super::pages::Rendered;
use crate::install::client;
use crate::pins;

const LIMIT: Duration = Duration::from_secs(120);

/// A version, and the hash of the wheel that is its.
pub(super) type Choice = (String, String);

/// The newest version of each project that has one for uv: by an innocent wheel, not yanked, for any Python of today.
pub(super) fn expected(pages: &[&'static Rendered]) -> BTreeMap<String, Choice> {
    pages.iter().filter_map(|rendered| Some((rendered.page.project.clone(), newest(&rendered.page.entries)?))).collect()
}

fn newest(entries: &[Entry]) -> Option<Choice> {
    let offered =
        |entry: &&Entry| entry.fate == Fate::Seen && entry.yanked.is_none() && entry.requires_python != Some(">=99");
    let entry = entries.iter().filter(offered).max_by_key(|entry| entry.installs)?;
    let (major, minor) = entry.installs?;
    let (_, digest) = entry.hashes.iter().find(|(name, _)| *name == "sha256")?;
    Some((format!("{major}.{minor}"), digest.clone()))
}

/// What uv resolves of all `projects` at once, and all paths that it asked for.
pub(super) async fn resolve(
    pages: &[&'static Rendered],
    projects: &BTreeMap<String, Choice>,
) -> (BTreeMap<String, Choice>, Vec<String>) {
    let index = Index::start(pages.to_vec()).await;
    let folder = tempfile::tempdir().unwrap();
    let wanted: String = projects.keys().map(|project| format!("{project}\n")).collect();
    fs::write(folder.path().join("wanted.in"), wanted).unwrap();
    let bin = client(pins::NEWEST_UV);
    let mut uv = Command::new(bin.join("uv"));
    uv.args(["pip", "compile", "wanted.in", "--no-cache", "--no-config", "--no-header", "--no-annotate"]);
    uv.args(["--generate-hashes", "--only-binary", ":all:", "--index-url", "http://index.example/simple/"]);
    uv.arg("--python").arg(bin.join("python"));
    uv.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
    // All hosts are this one.
    uv.env("HTTP_PROXY", index.url()).env("ALL_PROXY", "http://127.0.0.1:9/");
    uv.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, uv.output()).await.expect("uv ends in time").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (read(&String::from_utf8(output.stdout).unwrap(), projects), index.log())
}

/// `project==version \`, and a `--hash=` on each line that follows. Of a version's hashes that of its wheel is taken.
fn read(printed: &str, projects: &BTreeMap<String, Choice>) -> BTreeMap<String, Choice> {
    let mut resolved: BTreeMap<String, Choice> = BTreeMap::new();
    let mut project = "";
    for line in printed.lines().map(|line| line.trim_end_matches('\\').trim()) {
        if let Some((name, version)) = line.split_once("==") {
            project = name;
            resolved.insert(name.to_owned(), (version.to_owned(), "no such hash".to_owned()));
        } else if let Some(digest) = line.strip_prefix("--hash=sha256:")
            && projects.get(project).is_some_and(|(_, expected)| expected == digest)
        {
            resolved.entry(project.to_owned()).and_modify(|(_, found)| digest.clone_into(found));
        }
    }
    resolved
}
