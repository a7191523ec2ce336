//! Everything that the rules have to say of a thing: what decides, and what would decide if it weren't for something.

use time::Date;

use super::thing::Thing;
use crate::name::{FileName, ProjectName, Subject};
use crate::policy::{CompileError, Match, Mode, Pattern, Place, Policy, Rule, Verdict, some_left};
use crate::pypi::resource::Release;

/// The rules in force, and the same rules as they would be without what keeps some of them from hiding.
#[derive(Debug)]
pub(super) struct Judges<'p> {
    policy: &'p Policy,
    /// All rules, whoever they are for.
    whole: &'p Policy,
    /// The enforcing rules in force, without their exceptions.
    unexcepted: Policy,
    /// The rules that expired, as if they hadn't.
    expired: Policy,
}

/// What there is to say of a thing.
#[derive(Debug)]
pub(super) struct Findings<'p> {
    /// The verdict: the first protecting one on anything that the thing names.
    pub(super) verdict: Verdict<'p>,
    /// The name or file that the verdict is on, if something matched.
    pub(super) subject: Option<String>,
    /// The rules that hide only some releases of the projects, where it is allowed.
    pub(super) hiding: Vec<Match<'p>>,
    /// Whether it is protected only because every version that it takes is among those.
    pub(super) none_left: bool,
    /// The projects that the file could belong to, and whether each would be protected: when the verdict isn't certain.
    pub(super) owners: Vec<(ProjectName, bool)>,
    /// A rule that would protect it, and the exception of it which prevents that.
    pub(super) excepted: Option<Excepted<'p>>,
    /// A rule that would protect it if it hadn't expired.
    pub(super) expired: Option<Match<'p>>,
    /// A rule that would protect it if somebody else asked.
    pub(super) for_others: Option<Match<'p>>,
}

/// A rule's match that the rule's exception takes back.
#[derive(Debug)]
pub(super) struct Excepted<'p> {
    /// The rule, and its pattern that matches.
    pub(super) found: Match<'p>,
    /// The exception as written.
    pub(super) exception: &'p str,
    /// Where it stands.
    pub(super) place: Option<&'p Place>,
}

impl<'p> Judges<'p> {
    pub(super) fn new(policy: &'p Policy, whole: &'p Policy, today: Date) -> Result<Self, CompileError> {
        let enforcing = || policy.heard().filter(|rule| rule.mode == Mode::Enforce);
        let in_force = || enforcing().filter(|rule| rule.is_in_force(today)).cloned();
        let unexcepted = in_force().map(|rule| Rule { except: Vec::new(), ..rule }).collect();
        let expired = enforcing().filter(|rule| !rule.is_in_force(today)).cloned().collect();
        Ok(Self {
            policy,
            whole,
            unexcepted: Policy::compile(unexcepted, today)?,
            // On the first of all days they were in force.
            expired: Policy::compile(expired, Date::MIN)?,
        })
    }

    pub(super) fn judge(&'p self, thing: &Thing) -> Findings<'p> {
        let projects = thing.projects.iter().map(|name| Subject::Project(name.as_name()));
        let files = thing.files.iter().map(Subject::File);
        let subjects: Vec<Subject<'_>> =
            projects.chain(files).chain(thing.releases.iter().map(Release::subject)).collect();
        let (subject, mut verdict) = first(self.policy, &subjects);
        let mut subject_shown = subject.map(|subject| shown(&subject));
        let hiding = if verdict.is_protected() { Vec::new() } else { hiding(self.policy, thing) };
        let none_left = none_left(thing, &hiding);
        if let Some(found) = none_left {
            verdict.protected = Some(found);
            subject_shown = thing.projects.first().map(|project| project.as_str().to_owned());
        }
        let owners = match subject {
            Some(Subject::File(file)) if !verdict.certain => self.owners(file),
            _ => Vec::new(),
        };
        let allowed = verdict.protected.is_none();
        Findings {
            verdict,
            subject: subject_shown,
            hiding,
            none_left: none_left.is_some(),
            owners,
            excepted: if allowed { self.excepted(&subjects) } else { None },
            expired: if allowed { self.expired(thing, &subjects) } else { None },
            for_others: if allowed { self.for_others(thing, &subjects) } else { None },
        }
    }

    fn expired(&'p self, thing: &Thing, subjects: &[Subject<'_>]) -> Option<Match<'p>> {
        first(&self.expired, subjects).1.protected.or_else(|| hiding(&self.expired, thing).into_iter().next())
    }

    fn for_others(&self, thing: &Thing, subjects: &[Subject<'_>]) -> Option<Match<'p>> {
        if self.policy.is_whole() {
            return None;
        }
        let heard = |found: &Match<'_>| self.policy.heard().any(|rule| rule.id == found.rule.id);
        let hidden =
            || hiding(self.whole, thing).into_iter().find(|found| found.rule.mode == Mode::Enforce && !heard(found));
        first(self.whole, subjects).1.protected.or_else(hidden)
    }

    fn owners(&self, file: &FileName) -> Vec<(ProjectName, bool)> {
        let projects = file.candidates().projects.into_iter();
        let judged = projects.map(|project| {
            let protected = self.policy.judge_owned(file, project.as_name(), None).is_protected();
            (project, protected)
        });
        judged.collect()
    }

    fn excepted(&'p self, subjects: &[Subject<'_>]) -> Option<Excepted<'p>> {
        let found = first(&self.unexcepted, subjects).1.protected?;
        let rule = self.policy.rules().iter().find(|rule| rule.id == found.rule.id)?;
        let matches = |exception: &&Pattern| {
            let alone = Rule { names: vec![(*exception).clone()], ..Rule::default() };
            Policy::compile(vec![alone], Date::MIN).is_ok_and(|policy| first(&policy, subjects).1.is_protected())
        };
        let exception = rule.except.iter().find(matches)?;
        Some(Excepted { found, exception: exception.written(), place: exception.place() })
    }
}

fn hiding<'p>(policy: &'p Policy, thing: &Thing) -> Vec<Match<'p>> {
    thing.projects.iter().flat_map(|project| policy.hiding_releases_of(project.as_name())).collect()
}

/// The first of the rules that together hide every version which the thing takes.
fn none_left<'p>(thing: &Thing, hiding: &[Match<'p>]) -> Option<Match<'p>> {
    let wanted = thing.versions.as_ref()?;
    let enforcing = || hiding.iter().filter(|found| found.rule.mode == Mode::Enforce);
    let hidden: Vec<_> = enforcing().filter_map(|found| found.rule.versions.as_ref()).collect();
    enforcing().next().copied().filter(|_| !some_left(wanted, &hidden))
}

/// The first of `subjects` that is protected, else the first that is audited.
fn first<'p, 's>(policy: &'p Policy, subjects: &[Subject<'s>]) -> (Option<Subject<'s>>, Verdict<'p>) {
    let mut best = (None, Verdict::default());
    for subject in subjects {
        let verdict = policy.judge(*subject);
        if verdict.protected.is_some() {
            return (Some(*subject), verdict);
        }
        if best.1.audited.is_none() && verdict.audited.is_some() {
            best = (Some(*subject), verdict);
        }
    }
    best
}

fn shown(subject: &Subject<'_>) -> String {
    match subject {
        Subject::Project(name) => name.to_string(),
        Subject::File(file) => file.as_str().to_owned(),
        Subject::Release(name, version) => format!("{name} {version}"),
    }
}
