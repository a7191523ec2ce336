//! Expressions: the `re:` patterns as written, and what globs become.

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;

use super::language::{Coverage, Language};

/// What bounds one expression, in bytes of its compiled form. `[a-z]{1,255}` needs about 10 kB.
const MAX_EXPRESSION: usize = 1 << 20;

/// Why an expression can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The regex parser's complaint.
    Syntax(String),
    /// It would need too much memory.
    TooLarge,
}

/// `source` anchored at both ends: it matches a name as a whole, or not at all.
pub(super) fn anchored(source: &str) -> String {
    format!(r"\A(?:{source})\z")
}

/// The glob `text` as an expression: `*` is any run of characters, `?` any one, all else itself.
pub(super) fn from_glob(text: &str) -> String {
    text.chars().fold(String::new(), |mut source, letter| {
        match letter {
            '*' => source.push_str("(?s:.*)"),
            '?' => source.push_str("(?s:.)"),
            literal => source.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
        }
        source
    })
}

/// Checks the expression `source` and finds out how much of `language` it matches as a whole.
///
/// An expression that is too large for the exact answer is said to match something and not everything.
pub(super) fn examine(source: &str, language: Language) -> Result<Coverage, Fault> {
    let config = syntax::Config::new().unicode(false).utf8(false);
    // Alone first: `a)|(b` would be well-formed once it is anchored, and no longer anchored.
    let alone = syntax::parse_with(source, &config).map_err(|error| Fault::Syntax(condensed(&error.to_string())))?;
    if syntax::parse_with(&anchored(source), &config).is_err() {
        return Err(Fault::Syntax("a comment at the end would swallow the end of the expression: leave it out".into()));
    }
    let nfa: NFA = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(MAX_EXPRESSION)),
        )
        .build_from_hir(&alone)
        .map_err(|_limit| Fault::TooLarge)?;
    Ok(Coverage::of(&nfa, language).unwrap_or(Coverage { some: true, all: false }))
}

/// The one useful line of a message that draws the expression with a caret under it, both indented by four.
fn condensed(message: &str) -> String {
    let lines: Vec<&str> = message.lines().collect();
    let (caret, complaint) = match lines.as_slice() {
        [_title, _expression, drawing, complaint] => (drawing.find('^'), *complaint),
        others => (None, others.last().copied().unwrap_or_default()),
    };
    let complaint = complaint.trim_start_matches("error: ");
    match caret {
        Some(column) => format!("{complaint} (at character {} of it)", column.saturating_sub(4) + 1),
        None => complaint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn projects(source: &str) -> (bool, bool) {
        let coverage = examine(source, Language::Projects).unwrap();
        (coverage.some, coverage.all)
    }

    #[test]
    fn what_expressions_match_of_all_names() {
        for nothing in [
            "",
            "A",
            "acme_core",
            "acme[.]core",
            "-.*",
            ".*-",
            "a--b",
            ".*--.*",
            "[A-Z]+",
            "a{256}",
            "(?:ab){128}",
            "acme\\b.core_",
            "^$",
            "a$b",
            " ",
            "[^a-z0-9-]+",
            "[0-9a-z]{127}-[0-9a-z]{128}",
            "\\n",
        ] {
            assert_eq!(projects(nothing), (false, false), "{nothing}");
        }
        for some in [
            "a",
            "a{255}",
            "acme|Acme_Core",
            "(?i)ACME",
            "acme(-[a-z]+)*",
            "[0-9a-z]{127}-[0-9a-z]{127}",
            "[^a].*",
            "..+",
            "[a-z].*",
            ".{1,254}",
            "a|ab",
            "a??b?",
            "acme$",
            "^acme",
            "(?m)^acme$",
            "(?u)\\bacme\\b",
            "[a-z0-9]+",
            ".*[^-]..*",
        ] {
            assert_eq!(projects(some), (true, false), "{some}");
        }
        for everything in [
            ".*",
            ".+",
            "(?:a|.)*",
            "[a-z0-9-]+",
            "[a-z0-9]+(-[a-z0-9]+)*",
            ".{1,255}",
            "(?u).+",
            "[^A-Z]*",
            "\\w.*",
            ".*\\w",
            "(|.*)",
            "[a-m].*|[n-z].*|[0-9].*",
            "(?-u:\\b).*",
            "[^_]+?",
        ] {
            assert_eq!(projects(everything), (true, true), "{everything}");
        }
    }

    #[test]
    fn what_expressions_match_of_all_file_names() {
        let files = |source: &str| examine(source, Language::Files).map(|coverage| (coverage.some, coverage.all));
        assert_eq!(files("acme/.*"), Ok((false, false)));
        assert_eq!(files("[.]{1,2}"), Ok((false, false)));
        assert_eq!(files("[.]{3}"), Ok((true, false)));
        assert_eq!(files("acme_.*[.]whl"), Ok((true, false)));
        assert_eq!(files("[^.].*|[.][^.].*"), Ok((true, false)));
        assert_eq!(files("[^.].*|[.][^.].*|[.][.].+"), Ok((true, true)));
        assert_eq!(files("[ -~]+"), Ok((true, true)));
    }

    #[test]
    fn an_expression_stands_alone() {
        for source in ["a)|(b", "(", "[", "a\\", "*", "(?x)acme # and so on", "(?P<A"] {
            assert!(matches!(examine(source, Language::Projects), Err(Fault::Syntax(_))), "{source}");
        }
        assert_eq!(examine("[a-z]{1,1000}{1,1000}", Language::Projects), Err(Fault::TooLarge));
    }

    #[test]
    fn complaints_have_one_line() {
        let complaint = |source| match examine(source, Language::Projects) {
            Err(Fault::Syntax(complaint)) => complaint,
            other => panic!("{other:?}"),
        };
        assert_eq!(complaint("acme-(core"), "unclosed group (at character 6 of it)");
        assert_eq!(
            complaint("acme-(?=core)"),
            "look-around, including look-ahead and look-behind, is not supported (at character 6 of it)"
        );
        assert!(!complaint("a\n(b").contains('\n'));
    }

    #[test]
    fn over_the_limit_nothing_is_claimed() {
        // 2^20 states once determinized.
        assert_eq!(projects("(?:.*a.{20}b)?_"), (true, false));
    }

    proptest! {
        #[test]
        fn the_walk_agrees_with_a_search(source in "(([ab]|[.]|-|_|[.][*]|[(]a[|]b-[)][?*+]|\\[ab-\\][+]|a[?]|A){0,5}[|]?){1,2}") {
            prop_assume!(regex::bytes::Regex::new(&source).is_ok());
            let regex = regex::bytes::RegexBuilder::new(&anchored(&source)).unicode(false).build().unwrap();
            let names = short_names();
            let coverage = examine(&source, Language::Projects).unwrap();
            let matched = names.iter().filter(|name| regex.is_match(name.as_bytes())).count();
            prop_assert!(coverage.some || matched == 0, "{}", source);
            prop_assert!(!coverage.all || matched == names.len(), "{}", source);
            // So few characters make such expressions that some short name shows what they can do.
            prop_assert!(!coverage.some || matched > 0 || source.len() > 10, "{}", source);
        }
    }

    fn short_names() -> Vec<String> {
        let mut names = vec![String::new()];
        let mut all = Vec::new();
        for _ in 0..6 {
            names = names.iter().flat_map(|name| ["a", "b", "-"].map(|letter| format!("{name}{letter}"))).collect();
            all.extend(
                names
                    .iter()
                    .filter(|name| crate::name::ProjectName::parse(name).is_ok_and(|folded| folded.as_str() == *name))
                    .cloned(),
            );
        }
        all
    }
}
