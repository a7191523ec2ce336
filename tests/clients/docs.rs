//! The pages of the documentation that show real clients, run with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::book::{House, Page, pages};
use crate::programs::program;

/// Runs the page in a virtual environment of its own, as a reader would.
async fn run(path: &str) {
    let page = Page::read(Path::new(path));
    assert!(!page.steps.is_empty() && !page.needs.is_empty(), "{path} is no page for this test");
    let house = House::open().await;
    let environment = house.project().join(".venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).status().unwrap();
    assert!(made.success(), "a Python 3 with venv and pip is needed");
    let needed = page.needs.iter().filter(|name| *name != "pip");
    let mut path: Vec<PathBuf> = needed.map(|name| program(name, house.home())).collect();
    path.push(environment.join("bin"));
    house.run(&page, &path).await;
}

macro_rules! pages {
    ($($name:ident = $path:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            run($path).await;
        })*

        #[test]
        fn no_page_is_forgotten() {
            let listed = [$($path),*];
            for page in pages().iter().map(|path| Page::read(path)).filter(|page| !page.needs.is_empty()) {
                assert!(listed.contains(&page.path.as_str()), "{} needs clients, and no test runs it", page.path);
            }
        }
    };
}

pages! {
    readme = "README.md";
    quick_start = "docs/quick-start.md";
    ci_sidecar = "docs/ci-sidecar.md";
    troubleshooting = "docs/troubleshooting.md";
    pip = "docs/clients/pip.md";
    uv = "docs/clients/uv.md";
    poetry = "docs/clients/poetry.md";
    pdm = "docs/clients/pdm.md";
    pipenv = "docs/clients/pipenv.md";
    hatch = "docs/clients/hatch.md";
    twine = "docs/clients/twine.md";
    curl_and_requests = "docs/clients/curl-requests-httpx-node.md";
}
