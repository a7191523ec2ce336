//! The things that `check` looks for: their stable ids, how grave they are, and what each means.

/// One of the things that `check` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintKind {
    /// No enforcing rule is in force.
    NothingProtected,
    /// `allow` serves everybody.
    OpenToTheWorld,
    /// Others may read the hashes of the passwords.
    ExposedUsers,
    /// A listener can't speak TLS with the files that it has on this machine.
    ListenerCertificate,
    /// The rule is for a user, or spares one, or an assertion is for one, who is none.
    UnknownUser,
    /// The rule's last day is over.
    Expired,
    /// The rule's last day is near.
    ExpiresSoon,
    /// Nobody who is refused will learn why.
    NoReason,
    /// All of the rule's names are excepted.
    NothingInForce,
    /// The rule hides all that there is, and says that it means it.
    MatchesEverything,
    /// The rule's own exceptions take all away that the pattern matches, or all whom it is for, or its `versions` leave none.
    NeverMatches,
    /// The exception takes nothing away.
    IdleExcept,
    /// The pattern says again what an earlier one said.
    Repeated,
    /// An earlier pattern matches all that this one does.
    Shadowed,
    /// What the rule would count is hidden anyway.
    MootAudit,
    /// Something that nearly everybody installs is hidden.
    WellKnown,
}

/// How grave a lint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Very likely not meant.
    Warning,
    /// Meant, and worth knowing.
    Note,
}

impl LintKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::NothingProtected,
        Self::OpenToTheWorld,
        Self::ExposedUsers,
        Self::ListenerCertificate,
        Self::UnknownUser,
        Self::Expired,
        Self::ExpiresSoon,
        Self::NoReason,
        Self::NothingInForce,
        Self::MatchesEverything,
        Self::NeverMatches,
        Self::IdleExcept,
        Self::Repeated,
        Self::Shadowed,
        Self::MootAudit,
        Self::WellKnown,
    ];

    /// The stable id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingProtected => "nothing-protected",
            Self::OpenToTheWorld => "open-to-the-world",
            Self::ExposedUsers => "exposed-users",
            Self::ListenerCertificate => "listener-certificate",
            Self::UnknownUser => "unknown-user",
            Self::Expired => "expired",
            Self::ExpiresSoon => "expires-soon",
            Self::NoReason => "no-reason",
            Self::NothingInForce => "nothing-in-force",
            Self::MatchesEverything => "matches-everything",
            Self::NeverMatches => "never-matches",
            Self::IdleExcept => "idle-except",
            Self::Repeated => "repeated",
            Self::Shadowed => "shadowed",
            Self::MootAudit => "moot-audit",
            Self::WellKnown => "well-known",
        }
    }

    /// How grave it is.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::MatchesEverything => Level::Note,
            _ => Level::Warning,
        }
    }

    /// Whether it is a warning, which `--strict` counts as a finding.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self.level(), Level::Warning)
    }

    /// What it means, in one sentence.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::NothingProtected => "No enforcing rule is in force, so nothing is protected.",
            Self::OpenToTheWorld => "`allow` admits every network, so whoever reaches the proxy is served.",
            Self::ExposedUsers => "Others than its owner may read the users file, and guess passwords from its hashes.",
            Self::ListenerCertificate => "A listener can't speak TLS with the certificate and key on this machine.",
            Self::UnknownUser => "A rule or an assertion names a user whom the users file doesn't have.",
            Self::Expired => "The rule's last day is over, so it protects nothing any more.",
            Self::ExpiresSoon => "The rule's last day is near; after it the rule protects nothing.",
            Self::NoReason => "The rule has no reason, so nobody who is refused learns why.",
            Self::NothingInForce => "The rule's own exceptions cancel all of its names.",
            Self::MatchesEverything => "The rule hides the whole index, and says that this is meant.",
            Self::NeverMatches => {
                "Nothing is left that matches: the rule's own exceptions, or its versions, take all away."
            }
            Self::IdleExcept => "The exception matches no name that the rule's names match.",
            Self::Repeated => "The pattern repeats an earlier one.",
            Self::Shadowed => {
                "Every name that the pattern matches is matched by an earlier pattern of an enforcing rule."
            }
            Self::MootAudit => "An enforcing rule hides all that the audit rule's pattern would count.",
            Self::WellKnown => "The pattern hides one of the most downloaded public projects.",
        }
    }
}

impl Level {
    /// The word that messages begin with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}
