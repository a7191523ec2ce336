//! What is peculiar about a client: how its project is written, how it is told of two indexes, how it installs and locks.
//!
//! All of it is text with these words in it, which stand for what they say: `{wanted}`, `{layout}`, `{private}` (the
//! private index), `{python}`, and of the planted file and of the package that it needs `{acme-url}`, `{acme-sha256}`,
//! `{greetings-url}`, `{greetings-sha256}`.

/// Clients that differ by their versions alone.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    /// As the table calls them.
    pub(crate) name: &'static str,
    /// How they can be told of two indexes so that the attack works. The first is that of all other cases.
    pub(crate) layouts: &'static [Layout],
    /// The files of a project, each with its path.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// One thing that is wanted, as it stands in such a file: a project, or the file of a project at a URL.
    pub(crate) want: fn(&str, Option<&str>) -> String,
    /// Variables of the environment.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The commands that install the project's needs somewhere below its folder, into a `site-packages`.
    pub(crate) install: &'static [&'static str],
    /// How the project is locked, and installed from the lock.
    pub(crate) locks: &'static [Lock],
    /// Whether source distributions of today can be built.
    pub(crate) builds: bool,
}

/// A way of telling a client of PyPI and of a private index.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// As the table calls it.
    pub(crate) name: &'static str,
    /// What is written where `{layout}` stands.
    pub(crate) text: &'static str,
    /// Whether the client asks the private index at all when PyPI has no such project.
    pub(crate) asks_both: bool,
}

impl Layout {
    /// One in which both indexes are asked.
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, asks_both: true }
    }
}

/// A lock file.
#[derive(Clone, Copy)]
pub(crate) struct Lock {
    /// As the table calls it.
    pub(crate) name: &'static str,
    /// Its path in the project.
    pub(crate) file: &'static str,
    /// Where its text comes from.
    pub(crate) made: Made,
    /// The command that installs what it locks.
    pub(crate) install: &'static str,
}

/// Where a lock comes from.
#[derive(Clone, Copy)]
pub(crate) enum Made {
    /// The client makes it with this command.
    By(&'static str),
    /// It is text that anybody could have written.
    Written(&'static str),
}

/// PEP 508, a line each.
pub(crate) fn line(name: &str, url: Option<&str>) -> String {
    url.map_or_else(|| format!("{name}\n"), |url| format!("{name} @ {url}\n"))
}

/// The same, as strings of a TOML array.
pub(crate) fn quoted(name: &str, url: Option<&str>) -> String {
    format!("\"{}\", ", line(name, url).trim_end())
}
