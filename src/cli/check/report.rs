//! Everything that `check` found, in the shape in which `--format json` prints it.
//!
//! Programs read it: a member may be added, none is renamed or removed as long as `version` stays.

use serde::Serialize;
use time::Date;

use super::certificates;
use super::locate::{Files, Location};
use super::preview::Preview;
use crate::cli::mirrors::MirrorInUse;
use crate::cli::{Failure, Outcome};
use crate::config::{FailedAssertion, Lint, LintKind, Mistake, Settings};
use crate::policy::{Policy, Rule};

/// The version of the shape.
const VERSION: u32 = 1;

/// What `check` found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// What the program ends with: 0 fine, 1 a finding, 2 an error in the config, 4 a list that can't be trusted.
    pub(super) exit_code: u8,
    /// Whether warnings are findings.
    pub(super) strict: bool,
    /// The config files that were read; none for the built-in default, or if there are errors.
    pub(super) sources: Vec<String>,
    /// The fingerprint of the policy; null if there are errors.
    pub(super) policy: Option<String>,
    /// How much there is of everything.
    pub(super) counts: Counts,
    /// What makes the config unusable.
    pub(super) errors: Vec<Error>,
    /// The assertions that don't hold.
    pub(super) assertions: Vec<Failed>,
    /// What is valid and odd.
    pub(super) lints: Vec<Odd>,
    /// Variables of this environment that lead clients to a public mirror which isn't intercepted.
    pub(super) mirrors: Vec<MirrorInUse>,
    /// What the rules would hide; null without `--preview`.
    pub(super) preview: Option<Preview>,
    /// What is told besides, for people.
    #[serde(skip)]
    pub(super) note: String,
}

/// How much there is of everything.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Rules, the expired ones included.
    pub(super) rules: usize,
    /// Rules in force.
    pub(super) rules_in_force: usize,
    /// Patterns on names and files, exceptions included.
    pub(super) patterns: usize,
    /// Names that are asserted to be protected or allowed.
    pub(super) assertions: usize,
    /// Hosts that are looked into.
    pub(super) hosts: usize,
}

/// What makes the config unusable.
#[derive(Debug, Serialize)]
pub(super) struct Error {
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    pub(super) help: Option<String>,
    /// Where; null on the command line and for a file as a whole.
    pub(super) location: Option<Location>,
}

/// An assertion that doesn't hold.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    /// The name as written.
    pub(super) name: String,
    /// `protected` or `allowed`.
    pub(super) expected: &'static str,
    /// What is so instead.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: &'static str,
    /// Where the assertion stands.
    pub(super) location: Option<Location>,
    /// The rule that decided, if any.
    pub(super) rule: Option<String>,
    /// The pattern of it that decided, as written.
    pub(super) pattern: Option<String>,
    /// The whole of it as people read it.
    #[serde(skip)]
    pub(super) text: String,
}

/// A lint.
#[derive(Debug, Serialize)]
pub(super) struct Odd {
    /// Its stable id.
    pub(super) id: &'static str,
    /// `warning`, or `note`, which is never a finding.
    pub(super) level: &'static str,
    /// What is odd.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: String,
    /// The rule that it is about, if it is about one.
    pub(super) rule: Option<String>,
    /// Where; null for the config as a whole and on the command line.
    pub(super) location: Option<Location>,
    #[serde(skip)]
    pub(super) kind: LintKind,
}

impl Report {
    /// What there is to say of a config that can be used.
    pub(super) fn of(settings: &Settings, policy: &Policy, today: Date, strict: bool) -> Self {
        let mut files = Files::default();
        let patterns = |rule: &Rule| rule.names.len() + rule.except.len() + rule.files.len();
        let counts = Counts {
            rules: settings.rules.len(),
            rules_in_force: settings.rules.iter().filter(|rule| rule.is_in_force(today)).count(),
            patterns: settings.rules.iter().map(patterns).sum(),
            assertions: settings.assertions.len(),
            hosts: settings.sites.len(),
        };
        let failed = settings.sure_failures(policy);
        let lints = certificates::odd(settings).into_iter().chain(settings.lints(today));
        Self {
            sources: settings.source.iter().map(|path| path.display().to_string()).collect(),
            policy: Some(policy.fingerprint().to_owned()),
            counts,
            assertions: failed.into_iter().map(|failed| Failed::of(failed, &mut files)).collect(),
            lints: lints.into_iter().map(|lint| Odd::of(lint, &mut files)).collect(),
            ..Self::empty(strict)
        }
        .with_exit_code()
    }

    /// What there is to say if there is no policy.
    pub(super) fn of_failure(failure: &Failure, strict: bool) -> Self {
        let errors = match failure {
            Failure::Config(error) => error.mistakes().iter().map(Error::of).collect(),
            other => {
                let message = other.to_string().trim_start_matches("error: ").to_owned();
                vec![Error { message, help: None, location: None }]
            }
        };
        Self { errors, exit_code: failure.exit_code(), ..Self::empty(strict) }
    }

    /// There is no preview, or none that can be relied on: `exit_code` says of which kind that is.
    pub(super) fn fail(&mut self, message: String, exit_code: u8) {
        self.errors.push(Error { message, help: None, location: None });
        self.exit_code = exit_code;
    }

    pub(super) const fn outcome(&self) -> Outcome {
        Outcome::Code(self.exit_code)
    }

    fn empty(strict: bool) -> Self {
        Self {
            version: VERSION,
            exit_code: 0,
            strict,
            sources: Vec::new(),
            policy: None,
            counts: Counts::default(),
            errors: Vec::new(),
            assertions: Vec::new(),
            lints: Vec::new(),
            mirrors: Vec::new(),
            preview: None,
            note: String::new(),
        }
    }

    /// How many of the lints are warnings.
    pub(super) fn warnings(&self) -> usize {
        self.lints.iter().filter(|lint| lint.kind.is_warning()).count()
    }

    fn with_exit_code(mut self) -> Self {
        let found = !self.assertions.is_empty() || (self.strict && self.warnings() > 0);
        let outcome = if found { Outcome::Finding } else { Outcome::Fine };
        self.exit_code = outcome.exit_code();
        self
    }
}

impl Error {
    fn of(mistake: &Mistake) -> Self {
        let location = mistake.place().map(|(place, column)| Location::new(&place, column));
        Self { message: mistake.message().to_owned(), help: Some(mistake.help().to_owned()), location }
    }
}

impl Failed {
    fn of(failed: FailedAssertion, files: &mut Files) -> Self {
        let assertion = &failed.assertion;
        let culprit = failed.culprit();
        Self {
            expected: if assertion.protected { "protected" } else { "allowed" },
            message: failed.message(),
            help: failed.help(),
            location: assertion.place.as_ref().map(|place| files.locate(place, Some(&assertion.written))),
            rule: culprit.map(|culprit| culprit.rule.clone()),
            pattern: culprit.map(|culprit| culprit.pattern.clone()),
            text: failed.to_string(),
            name: failed.assertion.written,
        }
    }
}

impl Odd {
    fn of(lint: Lint, files: &mut Files) -> Self {
        Self {
            id: lint.kind.as_str(),
            level: lint.kind.level().as_str(),
            location: lint.place.as_ref().map(|place| files.locate(place, lint.marked.as_deref())),
            kind: lint.kind,
            message: lint.message,
            help: lint.help,
            rule: lint.rule,
        }
    }
}
