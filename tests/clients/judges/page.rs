//! A page to be filtered: its project and its entries, before anyone has written it down.

use url::Url;

use super::dice::Dice;
use super::entry::{Drawing, Entry};
use super::names::{self, display};
use super::{html, json};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Html,
}

/// A page before it is filtered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) form: Form,
    /// Normalized.
    pub(super) project: String,
    /// As the page writes it.
    pub(super) display: String,
    /// A `<base href>`.
    pub(super) base: Option<&'static str>,
    pub(super) entries: Vec<Entry>,
    pub(super) body: String,
}

const WORDS: &[&str] = &["widget", "paint", "x-acme", "not-acme", "acmeware", "corp-core-x", "corp", "gear.box", "a"];

impl Page {
    /// The page number `number`. About one in thirty is broken, and one in thirty has nothing innocent.
    pub(super) fn draw(number: usize, form: Form, dice: &mut Dice) -> Self {
        let word = dice.pick(WORDS).replace('.', "-");
        let project =
            if dice.once_in(50) { dice.pick(names::PROTECTED).to_owned() } else { format!("{word}-n{number}") };
        let display = display(dice, &project, names::ANY);
        let bases = [Some("http://files.example/base/x/"), Some("/mirror/a/b/"), None, None, None];
        let base = if form == Form::Html { dice.pick(&bases) } else { None };
        let entries = entries(&mut Drawing { dice, project: &project, names_files: form == Form::Json });
        let mut page = Self { form, project, display, base, entries, body: String::new() };
        page.body = match form {
            Form::Json => json::write(&page, dice),
            Form::Html => html::write(&page, dice),
        };
        page
    }

    /// Where it is found.
    pub(super) fn url(&self) -> Url {
        format!("http://index.example/simple/{}/", self.project).parse().unwrap()
    }

    /// What its relative links are relative to.
    pub(super) fn root(&self) -> Url {
        self.base.map_or_else(|| self.url(), |base| self.url().join(base).unwrap())
    }
}

fn entries(drawing: &mut Drawing<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let innocent = if drawing.dice.once_in(30) { 0 } else { 1 + drawing.dice.below(3) };
    for at in 0..innocent {
        let version = (at * 10 + drawing.dice.below(10), drawing.dice.below(30));
        entries.push(drawing.own_wheel(version));
        if drawing.dice.once_in(2) {
            entries.push(drawing.own_sdist(version));
        }
        if drawing.dice.once_in(4) {
            entries.push(drawing.strangers());
        }
    }
    for _ in 0..drawing.dice.below(4) {
        entries.push(drawing.doubtful());
    }
    for _ in 0..drawing.dice.below(6) {
        entries.push(drawing.hidden());
    }
    drawing.dice.shuffle(&mut entries);
    entries
}
