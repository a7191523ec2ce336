//! Walks the folders and hands each thing that is found to its reader.

use std::fs;
use std::path::{Path, PathBuf};

use super::detect;
use super::entry::Entry;
use super::finding::Report;
use super::judge::Judge;
use super::remedy::Tool;
use super::{installed, lock, pdm, pip_cache, pipenv, poetry, pylock, pyproject, read, requirements, uv, uv_cache};
use crate::policy::Policy;
use crate::pypi::site::Sites;

/// Folders in folders; a tree that is deeper was made to be.
const MAX_DEPTH: usize = 64;
/// Files and folders that are looked at below one path.
const MAX_SEEN: u64 = 5_000_000;

/// Scans `paths`: files, folders and what is in them, caches. `progress` is told of each thing that is looked at.
///
/// Symbolic links are not followed out of a path, nothing is executed, and what can't be read is in the report.
pub fn scan(paths: &[PathBuf], policy: &Policy, sites: &Sites, progress: &mut dyn FnMut(&Path)) -> Report {
    let judge = Judge { policy, sites };
    let mut scan = Scan { judge, report: Report::default(), requirements: requirements::Files::default(), progress };
    for path in paths {
        scan.start(path);
    }
    let Scan { mut report, requirements, .. } = scan;
    for (path, entry) in requirements.entries(|url| judge.is_public(url)) {
        judge.judge(&entry, Tool::Requirements, path, &mut report);
    }
    report.settle();
    report
}

struct Scan<'p, 'w> {
    judge: Judge<'p>,
    report: Report,
    requirements: requirements::Files,
    progress: &'w mut dyn FnMut(&Path),
}

impl Scan<'_, '_> {
    /// A path that the user names; it may be a symbolic link.
    fn start(&mut self, path: &Path) {
        let root = match fs::canonicalize(path) {
            Ok(root) => root,
            Err(cause) => return self.report.could_not_read(path, &cause),
        };
        if root.is_dir() {
            return self.tree(path, &root);
        }
        // What a requirement file includes may be beside it, or anywhere in the project that the user stands in.
        let here = fs::canonicalize(".").ok().filter(|here| root.starts_with(here));
        let folder = here.unwrap_or_else(|| root.parent().unwrap_or(&root).to_owned());
        let known = detect::file(path);
        match text_of(&root, known) {
            Err(why) => self.report.could_not_read(path, &why),
            Ok(text) => self.file(path, &text, known.unwrap_or_else(|| detect::content(&text)), &folder),
        }
    }

    fn tree(&mut self, top: &Path, root: &Path) {
        let (mut todo, mut seen) = (vec![(top.to_owned(), 0)], 0);
        while let Some((path, depth)) = todo.pop() {
            if self.is_whole(&path) {
                continue;
            }
            if depth > MAX_DEPTH {
                self.report.could_not_read(&path, &format_args!("more than {MAX_DEPTH} folders deep"));
                continue;
            }
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(cause) => {
                    self.report.could_not_read(&path, &cause);
                    continue;
                }
            };
            for entry in entries.flatten() {
                seen += 1;
                if seen > MAX_SEEN {
                    return self.report.could_not_read(top, &format_args!("more than {MAX_SEEN} files"));
                }
                let Ok(kind) = entry.file_type() else { continue };
                let path = entry.path();
                if kind.is_dir() {
                    if !entry.file_name().to_str().is_some_and(detect::is_skipped) {
                        todo.push((path, depth + 1));
                    }
                } else {
                    self.candidate(&path, kind.is_symlink(), root);
                }
            }
        }
    }

    /// Reads a folder that is one thing; `false` if its contents are to be looked at one by one.
    fn is_whole(&mut self, folder: &Path) -> bool {
        (self.progress)(folder);
        if detect::is_installed(folder) {
            self.installed(folder);
        } else if uv_cache::is_one(folder) {
            let seen = &mut self.report.sources;
            let entries = uv_cache::read(folder, &self.judge, &mut || *seen += 1);
            entries.iter().for_each(|(path, entry)| self.judge.judge(entry, Tool::UvCache, path, &mut self.report));
        } else if pip_cache::is_one(folder) {
            let seen = &mut self.report.sources;
            let entries = pip_cache::read(folder, &self.judge, &mut || *seen += 1);
            entries.iter().for_each(|(path, tool, entry)| self.judge.judge(entry, *tool, path, &mut self.report));
        } else {
            return false;
        }
        true
    }

    /// A file in a tree, if its name says that it is anything.
    fn candidate(&mut self, path: &Path, is_link: bool, root: &Path) {
        let (tool, is_installed) = (detect::file(path), detect::is_installed(path));
        if tool.is_none() && !is_installed {
            return;
        }
        if is_link {
            match fs::canonicalize(path) {
                Ok(target) if target.starts_with(root) => {}
                Ok(_outside) => return self.report.could_not_read(path, &"a symbolic link that leads out of the tree"),
                Err(cause) => return self.report.could_not_read(path, &cause),
            }
        }
        (self.progress)(path);
        let Some(tool) = tool else { return self.installed(path) };
        match text_of(path, Some(tool)) {
            Ok(text) => self.file(path, &text, tool, root),
            Err(why) => self.report.could_not_read(path, &why),
        }
    }

    fn installed(&mut self, info: &Path) {
        self.report.sources += 1;
        if let Some(entry) = installed::read(info) {
            self.judge.judge(&entry, Tool::Installed, info, &mut self.report);
        }
    }

    fn file(&mut self, path: &Path, text: &str, tool: Tool, root: &Path) {
        let toml = |result: Result<Vec<Entry>, toml::de::Error>| {
            result.map_err(|why| match why.span() {
                Some(span) => format!("line {}: {}", read::Lines::of(text).at(span.start), why.message()),
                None => why.message().to_owned(),
            })
        };
        let entries = match tool {
            Tool::Uv => toml(lock::read::<uv::Package>(text)),
            Tool::Poetry => toml(lock::read::<poetry::Package>(text)),
            Tool::Pdm => toml(lock::read::<pdm::Package>(text)),
            Tool::Pylock => toml(pylock::read(text)),
            Tool::Pyproject => toml(pyproject::read(text)),
            Tool::Pipenv => pipenv::read(text, |url| self.judge.is_public(url)).map_err(|why| why.to_string()),
            _ => return self.requirements(path, text, root),
        };
        match entries {
            Ok(entries) => {
                self.report.sources += 1;
                entries.iter().for_each(|entry| self.judge.judge(entry, tool, path, &mut self.report));
            }
            Err(why) => self.report.could_not_read(path, &why),
        }
    }

    /// Reads a requirement file and those that it includes, as far as they are in the tree.
    fn requirements(&mut self, path: &Path, text: &str, root: &Path) {
        let mut todo = vec![(path.to_owned(), Some(text.to_owned()))];
        while let Some((path, text)) = todo.pop() {
            let Ok(canonical) = fs::canonicalize(&path) else { continue };
            if self.requirements.contains(&canonical) {
                continue;
            }
            let text = match text.map_or_else(|| read::requirements(&path), Ok) {
                Ok(text) => text,
                Err(why) => {
                    self.report.could_not_read(&path, &why);
                    continue;
                }
            };
            self.report.sources += 1;
            let parsed = requirements::parse(&text);
            let mut includes = Vec::new();
            for (written, line) in &parsed.includes {
                // What is on a server isn't asked for.
                if written.contains("://") {
                    continue;
                }
                let included = path.with_file_name("").join(written);
                match fs::canonicalize(&included) {
                    Ok(target) if target.starts_with(root) => {
                        includes.push(target);
                        todo.push((included, None));
                    }
                    Ok(_outside) => self.report.could_not_read(
                        &included,
                        &format_args!("line {line} of {} leads out of what is scanned", path.display()),
                    ),
                    Err(cause) => self.report.could_not_read(&included, &cause),
                }
            }
            self.requirements.add(canonical, path, parsed, includes);
        }
    }
}

/// The text of the file, in the encodings of what it is, or may be.
fn text_of(path: &Path, known: Option<Tool>) -> Result<String, read::ReadError> {
    match known {
        None | Some(Tool::Requirements) => read::requirements(path),
        Some(_) => read::text(path),
    }
}
