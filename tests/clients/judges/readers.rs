//! Has the Python readers read all pages, and compares what each saw with what it had to see.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::entry::{Entry, Fate, address};
use super::json::version;
use super::names::{self, is_protected};
use super::pages::Rendered;
use crate::install::client;
use crate::pins;

/// The keys of an answer of `readers.py`.
pub(super) const READERS: &[&str] = &["pip", "pypi_simple", "unearth", "poetry"];

/// The answers to all pages, in their order.
pub(super) fn read(pages: &[Rendered]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut listed = Vec::new();
    for (number, rendered) in pages.iter().enumerate() {
        let file = format!("{number}.page");
        fs::write(folder.path().join(&file), &rendered.body).unwrap();
        let (project, url) = (&rendered.page.project, rendered.page.url().to_string());
        listed.push(json!({"file": file, "url": url, "project": project, "content_type": rendered.content_type}));
    }
    let manifest = json!({"names": names::PROTECTED, "pages": listed});
    fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/judges/readers.py");
    let mut python = Command::new(client(pins::READERS).join("python"));
    python.arg("-I").arg(script).arg(folder.path()).stdin(Stdio::null());
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether the reader could read the page; what is wrong with what it saw goes to `faults`.
pub(super) fn check(reader: &str, rendered: &Rendered, answer: &Value, faults: &mut Vec<String>) -> bool {
    let mut fault = |what: String| faults.push(format!("{} {:?}: {what}", rendered.page.project, rendered.way()));
    let Some(files) = answer["files"].as_array() else {
        fault(format!("it can't be read: {}", answer["error"]));
        return false;
    };
    if answer["elsewhere"].as_array().is_some_and(|others| !others.is_empty()) {
        fault(format!("it leads to {}", answer["elsewhere"]));
    }
    for file in files {
        let protected = file["projects"].as_array().unwrap().iter().any(|name| is_protected(name.as_str().unwrap()));
        let names = file["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let egg = names.chain([file["url"].as_str().unwrap()]).any(|name| name.ends_with(".egg"));
        if protected || egg {
            fault(format!("it shows {file}"));
        }
    }
    let root = rendered.page.root();
    let may_be_seen = rendered.page.entries.iter().filter(|entry| entry.fate != Fate::Hidden);
    let places: HashSet<String> = may_be_seen.map(|entry| entry.address(&root)).collect();
    for file in files.iter().filter(|file| !places.contains(&address(file["url"].as_str().unwrap()))) {
        fault(format!("it shows {file}, which is to be hidden or was never there"));
    }
    for entry in rendered.page.entries.iter().filter(|entry| entry.fate == Fate::Seen) {
        let place = entry.address(&root);
        let found: Vec<&Value> = files.iter().filter(|file| address(file["url"].as_str().unwrap()) == place).collect();
        let expected = expected(reader, rendered, entry);
        let version = version(&entry.filename);
        if answer["versions"].as_array().is_some_and(|versions| !versions.contains(&version.into())) {
            fault(format!("it has {}, but not its version", entry.filename));
        }
        match found.as_slice() {
            [file] => {
                let told = expected.as_object().unwrap().iter().filter(|(key, _)| file.get(key).is_some());
                let differs = told.into_iter().find(|(key, value)| file[key.as_str()] != **value);
                if let Some((key, value)) = differs {
                    fault(format!("{} has the {key} {} instead of {value}", entry.filename, file[key.as_str()]));
                }
            }
            _ => fault(format!("{} is listed {} times", entry.filename, found.len())),
        }
    }
    true
}

/// What `reader` has to see of `entry`, in the page's form.
fn expected(reader: &str, rendered: &Rendered, entry: &Entry) -> Value {
    let json = !rendered.wanted.is_html();
    let hashes = entry.hashes.iter().filter(|(name, _)| json || *name == "sha256");
    let mut expected = json!({
        "names": [entry.filename],
        "hashes": hashes.map(|(name, digest)| ((*name).to_owned(), digest.clone().into())).collect::<serde_json::Map<_, _>>(),
        "requires_python": entry.requires_python,
        "yanked": entry.yanked,
        "metadata": entry.metadata.as_ref().map(|hash| match hash {
            Some(digest) => json!({"sha256": digest}),
            None => json!({}),
        }),
    });
    if json {
        expected["time"] = entry.time.replace('Z', "+00:00").into();
    }
    if reader == "pypi_simple" {
        expected["provenance"] = entry.provenance.clone().into();
        if json {
            expected["size"] = entry.size.into();
        }
    }
    expected
}
