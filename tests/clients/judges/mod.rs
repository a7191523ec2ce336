//! Filtered pages, read back by the parsers that clients really use: none may see what is protected, and none may miss
//! what isn't.
//!
//! The pages are drawn so that it is known of each entry beforehand what must become of it ([`entry`]), and say what
//! they say in as many ways as a server could. Whether a name is protected is decided a second time here ([`names`]),
//! and which names a file bears is decided by the readers, not by namewall.

mod dice;
mod entry;
mod html;
mod index;
mod json;
mod names;
mod page;
mod pages;
mod readers;
mod resolver;

use std::collections::BTreeMap;

use pages::{Rendered, pages};

/// How many pages each reader has to have read.
const ENOUGH: usize = 2_000;

#[test]
fn pip_and_pypi_simple_see_all_that_is_innocent_and_nothing_that_is_protected() {
    let pages = pages();
    assert!(pages.refused > 20 && pages.emptied > 50, "{} refused, {} emptied", pages.refused, pages.emptied);
    let answers = readers::read(&pages.rendered);
    for reader in readers::READERS {
        let mut faults = Vec::new();
        let mut seen = 0;
        for (rendered, answer) in pages.rendered.iter().zip(&answers) {
            seen += usize::from(readers::check(reader, rendered, &answer[*reader], &mut faults));
        }
        assert!(faults.is_empty(), "{reader}: {} faults, the first of them:\n{}", faults.len(), shown(&faults));
        assert!(seen >= ENOUGH, "{reader} has read {seen} pages");
    }
}

#[tokio::test]
async fn uv_resolves_the_newest_innocent_version_of_each_project() {
    let mut ways: BTreeMap<String, Vec<&'static Rendered>> = BTreeMap::new();
    for rendered in &pages().rendered {
        ways.entry(format!("{:?}", rendered.way())).or_default().push(rendered);
    }
    assert_eq!(ways.len(), 3, "JSON from JSON, HTML from JSON, HTML from HTML");
    for (way, pages) in ways {
        let expected = resolver::expected(&pages);
        assert!(expected.len() > 600, "{way}: {} projects", expected.len());
        let (resolved, asked) = resolver::resolve(&pages, &expected).await;
        let wrong: Vec<String> = expected
            .iter()
            .filter(|(project, version)| resolved.get(*project) != Some(version))
            .map(|(project, version)| format!("{project}: {:?} instead of {version:?}", resolved.get(project)))
            .collect();
        assert!(wrong.is_empty() && resolved.len() == expected.len(), "{way}:\n{}", shown(&wrong));
        let leaks: Vec<String> = asked.into_iter().filter(|path| bears_protected_name(path)).collect();
        assert!(leaks.is_empty(), "{way}: uv asked for\n{}", shown(&leaks));
    }
}

/// Whether a request is for anything that a protected project could have.
fn bears_protected_name(path: &str) -> bool {
    let segments = path.split('/').map(|segment| segment.to_ascii_lowercase().replace(['_', '.'], "-"));
    let mut names = segments.flat_map(|segment| {
        let ends: Vec<usize> = segment.match_indices('-').map(|(at, _)| at).collect();
        ends.into_iter().chain([segment.len()]).map(move |end| segment[..end].to_owned()).collect::<Vec<_>>()
    });
    names.any(|name| name != "acme-sdk" && ["acme", "acme-core", "corp-core1", "corp-data22"].contains(&name.as_str()))
}

fn shown(faults: &[String]) -> String {
    faults.iter().take(12).map(|fault| format!("  {fault}\n")).collect()
}

#[test]
fn zz_dump() {
    for rendered in pages().rendered.iter().filter(|r| r.page.project == std::env::var("DUMP").unwrap()) {
        eprintln!("{}\n=====>\n{}", rendered.page.body, String::from_utf8_lossy(&rendered.body));
        for e in &rendered.page.entries { eprintln!("{:?} {} {}", e.fate, e.filename, e.href); }
    }
}
