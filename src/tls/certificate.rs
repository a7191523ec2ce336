//! A CA certificate as read from a file: what it says, and whether clients would accept what it signs.

use std::path::Path;

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::constraints::Constraints;
use super::error::{CaError, Remedy};
use crate::name::HostName;

/// A certificate that may sign for the hosts in its name constraints, and nothing else.
#[derive(Clone, Debug)]
pub(super) struct CaCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) subject: String,
    /// The subject's encoding: issuers are compared byte for byte (RFC 5280 section 7.1 as everyone implements it).
    pub(super) raw_subject: Vec<u8>,
    /// The bits of the subject's public key.
    pub(super) public_key: Vec<u8>,
    pub(super) serial: String,
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
    pub(super) constraints: Constraints,
}

impl CaCertificate {
    /// Reads `der`, which came from `path`. With `confine_to`, one that isn't confined to it is taken, and confined by us.
    ///
    /// # Errors
    /// [`CaError::NotACertificate`], [`CaError::NotACa`], [`CaError::Unconstrained`].
    pub(super) fn read(
        der: &CertificateDer<'_>,
        path: &Path,
        remedy: Remedy,
        confine_to: Option<&[HostName]>,
    ) -> Result<Self, CaError> {
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
            return Err(CaError::NotACertificate { path: path.to_owned(), remedy });
        };
        if let Some(defect) = defect(&certificate) {
            return Err(CaError::NotACa { path: path.to_owned(), defect, remedy });
        }
        let constraints = match (Constraints::read(&certificate), confine_to) {
            // Without hosts it is only to be shown: as it is.
            (Ok(constraints), Some(hosts)) if !hosts.is_empty() && !constraints.beyond(hosts).is_empty() => {
                constraints.narrowed_to(hosts)
            }
            (Ok(constraints), _) => constraints,
            (Err(_), Some(hosts)) => Constraints::of_ours(hosts),
            (Err(defect), None) => {
                return Err(CaError::Unconstrained { path: path.to_owned(), defect, remedy });
            }
        };
        Ok(Self {
            pem: encode_pem(der),
            der: der.clone().into_owned(),
            subject: certificate.subject().to_string(),
            raw_subject: certificate.subject().as_raw().to_owned(),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            serial: colon_hex(certificate.raw_serial()),
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
            constraints,
        })
    }

    /// Checks that leaves for all of `hosts` can be signed now.
    ///
    /// # Errors
    /// [`CaError::Expired`], [`CaError::NotYetValid`], [`CaError::NotCovered`].
    pub(super) fn check(
        &self,
        hosts: &[HostName],
        now: OffsetDateTime,
        path: &Path,
        remedy: Remedy,
    ) -> Result<(), CaError> {
        let path = path.to_owned();
        if now > self.not_after {
            return Err(CaError::Expired { path, not_after: self.not_after, remedy });
        }
        if now < self.not_before {
            return Err(CaError::NotYetValid { path, not_before: self.not_before, remedy });
        }
        if let Some(host) = hosts.iter().find(|host| host.ip().is_some()) {
            return Err(CaError::IpAddress { host: host.clone() });
        }
        let open: Vec<_> = hosts.iter().filter(|host| !self.constraints.permit(host)).cloned().collect();
        if open.is_empty() {
            return Ok(());
        }
        Err(CaError::NotCovered { path, permitted: self.constraints.permitted().to_vec(), hosts: open, remedy })
    }

    /// Checks that nothing but `hosts` can be signed for.
    ///
    /// # Errors
    /// [`CaError::TooWide`].
    pub(super) fn check_within(&self, hosts: &[HostName], path: &Path, advice: &'static str) -> Result<(), CaError> {
        let names = self.constraints.beyond(hosts);
        if names.is_empty() { Ok(()) } else { Err(CaError::TooWide { path: path.to_owned(), names, advice }) }
    }

    /// The SHA-256 fingerprint as tools print it: `3F:9C:…`.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }
}

/// The SHA-256 fingerprint of a certificate.
pub(super) fn fingerprint(der: &CertificateDer<'_>) -> String {
    colon_hex(digest::digest(&digest::SHA256, der).as_ref())
}

/// One certificate as PEM (RFC 7468).
pub(super) fn encode_pem(der: &CertificateDer<'_>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), config)
}

/// What keeps it from being an authority that the strictest client (Python 3.13's `VERIFY_X509_STRICT`) accepts.
fn defect(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca && constraints.critical => {}
        _ => return Some("no critical basic constraints `CA:TRUE`"),
    }
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.value.key_cert_sign() => {}
        _ => return Some("no key usage `keyCertSign`"),
    }
    let identifies_key =
        |extension: &ParsedExtension<'_>| matches!(extension, ParsedExtension::SubjectKeyIdentifier(_));
    if !certificate.iter_extensions().any(|extension| identifies_key(extension.parsed_extension())) {
        return Some("no subject key identifier");
    }
    let mut names = certificate.subject().iter();
    let no_name = certificate.subject().iter().next().is_none() || names.any(|name| name.iter().next().is_none());
    no_name.then_some("an empty subject")
}

fn colon_hex(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
