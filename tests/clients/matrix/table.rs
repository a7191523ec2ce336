//! `docs/clients.md`: what each client does, as the tests found it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What was found of one client.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) client: &'static str,
    pub(crate) version: &'static str,
    pub(crate) python: String,
    /// In the order of the table's head.
    pub(crate) cells: Vec<String>,
}

const ABOVE: &str = "\
# What each client does

Written by `tests/clients/matrix`, which runs these programs against a stand-in for PyPI, and a private index that has
acme-core 1.0; a stranger has put acme-core 99.0 on PyPI. namewall is set up as `namewall env` does it, with one rule for
`acme-*`. Clients are installed at exactly these versions. The Pythons are those of the machine on which the table was
written; elsewhere the lines of those that are there are compared.

* **attack**: in each way of telling the client of both indexes: what gets installed without namewall → with it.
* **ordinary**: packages that nobody protects, with a dependency, and one from its source with a build backend.
* **lock file**, **direct URL**: both lead to the planted file. Without namewall it is installed; with it, it is refused,
  and the client tells its user so much.
* **old cache**: filled before there were rules, older than it may become; PyPI would say \"304, nothing has changed\".
  A protected name and a recalled file stay away nevertheless.
* **strict**: the Python that runs the client (or that it installs for) trusts namewall's certificates with
  `VERIFY_X509_STRICT` set, as Python 3.13 sets it of itself.

| client | version | Python | attack | ordinary | lock file | direct URL | old cache | strict |
|---|---|---|---|---|---|---|---|---|
";

const BELOW: &str = "
¹ Pipenv asks the private index for nothing but what the `Pipfile` binds to it (`index = \"corp\"`), with namewall and
without; of a project that PyPI hasn't it says that there is none.

² Older than build backends: it can't build today's source distributions, from nowhere.

Two that install nothing: curl (any version; `tests/clients/curl.rs`) gets what nobody protects, a 404 for the page and the
reason with the 403 for the file. twine and `uv publish` (`tests/clients/publish.rs`) are refused the upload of a protected
name before a byte of the file has left, and print the rule.
";

impl Row {
    /// The line of the table.
    pub(crate) fn line(&self) -> String {
        format!("{} {} |", self.key(), self.cells.join(" | "))
    }

    /// How the line begins.
    fn key(&self) -> String {
        key(self.client, self.version, &self.python)
    }

    /// Fails when the committed table says something else of this client on this Python. Of a Python that nobody has
    /// written a line about it says nothing.
    pub(crate) fn assert_is_written(&self) {
        let table = std::fs::read_to_string(path()).unwrap_or_default();
        match table.lines().find(|line| line.starts_with(&self.key())) {
            Some(line) => assert_eq!(line, self.line(), "docs/clients.md says otherwise; {HOW}"),
            None => {
                let begins = format!("| {} | {} |", self.client, self.version);
                assert!(table.contains(&begins), "docs/clients.md lacks {}; {HOW}", self.line());
            }
        }
    }
}

/// How the table is made.
pub(crate) const HOW: &str =
    "write it anew with `cargo test --test clients -- --ignored writes_the_table`, and read what has changed";

/// How the line of a client begins.
pub(crate) fn key(client: &str, version: &str, python: &str) -> String {
    format!("| {client} | {version} | {python} |")
}

/// Where the table is.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md")
}

/// What stands above the table's lines, and below them.
pub(crate) fn text() -> (&'static str, &'static str) {
    (ABOVE, BELOW)
}

/// The whole page.
pub(crate) fn page(rows: &[Row]) -> String {
    let mut page = ABOVE.to_owned();
    for row in rows {
        let _written = writeln!(page, "{}", row.line());
    }
    page + BELOW
}
