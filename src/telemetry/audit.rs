//! Reads decision logs and adds up what each rule did, in bounded memory however long they are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read};

use serde::Deserialize;

/// Bytes of a line; a record has some hundreds.
const LONGEST_LINE: u64 = 1 << 20;
/// Rules, and words such as surfaces and reasons, that are told apart.
const RULES: usize = 10_000;
const WORDS: usize = 64;
/// Names that are told apart, of one rule and of all.
const NAMES: usize = 10_000;
const ALL_NAMES: usize = 500_000;
/// Characters of a name that are kept.
const LONGEST_NAME: usize = 200;

/// What some decision logs say.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Records read.
    pub records: u64,
    /// Lines that are no records, torn ones included.
    pub skipped: u64,
    /// From when to when.
    pub span: Span,
    /// What each rule did, by its id.
    pub rules: BTreeMap<String, Record>,
    /// Answers that could not be trusted, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Records of rules that found no room in `rules`.
    pub untold: u64,
    /// Names kept in all of `rules`.
    names: usize,
}

/// What one rule did.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Times that it fired, on whatever.
    pub hits: u64,
    /// Entries that it took from pages.
    pub removed: u64,
    /// From when to when.
    pub span: Span,
    /// Times by what was decided; `audit` is what would have been hidden.
    pub decisions: BTreeMap<String, u64>,
    /// Times by surface.
    pub surfaces: BTreeMap<String, u64>,
    /// Times by the name that was asked for.
    names: HashMap<String, u64>,
    /// Times of names that found no room in `names`.
    unnamed: u64,
}

/// The first and the last moment of something, as the log writes moments: in an order that is that of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span(Option<(String, String)>);

/// A line of the log, as far as it is of interest.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    ts: Cow<'l, str>,
    #[serde(borrow)]
    decision: Cow<'l, str>,
    #[serde(borrow)]
    surface: Cow<'l, str>,
    project: Option<Cow<'l, str>>,
    file: Option<Cow<'l, str>>,
    rule: Option<Cow<'l, str>>,
    #[serde(default)]
    removed: u64,
    reason: Option<Cow<'l, str>>,
}

impl Audit {
    /// Adds what `input` says. A line that is torn or foreign is skipped.
    ///
    /// # Errors
    /// `input` can't be read, or none of its lines is a record.
    pub fn read(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let (mut records, mut foreign) = (0_u64, 0_u64);
        let mut line = Vec::new();
        while read_line(&mut input, &mut line)? {
            if records + foreign == 0 && line.starts_with(b"\x1f\x8b") {
                return Err(invalid("it is compressed: pipe it through `zcat` into `-`"));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(&line) {
                Ok(line) => {
                    records += 1;
                    self.add(&line);
                }
                Err(_foreign) => {
                    self.skipped += 1;
                    // The last line may be half written at this very moment.
                    foreign += u64::from(line.ends_with(b"\n"));
                }
            }
        }
        self.records += records;
        if records == 0 && foreign > 0 { Err(invalid("none of its lines is a decision")) } else { Ok(()) }
    }

    fn add(&mut self, line: &Line<'_>) {
        self.span.add(&line.ts);
        let Some(rule) = line.rule.as_deref() else {
            if let Some(reason) = &line.reason {
                count(&mut self.failures, reason);
            }
            return;
        };
        let rule = plain(rule);
        if self.rules.len() >= RULES && !self.rules.contains_key(&*rule) {
            self.untold += 1;
            return;
        }
        let record = match self.rules.get_mut(&*rule) {
            Some(record) => record,
            None => self.rules.entry(rule.into_owned()).or_default(),
        };
        record.hits += 1;
        record.removed += line.removed;
        record.span.add(&line.ts);
        count(&mut record.decisions, if line.decision == "allowed" { "audit" } else { &line.decision });
        count(&mut record.surfaces, &line.surface);
        let Some(name) = line.project.as_deref().or(line.file.as_deref()) else { return };
        let name = plain(name);
        if let Some(times) = record.names.get_mut(&*name) {
            *times += 1;
        } else if record.names.len() < NAMES && self.names < ALL_NAMES {
            record.names.insert(name.into_owned(), 1);
            self.names += 1;
        } else {
            record.unnamed += 1;
        }
    }
}

impl Record {
    /// The names asked for most, most first; and how often all others were.
    #[must_use]
    pub fn top_names(&self, count: usize) -> (Vec<(&str, u64)>, u64) {
        let mut names: Vec<(&str, u64)> = self.names.iter().map(|(name, times)| (name.as_str(), *times)).collect();
        names.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        let rest = names.split_off(names.len().min(count));
        (names, self.unnamed + rest.iter().map(|(_, times)| times).sum::<u64>())
    }
}

impl Span {
    fn add(&mut self, moment: &str) {
        match &mut self.0 {
            None => self.0 = plain_span(moment),
            Some((first, _)) if moment < first.as_str() => *first = plain(moment).into_owned(),
            Some((_, last)) if moment > last.as_str() => *last = plain(moment).into_owned(),
            Some(_) => {}
        }
    }

    /// The first moment.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.0.as_ref().map(|(first, _)| first.as_str())
    }

    /// The last moment.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, last)| last.as_str())
    }
}

fn plain_span(moment: &str) -> Option<(String, String)> {
    let moment = plain(moment).into_owned();
    Some((moment.clone(), moment))
}

/// The next line, its newline included; one that is too long is cut. `false` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
        line.push(b'\n');
    }
    Ok(true)
}

fn count(words: &mut BTreeMap<String, u64>, word: &str) {
    let word = plain(word);
    if let Some(times) = words.get_mut(&*word) {
        *times += 1;
    } else if words.len() < WORDS {
        words.insert(word.into_owned(), 1);
    } else {
        *words.entry("other".to_owned()).or_default() += 1;
    }
}

/// `text` as it may be kept and shown: not endless, and no terminal obeys it.
fn plain(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_NAME && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    Cow::Owned(text.chars().take(LONGEST_NAME).map(shown).collect())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ts: u32, decision: &str, surface: &str, project: &str) -> String {
        let ts = format!("2026-11-26T00:00:{ts:02}.000Z");
        format!(
            r#"{{"ts":"{ts}","decision":"{decision}","surface":"{surface}","project":"{project}","rule":"acme","removed":1}}"#
        ) + "\n"
    }

    fn read(text: &str) -> Audit {
        let mut audit = Audit::default();
        audit.read(text.as_bytes()).unwrap();
        audit
    }

    #[test]
    fn what_a_rule_did_is_added_up() {
        let text = [
            line(5, "hidden", "page", "acme"),
            line(9, "refused", "file", "acme"),
            line(1, "allowed", "page", "acme-b"),
            r#"{"ts":"2026-11-26T01:00:00.000Z","decision":"failed","surface":"page","rule":null,"reason":"too-large"}"#.into(),
        ];
        let audit = read(&text.concat());
        assert_eq!((audit.records, audit.skipped), (4, 0));
        assert_eq!(audit.failures, BTreeMap::from([("too-large".to_owned(), 1)]));
        let acme = &audit.rules["acme"];
        assert_eq!((acme.hits, acme.removed), (3, 3));
        let span = (acme.span.first().unwrap(), acme.span.last().unwrap(), audit.span.last().unwrap());
        assert_eq!(span, ("2026-11-26T00:00:01.000Z", "2026-11-26T00:00:09.000Z", "2026-11-26T01:00:00.000Z"));
        let one = |word: &str| (word.to_owned(), 1);
        assert_eq!(acme.decisions, BTreeMap::from(["audit", "hidden", "refused"].map(one)));
        assert_eq!(acme.surfaces, BTreeMap::from([("file".to_owned(), 1), ("page".to_owned(), 2)]));
        assert_eq!(acme.top_names(1), (vec![("acme", 2)], 1));
    }

    #[test]
    fn torn_and_foreign_lines_are_skipped() {
        let whole = line(1, "hidden", "page", "acme");
        let audit = read(&format!("\n{whole}{}\n{whole}{}", &whole[..30], &whole[..50]));
        assert_eq!((audit.records, audit.skipped), (2, 2));
        assert_eq!(read(&whole[..50]).records, 0, "the first record is being written");
        assert_eq!(read("").records, 0);
        let long = format!("{{\"ts\":\"{}\n{whole}", "x".repeat(3 << 20));
        assert_eq!((read(&long).records, read(&long).skipped), (1, 1));
    }

    #[test]
    fn what_is_no_decision_log_is_refused() {
        let error = |bytes: &[u8]| Audit::default().read(bytes).unwrap_err().to_string();
        assert!(error(b"[[protect]]\nid = 'a'\n").contains("none of its lines"));
        assert!(error(b"\x1f\x8b\x08\n").contains("zcat"));
        assert!(error(b"{\"level\":\"INFO\"}\n").contains("none of its lines"));
    }

    #[test]
    fn memory_is_bounded() {
        let names = NAMES as u64;
        let text: String = (0..names + 7).map(|number| line(1, "hidden", "page", &format!("acme-{number}"))).collect();
        let audit = read(&text);
        let (top, rest) = audit.rules["acme"].top_names(3);
        assert_eq!((top.len(), rest), (3, names + 7 - 3));
        let surfaces: String = (0..WORDS + 7).map(|number| line(1, "hidden", &number.to_string(), "acme")).collect();
        assert_eq!(read(&surfaces).rules["acme"].surfaces["other"], 7);
        let shouting = read(&line(1, "hidden", "page", &format!("\\u001b[31m{}", "x".repeat(9999))));
        let (top, _) = shouting.rules["acme"].top_names(1);
        assert!(top[0].0.starts_with("\u{fffd}[31m") && top[0].0.chars().count() == LONGEST_NAME);
    }
}
