//! Compiles `[[protect]]`, `[[assert]]`, `NAMEWALL_PROTECT` and `--protect` into rules and assertions.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;

use super::assertion::Assertion;
use super::raw::{RawAssert, RawProtect, Text};
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::value;
use crate::policy::audience::USER;
use crate::policy::{Audience, FilePattern, Mode, Pattern, PatternError, Place, Rule};

/// The id of the rule that `--protect` makes.
pub(super) const COMMAND_LINE: &str = "command-line";
/// The id of the rule that `NAMEWALL_PROTECT` makes.
pub(super) const ENVIRONMENT: &str = "environment";

const PATTERN_HELP: &str =
    "a pattern is a name (`acme`), one with wildcards (`acme-*`), or a regular expression (`re:acme-(core|data)`)";
const FILE_PATTERN_HELP: &str =
    "a file pattern is a file name, one with wildcards (`*.egg`), or a regular expression (`re:acme_.*[.]whl`)";
const EVERYTHING_HELP: &str =
    "narrow it, or write `everything = true` into the rule if every package of the index is to be hidden";
const EVERYTHING_ELSEWHERE_HELP: &str =
    "narrow it; to hide every package of the index, write a rule with `everything = true` into a config file";

/// The rules of the files in their order, then the environment's and the command line's.
pub(super) fn rules(
    document: &Document,
    of_environment: &[Text],
    protect: &[String],
    mistakes: &mut Mistakes<'_>,
) -> Vec<Rule> {
    report_twins(document, mistakes);
    let of_file = document.raw.protect.iter().map(|raw| rule(raw, document.is_whole(raw), mistakes)).collect();
    let of_environment = Vec::from_iter(rule_of_environment(of_environment, mistakes));
    [of_file, of_environment, Vec::from_iter(rule_of_command_line(protect, mistakes))].concat()
}

/// What the `[[assert]]` tables say, in the order of the file.
pub(super) fn assertions(document: &Document, mistakes: &mut Mistakes<'_>) -> Vec<Assertion> {
    let mut assertions = Vec::new();
    for table in &document.raw.assert {
        let RawAssert { protected, allowed, for_ } = table.get_ref();
        let asker = for_.as_ref().and_then(|asker| mistakes.keep(&asker.span(), value::asker(asker.get_ref())));
        let asker = asker.unwrap_or_default();
        if protected.is_empty() && allowed.is_empty() && document.is_whole(table) {
            let help = "add `protected = [\"acme-core\"]`, `allowed = [\"requests\"]`, or both";
            mistakes.report(&table.span(), Wrong::new("this `[[assert]]` asserts nothing", help));
        }
        let listed = protected.iter().map(|name| (name, true)).chain(allowed.iter().map(|name| (name, false)));
        for (name, protected) in listed {
            if let Some(written) = mistakes.keep(&name.span(), value::project(name.get_ref())) {
                let place = Some(mistakes.source().place(name.span().start));
                assertions.push(Assertion { written, protected, asker: asker.clone(), place });
            }
        }
    }
    assertions
}

/// What makes the rule with this id, if no file does.
pub(super) fn maker_of(id: &str) -> Option<&'static str> {
    match id {
        COMMAND_LINE => Some("--protect"),
        ENVIRONMENT => Some("NAMEWALL_PROTECT"),
        _ => None,
    }
}

/// Ids are unique: answers, log lines and metrics name a rule by nothing else.
fn report_twins(document: &Document, mistakes: &mut Mistakes<'_>) {
    let mut first_places = HashMap::new();
    for id in document.raw.protect.iter().filter_map(|rule| rule.get_ref().id.as_ref()) {
        let place = mistakes.source().place(id.span().start);
        let written = id.get_ref();
        if let Some(maker) = maker_of(written) {
            let message = format!("the id `{written}` is kept for the rule that `{maker}` makes");
            mistakes.report(&id.span(), Wrong::new(message, "give this rule another id"));
        } else if let Some(first) = first_places.get(written) {
            let message = format!("the id `{written}` is taken by the rule at {first}");
            mistakes.report(
                &id.span(),
                Wrong::new(message, "give this rule another id, or add its patterns to the first one"),
            );
        } else {
            first_places.insert(written, place);
        }
    }
}

fn rule(table: &Spanned<RawProtect>, whole: bool, mistakes: &mut Mistakes<'_>) -> Rule {
    let raw = table.get_ref();
    if whole {
        report_gaps(raw, &table.span(), mistakes);
        report_idle(raw, mistakes);
    }
    let mode = raw.mode.as_ref().and_then(|mode| {
        let choices = [Mode::Enforce, Mode::Audit].map(|mode| (mode.as_str(), mode));
        mistakes.keep(&mode.span(), value::choice("mode", mode.get_ref(), &choices))
    });
    Rule {
        id: optional(raw.id.as_ref(), value::id, mistakes).unwrap_or_default(),
        names: patterns(&raw.names, raw.everything, mistakes),
        // An exception of everything switches its rule off, which is nobody's harm; `check` points at it.
        except: patterns(&raw.except, true, mistakes),
        files: file_patterns(&raw.files, raw.everything, mistakes),
        versions: optional(raw.versions.as_ref(), value::versions, mistakes),
        lookalikes: raw.lookalikes.as_ref().is_some_and(|wanted| *wanted.get_ref()),
        reason: raw.reason.clone(),
        owner: raw.owner.clone(),
        private_index: optional(raw.private_index.as_ref(), value::public_url, mistakes),
        expires: raw.expires.as_ref().and_then(|date| mistakes.keep(&date.span(), value::date(date.get_ref()))),
        mode: mode.unwrap_or_default(),
        audience: audience(raw.for_.as_ref(), &raw.except_for, mistakes),
        everything: raw.everything,
        place: Some(mistakes.source().place(table.span().start)),
    }
}

/// Whom a rule is for: everybody, where it doesn't say.
pub(super) fn audience(only: Option<&Spanned<Vec<Text>>>, except: &[Text], mistakes: &mut Mistakes<'_>) -> Audience {
    if let Some(only) = only.filter(|only| only.get_ref().is_empty()) {
        let help = "leave `for` out to mean everybody, or name a client's network or a user: `for = [\"10.1.0.0/16\"]`";
        mistakes.report(&only.span(), Wrong::new("this is for nobody, so it protects nothing", help));
    }
    let mut list = |written: &[Text]| {
        let who = |text: &Text| mistakes.keep(&text.span(), value::who(text.get_ref()));
        written.iter().filter_map(who).collect()
    };
    Audience { only: only.map(|only| list(only.get_ref())).unwrap_or_default(), except: list(except) }
}

/// Where nobody is asked for a name, a rule for users would be for nobody, or spare nobody.
pub(super) fn report_strangers(document: &Document, mistakes: &mut Mistakes<'_>) {
    let raw = &document.raw;
    let listen = raw.listen.as_ref();
    // What couldn't be read of `[listen]` may well have been `users`.
    if listen.is_some_and(|listen| listen.get_ref().users.is_some() || !document.is_whole(listen)) {
        return;
    }
    let of_rules = raw.protect.iter().map(|rule| (&rule.get_ref().for_, &rule.get_ref().except_for));
    let of_inventories = raw.inventory.iter().map(|table| (&table.get_ref().for_, &table.get_ref().except_for));
    let of_both = of_rules.chain(of_inventories);
    let of_both = of_both.flat_map(|(only, except)| only.iter().flat_map(Spanned::get_ref).chain(except));
    let of_assertions = raw.assert.iter().filter_map(|table| table.get_ref().for_.as_ref());
    for text in of_both.chain(of_assertions).filter(|text| text.get_ref().starts_with(USER)) {
        let message = format!("`{}` is nobody: no client is asked for its name", text.get_ref());
        let help = "say below `[listen]` who the users are: `users = \"/etc/namewall/users\"`";
        mistakes.report(&text.span(), Wrong::new(message, help));
    }
}

/// What a rule can't do without.
fn report_gaps(raw: &RawProtect, span: &Range<usize>, mistakes: &mut Mistakes<'_>) {
    if raw.id.is_none() {
        mistakes.report(span, Wrong::new("this rule has no id", "add one that no other rule has: `id = \"acme\"`"));
    }
    if raw.names.is_empty() && raw.files.is_empty() {
        let help = "add `names = [\"acme\", \"acme-*\"]`, `files = [\"*.egg\"]`, or both";
        mistakes.report(span, Wrong::new("this rule has neither `names` nor `files`, so it protects nothing", help));
    }
}

/// What has no effect would be taken for a promise.
fn report_idle(raw: &RawProtect, mistakes: &mut Mistakes<'_>) {
    if let Some(versions) = raw.versions.as_ref().filter(|_| raw.names.is_empty()) {
        let help = "add `names = [\"acme\"]`, or leave `versions` out: `files` are hidden whatever their version";
        let message = "`versions` says which releases of `names` are hidden, and this rule has no `names`";
        mistakes.report(&versions.span(), Wrong::new(message, help));
    }
    let is_exact = |name: &Text| !name.get_ref().starts_with("re:") && !name.get_ref().contains(['*', '?']);
    let wanted = raw.lookalikes.as_ref().filter(|wanted| *wanted.get_ref());
    if let Some(lookalikes) = wanted.filter(|_| !raw.names.iter().any(is_exact)) {
        let help = "add one to `names`, such as `acme-core`, or leave `lookalikes` out";
        let message = "`lookalikes` is about exact names, and this rule has none";
        mistakes.report(&lookalikes.span(), Wrong::new(message, help));
    }
}

fn optional<T>(
    text: Option<&Text>,
    parse: impl FnOnce(&str) -> Result<T, Wrong>,
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    text.and_then(|text| mistakes.keep(&text.span(), parse(text.get_ref())))
}

pub(super) fn patterns(written: &[Text], everything: bool, mistakes: &mut Mistakes<'_>) -> Vec<Pattern> {
    let parse = |text: &str, place: Place| pattern(text, everything).map(|pattern| pattern.at(place));
    list(written, parse, mistakes)
}

fn file_patterns(written: &[Text], everything: bool, mistakes: &mut Mistakes<'_>) -> Vec<FilePattern> {
    let parse = |text: &str, place: Place| file_pattern(text, everything).map(|pattern| pattern.at(place));
    list(written, parse, mistakes)
}

fn list<T>(written: &[Text], parse: impl Fn(&str, Place) -> Result<T, Wrong>, mistakes: &mut Mistakes<'_>) -> Vec<T> {
    let parsed = |text: &Text| {
        let place = mistakes.source().place(text.span().start);
        mistakes.keep(&text.span(), parse(text.get_ref(), place))
    };
    written.iter().filter_map(parsed).collect()
}

fn pattern(text: &str, everything: bool) -> Result<Pattern, Wrong> {
    let pattern = Pattern::parse(text).map_err(|error| refused(&error, PATTERN_HELP))?;
    if pattern.matches_everything() && !everything { Err(too_wide(text, EVERYTHING_HELP)) } else { Ok(pattern) }
}

fn file_pattern(text: &str, everything: bool) -> Result<FilePattern, Wrong> {
    let pattern = FilePattern::parse(text).map_err(|error| refused(&error, FILE_PATTERN_HELP))?;
    if pattern.matches_everything() && !everything { Err(too_wide(text, EVERYTHING_HELP)) } else { Ok(pattern) }
}

fn refused(error: &PatternError, help: &str) -> Wrong {
    Wrong::new(error.to_string(), help)
}

fn too_wide(text: &str, help: &str) -> Wrong {
    Wrong::new(format!("`{text}` matches everything"), help)
}

/// The rule that `NAMEWALL_PROTECT` makes, if it is set.
fn rule_of_environment(protect: &[Text], mistakes: &mut Mistakes<'_>) -> Option<Rule> {
    let first = protect.first()?.span().start;
    let names = list(protect, of_environment, mistakes);
    Some(Rule { id: ENVIRONMENT.to_owned(), names, place: Some(mistakes.source().place(first)), ..Rule::default() })
}

fn of_environment(text: &str, place: Place) -> Result<Pattern, Wrong> {
    let pattern = pattern(text, true)?;
    if pattern.matches_everything() { Err(too_wide(text, EVERYTHING_ELSEWHERE_HELP)) } else { Ok(pattern.at(place)) }
}

/// The rule that `--protect` makes, if it was given.
fn rule_of_command_line(protect: &[String], mistakes: &mut Mistakes<'_>) -> Option<Rule> {
    let mut names = Vec::new();
    for text in protect {
        match pattern(text, true) {
            Ok(pattern) if pattern.matches_everything() => {
                mistakes.report_argument("--protect", text, too_wide(text, EVERYTHING_ELSEWHERE_HELP));
            }
            Ok(pattern) => names.push(pattern),
            Err(wrong) => mistakes.report_argument("--protect", text, wrong),
        }
    }
    (!protect.is_empty()).then(|| Rule { id: COMMAND_LINE.to_owned(), names, ..Rule::default() })
}
