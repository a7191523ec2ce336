//! A config mistake, shown where it stands: `file:line:column`, the line, a caret, what to write instead.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::secret;
use super::source::{Marked, Source};
use super::sources::Sources;
use crate::policy::Place;

/// Every mistake that was found in the config and on the command line; at least one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", Listed(mistakes))]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

/// One mistake: what is wrong, where, and what would be right.
#[derive(Clone, Debug)]
pub struct Mistake {
    wrong: Wrong,
    excerpt: Excerpt,
}

/// What is wrong with a value and what would be right, before anybody knows where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    message: String,
    help: String,
}

/// Where a mistake stands.
#[derive(Clone, Debug)]
enum Excerpt {
    /// In a line of a file.
    Line { file: Arc<Path>, marked: Marked },
    /// In the value of an option on the command line.
    Argument { flag: &'static str, value: String },
    /// The file as a whole; the message names it.
    File,
}

impl ConfigError {
    /// The mistakes, in the order in which they stand.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl From<Mistake> for ConfigError {
    fn from(mistake: Mistake) -> Self {
        Self { mistakes: vec![mistake] }
    }
}

impl Mistake {
    /// A file that can't be used at all.
    pub(super) fn of_file(wrong: Wrong) -> Self {
        Self { wrong, excerpt: Excerpt::File }
    }

    /// A mistake at `span` of `source`.
    pub(super) fn at(source: &Source, span: &Range<usize>, wrong: Wrong) -> Self {
        Self { wrong, excerpt: Excerpt::Line { file: Arc::clone(&source.shown), marked: source.mark(span) } }
    }

    /// A mistake in the value of `flag`.
    pub(super) fn of_argument(flag: &'static str, value: &str, wrong: Wrong) -> Self {
        Self { wrong, excerpt: Excerpt::Argument { flag, value: value.to_owned() } }
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.wrong.message
    }

    /// What would be right.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.wrong.help
    }

    /// The file and line, and the column from 1; `None` on the command line and for a file as a whole.
    #[must_use]
    pub fn place(&self) -> Option<(Place, usize)> {
        match &self.excerpt {
            Excerpt::Line { file, marked } => {
                Some((Place { file: Arc::clone(file), line: marked.line }, marked.column))
            }
            Excerpt::Argument { .. } | Excerpt::File => None,
        }
    }
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn help(&self) -> &str {
        &self.help
    }
}

/// The mistakes on their way to [`ConfigError`]: a check reports here and goes on.
#[derive(Debug)]
pub(super) struct Mistakes<'s> {
    sources: &'s Sources,
    in_file: Vec<(usize, Mistake)>,
    elsewhere: Vec<Mistake>,
}

impl<'s> Mistakes<'s> {
    pub(super) const fn new(sources: &'s Sources) -> Self {
        Self { sources, in_file: Vec::new(), elsewhere: Vec::new() }
    }

    /// What is being checked, file by file.
    pub(super) const fn source(&self) -> &'s Sources {
        self.sources
    }

    /// Reports what is wrong at `span`.
    pub(super) fn report(&mut self, span: &Range<usize>, wrong: Wrong) {
        let (_, source) = self.sources.at(span.start);
        let excerpt = Excerpt::Line { file: Arc::clone(&source.shown), marked: self.sources.mark(span) };
        self.in_file.push((span.start, Mistake { wrong, excerpt }));
    }

    /// Reports what has no place in any of the files.
    pub(super) fn report_elsewhere(&mut self, mistake: Mistake) {
        self.elsewhere.push(mistake);
    }

    /// Reports what is wrong with the value of `flag`.
    pub(super) fn report_argument(&mut self, flag: &'static str, value: &str, wrong: Wrong) {
        self.elsewhere.push(Mistake::of_argument(flag, value, wrong));
    }

    /// The value, or nothing and a report at `span`.
    pub(super) fn keep<T>(&mut self, span: &Range<usize>, checked: Result<T, Wrong>) -> Option<T> {
        checked.map_err(|wrong| self.report(span, wrong)).ok()
    }

    /// `done`, unless there was any mistake.
    pub(super) fn or<T>(self, done: T) -> Result<T, ConfigError> {
        if self.in_file.is_empty() && self.elsewhere.is_empty() { Ok(done) } else { Err(self.into_error()) }
    }

    /// What was reported, in the order of the file, then of the command line; for when something was.
    pub(super) fn into_error(mut self) -> ConfigError {
        self.in_file.sort_by_key(|(offset, _)| *offset);
        let in_file = self.in_file.into_iter().map(|(_, mistake)| mistake);
        ConfigError { mistakes: in_file.chain(self.elsewhere).collect() }
    }
}

struct Listed<'a>(&'a [Mistake]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

/// In the form of rustc, which editors and CI systems know how to read; without a newline at the end.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = Printable(&self.wrong.message);
        let gutter = match &self.excerpt {
            Excerpt::File => {
                write!(f, "error: {message}")?;
                " ".to_owned()
            }
            Excerpt::Argument { flag, value } => {
                let value = Printable(value).to_string();
                writeln!(f, "error: {flag} '{value}': {message}")?;
                write_marked(f, "", &format!("{flag} '{value}'"), flag.len() + 3, value.chars().count().max(1))?;
                " ".to_owned()
            }
            Excerpt::Line { file, marked: Marked { line, column, width, text } } => {
                let number = line.to_string();
                let blank = " ".repeat(number.len());
                writeln!(f, "error: {message}\n{blank}--> {}:{line}:{column}", file.display())?;
                write_marked(f, &number, text, *column, *width)?;
                blank + " "
            }
        };
        write!(f, "\n{gutter}= help: {}", Printable(&self.wrong.help))
    }
}

/// The line between its bars, and carets under `width` characters from `column` on.
fn write_marked(f: &mut fmt::Formatter<'_>, number: &str, text: &str, column: usize, width: usize) -> fmt::Result {
    let blank = " ".repeat(number.len());
    // A tab stays a tab, so that the caret stands under what it means at any tab width.
    let indent: String = text.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
    let text = secret::masked(text);
    let text: String = text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    writeln!(f, "{blank} |")?;
    writeln!(f, "{number} | {text}")?;
    write!(f, "{blank} | {indent}{}", "^".repeat(width))
}

/// Text from a config on its way to a terminal: control characters are spelt out.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_under_its_line() {
        let source = Source::of_text(&format!("{}naems = [\"acme-*\"]\n", "#\n".repeat(11)));
        let error = ConfigError::from(Mistake::at(&source, &(22..27), Wrong::new("unknown key", "write `names`")));
        insta::assert_snapshot!(error, @r#"
error: unknown key
  --> namewall.toml:12:1
   |
12 | naems = ["acme-*"]
   | ^^^^^
   = help: write `names`
"#);
        let (place, column) = error.mistakes()[0].place().unwrap();
        assert_eq!((place.to_string().as_str(), column), ("namewall.toml:12", 1));
    }

    #[test]
    fn an_argument_is_shown_as_typed() {
        let error = Mistake::of_argument("--protect", "Acme_[x]", Wrong::new("`[` is in no name", "write `acme-x`"));
        insta::assert_snapshot!(error, @r#"
error: --protect 'Acme_[x]': `[` is in no name
 |
 | --protect 'Acme_[x]'
 |            ^^^^^^^^
 = help: write `acme-x`
"#);
    }

    #[test]
    fn a_terminal_is_safe_from_the_config() {
        let source = Source::of_text("\tid = \"\u{1b}[2J\"\n");
        let error = Mistake::at(&source, &(6..12), Wrong::new("`\u{1b}[2J` is no id", "write `acme`"));
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
        insta::assert_snapshot!(error, @r#"
error: `\u{1b}[2J` is no id
 --> namewall.toml:1:7
  |
1 | 	id = "�[2J"
  | 	     ^^^^^^
  = help: write `acme`
"#);
    }

    #[test]
    fn all_mistakes_are_shown_in_the_order_of_the_file() {
        let source = Sources::new(Source::of_text("a\nb\n"));
        let mut mistakes = Mistakes::new(&source);
        mistakes.report_argument("--protect", "c", Wrong::new("third", "c"));
        mistakes.report(&(2..3), Wrong::new("second", "b"));
        mistakes.report(&(0..1), Wrong::new("first", "a"));
        let error = mistakes.or(()).unwrap_err();
        assert_eq!(error.mistakes().iter().map(Mistake::message).collect::<Vec<_>>(), ["first", "second", "third"]);
        assert_eq!(error.to_string().matches("error: ").count(), 3);
        assert!(Mistakes::new(&source).or(()).is_ok());
    }
}
