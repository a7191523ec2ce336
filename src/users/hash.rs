//! One hash of a password: which kinds there are, what they may cost, and whether a password is the one.

use std::fmt;

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use bcrypt::HashParts;

/// The most that bcrypt may cost: 2^14 rounds take about a second.
const MAX_COST: u32 = 14;
/// The most memory that Argon2 may take, in KiB, and the most that it may write in all its passes.
const MAX_MEMORY: u32 = 256 * 1024;
const MAX_WORK: u64 = 4 * 1024 * 1024;

/// The hash of a password, in one of the two kinds that are taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    kind: Kind,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Argon2,
    Bcrypt,
}

/// Why a text is no hash that is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It is a hash of another kind.
    #[error("{0} is not taken: Argon2 and bcrypt are")]
    Unknown(&'static str),
    /// It is not even that.
    #[error("what follows the colon is no hash")]
    Plain,
    /// It is of a kind that is taken, and can't be read.
    #[error("the {0} hash is broken")]
    Broken(&'static str),
    /// To compute it costs too much.
    #[error("the hash costs too much: {0}")]
    Costly(String),
}

impl Hash {
    /// Reads a hash.
    ///
    /// # Errors
    /// [`HashError`].
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| text.starts_with(beginning));
        let kind = if begins(&["$argon2id$", "$argon2i$"]) {
            check_argon2(text)?;
            Kind::Argon2
        } else if begins(&["$2y$", "$2b$", "$2a$"]) {
            check_bcrypt(text)?;
            Kind::Bcrypt
        } else {
            return Err(other(text));
        };
        Ok(Self { kind, text: text.into() })
    }

    /// Whether `password` is the one. Takes as long as its maker wanted it to; in constant time, for one hash.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        match self.kind {
            Kind::Argon2 => {
                let hash = PasswordHash::new(&self.text);
                hash.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
            }
            // Whatever follows the 72nd byte doesn't count, for htpasswd neither.
            Kind::Bcrypt => bcrypt::verify(password, &self.text).unwrap_or(false),
        }
    }

    /// As it stands in the file.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn check_argon2(text: &str) -> Result<(), HashError> {
    let hash = PasswordHash::new(text).map_err(|_unhelpful| HashError::Broken("Argon2"))?;
    let params = Params::try_from(&hash).map_err(|_unhelpful| HashError::Broken("Argon2"))?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashError::Broken("Argon2"));
    }
    let (memory, passes) = (params.m_cost(), params.t_cost());
    if memory > MAX_MEMORY {
        return Err(HashError::Costly(format!("{} MiB of memory, more than {}", memory / 1024, MAX_MEMORY / 1024)));
    }
    if u64::from(memory) * u64::from(passes) > MAX_WORK {
        return Err(HashError::Costly(format!("{passes} passes over {memory} KiB")));
    }
    Ok(())
}

fn check_bcrypt(text: &str) -> Result<(), HashError> {
    let parts: HashParts = text.parse().map_err(|_unhelpful| HashError::Broken("bcrypt"))?;
    match parts.get_cost() {
        4..=MAX_COST => Ok(()),
        cost @ 15..=31 => Err(HashError::Costly(format!("bcrypt with cost {cost}, more than {MAX_COST}"))),
        _ => Err(HashError::Broken("bcrypt")),
    }
}

fn other(text: &str) -> HashError {
    let kinds = [
        ("$apr1$", "Apache's MD5 (`$apr1$`)"),
        ("$1$", "MD5 (`$1$`)"),
        ("{SHA}", "SHA-1 (`{SHA}`)"),
        ("{SSHA}", "SHA-1 (`{SSHA}`)"),
        ("$5$", "crypt's SHA-256 (`$5$`)"),
        ("$6$", "crypt's SHA-512 (`$6$`)"),
        ("$y$", "yescrypt (`$y$`)"),
        ("$argon2d$", "argon2d, which leaks through side channels,"),
        ("$2x$", "bcrypt as a broken version made it (`$2x$`)"),
    ];
    let known = kinds.iter().find(|(beginning, _)| text.starts_with(beginning));
    known.map_or(HashError::Plain, |(_, name)| HashError::Unknown(name))
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the hash: it would be tried offline.
        self.kind.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_is_verified() {
        for (text, password) in HASHES {
            let hash = Hash::parse(text).unwrap();
            assert!(hash.is_of(password.as_bytes()), "{text}");
            assert!(!hash.is_of(b"") && !hash.is_of(format!("{password}x").as_bytes()), "{text}");
        }
    }

    /// Made by Apache's htpasswd (`htpasswd -nbB`), and by the reference Argon2 as Python's argon2-cffi has it.
    const HASHES: [(&str, &str); 5] = [
        ("$2y$05$sNh1M7.QackYSTDreg6OrO.DGdzrB/uxJkb//bYZYmcKSpg/zjZYe", "secret"),
        ("$2y$04$wKC.iAaZ6a7YqJ4NxUxIxeGajn23y8yPZC/pPMFgrBepzbuYRFL82", "p:\u{e4}\u{20ac}"),
        ("$2b$04$CkGmt0TpsIjhaxp2ZuMVPuEA45W.x/BbM24ouP37MXVchCtXNxP5S", "secret"),
        ("$argon2id$v=19$m=256,t=1,p=2$+l2Xyw488cD6yFXPvodoJg$C1ChPv0JoTkM8yc4tYcqD9GoO4YCm1HLESLCQfYzDtg", "secret"),
        (
            "$argon2i$v=19$m=64,t=2,p=1$91hub28Up0IkAbkQyOW6pA$hJTnXQ2KD2mk3jtJDbveEHcoj/jnrU8nPlr3sPm3U2o",
            "p:\u{e4}\u{20ac}",
        ),
    ];

    #[test]
    fn what_costs_too_much_is_refused() {
        let rest = "31DfG.VIh2vT.oLm.gL0DelCP9z.jfyOlshgCq50upTs50rGyhExa";
        for (text, said) in [
            (format!("$2y$15${rest}"), "cost 15"),
            (format!("$2y$31${rest}"), "cost 31"),
            ("$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(), "256 MiB"),
            ("$argon2id$v=19$m=65536,t=65,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(), "65 passes"),
        ] {
            let error = Hash::parse(&text).unwrap_err();
            assert!(matches!(&error, HashError::Costly(_)) && error.to_string().contains(said), "{text}: {error}");
        }
        assert!(Hash::parse(&format!("$2y$14${rest}")).is_ok());
        assert_eq!(Hash::parse(&format!("$2y$03${rest}")), Err(HashError::Broken("bcrypt")));
        assert!(Hash::parse("$argon2i$v=19$m=262144,t=3,p=4$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA").is_ok());
    }
}
