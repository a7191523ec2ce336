//! The documentation is true: its commands do what it shows, its configs are valid, its links lead somewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::book::{House, Page, pages, repository};
use crate::commands::{Shell, stderr};

/// How many blocks of each page can't be run here, each with a comment above it that says why. A page that isn't listed has
/// none.
const IDLE: &[(&str, usize)] = &[
    ("README.md", 3),
    ("docs/clients/conda-pixi.md", 2),
    ("docs/gateway.md", 2),
    ("docs/performance.md", 2),
    ("docs/quick-start.md", 1),
];

/// How many pages need real clients: `tests/clients/docs.rs` runs them.
const WITH_CLIENTS: usize = 12;

fn read() -> Vec<Page> {
    pages().iter().map(|path| Page::read(path)).collect()
}

#[tokio::test]
async fn commands_do_what_the_pages_show() {
    for page in read().iter().filter(|page| page.needs.is_empty() && !page.steps.is_empty()) {
        House::open().await.run(page, &[]).await;
    }
}

#[test]
fn what_is_not_run_is_known() {
    let idle: BTreeMap<String, usize> =
        read().iter().filter(|p| !p.idle.is_empty()).map(|page| (page.path.clone(), page.idle.len())).collect();
    let known: BTreeMap<String, usize> = IDLE.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect();
    assert_eq!(idle, known);
    assert_eq!(read().iter().filter(|page| !page.needs.is_empty()).count(), WITH_CLIENTS);
}

#[test]
fn every_config_is_valid() {
    for page in read() {
        for (line, config) in &page.configs {
            let shell = Shell::new(config);
            let output = shell.run(&["check"]);
            assert_eq!(output.status.code(), Some(0), "{}:{line}: {}", page.path, stderr(&output));
        }
    }
}

#[test]
fn links_lead_to_files_and_headings() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    for path in pages() {
        let text = fs::read_to_string(repository().join(&path)).unwrap();
        for found in link.captures_iter(&text) {
            let target = &found[1];
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            // The table of clients is written by its own test.
            if target.starts_with("https://") || Path::new(file).file_name().is_some_and(|name| name == "clients.md") {
                continue;
            }
            let at = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let there = repository().join(&at);
            assert!(there.exists(), "{}: {target} leads nowhere", path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(there).unwrap();
                let anchors: Vec<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
                assert!(anchors.iter().any(|anchor| anchor == heading), "{}: {target}: {anchors:?}", path.display());
            }
        }
    }
}

/// As GitHub makes one of a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

mod reader {
    use super::*;

    const PAGE: &str = "<!-- needs: uv -->\n\n<!-- ends with: 1 -->\n```console\n$ one \\\n    two\nshown …\n$ three\n```\n\
        <!-- not run: needs a second machine -->\n\n```console\n$ four\n```\ntext\n```toml title=a.toml\nx = 1\n```\n";

    #[test]
    fn blocks_are_read_as_they_are_meant() {
        let page = Page::parse("page.md", PAGE);
        assert_eq!((page.needs.as_slice(), page.idle.len()), (["uv".to_owned()].as_slice(), 1));
        let file = &page.files[0];
        assert_eq!((file.path.as_str(), file.text.as_str(), file.behind), ("a.toml", "x = 1\n", 2));
        let steps: Vec<_> = page.steps.iter().map(|step| (step.typed.as_str(), step.code, step.shows.len())).collect();
        assert_eq!(steps, [("one two", 0, 1), ("three", 1, 0)]);
    }

    #[tokio::test]
    #[should_panic(expected = "ended otherwise")]
    async fn a_command_that_fails_is_noticed() {
        House::open()
            .await
            .run(&Page::parse("page.md", "```console\n$ namewall explain six\n$ false\n```\n"), &[])
            .await;
    }

    #[tokio::test]
    #[should_panic(expected = "did not show")]
    async fn output_that_is_not_there_is_noticed() {
        House::open().await.run(&Page::parse("page.md", "```console\n$ echo one\ntwo\n```\n"), &[]).await;
    }

    #[test]
    #[should_panic(expected = "run by nobody")]
    fn no_command_hides_in_another_fence() {
        Page::parse("page.md", "```sh\nls\n```\n");
    }
}
