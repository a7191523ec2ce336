//! What can be wrong with the authority, its files and the roots, each with what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::name::HostName;

/// Why there is no usable authority, or no usable trust; the message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// There is no authority in the folder, and none was to be made.
    #[error("there is no CA in `{dir}`: run `namewall ca init`")]
    Absent {
        /// The folder.
        dir: PathBuf,
    },
    /// One file of the pair is there without the other.
    #[error("`{present}` is there, but `{missing}` is not: put it back, or run `namewall ca renew` for a new pair")]
    HalfMissing {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A file can't be read.
    #[error("cannot read `{path}`: {reason}; it has to be readable for the user that namewall runs as")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The folder of the authority, or the place of the bundle, can't be written.
    #[error("cannot write in `{dir}`: {reason}; name a folder that namewall's user may write (`dir` in `[ca]`)")]
    Unwritable {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Another process has been changing the pair for longer than that can take.
    #[error("another process has held `{path}` for {} s: end it, then try again", .waited.as_secs())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        waited: std::time::Duration,
    },
    /// A certificate's file that was named isn't there.
    #[error("there is no file `{path}`: name one with a CA's certificate, as `ca.pem` in the CA's folder is")]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// A file that was named holds no PEM certificate.
    #[error(
        "`{path}` holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`): name one that does, as `ca.pem` in the CA's folder"
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate's file holds no PEM certificate.
    #[error("`{path}` holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`): {remedy}")]
    NotACertificate {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: Remedy,
    },
    /// The key's file holds no PEM private key of a kind that can sign.
    #[error("`{path}` holds no unencrypted private key in PEM (ECDSA, RSA or Ed25519): {remedy}")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: Remedy,
    },
    /// Others than the owner can read the key.
    #[error(
        "`{path}` is readable for others (mode {mode:04o}): run `chmod 600 {path}`; if strangers may have had it, `namewall ca renew --compromised`"
    )]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key isn't the certificate's.
    #[error("the key `{key}` is not that of the certificate `{cert}`: {remedy}")]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What to do.
        remedy: Remedy,
    },
    /// The certificate isn't one of an authority that clients would accept.
    #[error("`{path}` is no CA certificate that clients accept, it has {defect}: {remedy}")]
    NotACa {
        /// The file.
        path: PathBuf,
        /// What is missing, or too much.
        defect: &'static str,
        /// What to do.
        remedy: Remedy,
    },
    /// The certificate's time is over.
    #[error("the CA `{path}` expired on {}: {remedy}", .not_after.date())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Its last second.
        not_after: OffsetDateTime,
        /// What to do.
        remedy: Remedy,
    },
    /// The certificate's time has yet to come.
    #[error("the CA `{path}` is valid from {not_before} only: correct this machine's clock, or {remedy}")]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// Its first second.
        not_before: OffsetDateTime,
        /// What to do.
        remedy: Remedy,
    },
    /// The certificate could sign for more than it should.
    #[error("the CA `{path}` is not confined to the intercepted hosts, it has {defect}: {remedy}")]
    Unconstrained {
        /// The file.
        path: PathBuf,
        /// Which part of the name constraints is missing.
        defect: &'static str,
        /// What to do.
        remedy: Remedy,
    },
    /// Only what anybody may know of the authority was read.
    #[error(
        "the CA's key was not read, and without it nothing can be signed: run namewall as the user whose key it is"
    )]
    NoKey,
    /// The certificate could sign for other hosts, too.
    #[error("the CA `{path}` may sign for hosts that are not intercepted ({}): {advice}", .names.join(", "))]
    TooWide {
        /// The file.
        path: PathBuf,
        /// What it permits beyond the intercepted hosts.
        names: Vec<String>,
        /// What to do.
        advice: &'static str,
    },
    /// The certificate may not sign for every intercepted host.
    #[error("the CA `{path}` may not sign for {} (only for {}): {remedy}", Listed(.hosts), .permitted.join(", "))]
    NotCovered {
        /// The file.
        path: PathBuf,
        /// What it may sign for.
        permitted: Vec<String>,
        /// The intercepted hosts which are not among them.
        hosts: Vec<HostName>,
        /// What to do.
        remedy: Remedy,
    },
    /// There is nothing to constrain a new authority to.
    #[error("a CA has to be confined to hosts, and no host is intercepted: add one to the config")]
    NoHosts,
    /// An address can't be intercepted: every IP address is shut out of the authority.
    #[error("the CA never signs for IP addresses: intercept a host by its DNS name instead of `{host}`")]
    IpAddress {
        /// The address.
        host: HostName,
    },
    /// A leaf was asked for a host which isn't ours.
    #[error("the CA may not sign for `{host}`: only intercepted hosts and their sub-domains have leaves")]
    NotIntercepted {
        /// The host.
        host: HostName,
    },
    /// The authority expired while the proxy ran.
    #[error("the CA expired on {}: renew it (`namewall ca renew`) and reload", .not_after.date())]
    Outlived {
        /// Its last second.
        not_after: OffsetDateTime,
    },
    /// The environment has no root certificate at all.
    #[error(
        "no root certificates were found: install `ca-certificates`, or point SSL_CERT_FILE at a PEM file of roots"
    )]
    NoRoots,
    /// A file of `extra-roots` holds no certificate.
    #[error("`{path}` in `extra-roots` holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`): {reason}")]
    NotRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The authority isn't ours to renew.
    #[error(
        "`{path}` was issued by your organisation: `namewall ca init --from-organisation` makes the request for a new one, `namewall ca import` takes it"
    )]
    Organisations {
        /// The certificate's file.
        path: PathBuf,
    },
    /// What the organisation issued belongs to no key of ours.
    #[error(
        "no certificate in `{path}` belongs to the key of the request in `{dir}`: import what was issued for the latest `ca-request.csr` there"
    )]
    NotRequested {
        /// The file.
        path: PathBuf,
        /// The folder of the request.
        dir: PathBuf,
    },
    /// Clients would not find their way from a leaf to the root.
    #[error("clients would not believe what `{path}` signs: {reason}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Making a certificate or a key failed.
    #[error("cannot make a certificate: {0}")]
    Signing(#[from] rcgen::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// rustls refused a configuration.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// What to do about an unusable pair: it depends on who issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The pair is ours: make a new one.
    Renew,
    /// The pair is the organisation's: ask for another.
    Reissue,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renew => "run `namewall ca renew`, and let clients trust the new certificate",
            Self::Reissue => "have your organisation issue a pair as certs/README.md shows",
        })
    }
}

/// Hosts for a message.
struct Listed<'a>(&'a [HostName]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, host) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{host}")?;
        }
        Ok(())
    }
}
