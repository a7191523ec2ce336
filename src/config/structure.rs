//! Reads the TOML into [`RawConfig`], and explains every place where its shape is not that of a config.
//!
//! serde stops at the first mistake. So the entry that it stumbled over is reported, taken out, and the rest is read
//! again until nothing is left to report: one run shows all of them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::raw::RawConfig;
use super::snippet::{Mistakes, Wrong};
use super::source::{Role, Source};
use super::{schema, shift};

/// More mistakes than anybody reads at once.
const MOST_MISTAKES: usize = 50;

/// What could be read of a config.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) raw: RawConfig,
    /// Whether the config file is TOML; if not, nothing is certain of what its tables say.
    pub(super) readable: bool,
    incomplete: Vec<Range<usize>>,
}

/// The entry over which serde stumbled.
struct Culprit {
    /// Where the table that holds it stands.
    table_span: Range<usize>,
    wrong: Wrong,
}

impl Document {
    /// Whether nothing was taken out of `table`, so that what is missing was really not written.
    pub(super) fn is_whole<T>(&self, table: &Spanned<T>) -> bool {
        !self.incomplete.contains(&table.span())
    }

    /// Appends what a file of rules says.
    fn append(&mut self, rules: RawConfig) {
        self.raw.protect.extend(rules.protect);
        self.raw.inventory.extend(rules.inventory);
        self.raw.assert.extend(rules.assert);
    }
}

/// Reads the sources of `mistakes` as one config. Of a file that isn't TOML nothing is read.
pub(super) fn read(mistakes: &mut Mistakes<'_>) -> Document {
    let mut document = Document { raw: RawConfig::default(), readable: true, incomplete: Vec::new() };
    for (start, source) in mistakes.source().iter() {
        if source.role == Role::Variable {
            continue;
        }
        let raw = read_file(start, source, mistakes, &mut document.incomplete);
        match (source.role, raw) {
            (Role::Config, Some(raw)) => document.raw = raw,
            (Role::Config, None) => document.readable = false,
            (_, raw) => document.append(raw.unwrap_or_default()),
        }
    }
    document
}

fn read_file(
    start: usize,
    source: &Source,
    mistakes: &mut Mistakes<'_>,
    incomplete: &mut Vec<Range<usize>>,
) -> Option<RawConfig> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        report_syntax(&errors, start, mistakes);
        return None;
    }
    let mut root = shift::table(root, start);
    if source.role == Role::Rules {
        take_out_misplaced(root.get_mut(), mistakes);
    }
    for _ in 0..MOST_MISTAKES {
        let error = match RawConfig::deserialize(toml::Deserializer::from(root.clone())) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(start..start);
        let table_span = root.span();
        let Some(culprit) = take_out(root.get_mut(), &table_span, "", &span) else {
            // Not known to happen: serde would have to stumble over something that is neither a key nor a value.
            mistakes
                .report(&span, Wrong::new(error.message(), "see the annotated default config for what can stand here"));
            return None;
        };
        mistakes.report(&span, culprit.wrong);
        incomplete.push(culprit.table_span);
    }
    None
}

/// Reports the first syntax error of each line: what follows on the same line is mostly its echo.
fn report_syntax(errors: &[Error], start: usize, mistakes: &mut Mistakes<'_>) {
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let span = start + span.start..start + span.end;
        if lines.insert(mistakes.source().place(span.start).line) {
            let message = format!("this is not TOML: {}", error.message());
            mistakes.report(&span, Wrong::new(message, help_for_syntax(error.message())));
        }
    }
}

/// Reports what a file of rules can't hold, and takes it out.
fn take_out_misplaced(root: &mut DeTable<'_>, mistakes: &mut Mistakes<'_>) {
    let mut belongs_here = |key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>| {
        let name: &str = key.get_ref();
        let wrong = schema::misplaced(name, || unknown("", name, value.get_ref()));
        wrong.map(|wrong| mistakes.report(&key.span(), wrong)).is_none()
    };
    *root = mem::take(root).into_iter().filter(|(key, value)| belongs_here(key, value)).collect();
}

/// What is most likely meant when the TOML parser says `message`.
fn help_for_syntax(message: &str) -> &'static str {
    match message {
        _ if message.contains("duplicate key") => {
            "each key stands once in its table, each table once in the file; another rule is another `[[protect]]`"
        }
        _ if message.contains("table") => {
            "a table's head stands in brackets: `[listen]`, or in two for one of many: `[[protect]]`"
        }
        _ if message.contains("string") => "text stands in double quotes on one line: `reason = \"Internal to Acme\"`",
        _ if message.contains("array") => "a list is written in brackets with commas: `names = [\"acme\", \"acme-*\"]`",
        _ if message.contains("date") => "a day is written as year-month-day: `expires = 2027-06-30`",
        _ => "a line is `key = value`, `[table]` or `[[table]]`; text stands in double quotes",
    }
}

/// Takes the entry whose key or value stands at `wanted` out of `table`, or the entry whose list holds it.
///
/// The span of a table that has a header is the header's alone, so every table is searched.
fn take_out(table: &mut DeTable<'_>, table_span: &Range<usize>, name: &str, wanted: &Range<usize>) -> Option<Culprit> {
    let mut found = None;
    for (key, value) in table.iter() {
        let key_name: &str = key.get_ref();
        if key.span() == *wanted {
            found = Some((key_name.to_owned(), unknown(name, key_name, value.get_ref())));
        } else if let Some(wrong) = misshapen(name, key_name, value, wanted) {
            found = Some((key_name.to_owned(), wrong));
        }
    }
    if let Some((key, wrong)) = found {
        table.remove(key.as_str());
        return Some(Culprit { table_span: table_span.clone(), wrong });
    }
    table.iter_mut().find_map(|(key, value)| {
        let key: &str = key.get_ref();
        let path = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        inner_tables(value).find_map(|(span, inner)| take_out(inner, &span, &path, wanted))
    })
}

/// The tables directly in `value`: itself, or the entries of a list of tables.
fn inner_tables<'v, 'i>(
    value: &'v mut Spanned<DeValue<'i>>,
) -> impl Iterator<Item = (Range<usize>, &'v mut DeTable<'i>)> {
    let values = match value.get_ref() {
        DeValue::Array(_) => match value.get_mut() {
            DeValue::Array(list) => &mut **list,
            _ => &mut [],
        },
        _ => std::slice::from_mut(value),
    };
    values.iter_mut().filter_map(|value| {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => Some((span, table)),
            _ => None,
        }
    })
}

fn unknown(table: &str, key: &str, value: &DeValue<'_>) -> Wrong {
    let is_table = match value {
        DeValue::Table(_) => true,
        DeValue::Array(list) => table.is_empty() && list.iter().all(|entry| entry.get_ref().is_table()),
        _ => false,
    };
    let kind = if is_table { "table" } else { "key" };
    Wrong::new(format!("unknown {kind} `{key}`"), schema::help_for_unknown(table, key))
}

/// What is wrong with `value` if it, or a value in its list, stands at `wanted`.
fn misshapen(table: &str, key: &str, value: &Spanned<DeValue<'_>>, wanted: &Range<usize>) -> Option<Wrong> {
    let message = if value.span() == *wanted {
        format!("`{key}` can't be {}", kind_of(value.get_ref()))
    } else {
        let element = value.get_ref().as_array()?.iter().find(|element| element.span() == *wanted)?;
        format!("`{key}` can't hold {}", kind_of(element.get_ref()))
    };
    let example = schema::example(table, key).or_else(|| {
        let (above, name) = table.rsplit_once('.')?;
        schema::example(above, name)
    });
    Some(Wrong::new(message, format!("write it like this: `{}`", example.unwrap_or("key = \"text\""))))
}

/// A value's type in the words of people.
const fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
