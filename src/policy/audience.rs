//! For whom a rule is in force: the networks and users of its `for`, without those of its `except-for`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a user is written with where networks may stand, too.
pub const USER: &str = "user:";

/// All addresses.
const EVERYWHERE: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker<'a> {
    /// Whence, IPv4 as IPv4.
    pub client: IpAddr,
    /// As whom; `None` where nobody is asked for a name.
    pub user: Option<&'a str>,
}

/// One entry of `for` or `except-for`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Clients of a network.
    Network(IpNet),
    /// Users whose name is this; `*` stands for anything. A client without a user is none of them.
    User(String),
}

/// For whom a rule is in force; for everybody unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// These alone; everybody if it is empty.
    pub only: Vec<Who>,
    /// And none of these.
    pub except: Vec<Who>,
}

/// An [`Asker`] whose name is its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Somebody {
    /// Whence.
    pub client: IpAddr,
    /// As whom.
    pub user: Option<String>,
}

impl Asker<'_> {
    /// A program on the machine itself, without a name: whom nothing else is said of.
    pub const LOCAL: Self = Self { client: IpAddr::V4(Ipv4Addr::LOCALHOST), user: None };
}

impl Somebody {
    /// As it asks.
    #[must_use]
    pub fn asks(&self) -> Asker<'_> {
        Asker { client: self.client, user: self.user.as_deref() }
    }

    /// Whether nothing is said of it.
    #[must_use]
    pub fn is_anybody(&self) -> bool {
        self.asks() == Asker::LOCAL
    }
}

impl Default for Somebody {
    fn default() -> Self {
        Self { client: Asker::LOCAL.client, user: None }
    }
}

impl fmt::Display for Somebody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(name) if self.client == Asker::LOCAL.client => write!(f, "{USER}{name}"),
            Some(name) => write!(f, "{USER}{name} at {}", self.client),
            None => self.client.fmt(f),
        }
    }
}

impl Audience {
    /// Whether the rule is in force for all.
    #[must_use]
    pub const fn is_everybody(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }

    /// Whether the rule is in force for `asker`.
    #[must_use]
    pub fn includes(&self, asker: &Asker<'_>) -> bool {
        let any = |list: &[Who]| list.iter().any(|who| who.is(asker));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }

    /// Whether its exceptions leave nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        let networks = self.except.iter().filter_map(|who| match who {
            Who::Network(network) => Some(*network),
            Who::User(_) => None,
        });
        // Halves of a network are the whole of it.
        let networks = IpNet::aggregate(&networks.collect());
        let holds = |network: &IpNet| networks.iter().any(|excepted| excepted.contains(network));
        let everywhere = EVERYWHERE.iter().all(holds);
        let excepted = |who: &Who| match who {
            Who::Network(network) => holds(network),
            // A star that is compared as a letter is like a star alone.
            Who::User(pattern) => self.except.iter().any(|who| who.is_named(pattern)),
        };
        everywhere || !self.only.is_empty() && self.only.iter().all(excepted)
    }

    /// Whether it names a user.
    #[must_use]
    pub fn names_users(&self) -> bool {
        self.only.iter().chain(&self.except).any(Who::is_user)
    }
}

impl Who {
    /// Whether it is about users.
    #[must_use]
    pub const fn is_user(&self) -> bool {
        matches!(self, Self::User(_))
    }

    /// Whether it is about the user of this name.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::User(pattern) if is_like(pattern, name))
    }

    fn is(&self, asker: &Asker<'_>) -> bool {
        match self {
            Self::Network(network) => network.contains(&asker.client),
            Self::User(_) => asker.user.is_some_and(|name| self.is_named(name)),
        }
    }
}

/// Whether `name` is `pattern`, in which `*` stands for anything.
fn is_like(pattern: &str, name: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(front) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first place is as good as any: what is left for the pieces behind is longest then.
    for piece in middle.split('*') {
        let Some((_, behind)) = name.split_once(piece) else { return false };
        name = behind;
    }
    name.ends_with(end)
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::User(name) => write!(f, "{USER}{name}"),
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, list: &[Who]| {
            list.iter().enumerate().try_for_each(|(at, who)| write!(f, "{}{who}", if at == 0 { "" } else { ", " }))
        };
        match (self.only.is_empty(), self.except.is_empty()) {
            (true, true) => f.write_str("everybody"),
            (false, true) => list(f, &self.only),
            (everybody, false) => {
                if everybody {
                    f.write_str("everybody")?;
                } else {
                    list(f, &self.only)?;
                }
                f.write_str(", except ")?;
                list(f, &self.except)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Asker<'_> {
        Asker { client: "192.0.2.1".parse().unwrap(), user: Some(name) }
    }

    fn network(text: &str) -> Who {
        Who::Network(text.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("ci", "ci", true),
            ("ci", "CI", false),
            ("ci", "ci2", false),
            ("*", "", true),
            ("*", "x", true),
            ("deploy-*", "deploy-a", true),
            ("deploy-*", "deploy-", true),
            ("deploy-*", "deploy", false),
            ("*-ci", "a-ci", true),
            ("*-ci", "a-ci-b", false),
            ("a*a", "a", false),
            ("a*a", "aba", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a**c", "ac", true),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn exceptions_may_leave_nobody() {
        let of = |text: &str| match text.strip_prefix(USER) {
            Some(name) => Who::User(name.to_owned()),
            None => network(text),
        };
        let list = |texts: &[&str]| texts.iter().map(|text| of(text)).collect::<Vec<_>>();
        for (only, except, nobody) in [
            (&["user:ci"][..], &["user:ci"][..], true),
            (&["user:ci-*"], &["user:c*"], true),
            (&["user:c*"], &["user:ci-*"], false),
            (&["user:ci", "10.0.0.0/8"], &["user:*"], false),
            (&["user:ci", "10.0.0.0/8"], &["user:*", "10.0.0.0/7"], true),
            (&["10.0.0.0/8"], &["10.0.0.0/9", "10.128.0.0/9"], true),
            (&["10.0.0.0/8"], &["10.0.0.0/9"], false),
            (&["user:ci"], &["0.0.0.0/0", "::/0"], true),
            (&[], &["0.0.0.0/0", "::/0"], true),
            (&[], &["0.0.0.0/0"], false),
            (&[], &["user:*"], false),
            (&[], &[], false),
        ] {
            assert_eq!(Audience { only: list(only), except: list(except) }.is_nobody(), nobody, "{only:?} {except:?}");
        }
    }

    #[test]
    fn those_of_for_without_those_of_except_for() {
        let both = Audience { only: vec![network("192.0.2.0/24"), Who::User("ci".to_owned())], ..Audience::default() };
        let elsewhere = Asker { client: "203.0.113.1".parse().unwrap(), user: None };
        assert!(both.includes(&user("x")) && !both.includes(&elsewhere));
        assert!(both.includes(&Asker { user: Some("ci"), ..elsewhere }));
        let spared = Audience { except: vec![Who::User("*".to_owned())], ..Audience::default() };
        assert!(!spared.includes(&user("x")) && spared.includes(&elsewhere));
        let neither = Audience { except: spared.except, ..both.clone() };
        assert!(!neither.includes(&user("ci")) && neither.includes(&Asker { user: None, ..user("") }));
        assert!(Audience::default().includes(&elsewhere) && Audience::default().is_everybody());
        assert_eq!(neither.to_string(), "192.0.2.0/24, user:ci, except user:*");
        assert_eq!(Audience { only: Vec::new(), ..neither }.to_string(), "everybody, except user:*");
        assert!(both.names_users() && !Audience { only: vec![network("::/0")], ..both }.names_users());
    }
}
