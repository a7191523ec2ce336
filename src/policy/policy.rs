//! The compiled policy: all rules at once, and the one judge that every surface asks.

use std::cell::LazyCell;
use std::sync::Arc;

use pep440_rs::Version;
use time::Date;

use super::audience::Asker;
use super::fingerprint;
use super::inventory::{Inventory, Names};
use super::lookalikes::Lookalikes;
use super::matcher::{List, Matcher, PatternId};
use super::pattern::{FilePattern, Kind, Pattern};
use super::releases::includes;
use super::rule::{Mode, Rule};
use super::session::Silence;
use super::verdict::{Match, Verdict};
use crate::name::{FileName, NameBuffer, NameRef, Subject};

/// All rules in force, compiled. Immutable: a request is judged by the one that was in force when it began.
#[derive(Debug)]
pub struct Policy {
    rules: Arc<[Rule]>,
    /// How many of the rules are no inventory's.
    own: usize,
    names: Arc<Matcher>,
    lookalikes: Arc<Lookalikes>,
    except: Arc<Matcher>,
    files: Arc<Matcher>,
    listed: Vec<Listed>,
    /// Whether any rule is not for everybody.
    differs: bool,
    /// Which rules have no say, for they are for others; `None` if all have one.
    silent: Option<Box<[bool]>>,
    fingerprint: String,
}

/// What the inventory of one rule lists.
#[derive(Clone, Debug)]
struct Listed {
    /// The rule's index.
    rule: usize,
    names: Option<Arc<Names>>,
    dispensable: bool,
}

/// Why the rules can't be compiled together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The expressions together need more memory than is sane.
    #[error("the `re:` patterns together are too large to compile: {0}")]
    TooLarge(String),
}

impl Policy {
    /// Compiles `rules` as of `today`: a rule that expired before is not in force.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(rules: Vec<Rule>, today: Date) -> Result<Self, CompileError> {
        Self::with_inventories(rules, Vec::new(), today)
    }

    /// As [`Policy::compile`], and behind the rules one for each inventory, which protects what is listed there.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn with_inventories(
        mut rules: Vec<Rule>,
        inventories: Vec<Inventory>,
        today: Date,
    ) -> Result<Self, CompileError> {
        let own = rules.len();
        let mut listed = Vec::new();
        for Inventory { rule, names, dispensable } in inventories {
            listed.push(Listed { rule: rules.len(), names, dispensable });
            rules.push(rule);
        }
        let in_force = || rules.iter().enumerate().filter(|(_, rule)| rule.is_in_force(today));
        let id = PatternId::new;
        let names = in_force().flat_map(|(at, rule)| {
            rule.names.iter().enumerate().map(move |(index, pattern)| (id(at, List::Names, index), pattern.kind()))
        });
        let lookalikes = in_force().filter(|(_, rule)| rule.lookalikes).flat_map(|(at, rule)| {
            rule.names.iter().enumerate().filter_map(move |(index, pattern)| match pattern.kind() {
                Kind::Exact(name) => Some((id(at, List::Lookalikes, index), name)),
                Kind::Prefix(_) | Kind::Expression(_) => None,
            })
        });
        let lookalikes = Lookalikes::new(lookalikes);
        let except = in_force().flat_map(|(at, rule)| {
            rule.except.iter().enumerate().map(move |(index, pattern)| (id(at, List::Except, index), pattern.kind()))
        });
        let files = in_force().flat_map(|(at, rule)| {
            rule.files.iter().enumerate().map(move |(index, pattern)| (id(at, List::Files, index), pattern.kind()))
        });
        let (names, except, files) =
            (Matcher::compile(names)?.into(), Matcher::compile(except)?.into(), Matcher::compile(files)?.into());
        let lists = listed.iter().map(|list| (list.names.as_deref(), list.dispensable));
        let fingerprint = fingerprint::of(in_force().map(|(_, rule)| rule), lists);
        let differs = rules.iter().any(|rule| !rule.audience.is_everybody());
        let (lookalikes, rules) = (lookalikes.into(), rules.into());
        Ok(Self { rules, own, names, lookalikes, except, files, listed, differs, silent: None, fingerprint })
    }

    /// Which of the rules are not in force for `asker`; `None` if all are.
    pub(super) fn silent_for(&self, asker: &Asker<'_>) -> Option<Box<[bool]>> {
        if !self.differs {
            return None;
        }
        let is_silent = |rule: &Rule| !rule.audience.includes(asker);
        self.rules.iter().any(is_silent).then(|| self.rules.iter().map(is_silent).collect())
    }

    /// The same without the rules that are `silent`. Cheap: the patterns are compiled once, for all.
    pub(super) fn without(&self, silent: Box<[bool]>) -> Self {
        let is_heard = |list: &&Listed| silent.get(list.rule).is_none_or(|silent| !silent);
        Self {
            rules: Arc::clone(&self.rules),
            own: self.own,
            names: Arc::clone(&self.names),
            lookalikes: Arc::clone(&self.lookalikes),
            except: Arc::clone(&self.except),
            files: Arc::clone(&self.files),
            listed: self.listed.iter().filter(is_heard).cloned().collect(),
            differs: self.differs,
            fingerprint: fingerprint::narrowed(&self.fingerprint, &silent),
            silent: Some(silent),
        }
    }

    /// As `asker` has it, if that is less than all; for one question. The proxy, which is asked many, keeps
    /// [`Policies`](super::Policies).
    #[must_use]
    pub fn narrowed_to(&self, asker: &Asker<'_>) -> Option<Self> {
        self.silent_for(asker).map(|silent| self.without(silent))
    }

    /// The one verdict that every surface asks.
    ///
    /// A project is protected when a rule's `names` match and its `except` doesn't; by a rule with `versions`, its
    /// releases of such versions are, and it is not. Whoever asks for a release asks for its project, too: only such
    /// rules are about the release alone, so that no rule is counted twice. A file is protected when, for any project that it could belong to,
    /// it would be protected as that project's ([`Policy::judge_owned`]).
    #[must_use]
    pub fn judge(&self, subject: Subject<'_>) -> Verdict<'_> {
        match subject {
            Subject::Project(name) => self.verdict(self.findings(name, Asked::Project, &[]), true),
            Subject::Release(name, version) => self.verdict(self.findings(name, Asked::Release(version), &[]), true),
            Subject::File(file) => self.judge_file(file, &mut Silence::default()),
        }
    }

    /// The verdict on `file` when it is known whose it is, and perhaps of which version: that of `owner`, and that of
    /// the `files` of each rule which doesn't except `owner`. Always certain.
    #[must_use]
    pub fn judge_owned(&self, file: &FileName, owner: NameRef<'_>, version: Option<&str>) -> Verdict<'_> {
        let asked = version.map_or(Asked::File(file), Asked::Version);
        self.verdict(self.findings(owner, asked, &self.matching_files(file)), true)
    }

    /// The rules that hide only some releases of the project `name`, in their order: the project itself isn't
    /// protected by them, so that no verdict on it tells of them.
    #[must_use]
    pub fn hiding_releases_of(&self, name: NameRef<'_>) -> Vec<Match<'_>> {
        let mut matching = Vec::new();
        self.names.find(name.as_bytes(), &mut matching);
        self.lookalikes.find(name, &mut matching);
        self.drop_silent(&mut matching);
        matching.retain(|id| self.rules.get(id.rule()).is_some_and(|rule| rule.versions.is_some()));
        self.drop_excepted(&mut matching, name);
        matching.sort_unstable();
        matching.dedup_by_key(|id| id.rule);
        matching.into_iter().filter_map(|id| self.reported(id)).collect()
    }

    /// Twelve hex digits over everything that can change a verdict or a rendered page (the program's version included).
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// All rules as given, expired ones and those for others included.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that are no inventory's.
    #[must_use]
    pub fn own_rules(&self) -> &[Rule] {
        self.rules.get(..self.own).unwrap_or(&self.rules)
    }

    /// Whether it is of all rules, and not of those alone that are in force for somebody.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.silent.is_none()
    }

    /// The rules that aren't for others.
    pub fn heard(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().enumerate().filter(|(at, _)| !self.is_silent(*at)).map(|(_, rule)| rule)
    }

    /// Whether there are inventories beside the rules.
    #[must_use]
    pub fn has_inventories(&self) -> bool {
        self.own < self.rules.len()
    }

    /// What each inventory lists, in their order; `None` as long as that is not known.
    pub(crate) fn lists(&self) -> impl Iterator<Item = Option<&Arc<Names>>> {
        self.listed.iter().map(|list| list.names.as_ref())
    }

    /// Whether it is known of each inventory what it lists.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        self.listed.iter().all(|list| list.names.is_some())
    }

    /// The ids of the inventories without which PyPI must not be seen, and of which nothing is known yet.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let missing = self.listed.iter().filter(|list| list.names.is_none() && !list.dispensable);
        missing.filter_map(|list| self.rules.get(list.rule)).map(|rule| rule.id.as_str())
    }

    /// The verdict on `file`. Of projects that `silence` is about, nothing is looked up; it learns of others.
    pub(super) fn judge_file(&self, file: &FileName, silence: &mut Silence) -> Verdict<'_> {
        let of_file = self.matching_files(file);
        let mut all = Findings::default();
        let (mut owners, mut sure) = (0_usize, 0_usize);
        let mut buffer = NameBuffer::default();
        file.each_beginning(|beginning| {
            if of_file.is_empty() && silence.is_about(beginning.as_bytes()) {
                owners += 1;
                return true;
            }
            let Ok(owner) = NameRef::fold(beginning.as_bytes(), &mut buffer) else { return false };
            let findings = self.findings(owner, Asked::File(file), &of_file);
            if of_file.is_empty() && findings.is_nothing() && self.says_nothing_of(owner) {
                silence.learn(beginning);
                // Where a page says whose a file is, it says it so.
                if owner.as_str() != beginning {
                    silence.learn(owner.as_str());
                }
            }
            owners += 1;
            sure += usize::from(findings.sure);
            all.add(findings);
            true
        });
        if owners > 0 {
            return self.verdict(all, all.protected.is_none() || sure == owners);
        }
        // It could be anybody's: only a rule that excepts nobody is certain of it.
        let spares_nobody = |id: &PatternId| {
            self.rules.get(id.rule()).is_some_and(|rule| rule.mode == Mode::Enforce && rule.except.is_empty())
        };
        self.verdict(self.sorted(&of_file, &[]), of_file.iter().any(spares_nobody))
    }

    /// The patterns of `files` that match `file`, or the distribution that it is about.
    fn matching_files(&self, file: &FileName) -> Vec<PatternId> {
        let mut matching = Vec::new();
        self.files.find(file.as_str().as_bytes(), &mut matching);
        if file.distribution().len() < file.as_str().len() {
            self.files.find(file.distribution().as_bytes(), &mut matching);
        }
        self.drop_silent(&mut matching);
        matching
    }

    /// What the rules say of the project `name`, or of what is `asked` of it, and of its files that match `of_file`.
    /// Allocates nothing unless some pattern matches: the root list has nearly a million names, and nearly none of them
    /// does.
    #[inline]
    fn findings(&self, name: NameRef<'_>, asked: Asked<'_>, of_file: &[PatternId]) -> Findings {
        let (matching, listed) = self.about(name);
        if matching.is_empty() && listed.is_empty() && of_file.is_empty() {
            return Findings::default();
        }
        self.weighed(matching, &listed, name, asked, of_file)
    }

    /// What the patterns come to that match: those of `matching` and, whatever is asked, `listed` and `of_file`.
    fn weighed(
        &self,
        mut matching: Vec<PatternId>,
        listed: &[PatternId],
        name: NameRef<'_>,
        asked: Asked<'_>,
        of_file: &[PatternId],
    ) -> Findings {
        let doubtful = self.retain_versions(&mut matching, name, asked);
        matching.extend_from_slice(listed);
        matching.extend_from_slice(of_file);
        self.drop_excepted(&mut matching, name);
        self.sorted(&matching, &doubtful)
    }

    /// Whether no rule is about the project `name`, whatever is asked of it: the verdict is the default one then.
    #[inline]
    pub(super) fn says_nothing_of(&self, name: NameRef<'_>) -> bool {
        let (matching, listed) = self.about(name);
        matching.is_empty() && listed.is_empty()
    }

    /// The patterns that match the project `name`, and its places on lists.
    #[inline]
    fn about(&self, name: NameRef<'_>) -> (Vec<PatternId>, Vec<PatternId>) {
        let (mut matching, mut listed) = (Vec::new(), Vec::new());
        self.names.find(name.as_bytes(), &mut matching);
        self.lookalikes.find(name, &mut matching);
        self.drop_silent(&mut matching);
        for list in &self.listed {
            let number = list.names.as_ref().and_then(|names| names.find(name));
            listed.extend(number.map(|index| PatternId::new(list.rule, List::Listed, index)));
        }
        (matching, listed)
    }

    /// Removes from `matching` what belongs to rules for others.
    #[inline]
    fn drop_silent(&self, matching: &mut Vec<PatternId>) {
        if self.silent.is_some() && !matching.is_empty() {
            matching.retain(|id| !self.is_silent(id.rule()));
        }
    }

    fn is_silent(&self, rule: usize) -> bool {
        self.silent.as_ref().and_then(|silent| silent.get(rule)).is_some_and(|silent| *silent)
    }

    fn drop_excepted(&self, matching: &mut Vec<PatternId>, name: NameRef<'_>) {
        let mut excepted = Vec::new();
        self.except.find(name.as_bytes(), &mut excepted);
        matching.retain(|id| excepted.iter().all(|exception| exception.rule != id.rule));
    }

    /// Removes from `matching` what is not about the version that is asked for; gives those patterns that stay because
    /// nobody can tell the version.
    fn retain_versions(&self, matching: &mut Vec<PatternId>, name: NameRef<'_>, asked: Asked<'_>) -> Vec<PatternId> {
        let mut doubtful = Vec::new();
        let asked_versions = LazyCell::new(|| asked.versions(name));
        matching.retain(|id| {
            let versions = self.rules.get(id.rule()).and_then(|rule| rule.versions.as_ref());
            let Some(versions) = versions else { return !matches!(asked, Asked::Release(_)) };
            match &*asked_versions {
                Versions::All => false,
                Versions::These(these) => these.iter().any(|version| includes(versions, version)),
                Versions::Unknown => {
                    doubtful.push(*id);
                    true
                }
            }
        });
        doubtful
    }

    /// The first of `matching` that enforces, and the first that audits.
    fn sorted(&self, matching: &[PatternId], doubtful: &[PatternId]) -> Findings {
        let of_mode = |id: &PatternId, mode| self.rules.get(id.rule()).is_some_and(|rule| rule.mode == mode);
        let first = |mode| matching.iter().copied().filter(|id| of_mode(id, mode)).min();
        let sure = matching.iter().any(|id| of_mode(id, Mode::Enforce) && !doubtful.contains(id));
        Findings { protected: first(Mode::Enforce), audited: first(Mode::Audit), sure }
    }

    #[inline]
    fn verdict(&self, findings: Findings, certain: bool) -> Verdict<'_> {
        let reported = |id: Option<PatternId>| id.and_then(|id| self.reported(id));
        Verdict { protected: reported(findings.protected), audited: reported(findings.audited), certain }
    }

    fn reported(&self, id: PatternId) -> Option<Match<'_>> {
        let rule = self.rules.get(id.rule())?;
        let (written, folded, place) = match id.list {
            List::Names => rule.names.get(id.index()).map(Pattern::shown)?,
            List::Lookalikes => {
                let (written, folded) = self.lookalikes.shown(id)?;
                (written, folded, rule.names.get(id.index()).and_then(Pattern::place))
            }
            List::Listed => {
                let names = self.listed.iter().find(|list| list.rule == id.rule())?.names.as_ref()?;
                let name = names.get(id.index())?;
                (name, name, rule.place.as_ref())
            }
            List::Except => rule.except.get(id.index()).map(Pattern::shown)?,
            List::Files => rule.files.get(id.index()).map(FilePattern::shown)?,
        };
        Some(Match { rule, written, folded, place })
    }
}

/// The first pattern of each mode that matches, in the order of the rules.
#[derive(Clone, Copy, Debug, Default)]
struct Findings {
    protected: Option<PatternId>,
    audited: Option<PatternId>,
    /// Whether it is protected also if its version turns out to be one that no rule is about.
    sure: bool,
}

/// What is asked of a project that a pattern matches.
#[derive(Clone, Copy, Debug)]
enum Asked<'a> {
    /// The project as a whole.
    Project,
    /// A release, apart from its project, by its version as it was written.
    Release(&'a str),
    /// A file of it, of that version.
    Version(&'a str),
    /// A file of it.
    File(&'a FileName),
}

/// Which versions something is of.
#[derive(Debug)]
enum Versions {
    All,
    These(Vec<Version>),
    Unknown,
}

impl Asked<'_> {
    fn versions(self, owner: NameRef<'_>) -> Versions {
        let these = match self {
            Self::Project => return Versions::All,
            Self::Release(written) | Self::Version(written) => written.trim().parse().ok().map(|version| vec![version]),
            Self::File(file) => file.versions_for(owner),
        };
        these.map_or(Versions::Unknown, Versions::These)
    }
}

impl Findings {
    const fn is_nothing(&self) -> bool {
        self.protected.is_none() && self.audited.is_none()
    }

    fn add(&mut self, other: Self) {
        let first = |one: Option<PatternId>, other| one.into_iter().chain(other).min();
        self.protected = first(self.protected, other.protected);
        self.audited = first(self.audited, other.audited);
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
