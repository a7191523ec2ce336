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

/// How many pages of each kind uv is given.
const RESOLVED: usize = 500;

#[test]
fn each_reader_sees_all_that_is_innocent_and_nothing_that_is_protected() {
    let pages = pages();
    assert!(pages.refused > 10 && pages.emptied > 50, "{} refused, {} emptied", pages.refused, pages.emptied);
    println!("{} pages rendered, {} refused, {} emptied", pages.rendered.len(), pages.refused, pages.emptied);
    let answers = readers::read(&pages.rendered);
    for reader in readers::READERS {
        let mut faults = Vec::new();
        let mut seen = 0;
        for (rendered, answer) in pages.rendered.iter().zip(&answers) {
            seen += usize::from(readers::check(reader, rendered, &answer[*reader], &mut faults));
        }
        assert!(faults.is_empty(), "{reader}: {} faults, the first of them:\n{}", faults.len(), shown(&faults));
        assert!(seen >= ENOUGH, "{reader} has read {seen} pages");
        println!("{reader}: {seen} pages read");
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
        let pages: Vec<_> = pages.into_iter().take(RESOLVED).collect();
        let expected = resolver::expected(&pages);
        assert!(expected.len() > RESOLVED / 2, "{way}: {} projects", expected.len());
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

/// Whether a request is for a protected project's page, or for a file that begins as its would.
fn bears_protected_name(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let folded = last.to_ascii_lowercase().replace(['_', '.'], "-");
    let mut ends = folded.match_indices('-').map(|(at, _)| at).chain([folded.len()]);
    ends.any(|end| ["acme", "acme-core", "corp-core1", "corp-data22"].contains(&&folded[..end]))
}

fn shown(faults: &[String]) -> String {
    faults.iter().take(12).map(|fault| format!("  {fault}\n")).collect()
}
