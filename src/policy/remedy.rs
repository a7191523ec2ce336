//! What the author of a refused pattern probably meant. Every pattern that is suggested is one that is accepted.

use super::pattern::{EXPRESSION, Pattern};
use super::pattern_error::{PatternError, Remedy};
use super::{expression, language::Language};

const NAMES: &str = "names are made of ASCII letters, digits, `-`, `_` and `.`";

/// The name before `[extra]`, as a requirement has it. (`[0-9]` and `[ab]` are meant otherwise.)
fn extras(written: &str) -> Option<String> {
    let (name, extras) = written.strip_suffix(']')?.split_once('[')?;
    let is_extra = |extra: &str| extra.trim().len() > 3 && Pattern::parse(extra.trim()).is_ok();
    (extras.split(',').all(is_extra) && Pattern::parse(name).is_ok()).then(|| name.to_owned())
}

/// What stands behind a word for a kind of pattern: `RE:`, `regex:`, `glob:`.
fn prefixed(written: &str) -> Option<String> {
    let (kind, rest) = written.split_once(':')?;
    let meant = match kind.to_ascii_lowercase().as_str() {
        "re" | "regex" | "regexp" => format!("{EXPRESSION}{}", rest.trim()),
        "glob" | "name" | "exact" | "prefix" => rest.trim().to_owned(),
        _ => return None,
    };
    Pattern::parse(&meant).is_ok().then_some(meant)
}

/// The error for a pattern with a character that no name has.
pub(super) fn foreign_character(written: &str, found: char) -> PatternError {
    let remedy = match found {
        '[' if extras(written).is_some() => extras(written).map_or(Remedy::Advice(NAMES), Remedy::Pattern),
        ':' if prefixed(written).is_some() => prefixed(written).map_or(Remedy::Advice(NAMES), Remedy::Pattern),
        '[' | ']' | '{' | '}' | '(' | ')' | '|' | '\\' | '^' | '$' | '+' => match as_expression(written) {
            Some(meant) => Remedy::Pattern(meant),
            None => Remedy::Advice("an expression begins with `re:`"),
        },
        '=' | '<' | '>' | '!' | '~' | ';' | '@' => {
            before(written, found).map_or(Remedy::Advice("a rule is on names, whatever their version"), Remedy::Pattern)
        }
        ',' | ' ' => Remedy::Advice("write each pattern as a string of its own"),
        '/' | ':' => Remedy::Advice("write the project's name alone, not its URL"),
        _ => Remedy::Advice(NAMES),
    };
    PatternError::Character { written: written.to_owned(), found, remedy }
}

/// The error for a pattern that begins or ends with a dash once it is folded.
pub(super) fn dash_at_an_end(written: &str, folded: &str) -> PatternError {
    let leading = folded.starts_with('-');
    let word = folded.trim_matches('-');
    let wildcard = if leading { format!("*-{word}") } else { format!("{word}-*") };
    let remedy = if !word.contains(|letter: char| letter.is_ascii_alphanumeric()) {
        Remedy::Advice("a pattern has a letter or a digit, as names have")
    } else if Pattern::parse(&wildcard).is_ok() {
        Remedy::Either(word.to_owned(), wildcard)
    } else {
        Remedy::Pattern(word.to_owned())
    };
    PatternError::Edge { written: written.to_owned(), leading, remedy }
}

/// `source` folded as names are, with `re:` before it, if that can match.
pub(super) fn folded_expression(source: &str) -> Option<String> {
    let folded = fold_expression(source.trim());
    can_match(&folded).then(|| format!("{EXPRESSION}{folded}"))
}

/// `written`, which was meant as an expression or as a shell's glob, as an expression that can match.
fn as_expression(written: &str) -> Option<String> {
    let is_expression = [".*", "]*", ")*", "]?", ")?", "+", "\\", "^", "$"].iter().any(|sign| written.contains(sign));
    let source = written.trim_start_matches('^').trim_end_matches('$');
    let source = if is_expression { source.to_owned() } else { source.replace('*', ".*").replace('?', ".") };
    if can_match(&source) { Some(format!("{EXPRESSION}{source}")) } else { folded_expression(&source) }
}

/// What stands before the version or the marker of a requirement, if it is a pattern.
fn before(written: &str, found: char) -> Option<String> {
    let name = written.split(found).next().map(str::trim)?;
    Pattern::parse(name).is_ok().then(|| name.to_owned())
}

fn can_match(source: &str) -> bool {
    expression::examine(source, Language::Projects).is_ok_and(|coverage| coverage.some)
}

/// Lower case, and `-` for each run of separators; what a backslash begins keeps its meaning.
///
/// Knows as much of the syntax as such mistakes need. What comes out wrong can't match or doesn't compile, and isn't
/// suggested.
fn fold_expression(source: &str) -> String {
    let mut folded = String::with_capacity(source.len());
    let mut rest = source;
    let mut in_class = false;
    while let Some(letter) = rest.chars().next() {
        let separator = separator_at(rest, in_class);
        let (taken, becomes) = match (letter, separator) {
            (_, Some(length)) if in_class => (length, "\\-".to_owned()),
            (_, Some(length)) if ends_with_dash(&folded) => (length, String::new()),
            (_, Some(length)) => (length, "-".to_owned()),
            ('\\', None) => {
                let escape: String = rest.chars().take(2).collect();
                (escape.len(), escape)
            }
            _ => (letter.len_utf8(), letter.to_ascii_lowercase().to_string()),
        };
        in_class = (in_class || letter == '[' && separator.is_none()) && letter != ']';
        folded.push_str(&becomes);
        rest = rest.get(taken..).unwrap_or_default();
    }
    folded
}

/// The length of the separator that `rest` begins with: `_`, `-` or an escaped `.`, alone or as the class of all.
fn separator_at(rest: &str, in_class: bool) -> Option<usize> {
    let escaped = ["\\.", "\\_", "\\-"].iter().any(|escape| rest.starts_with(escape)).then_some(2);
    if in_class {
        return escaped.or_else(|| rest.starts_with('_').then_some(1));
    }
    let class = rest.strip_prefix('[').and_then(|inner| {
        let (letters, after) = inner.split_once(']')?;
        let separators = !letters.is_empty() && letters.bytes().all(|byte| matches!(byte, b'-' | b'_' | b'.' | b'\\'));
        separators.then(|| letters.len() + 2 + usize::from(after.starts_with('+')))
    });
    class.or(escaped).or_else(|| rest.starts_with(['_', '-']).then_some(1))
}

/// Whether `folded` ends with a dash that stands for itself.
fn ends_with_dash(folded: &str) -> bool {
    folded.ends_with('-') && !folded.ends_with("\\-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_folded_as_names_are() {
        for (source, meant) in [
            ("Acme_Core", Some("re:acme-core")),
            ("ACME[-_.]+Core.*", Some("re:acme-core.*")),
            ("acme\\.core\\d+", Some("re:acme-core\\d+")),
            ("acme__core", Some("re:acme-core")),
            ("acme_-core", Some("re:acme-core")),
            ("Acme_[A-Z0-9_]+", Some("re:acme-[a-z0-9\\-]+")),
            ("Acme\\W\\D+", Some("re:acme\\W\\D+")),
            (" acme", Some("re:acme")),
            ("acme\u{e9}", None),
            ("-acme", None),
            ("a{300}", None),
        ] {
            assert_eq!(folded_expression(source).as_deref(), meant, "{source}");
        }
    }

    #[test]
    fn what_is_suggested_is_accepted() {
        for written in [
            "acme-[0-9]+",
            "Acme_[0-9]",
            "acme-*[ab]",
            "acme-(core|data)",
            "^acme$",
            "acme>=1",
            "acme ; extra",
            "-acme",
            "acme-",
            "_a_",
        ] {
            let message = Pattern::parse(written).unwrap_err().to_string();
            let (_, remedy) = message.split_once("write ").unwrap_or_else(|| panic!("{message}"));
            for meant in remedy.split('`').skip(1).step_by(2) {
                assert!(Pattern::parse(meant).is_ok(), "{message}");
            }
        }
    }
}
