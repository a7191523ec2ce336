//! The policy's fingerprint: twelve hex digits that change whenever a verdict could.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};

use super::inventory::Names;
use super::rule::{Mode, Rule};

/// How many bytes of the digest are shown: enough to tell the policies of one deployment apart.
const SHOWN: usize = 6;

/// Digests the rules in force, in order, what the inventories list, and the program's version: a later one may render pages differently.
///
/// Every part has its length before it, so that no two policies have the same encoding.
pub(super) fn of<'a>(
    in_force: impl Iterator<Item = &'a Rule>,
    lists: impl Iterator<Item = (Option<&'a Names>, bool)>,
) -> String {
    let mut encoder = Encoder(Context::new(&SHA256));
    encoder.text(env!("CARGO_PKG_VERSION"));
    for rule in in_force {
        encoder.rule(rule);
    }
    for (names, dispensable) in lists {
        encoder.list(names, dispensable);
    }
    shown(encoder.0)
}

/// That of the policy with the fingerprint `whole` for somebody for whom some of its rules are `silent`.
pub(super) fn narrowed(whole: &str, silent: &[bool]) -> String {
    let mut encoder = Encoder(Context::new(&SHA256));
    encoder.text(whole);
    silent.iter().for_each(|silent| encoder.0.update(&[u8::from(*silent)]));
    shown(encoder.0)
}

fn shown(context: Context) -> String {
    let digest = context.finish();
    digest.as_ref().iter().take(SHOWN).fold(String::with_capacity(2 * SHOWN), |mut shown, byte| {
        // Writing to a string can't fail.
        let _infallible = write!(shown, "{byte:02x}");
        shown
    })
}

struct Encoder(Context);

impl Encoder {
    fn rule(&mut self, rule: &Rule) {
        self.text(&rule.id);
        // Not `as_str`: renaming a mode in the config changes no verdict.
        self.0.update(match rule.mode {
            Mode::Enforce => b"e",
            Mode::Audit => b"a",
        });
        self.texts(rule.names.iter().map(super::Pattern::folded));
        self.texts(rule.except.iter().map(super::Pattern::folded));
        self.texts(rule.files.iter().map(super::FilePattern::written));
        // What follows here otherwise is a length, whose first byte is none of these.
        if let Some(versions) = &rule.versions {
            self.0.update(b"v");
            self.text(&versions.to_string());
        }
        if rule.lookalikes {
            self.0.update(b"l");
        }
        if !rule.audience.is_everybody() {
            self.0.update(b"w");
            for list in [&rule.audience.only, &rule.audience.except] {
                self.length(list.len());
                list.iter().for_each(|who| self.text(&who.to_string()));
            }
        }
    }

    fn list(&mut self, names: Option<&Names>, dispensable: bool) {
        let Some(names) = names else {
            return self.0.update(if dispensable { b"i" } else { b"m" });
        };
        self.0.update(b"l");
        self.length(names.len());
        names.iter().for_each(|name| self.text(name));
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.length(texts.len());
        texts.for_each(|text| self.text(text));
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        // The same on every platform.
        self.0.update(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Audience, FilePattern, Pattern, Who};

    fn rule(id: &str, names: &[&str], except: &[&str], files: &[&str]) -> Rule {
        let pattern = |written: &&str| Pattern::parse(written).unwrap();
        Rule {
            id: id.to_owned(),
            names: names.iter().map(pattern).collect(),
            except: except.iter().map(pattern).collect(),
            files: files.iter().map(|written| FilePattern::parse(written).unwrap()).collect(),
            ..Rule::default()
        }
    }

    #[test]
    fn whatever_changes_a_verdict_changes_the_fingerprint() {
        let ci = || vec![Who::User("ci".to_owned())];
        let audit = Rule { mode: Mode::Audit, ..rule("acme", &["a", "b"], &[], &[]) };
        let policies = [
            vec![],
            vec![rule("acme", &["a", "b"], &[], &[])],
            vec![rule("acme", &["b", "a"], &[], &[])],
            vec![rule("acme", &["ab"], &[], &[])],
            vec![rule("acme", &["a"], &["b"], &[])],
            vec![rule("acme", &["a"], &[], &["b"])],
            vec![rule("acmea", &["b"], &[], &[])],
            vec![rule("acme", &["a"], &[], &[]), rule("acme", &["b"], &[], &[])],
            vec![rule("acme", &["b"], &[], &[]), rule("acme", &["a"], &[], &[])],
            vec![audit],
            vec![Rule { versions: ">=2".parse().ok(), ..rule("acme", &["a", "b"], &[], &[]) }],
            vec![Rule { versions: ">2".parse().ok(), ..rule("acme", &["a", "b"], &[], &[]) }],
            vec![Rule { lookalikes: true, ..rule("acme", &["a", "b"], &[], &[]) }],
            vec![Rule { audience: Audience { only: ci(), except: Vec::new() }, ..rule("acme", &["a", "b"], &[], &[]) }],
            vec![Rule { audience: Audience { only: Vec::new(), except: ci() }, ..rule("acme", &["a", "b"], &[], &[]) }],
        ];
        let mut shown: Vec<String> = policies.iter().map(|rules| of(rules.iter(), std::iter::empty())).collect();
        assert!(
            shown
                .iter()
                .all(|print| print.len() == 12
                    && print.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
        );
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), policies.len());
    }

    #[test]
    fn how_a_pattern_is_spelled_does_not_matter() {
        let one = [rule("acme", &["Acme_Core", "ACME.*"], &[], &["*.egg"])];
        let other =
            [Rule { reason: Some("internal".to_owned()), ..rule("acme", &["acme-core", "acme-*"], &[], &["*.egg"]) }];
        assert_eq!(of(one.iter(), std::iter::empty()), of(other.iter(), std::iter::empty()));
    }

    #[test]
    fn the_encoding_is_the_same_in_every_process() {
        // SHA-256 over the lengths (eight bytes each, big-endian) and the texts, made by another implementation.
        if env!("CARGO_PKG_VERSION") == "0.1.0" {
            assert_eq!(
                of([rule("acme", &["acme", "acme-*"], &["acme-sdk"], &["*.egg"])].iter(), std::iter::empty()),
                "8ef4ad1769f5"
            );
        }
    }
}
