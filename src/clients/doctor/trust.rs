//! Whose certificates the clients of this shell believe: the files that its variables name, and our authority itself.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};

use super::Facts;
use super::report::{Check, Group};
use super::shell::{EXPORT, kebab};
use crate::clients::env::variables;
use crate::config::CaSource;
use crate::name::HostName;
use crate::tls::held::Held;
use crate::tls::shown::Shown;
use crate::tls::{CaError, CertificateAuthority};

const TRUST: Group = Group::Trust;

/// How long before its end an authority is warned of.
const SOON: Duration = Duration::days(30);

/// A file that variables name.
#[derive(Debug)]
pub(super) struct Named {
    /// The variables, in the order in which `env` prints them.
    variables: Vec<&'static str>,
    path: PathBuf,
    held: Result<Held, String>,
    /// Its client adds it to its roots; the others replace them by it.
    adds: bool,
}

/// All that this shell says of trust.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) files: Vec<Named>,
    authority: Option<Result<CertificateAuthority, CaError>>,
    /// The authority's certificate, where its key is not for us to read.
    certificate: Option<CertificateDer<'static>>,
}

impl Trust {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let mut files: Vec<Named> = Vec::new();
        for (variable, adds) in trust_variables() {
            let Some(path) = facts.environment.var(variable).map(PathBuf::from) else { continue };
            match files.iter_mut().find(|file| file.path == path && file.adds == adds) {
                Some(file) => file.variables.push(variable),
                None => files.push(Named { variables: vec![variable], held: Held::read(&path), path, adds }),
            }
        }
        let authority = facts.settings.map(|settings| settings.ca.existing());
        let hidden = authority.as_ref().is_some_and(|authority| authority.as_ref().is_err_and(is_the_services));
        let certificate = facts.settings.filter(|_| hidden).and_then(|settings| certificate_of(&settings.ca));
        Self { files, authority, certificate }
    }

    /// Everything that anything here trusts: what no root of these signed is nobody's.
    pub(super) fn roots(&self) -> RootCertStore {
        let mut store = Held::native().as_store();
        self.files.iter().filter_map(|file| file.held.as_ref().ok()).for_each(|held| held.add_to(&mut store));
        if let Some(certificate) = self.certificate() {
            let _already_there = store.add(certificate.clone());
        }
        store
    }

    /// The checks; `shown` is what namewalls have shown.
    pub(super) fn checks(&self, facts: &Facts<'_>, shown: &[&Shown]) -> Vec<Check> {
        let ours = Ours { authority: self.certificate(), shown };
        let mut checks: Vec<Check> = self.files.iter().map(|file| file.check(&ours)).collect();
        checks.extend(missing(facts, &ours));
        // A client needs the certificate alone.
        let known = self.certificate.is_some() || !shown.is_empty();
        checks.extend(self.authority.as_ref().map(|authority| match authority {
            Err(error) if known && is_the_services(error) => {
                TRUST.skipped("ca", "this machine's CA was not looked at: its key is the service's, as it should be")
            }
            authority => of_authority(authority, facts, !shown.is_empty()),
        }));
        checks
    }

    /// What becomes of one file of roots that something else names.
    pub(super) fn of_file(&self, path: &Path, shown: &[&Shown]) -> Result<(), String> {
        let ours = Ours { authority: self.certificate(), shown };
        let held = Held::read(path)?;
        if ours.is_trusted_by(&held) == Some(false) { Err("does not hold namewall's CA".to_owned()) } else { Ok(()) }
    }

    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        let authority = self.authority.as_ref()?.as_ref().ok();
        authority.map(CertificateAuthority::certificate_der).or(self.certificate.as_ref())
    }
}

/// Whether an authority is there for another user: that of `namewall serve`.
fn is_the_services(error: &CaError) -> bool {
    matches!(error, CaError::Unreadable { reason, .. } if reason.kind() == ErrorKind::PermissionDenied)
}

fn certificate_of(source: &CaSource) -> Option<CertificateDer<'static>> {
    let path = match source {
        CaSource::Dir(dir) => dir.join("ca.pem"),
        CaSource::Pair { cert, .. } => cert.clone(),
    };
    CertificateDer::from_pem_file(path).ok()
}

/// By what a file is measured: what the namewall in use shows, else the authority of this config.
struct Ours<'a> {
    authority: Option<&'a CertificateDer<'static>>,
    shown: &'a [&'a Shown],
}

impl Ours<'_> {
    /// `None` if nobody knows what would have to be in it.
    fn is_trusted_by(&self, held: &Held) -> Option<bool> {
        if !self.shown.is_empty() {
            let store = held.as_store();
            return Some(self.shown.iter().all(|shown| shown.is_believed(&store)));
        }
        self.authority.map(|authority| held.holds(authority))
    }
}

impl Named {
    fn check(&self, ours: &Ours<'_>) -> Check {
        let (Some(first), names, path) = (self.variables.first(), self.variables.join(", "), self.path.display())
        else {
            return TRUST.skipped("none", "no variable");
        };
        let id = kebab(first);
        let said = |what: &str| format!("{path} {what} ({names})");
        let held = match &self.held {
            Ok(held) => held,
            Err(why) => return TRUST.fail(&id, said(why), EXPORT),
        };
        match (ours.is_trusted_by(held), held.public()) {
            (Some(false), _) => TRUST.fail(&id, said("does not hold namewall's CA"), EXPORT),
            (None, _) => TRUST.skipped(&id, said("was not judged: there is no CA here to look for")),
            (Some(true), 0) if !self.adds => {
                let message = said("holds namewall's CA alone: clients reach no other host with it");
                TRUST.fail(&id, message, EXPORT)
            }
            (Some(true), _) if self.adds => {
                TRUST.ok(&id, said("holds namewall's CA, which is added to the client's own"))
            }
            (Some(true), public) => TRUST.ok(&id, said(&format!("holds namewall's CA and {public} public roots"))),
        }
    }
}

/// The variables that name roots, and whether their clients add them. Asked of `env`, which knows them all.
fn trust_variables() -> Vec<(&'static str, bool)> {
    let (bundle, ca) = (Path::new("bundle"), Path::new("ca"));
    let all = variables("proxy", bundle, ca, None).into_iter();
    all.filter_map(|(name, value)| match Path::new(&value) {
        path if path == bundle => Some((name, false)),
        path if path == ca => Some((name, true)),
        _ => None,
    })
    .collect()
}

/// The two without which some client trusts nothing of ours: uv reads the first alone, poetry and twine the second.
fn missing(facts: &Facts<'_>, ours: &Ours<'_>) -> Vec<Check> {
    let is_set = |name: &str| facts.environment.var(name).is_some();
    let mut checks = Vec::new();
    let in_system = || ours.is_trusted_by(&Held::native()) == Some(true);
    if !is_set("SSL_CERT_FILE") {
        let id = "ssl-cert-file";
        checks.push(if !is_set("SSL_CERT_DIR") && in_system() {
            TRUST.ok(id, "SSL_CERT_FILE is not set, and the system's store holds namewall's CA")
        } else {
            TRUST.fail(id, "SSL_CERT_FILE is not set: uv and curl don't trust namewall's certificates", EXPORT)
        });
    }
    if !is_set("REQUESTS_CA_BUNDLE") && !is_set("CURL_CA_BUNDLE") {
        let message = "neither REQUESTS_CA_BUNDLE nor CURL_CA_BUNDLE is set: poetry, twine and older pips don't trust \
                       namewall's certificates";
        checks.push(TRUST.fail("requests-ca-bundle", message, EXPORT));
    }
    checks
}

/// The authority of this config; a namewall on another machine has its own.
fn of_authority(authority: &Result<CertificateAuthority, CaError>, facts: &Facts<'_>, elsewhere: bool) -> Check {
    let id = "ca";
    let authority = match authority {
        Ok(authority) => authority,
        Err(CaError::Absent { .. }) if elsewhere => {
            return TRUST.skipped(id, "there is no CA of this machine's, and the proxy in use has its own");
        }
        Err(CaError::Absent { dir }) => {
            return TRUST.warn(
                id,
                format!("there is no CA of this machine's in {}", dir.display()),
                "namewall ca init",
            );
        }
        Err(error) => return TRUST.fail(id, error.to_string(), "namewall ca renew"),
    };
    let mut uncovered: Vec<&str> =
        facts.sites.keys().filter(|host| !authority.permits(host)).map(HostName::as_str).collect();
    uncovered.sort_unstable();
    if !uncovered.is_empty() {
        let message = format!("this machine's CA may not sign for {}", uncovered.join(", "));
        return TRUST.fail(id, message, "namewall ca renew");
    }
    let end = authority.not_after();
    if end - OffsetDateTime::now_utc() < SOON {
        let message = format!("this machine's CA expires on {}", end.date());
        return TRUST.warn(id, message, "namewall ca renew");
    }
    TRUST.ok(id, format!("this machine's CA is valid to {} and may sign for every intercepted host", end.date()))
}
