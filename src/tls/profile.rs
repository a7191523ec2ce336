//! The certificate profiles: everything that stands in an authority's certificate of ours and in a leaf.
//!
//! Each line was tried against pip, uv, curl (OpenSSL and GnuTLS), git, node and Python 3.13, whose default is OpenSSL's
//! `X509_V_FLAG_X509_STRICT`; `certs/README.md` has the reasons as a table.

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::error::CaError;
use crate::name::HostName;

/// The organisation in the subject of every authority that namewall makes: how one is recognised among other roots.
pub(super) const ORGANISATION: &str = "namewall";

/// Long enough that trust is given once for the life of a CI image or a laptop, and as long as Apple trusts any server
/// certificate (HT210176): an authority forgotten on a machine ends by itself.
const AUTHORITY_LIFE: Duration = Duration::days(825);

/// A day covers a container or a virtual machine whose clock is behind, or runs in local time.
const AUTHORITY_BACKDATE: Duration = Duration::days(1);

/// Below Chromium's 200 and Apple's 398 days, and long enough that no client sees a renewal in a day's work.
const LEAF_LIFE: Duration = Duration::days(30);

/// For clients whose clock is a little behind.
const LEAF_BACKDATE: Duration = Duration::hours(1);

/// The upper bound of a common name is 64 (RFC 5280 appendix A, ub-common-name); Schannel wants less.
const COMMON_NAME_LIMIT: usize = 64;

/// An authority confined to `hosts`, each with its sub-domains.
///
/// # Errors
/// [`CaError::NoHosts`] and [`CaError::IpAddress`]: constraints that would not confine.
pub(super) fn authority(hosts: &[HostName], now: OffsetDateTime) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = authority_name()?;
    params.serial_number = Some(serial()?);
    params.not_before = now - AUTHORITY_BACKDATE;
    params.not_after = params.not_before + AUTHORITY_LIFE;
    // It signs leaves, never another authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints(hosts)?);
    Ok(params)
}

/// A server certificate for `host` that lies within the authority's validity.
///
/// # Errors
/// [`CaError`] when there are no random bytes, or `host` can't stand in a certificate.
pub(super) fn leaf(
    host: &HostName,
    now: OffsetDateTime,
    authority_not_before: OffsetDateTime,
    authority_not_after: OffsetDateTime,
) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if host.as_str().len() < COMMON_NAME_LIMIT {
        params.distinguished_name.push(DnType::CommonName, host.as_str());
    }
    params.subject_alt_names = vec![SanType::DnsName(host.as_str().try_into()?)];
    // A serial derived from the key or the time repeats itself, which Firefox refuses.
    params.serial_number = Some(serial()?);
    params.not_before = (now - LEAF_BACKDATE).max(authority_not_before);
    params.not_after = (now + LEAF_LIFE).min(authority_not_after);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python 3.13 refuses a leaf without one: "Missing Authority Key Identifier".
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Differs from each leaf's subject, or OpenSSL takes the leaf for self-signed, and from that of other machines'
/// authorities, so that two in one trust store are told apart.
fn authority_name() -> Result<DistinguishedName, CaError> {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANISATION);
    name.push(DnType::CommonName, format!("namewall CA {:016x}", u64::from_be_bytes(random()?)));
    Ok(name)
}

/// The same for `openssl x509 -req -extfile`: what an organisation signs with.
///
/// # Errors
/// As [`authority`].
pub(super) fn openssl_extensions(hosts: &[HostName]) -> Result<String, CaError> {
    let mut text = "\
basicConstraints       = critical, CA:TRUE, pathlen:0
keyUsage               = critical, keyCertSign, cRLSign
subjectKeyIdentifier   = hash
authorityKeyIdentifier = keyid:always
nameConstraints        = critical, @only
[only]
"
    .to_owned();
    for (at, name) in constrained_names(hosts)?.into_iter().enumerate() {
        text += &format!("permitted;DNS.{} = {name}\n", at + 1);
    }
    Ok(text + "excluded;IP.1 = 0.0.0.0/0.0.0.0\nexcluded;IP.2 = ::/::\n")
}

fn constrained_names(hosts: &[HostName]) -> Result<Vec<&str>, CaError> {
    // Without a permitted name the extension would permit all.
    if hosts.is_empty() {
        return Err(CaError::NoHosts);
    }
    if let Some(host) = hosts.iter().find(|host| host.ip().is_some()) {
        return Err(CaError::IpAddress { host: host.clone() });
    }
    let mut names: Vec<_> = hosts.iter().map(HostName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn constraints(hosts: &[HostName]) -> Result<NameConstraints, CaError> {
    let names = constrained_names(hosts)?;
    Ok(NameConstraints {
        permitted_subtrees: names.into_iter().map(|name| GeneralSubtree::DnsName(name.to_owned())).collect(),
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    })
}

/// 16 random bytes, positive and of one length (RFC 5280 section 4.1.2.2).
fn serial() -> Result<SerialNumber, CaError> {
    let [first, rest @ ..] = random::<16>()?;
    let mut serial = vec![(first & 0x3f) | 0x40];
    serial.extend(rest);
    Ok(serial.into())
}

fn random<const N: usize>() -> Result<[u8; N], CaError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).ok().ok_or(CaError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rcgen::{Issuer, KeyPair};
    use time::macros::datetime;
    use x509_parser::parse_x509_certificate;
    use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate};

    use super::*;
    use crate::tls::testing::{host, hosts};

    const NOW: OffsetDateTime = datetime!(2030-06-15 12:00 UTC);

    #[test]
    fn what_stands_in_an_authority() {
        let key = KeyPair::generate().unwrap();
        let der = authority(&hosts(), NOW).unwrap().self_signed(&key).unwrap();
        let (_, parsed) = parse_x509_certificate(der.der()).unwrap();
        let subject = parsed.subject().to_string();
        assert!(subject.starts_with("O=namewall, CN=namewall CA "), "{subject}");
        assert_eq!((parsed.raw_serial().len(), parsed.version().0), (16, 2));
        assert_eq!(parsed.validity().not_before.to_datetime(), datetime!(2030-06-14 12:00 UTC));
        assert_eq!(parsed.validity().not_after.to_datetime(), datetime!(2032-09-16 12:00 UTC));
        assert!(parsed.public_key().parsed().is_ok_and(|key| key.key_size() == 256));

        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca && basic.value.path_len_constraint == Some(0));
        let usage = parsed.key_usage().unwrap().unwrap();
        // keyCertSign and cRLSign are the bits 5 and 6.
        assert!(usage.critical && usage.value.flags == 0b110_0000);
        assert!(key_identifier(&parsed).is_some());

        let names = parsed.name_constraints().unwrap().unwrap();
        let bases = |trees: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
            trees.iter().flatten().map(|tree| format!("{:?}", tree.base)).collect::<Vec<_>>()
        };
        assert!(names.critical);
        assert_eq!(
            bases(&names.value.permitted_subtrees),
            [r#"DNSName("files.pythonhosted.org")"#, r#"DNSName("pypi.org")"#]
        );
        let everywhere = [GeneralName::IPAddress(&[0; 8]), GeneralName::IPAddress(&[0; 32])];
        assert_eq!(bases(&names.value.excluded_subtrees), everywhere.map(|base| format!("{base:?}")));
    }

    #[test]
    fn what_stands_in_a_leaf() {
        let (key, root_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root_params = authority(&hosts(), NOW).unwrap();
        let root = root_params.self_signed(&root_key).unwrap();
        let (_, root_parsed) = parse_x509_certificate(root.der()).unwrap();
        let params = leaf(&host("pypi.org"), NOW, root_params.not_before, root_params.not_after).unwrap();
        let der = params.signed_by(&key, &Issuer::from_ca_cert_der(root.der(), root_key).unwrap()).unwrap();
        let (_, parsed) = parse_x509_certificate(der.der()).unwrap();

        assert_eq!(parsed.subject().to_string(), "CN=pypi.org");
        assert_eq!(parsed.issuer().as_raw(), root_parsed.subject().as_raw());
        assert_eq!(parsed.raw_serial().len(), 16);
        assert_eq!(parsed.validity().not_before.to_datetime(), datetime!(2030-06-15 11:00 UTC));
        assert_eq!(parsed.validity().not_after.to_datetime(), datetime!(2030-07-15 12:00 UTC));
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert!(!names.critical && names.value.general_names == [GeneralName::DNSName("pypi.org")]);
        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && !basic.value.ca);
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.flags == 1);
        let extended = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && !extended.client_auth && !extended.any && extended.other.is_empty());

        let authority_key = parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(identifier) => identifier.key_identifier.clone(),
            _ => None,
        });
        assert_eq!(authority_key.unwrap().0, key_identifier(&root_parsed).unwrap());
        assert_ne!(key_identifier(&parsed), key_identifier(&root_parsed));
        assert_ne!(parsed.public_key().raw, root_parsed.public_key().raw);
    }

    #[test]
    fn a_leaf_lies_within_its_authority() {
        let (born, dies) = (NOW - Duration::minutes(5), NOW + Duration::days(3));
        let params = leaf(&host("pypi.org"), NOW, born, dies).unwrap();
        assert_eq!((params.not_before, params.not_after), (born, dies));
    }

    #[test]
    fn a_long_host_has_no_common_name() {
        let named = |length: usize| {
            let name = format!("{}.pypi.org", "a".repeat(length - ".pypi.org".len()));
            leaf(&host(&name), NOW, NOW, NOW).unwrap().distinguished_name.iter().count()
        };
        assert_eq!((named(63), named(64)), (1, 0));
    }

    #[test]
    fn no_two_alike() {
        let (one, two) = (authority(&hosts(), NOW).unwrap(), authority(&hosts(), NOW).unwrap());
        assert_ne!(one.distinguished_name, two.distinguished_name);
        assert_ne!(one.serial_number, two.serial_number);
    }

    #[test]
    fn what_would_not_confine_is_refused() {
        assert!(matches!(authority(&[], NOW), Err(CaError::NoHosts)));
        let address = authority(&[host("pypi.org"), host("10.0.0.1")], NOW).unwrap_err().to_string();
        assert!(address.contains("`10.0.0.1`") && address.contains("DNS name"), "{address}");
    }

    fn key_identifier<'a>(certificate: &X509Certificate<'a>) -> Option<&'a [u8]> {
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
            _ => None,
        })
    }
}
