//! Reads a page: its files, its commands with what they show, its configs, and what can't be run.

use std::fs;
use std::path::Path;

use super::repository;

/// One page of the documentation.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Its path in the repository.
    pub(crate) path: String,
    /// The clients without which it can't be run.
    pub(crate) needs: Vec<String>,
    /// Its files, in order.
    pub(crate) files: Vec<File>,
    /// Its configs without a title.
    pub(crate) configs: Vec<(usize, String)>,
    /// Its commands, in order.
    pub(crate) steps: Vec<Step>,
    /// Line and reason of each block that isn't run.
    pub(crate) idle: Vec<(usize, String)>,
}

/// A file that is there from the next command on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    /// How many commands come before it.
    pub(crate) behind: usize,
}

/// One command.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) typed: String,
    pub(crate) code: i32,
    pub(crate) shows: Vec<String>,
}

/// A fenced block, and the comments right above it.
struct Block<'p> {
    line: usize,
    info: &'p str,
    marks: Vec<&'p str>,
    lines: Vec<&'p str>,
}

impl Page {
    /// Reads the page at `path` of the repository.
    pub(crate) fn read(path: &Path) -> Self {
        Self::parse(path.to_str().unwrap(), &fs::read_to_string(repository().join(path)).unwrap())
    }

    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut page = Self { path: path.to_owned(), ..Self::default() };
        page.needs = text.lines().filter_map(|line| mark(line, "needs:")).flat_map(words).collect();
        for block in blocks(path, text) {
            page.take(&block);
        }
        page
    }

    fn take(&mut self, block: &Block<'_>) {
        let mut info = block.info.split_whitespace();
        let language = info.next().unwrap_or_default();
        let title = info.find_map(|word| word.strip_prefix("title="));
        let told = |what| block.marks.iter().find_map(|line| mark(line, what));
        if let Some(reason) = told("not run:") {
            assert!(reason.len() > 10, "{}:{}: say why it isn't run", self.path, block.line);
            self.idle.push((block.line, reason.to_owned()));
            return;
        }
        match (language, title) {
            (_, Some(path)) => {
                let text = block.lines.join("\n") + "\n";
                self.files.push(File { path: path.to_owned(), text, behind: self.steps.len() });
            }
            ("console", None) => {
                let mut steps = steps(block);
                let codes: Vec<i32> =
                    told("ends with:").into_iter().flat_map(words).map(|n| n.parse().unwrap()).collect();
                match codes.len() {
                    0 => {}
                    1 => steps.last_mut().unwrap().code = codes[0],
                    n if n == steps.len() => steps.iter_mut().zip(codes).for_each(|(step, code)| step.code = code),
                    n => panic!("{}:{}: {n} codes for {} commands", self.path, block.line, steps.len()),
                }
                self.steps.extend(steps);
            }
            ("toml", None) => self.configs.push((block.line, block.lines.join("\n") + "\n")),
            ("text" | "yaml" | "json" | "html", None) => {}
            (other, None) => panic!("{}:{}: ```{other} is run by nobody: write ```console", self.path, block.line),
        }
    }
}

fn steps(block: &Block<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (offset, line) in block.lines.iter().enumerate() {
        if let Some(typed) = line.strip_prefix("$ ") {
            steps.push(Step { line: block.line + 1 + offset, typed: typed.to_owned(), ..Step::default() });
        } else {
            let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: output before a command", block.line));
            match step.typed.strip_suffix('\\') {
                Some(begun) if step.shows.is_empty() => step.typed = format!("{begun}{}", line.trim_start()),
                _ => step.shows.push((*line).to_owned()),
            }
        }
    }
    steps
}

fn blocks<'p>(path: &str, text: &'p str) -> Vec<Block<'p>> {
    let (mut blocks, mut open, mut marks) = (Vec::new(), None::<Block<'p>>, Vec::new());
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.lines.push(line),
            (None, Some(info)) => {
                open = Some(Block { line: number + 1, info, marks: std::mem::take(&mut marks), lines: Vec::new() });
            }
            (None, None) if line.starts_with("<!--") => marks.push(line),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => marks.clear(),
        }
    }
    assert!(open.is_none(), "{path}: a fence stays open");
    blocks
}

fn mark<'l>(line: &'l str, what: &str) -> Option<&'l str> {
    Some(line.strip_prefix("<!-- ")?.strip_prefix(what)?.strip_suffix("-->")?.trim())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(ToOwned::to_owned)
}
