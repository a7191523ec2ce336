//! The documentation as something that is run: each page's files and commands, in a house of its own.
//!
//! A page is Markdown with three kinds of fences that matter here:
//!
//! * <code>```toml title=namewall.toml</code> is a file that the commands find (any language, any path below the folder
//!   that they run in);
//! * <code>```console</code> holds commands, each after `$ `, and what they show: each shown line has to appear, in
//!   order, and `…` in it stands for anything. A command may go on in the next line behind a `\`;
//! * <code>```toml</code> without a title is a config that has to be valid.
//!
//! Comments right above a fence say more of it: `<!-- ends with: 1 -->` the exit code of its last command (or of each, when
//! there are as many numbers as commands; 0 otherwise), `<!-- not run: why -->` that it can't be run. `<!-- needs: uv -->`
//! anywhere names the clients without which the page can't be run.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part of this")]

mod house;
mod page;

pub(crate) use house::House;
pub(crate) use page::Page;

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages: the README and what lies below `docs/`, in order.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    for folder in ["docs", "docs/clients"] {
        let entries = std::fs::read_dir(repository().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        pages.extend(names.filter(|name| name.ends_with(".md")).map(|name| Path::new(folder).join(name)));
    }
    pages.sort();
    pages
}
