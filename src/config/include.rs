//! Gathers the files of a config: the config file, what its `include` names, and the files of `--rules`.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use toml::de::DeTable;

use super::discover::{self, Remedies};
use super::snippet::{Mistake, Mistakes, Wrong};
use super::source::{Role, Source};
use super::sources::Sources;

const WILDCARDS: [char; 3] = ['*', '?', '['];

/// As shells have it: `*` stays in its folder and leaves out what editors and Kubernetes hide behind a dot.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

const OF_INCLUDES: Remedies = Remedies {
    absent: "write the path of a file, from the config file's folder; only a pattern such as `rules.d/*.toml` may match none",
    folder: "write a pattern for the files in it, such as `rules.d/*.toml`",
};
const OF_RULES: Remedies = Remedies {
    absent: "write the path of an existing file with `[[protect]]` tables",
    folder: "name the files in it one by one, or list `include = [\"rules.d/*.toml\"]` in a config file",
};

/// The files of a config, and what went wrong on the way to them.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) sources: Sources,
    /// The folders in which a new file would be included.
    pub(super) watched: Vec<PathBuf>,
    /// The folders that the wildcards of a pattern lead to.
    pub(super) folders: Vec<PathBuf>,
    known: HashSet<PathBuf>,
    wrong_includes: Vec<(Range<usize>, Wrong)>,
    unusable: Vec<Mistake>,
}

impl Gathered {
    /// `config` and all that it includes.
    pub(super) fn from_config(config: Source) -> Self {
        let known = config.path.iter().map(|path| canonical(path)).collect();
        let includes = includes(&config);
        let mut gathered = Self {
            sources: Sources::new(config),
            watched: Vec::new(),
            folders: Vec::new(),
            known,
            wrong_includes: Vec::new(),
            unusable: Vec::new(),
        };
        for (pattern, span) in includes {
            let wrong = gathered.include(&pattern);
            gathered.wrong_includes.extend(wrong.into_iter().map(|wrong| (span.clone(), wrong)));
        }
        gathered
    }

    /// Adds the file `shown` of rules, which `named_by` names.
    pub(super) fn add_rules(&mut self, shown: &Path, named_by: &str, cwd: &Path) {
        let what = format!("the rules file `{}`, named by {named_by},", shown.display());
        if let Err(wrong) = self.read(shown, &cwd.join(shown), &what, OF_RULES) {
            self.unusable.push(Mistake::of_file(wrong));
        }
    }

    /// Hands over what went wrong.
    pub(super) fn report(&self, mistakes: &mut Mistakes<'_>) {
        self.wrong_includes.iter().for_each(|(span, wrong)| mistakes.report(span, wrong.clone()));
        self.unusable.iter().for_each(|mistake| mistakes.report_elsewhere(mistake.clone()));
    }

    /// The files that were read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.sources.iter().filter_map(|(_, source)| source.path.clone()).collect()
    }

    /// Those of them that have nothing in them.
    pub(super) fn blank(&self) -> Vec<PathBuf> {
        let blank = self.sources.iter().filter(|(_, source)| source.text.is_empty());
        blank.filter_map(|(_, source)| source.path.clone()).collect()
    }

    /// Reads what `pattern` names; gives what is wrong with that.
    fn include(&mut self, pattern: &str) -> Vec<Wrong> {
        let config = self.sources.config();
        let folder = config.folder.clone();
        let shown_folder = config.shown.parent().map(Path::to_owned).unwrap_or_default();
        if pattern.is_empty() {
            return vec![Wrong::new("an empty `include` names no file", OF_INCLUDES.absent)];
        }
        if !pattern.contains(WILDCARDS) {
            let what = format!("the included file `{pattern}`");
            let wrong = self.read(&shown_folder.join(pattern), &folder.join(pattern), &what, OF_INCLUDES);
            return wrong.err().into_iter().collect();
        }
        self.watched.push(folder.join(without_wildcards(pattern)));
        self.folders.extend(folders(&folder, pattern));
        let (files, mut wrong) = matching(&folder, pattern);
        for path in files {
            // As its user would write it, who knows the config file under a shorter name than we do.
            let short = path.strip_prefix(&folder).map(|rest| shown_folder.join(rest));
            let shown = short.unwrap_or_else(|_elsewhere| path.clone());
            let what = format!("the included file `{}`", shown.display());
            wrong.extend(self.read(&shown, &path, &what, OF_INCLUDES).err());
        }
        wrong
    }

    /// Reads a file of rules, unless it was read already.
    fn read(&mut self, shown: &Path, path: &Path, what: &str, remedies: Remedies) -> Result<(), Wrong> {
        let bytes = discover::read(path).map_err(|error| discover::unreadable(what, &error, remedies))?;
        if self.known.insert(canonical(path)) {
            match discover::decode(Role::Rules, shown, path.to_owned(), bytes) {
                Ok(source) => {
                    self.sources.push(source);
                }
                Err(mistake) => self.unusable.push(mistake),
            }
        }
        Ok(())
    }
}

/// The strings of `include` and where they stand. What is wrong with their shape is for `structure` to say.
fn includes(config: &Source) -> Vec<(String, Range<usize>)> {
    let (root, _errors) = DeTable::parse_recoverable(&config.text);
    let list = root.get_ref().get("include").and_then(|value| value.get_ref().as_array());
    let texts = list.into_iter().flat_map(|list| list.iter());
    texts.filter_map(|text| Some((text.get_ref().as_str()?.to_owned(), text.span()))).collect()
}

/// The files that `pattern` matches, sorted, and what keeps others from being found.
fn matching(folder: &Path, pattern: &str) -> (Vec<PathBuf>, Vec<Wrong>) {
    let Some(folder) = folder.to_str() else {
        let message = format!("the name of the config file's folder is not UTF-8, so `{pattern}` can't be looked up");
        let help = "move the config to another folder, or list the files one by one";
        return (Vec::new(), vec![Wrong::new(message, help)]);
    };
    let whole = Path::new(&Pattern::escape(folder)).join(pattern);
    let paths = match glob::glob_with(&whole.to_string_lossy(), OPTIONS) {
        Ok(paths) => paths,
        Err(error) => {
            let help = "`*` is any part of a name, `**/` any folders, `?` one character, `[ab]` one of these";
            let message = format!("`{pattern}` is not a pattern for files: {}", error.msg);
            return (Vec::new(), vec![Wrong::new(message, help)]);
        }
    };
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match path {
            Ok(path) if path.is_dir() => {}
            Ok(path) => files.push(path),
            Err(error) => {
                let what = format!("`{}`, which `{pattern}` leads to,", error.path().display());
                wrong.push(discover::unreadable(&what, error.error(), OF_INCLUDES));
            }
        }
    }
    files.sort();
    (files, wrong)
}

/// The folders whose files `pattern` may name, as far as wildcards lead to them.
fn folders(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    // What can't be looked up is told of where its files are looked up.
    let Some(folder) = folder.to_str().map(Pattern::escape) else { return Vec::new() };
    let parents = Path::new(pattern).ancestors().skip(1);
    let wild = parents.filter(|parent| parent.to_string_lossy().contains(WILDCARDS));
    let found =
        wild.filter_map(|parent| glob::glob_with(&Path::new(&folder).join(parent).to_string_lossy(), OPTIONS).ok());
    found.flatten().filter_map(Result::ok).filter(|path| path.is_dir()).collect()
}

/// The folders of `pattern` up to the first wildcard.
fn without_wildcards(pattern: &str) -> PathBuf {
    let fixed =
        Path::new(pattern).components().take_while(|part| !part.as_os_str().to_string_lossy().contains(WILDCARDS));
    fixed.collect()
}

/// One name for one file, whatever leads to it.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_absent| path.to_owned())
}
