//! What is left of a project of which some releases are hidden.

use std::collections::BTreeSet;

use pep440_rs::{LocalSegment, Operator, Prerelease, PrereleaseKind, Version, VersionSpecifier, VersionSpecifiers};

use super::verdict::Match;

/// Whether `version` is one of `specifiers`. Where the library says otherwise than PEP 440 and pip do, we don't ask it:
/// it takes `2` for a `2.1.*`, where releases compare as if the shorter had zeros behind it; its `<1.2rc1` has no `1.2a0`,
/// and its `<1!1.2` not even the one without the epoch.
#[must_use]
pub(super) fn includes(specifiers: &VersionSpecifiers, version: &Version) -> bool {
    specifiers.iter().all(|specifier| match specifier.operator() {
        Operator::LessThan => is_less(version, specifier.version()),
        Operator::GreaterThan => is_greater(version, specifier.version()),
        Operator::ExactEqual => specifier.contains(version),
        _ => {
            let missing = specifier.version().release().len().saturating_sub(version.release().len());
            if missing == 0 {
                return specifier.contains(version);
            }
            let padded = version.release().iter().copied().chain(std::iter::repeat_n(0, missing));
            specifier.contains(&version.clone().with_release(padded))
        }
    })
}

/// `<V` has no pre-release of V, unless V is one itself (PEP 440).
fn is_less(version: &Version, limit: &Version) -> bool {
    version < limit && (limit.any_prerelease() || *version < limit.clone().with_dev(Some(0)))
}

/// `>V` has no post-release of V and no local version of it, unless V is a post-release itself (PEP 440).
fn is_greater(version: &Version, limit: &Version) -> bool {
    let version = version.clone().without_local();
    let ends = limit.is_post() || limit.is_dev();
    version > *limit && (ends || version.with_post(None).with_dev(None) != *limit)
}

/// Whether there could be a version that `wanted` takes and none of `hidden` has.
///
/// Whether a version belongs to a specifier changes only at the versions that are written in one, and at the ends of
/// what begins like them: so one version from each side of those stands for all.
#[must_use]
pub fn some_left(wanted: &VersionSpecifiers, hidden: &[&VersionSpecifiers]) -> bool {
    let written = || wanted.iter().chain(hidden.iter().flat_map(|hidden| hidden.iter())).map(VersionSpecifier::version);
    let longest = written().map(|version| version.release().len()).max().unwrap_or_default();
    let first = Version::new([0_u64]);
    let mut versions = written().chain([&first]).flat_map(|version| around(version, longest));
    versions.any(|version| includes(wanted, &version) && !hidden.iter().any(|hidden| includes(hidden, &version)))
}

/// `version`, and one from each side of everything that its parts begin.
fn around(version: &Version, longest: usize) -> impl Iterator<Item = Version> + '_ {
    let next = |number: u64| number.saturating_add(1);
    let mut releases = BTreeSet::from([version.release().to_vec(), vec![0]]);
    for end in 1..=version.release().len() {
        let mut release: Vec<u64> = version.release().iter().copied().take(end).collect();
        if let Some(last) = release.last_mut() {
            *last = next(*last);
        }
        releases.insert(release);
    }
    // More than all that begins with that release, and less than whatever else is written.
    let behind: Vec<Vec<u64>> = releases
        .iter()
        .map(|release| {
            let zeros = (longest + 1).saturating_sub(release.len());
            release.iter().copied().chain(std::iter::repeat_n(0, zeros)).chain([1]).collect()
        })
        .collect();
    releases.extend(behind);
    let (mut pres, mut posts, mut devs) = (vec![None], vec![None, Some(0)], vec![None, Some(0)]);
    pres.push(Some(Prerelease { kind: PrereleaseKind::Alpha, number: 0 }));
    if let Some(pre) = version.pre() {
        pres.extend([Some(pre), Some(Prerelease { number: next(pre.number), ..pre })]);
    }
    posts.extend([version.post(), version.post().map(next)].into_iter().flatten().map(Some));
    devs.extend([version.dev(), version.dev().map(next)].into_iter().flatten().map(Some));
    let locals = [Vec::new(), version.local().to_vec(), vec![LocalSegment::Number(u64::MAX)]];
    let all = move |release: Vec<u64>| {
        let bare = Version::new(release).with_epoch(version.epoch());
        let mut all = Vec::new();
        for &pre in &pres {
            for &post in &posts {
                for &dev in &devs {
                    let public = bare.clone().with_pre(pre).with_post(post).with_dev(dev);
                    all.extend(locals.iter().map(|local| public.clone().with_local(local.clone())));
                }
            }
        }
        all
    };
    releases.into_iter().flat_map(all)
}

impl<'p> Match<'p> {
    /// The releases that are hidden, if the rule hides no more of the project that matched.
    #[must_use]
    pub fn hidden_releases(&self) -> Option<&'p VersionSpecifiers> {
        let by_file = self.rule.files.iter().any(|pattern| pattern.written() == self.written);
        self.rule.versions.as_ref().filter(|_| !by_file)
    }

    /// The requirement that takes another release of `project` than what is hidden, perhaps `version`, if another one is
    /// what helps: where the rule names a private index, that one has the release.
    #[must_use]
    pub fn another_release(&self, project: &str, version: Option<&str>) -> Option<String> {
        let hidden = self.hidden_releases().filter(|_| self.rule.private_index.is_none())?;
        let mut alternatives = hidden.iter();
        let other = match (alternatives.next(), alternatives.next()) {
            (Some(only), None) => negated(only),
            _ => None,
        };
        let other = other.or_else(|| version.map(|version| format!("!={}", version.trim())));
        Some(format!("{project}{}", other.unwrap_or_default()))
    }
}

fn negated(specifier: &VersionSpecifier) -> Option<String> {
    let operator = specifier.operator().negate()?;
    let other = VersionSpecifier::from_version(operator, specifier.version().clone()).ok()?;
    Some(other.to_string().replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::Rule;

    fn specifiers(text: &str) -> VersionSpecifiers {
        VersionSpecifiers::from_str(text).unwrap()
    }

    #[test]
    fn what_is_left() {
        for (wanted, hidden, left) in [
            ("<2", "<2", false),
            ("==1.*", "<2", false),
            ("~=1.26", "<2", false),
            (">=1.0,<1.5", "<2", false),
            ("<=1.26.5", "<1.26.6", false),
            ("==1.26.5", "==1.26.5", false),
            ("", "<2", true),
            ("<3", "<2", true),
            ("<=2", "<2", true),
            ("~=1.26", "==1.26.5", true),
            ("!=2", "<2", true),
            (">=2.0", ">=2.0,<2.2", true),
            (">=2.0,<2.1", ">=2.0,<2.2", false),
            ("<2", ">=1", true),
        ] {
            assert_eq!(some_left(&specifiers(wanted), &[&specifiers(hidden)]), left, "{wanted:?} of {hidden:?}");
        }
        assert!(!some_left(&specifiers("<2"), &[&specifiers("<1"), &specifiers(">=1.dev0")]), "one beside the other");
    }

    #[test]
    fn what_a_specifier_has() {
        for (specifier, version, is_in) in [
            ("==2.1.*", "2", false),
            ("==2.0.*", "2", true),
            ("!=2.0.*", "2", false),
            ("!=2.1.*", "2", true),
            ("==2.0.0", "2", true),
            ("===2.0", "2.0", true),
            ("==2.1.*", "2.1.3rc1", true),
            (">=2.0.1", "2", false),
            ("<1.2rc1", "1.2a0", true),
            ("<1.2rc1", "1.2.0rc1", false),
            ("<1.2", "1.2a0", false),
            ("<1.2", "1.2.0.dev1", false),
            ("<1.2.post1", "1.2a0", true),
            ("<1.2.post1", "1.2", true),
            ("<1.2", "1.1.9rc1", true),
            ("<1!1.2", "1.2a0", true),
            (">1.2a0", "1.2.post1", true),
            (">1.2a0", "1.2a0.post1", false),
            (">1.2", "1.2.0.post1", false),
            (">1.2.post1", "1.2.post2", true),
            (">1.2", "1!1", true),
            (">1.2", "1.2+local", false),
            ("<1.2", "1.2+local", false),
        ] {
            let version: Version = version.parse().unwrap();
            assert_eq!(includes(&specifiers(specifier), &version), is_in, "{version} in {specifier}");
        }
    }

    #[test]
    fn what_takes_another() {
        for (hidden, version, other) in [
            ("==1.26.5", Some("1.26.5"), "urllib3!=1.26.5"),
            ("==1.26.*", None, "urllib3!=1.26.*"),
            ("<2", Some("1.26.5"), "urllib3>=2"),
            (">=2.0,<2.2", Some("2.1"), "urllib3!=2.1"),
            (">=2.0,<2.2", None, "urllib3"),
        ] {
            let rule = Rule { versions: Some(specifiers(hidden)), ..Rule::default() };
            let found = Match { rule: &rule, written: "urllib3", folded: "urllib3", place: None };
            assert_eq!(found.another_release("urllib3", version).as_deref(), Some(other), "{hidden}");
            let private = Rule { private_index: Some("https://pypi.acme.example/".into()), ..rule.clone() };
            assert_eq!(Match { rule: &private, ..found }.another_release("urllib3", version), None);
        }
    }

    const VERSION: &str = "(1!)?[0-2]([.][0-2]){0,2}(a[01]|rc1)?([.]post[01])?([.]dev[01])?";

    fn specifier() -> impl Strategy<Value = VersionSpecifiers> {
        let plain = (prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]), VERSION);
        let plain = plain.prop_map(|(operator, version)| format!("{operator}{version}"));
        let begun = (prop::sample::select(vec!["==", "!="]), "[0-2]([.][0-2]){0,1}[.][*]");
        let begun = begun.prop_map(|(operator, version)| format!("{operator}{version}"));
        let one = prop_oneof![plain, begun, "~=[0-2]([.][0-2]){1,2}"];
        prop::collection::vec(one, 1..3).prop_map(|all| specifiers(&all.join(",")))
    }

    proptest! {
        #[test]
        fn whatever_is_left_is_seen(wanted in specifier(), hidden in specifier(), version in VERSION) {
            let version = Version::from_str(&version).unwrap();
            if includes(&wanted, &version) && !includes(&hidden, &version) {
                prop_assert!(some_left(&wanted, &[&hidden]), "{version} is in {wanted} and not in {hidden}");
            }
        }
    }
}
