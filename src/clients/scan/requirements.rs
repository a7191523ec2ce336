//! Reads requirement files and constraint files, as pip does, and follows what they include.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::entry::{Entry, Otherwise};

/// What pip asks when a file names no index.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// Requirement files, read; evaluated together, since pip takes an index named in one file for all of an installation.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// By path without symbolic links.
    read: BTreeMap<PathBuf, File>,
}

#[derive(Debug)]
struct File {
    /// As the user knows it.
    shown: PathBuf,
    parsed: Parsed,
    includes: Vec<PathBuf>,
}

/// What one file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    requirements: Vec<Requirement>,
    index: Option<String>,
    /// Of `--extra-index-url` and `--find-links`.
    extra: Vec<String>,
    no_index: bool,
    /// The tool that wrote it, as it says itself.
    by: Option<&'static str>,
    /// Files named by `-r` and `-c`, and the lines that name them.
    pub(super) includes: Vec<(String, usize)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Requirement {
    project: String,
    version: Option<String>,
    url: Option<String>,
    hashed: bool,
    line: usize,
}

impl Files {
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.read.contains_key(path)
    }

    /// Adds a file whose `includes` were resolved.
    pub(super) fn add(&mut self, path: PathBuf, shown: PathBuf, parsed: Parsed, includes: Vec<PathBuf>) {
        self.read.insert(path, File { shown, parsed, includes });
    }

    /// Every requirement as an entry, with the file it stands in. `is_public` knows the public index.
    pub(super) fn entries(&self, is_public: impl Fn(&str) -> bool) -> Vec<(&Path, Entry)> {
        let included: BTreeSet<&PathBuf> = self.read.values().flat_map(|file| &file.includes).collect();
        let (mut reached, mut evaluated) = (BTreeSet::new(), BTreeSet::new());
        let mut entries = Vec::new();
        // What no other file includes begins an installation; a circle of files has no beginning, so all of it does.
        let (begin, rest): (Vec<&PathBuf>, Vec<_>) = self.read.keys().partition(|path| !included.contains(path));
        for path in begin.into_iter().chain(rest) {
            if included.contains(path) && reached.contains(path) {
                continue;
            }
            let group = self.group(path);
            reached.extend(group.iter().map(|(path, _)| *path));
            let indexes = Indexes::of(group.iter().map(|(_, file)| &file.parsed));
            for (path, file) in group {
                // What a thousand files include with the same indexes says the same each time.
                if !evaluated.insert((path, indexes.urls.clone())) {
                    continue;
                }
                let of_file = file.parsed.requirements.iter();
                entries.extend(of_file.map(|it| {
                    let by = file.parsed.by.map(str::to_owned);
                    (&*file.shown, Entry { by, ..it.entry(&indexes, &is_public) })
                }));
            }
        }
        entries
    }

    /// `path` and all that it includes, each once.
    fn group<'a>(&'a self, path: &'a PathBuf) -> Vec<(&'a PathBuf, &'a File)> {
        let (mut seen, mut todo, mut group) = (BTreeSet::new(), vec![path], Vec::new());
        while let Some(path) = todo.pop() {
            if seen.insert(path)
                && let Some(file) = self.read.get(path)
            {
                todo.extend(&file.includes);
                group.push((path, file));
            }
        }
        group
    }
}

/// The indexes of an installation.
struct Indexes {
    urls: Vec<String>,
}

impl Indexes {
    fn of<'a>(files: impl Iterator<Item = &'a Parsed>) -> Self {
        // pip takes the last `--index-url` that it meets; whoever names two of them may get either.
        let (mut named, mut extra, mut no_index) = (BTreeSet::new(), BTreeSet::new(), false);
        for file in files {
            named.extend(file.index.clone());
            extra.extend(file.extra.iter().cloned());
            no_index |= file.no_index;
        }
        if named.is_empty() {
            named.insert(DEFAULT_INDEX.to_owned());
        }
        let urls = named.into_iter().filter(|_| !no_index).chain(extra).collect();
        Self { urls }
    }
}

impl Requirement {
    fn entry(&self, indexes: &Indexes, is_public: impl Fn(&str) -> bool) -> Entry {
        let mut entry = Entry {
            project: self.project.clone(),
            version: self.version.clone(),
            line: Some(self.line),
            ..Entry::default()
        };
        if let Some(url) = &self.url {
            entry.urls.push(url.clone());
            entry.direct = true;
            return entry;
        }
        let public: Vec<&String> = indexes.urls.iter().filter(|url| is_public(url)).collect();
        if public.len() == indexes.urls.len() && self.hashed {
            entry.urls = public.into_iter().cloned().collect();
        } else if public.len() < indexes.urls.len() && !public.is_empty() {
            entry.otherwise = Otherwise::Unknown("one of several indexes, the public one among them");
        } else if !public.is_empty() {
            entry.otherwise = Otherwise::Unknown("the public index, unless the installer is told of another");
        }
        entry
    }
}

/// Reads a requirement file. Lines that are no requirements are left out: pip would say what is wrong with them.
pub(super) fn parse(text: &str) -> Parsed {
    let head = || text.lines().take(8).filter(|line| line.starts_with('#'));
    let by =
        ["uv pip compile", "uv export", "pip-compile"].into_iter().find(|tool| head().any(|line| line.contains(tool)));
    let mut parsed = Parsed { by, ..Parsed::default() };
    for (line, number) in logical_lines(text) {
        let line = without_comment(&line).trim();
        if line.starts_with('-') {
            parsed.option(line, number);
        } else if !line.is_empty() {
            parsed.requirements.extend(requirement(line, number));
        }
    }
    parsed
}

/// The lines with what they are continued by (pip's `join_lines`), and the number of each one's first line.
pub(crate) fn logical_lines(text: &str) -> Vec<(String, usize)> {
    let (mut lines, mut open): (Vec<(String, usize)>, bool) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        let comment = line.trim_start().starts_with('#');
        let part = if comment { None } else { line.strip_suffix('\\') };
        let whole = part.unwrap_or(line);
        match lines.last_mut().filter(|_| open) {
            Some((last, _)) => {
                last.push(' ');
                last.push_str(whole);
            }
            None => lines.push((whole.to_owned(), index + 1)),
        }
        open = part.is_some();
    }
    lines
}

/// `line` up to a `#` at its start or behind a space: elsewhere it begins a URL's fragment.
pub(crate) fn without_comment(line: &str) -> &str {
    let is_comment = |at: usize| line.get(..at).is_some_and(|front| front.is_empty() || front.ends_with([' ', '\t']));
    let comment = line.match_indices('#').map(|(at, _)| at).find(|&at| is_comment(at));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

impl Parsed {
    fn option(&mut self, line: &str, number: usize) {
        let end = line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len());
        let (mut name, mut value) = line.split_at(end);
        if !name.starts_with("--") && name.len() > 2 {
            // `-rbase.txt`
            (name, value) = line.split_at_checked(2).unwrap_or((line, ""));
        }
        let value = value.trim_start_matches(|c: char| c == '=' || c.is_whitespace()).trim_matches(['"', '\'']).trim();
        match name {
            "-r" | "--requirement" | "--requirements" | "-c" | "--constraint" | "--constraints" => {
                self.includes.push((value.to_owned(), number));
            }
            "-i" | "--index-url" | "--pypi-url" => self.index = Some(value.to_owned()),
            "--extra-index-url" | "-f" | "--find-links" => self.extra.push(value.to_owned()),
            "--no-index" => self.no_index = true,
            "-e" | "--editable" => self.requirements.extend(requirement(value, number)),
            _ => {}
        }
    }
}

/// `name[extras] @ url`, `name==1.0 ; marker --hash=…`, or a URL alone.
fn requirement(line: &str, number: usize) -> Option<Requirement> {
    let mut read = Requirement { line: number, hashed: line.contains("--hash"), ..Requirement::default() };
    let first = line.split_whitespace().next()?;
    if first.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(is_scheme_byte)) {
        read.url = Some(first.to_owned());
        return Some(read);
    }
    named(line, read)
}

fn named(line: &str, mut read: Requirement) -> Option<Requirement> {
    let (name, rest) = line.split_at(line.find(|c: char| !is_name_character(c)).unwrap_or(line.len()));
    read.project = name.to_owned();
    let rest = match rest.trim_start().strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1,
        None => rest,
    };
    if let Some(url) = rest.trim_start().strip_prefix('@') {
        read.url = Some(url.split_whitespace().next()?.trim_end_matches(';').to_owned());
    } else {
        let version = rest.trim_start().trim_start_matches('(').strip_prefix("==");
        let end = |c: char| c.is_whitespace() || matches!(c, ';' | ',' | ')');
        read.version =
            version.and_then(|it| it.trim_start_matches('=').trim_start().split(end).next()).map(str::to_owned);
    }
    (!name.is_empty()).then_some(read)
}

const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

const fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The URL of a requirement as `pyproject.toml` has it: the project and where it comes from.
pub(super) fn direct_url(text: &str) -> Option<(String, String)> {
    let read = named(text.trim(), Requirement::default())?;
    Some((read.project, read.url?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::found;
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        let mut all = Files::default();
        for (path, text) in files {
            let parsed = parse(text);
            let includes = parsed.includes.iter().map(|(path, _)| path.into()).collect();
            all.add(path.into(), path.into(), parsed, includes);
        }
        all
    }

    fn judged(all: &[(&str, &str)]) -> Vec<String> {
        let files = files(all);
        let entries: Vec<Entry> = files.entries(|url| url.contains("pypi.org")).into_iter().map(|(_, e)| e).collect();
        found(&entries)
    }

    #[test]
    fn urls_hashes_and_continuations() {
        let text = "\
# made by a tool
acme-core==99.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via app
Acme_Data[extra] @ https://files.pythonhosted.org/packages/a/b/c/acme_data-1.0.tar.gz#sha256=00 ; python_version > '3'
https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl
-e git+https://git.acme.example/acme.git@main#egg=acme-local
git+https://git.acme.example/acme.git
./acme-local
six==1.0 --hash=sha256:00
";
        assert_eq!(
            judged(&[("requirements.txt", text)]),
            [
                "error acme-core:2 from https://pypi.org/simple",
                "error acme-data:6 from https://files.pythonhosted.org/packages/a/b/c/acme_data-1.0.tar.gz",
                "error acme-tool:7 from https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl",
            ]
        );
    }

    #[test]
    fn the_indexes_decide() {
        let hashed = "acme-core==1.0 --hash=sha256:00\n";
        let with = |options: &str| judged(&[("requirements.txt", &format!("{options}\n{hashed}"))]);
        assert!(with("--index-url https://pypi.acme.example/simple/").is_empty());
        assert!(with("-i https://pypi.acme.example/simple/").is_empty());
        assert!(with("--no-index\n--find-links=./wheels").is_empty());
        let several = ["warning acme-core:2 from one of several indexes, the public one among them"];
        assert_eq!(with("--extra-index-url=https://pypi.acme.example/simple/"), several);
        assert_eq!(
            with("--index-url https://test.pypi.org/simple/"),
            ["error acme-core:2 from https://test.pypi.org/simple/"]
        );
        let unpinned = ["warning acme-core:1 from the public index, unless the installer is told of another"];
        assert_eq!(judged(&[("requirements.in", "acme-core>=1 # ours\n")]), unpinned);
    }

    #[test]
    fn an_index_counts_for_what_includes_and_is_included() {
        let base = ("base.txt", "acme-core==1.0 --hash=sha256:00\n");
        let index = "--index-url https://pypi.acme.example/simple/\n";
        assert!(judged(&[base, ("all.txt", &format!("{index}-r base.txt\n"))]).is_empty());
        assert!(judged(&[base, ("all.txt", "-r index.txt\n-rbase.txt"), ("index.txt", index)]).is_empty());
    }

    #[test]
    fn circles_end() {
        let (one, other) = (("a.txt", "-r b.txt\nacme==1 --hash=x"), ("b.txt", "-c a.txt\n-r b.txt"));
        assert_eq!(judged(&[one, other]), ["error acme:2 from https://pypi.org/simple"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "([ -~]|\\\\\n|\n|\t|\u{e9}|--hash|-r |-i|@ https://|==|\\[|\\]){0,60}") {
            for (_, entry) in files(&[("a.txt", &text)]).entries(|_| true) {
                proptest::prop_assert!(entry.line.is_some_and(|line| line <= text.lines().count()));
            }
        }
    }

    #[test]
    fn versions() {
        let version = |line: &str| requirement(line, 1).and_then(|read| read.version);
        assert_eq!(version("acme == 1.0 ; python_version > '3'").as_deref(), Some("1.0"));
        assert_eq!(version("acme[x]===1.0,<2").as_deref(), Some("1.0"));
        assert_eq!(version("acme (==1.0)").as_deref(), Some("1.0"));
        assert_eq!(version("acme>=1.0"), None);
    }
}
