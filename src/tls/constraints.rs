//! Name constraints (RFC 5280 section 4.2.1.10) as read from a certificate: what it may sign for, and whether that confines it.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};

use crate::name::HostName;

/// The DNS names that an authority may sign for.
#[derive(Clone, Debug)]
pub(super) struct Constraints {
    permitted: Vec<String>,
    excluded: Vec<String>,
    /// Whether a range of IP addresses is permitted, of which none is ours.
    addresses: bool,
    /// Whether they stand in the certificate, where clients heed them.
    written: bool,
}

impl Constraints {
    /// Reads them, and refuses those that leave something open. The error says what is wrong, behind "it has".
    pub(super) fn read(certificate: &X509Certificate<'_>) -> Result<Self, &'static str> {
        let Ok(Some(extension)) = certificate.name_constraints() else {
            return Err("no name constraints");
        };
        if !extension.critical {
            return Err("name constraints that are not critical");
        }
        let permitted = extension.value.permitted_subtrees.as_deref().unwrap_or_default();
        let excluded = extension.value.excluded_subtrees.as_deref().unwrap_or_default();
        let addresses = permitted.iter().any(|subtree| matches!(subtree.base, GeneralName::IPAddress(_)));
        let (permitted_names, excluded_names) = (dns_names(permitted), dns_names(excluded));
        let constraints = Self { permitted: permitted_names, excluded: excluded_names, addresses, written: true };
        // A type that no permitted subtree mentions is not constrained at all, and the empty name permits everything.
        if constraints.permitted.is_empty() || constraints.permitted.iter().any(|base| base.is_empty() || base == ".") {
            return Err("no permitted DNS names in its name constraints");
        }
        // Measured: without this, OpenSSL, GnuTLS and rustls accept a leaf for an IP address.
        if !excludes_every_address(excluded) {
            return Err("no excluded IP:0.0.0.0/0.0.0.0 and IP:::/:: in its name constraints");
        }
        // Measured: OpenSSL and rustls refuse each leaf then, whose subject is the host alone.
        if permitted.iter().any(|subtree| matches!(subtree.base, GeneralName::DirectoryName(_))) {
            return Err("a directory name in its name constraints, which no leaf's subject can lie in");
        }
        Ok(constraints)
    }

    /// What we keep to ourselves, with a certificate that would let us do more.
    pub(super) fn of_ours(hosts: &[HostName]) -> Self {
        let permitted = hosts.iter().map(|host| host.as_str().to_owned()).collect();
        Self { permitted, excluded: Vec::new(), addresses: false, written: false }
    }

    /// What we keep to ourselves of these, which permit more than `hosts`.
    pub(super) fn narrowed_to(&self, hosts: &[HostName]) -> Self {
        let ours: Vec<_> = hosts.iter().filter(|host| self.permit(host)).cloned().collect();
        Self::of_ours(&ours)
    }

    /// What is permitted beyond `hosts` and their sub-domains.
    pub(super) fn beyond(&self, hosts: &[HostName]) -> Vec<String> {
        let ours = |base: &str| {
            let base = base.trim_start_matches('.').to_ascii_lowercase();
            hosts.iter().any(|host| is_permitted(&base, host.as_str()))
        };
        let names = self.permitted.iter().filter(|base| !ours(base)).cloned();
        names.chain(self.addresses.then(|| "IP addresses".to_owned())).collect()
    }

    /// Whether they stand in the certificate.
    pub(super) const fn is_written(&self) -> bool {
        self.written
    }

    /// What may be signed for, as written in the certificate.
    pub(super) fn permitted(&self) -> &[String] {
        &self.permitted
    }

    /// Whether a leaf for `host` would be accepted.
    pub(super) fn permit(&self, host: &HostName) -> bool {
        host.ip().is_none()
            && self.permitted.iter().any(|base| is_permitted(host.as_str(), base))
            && !self.excluded.iter().any(|base| is_excluded(host.as_str(), base))
    }
}

fn dns_names(subtrees: &[GeneralSubtree<'_>]) -> Vec<String> {
    let name = |subtree: &GeneralSubtree<'_>| match subtree.base {
        GeneralName::DNSName(name) => Some(name.to_owned()),
        _ => None,
    };
    subtrees.iter().filter_map(name).collect()
}

fn excludes_every_address(excluded: &[GeneralSubtree<'_>]) -> bool {
    // An address and a mask of zeros, for each family.
    let everything = |octets: usize| {
        excluded.iter().any(|subtree| match subtree.base {
            GeneralName::IPAddress(bytes) => bytes.len() == octets && bytes.iter().all(|byte| *byte == 0),
            _ => false,
        })
    };
    everything(8) && everything(32)
}

/// As strictly as the strictest client: GnuTLS compares capitals as they are, and behind a leading dot OpenSSL, GnuTLS
/// and rustls accept sub-domains only.
fn is_permitted(host: &str, base: &str) -> bool {
    match host.strip_suffix(base) {
        Some("") => !base.starts_with('.'),
        Some(front) => front.ends_with('.') || base.starts_with('.'),
        None => false,
    }
}

/// As widely as any client could understand it.
fn is_excluded(host: &str, base: &str) -> bool {
    let base = base.trim_start_matches('.').to_ascii_lowercase();
    base.is_empty() || host.strip_suffix(&base).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_is_read_strictly_and_exclusion_widely() {
        for (host, base, permitted) in [
            ("pypi.org", "pypi.org", true),
            ("www.pypi.org", "pypi.org", true),
            ("evilpypi.org", "pypi.org", false),
            ("pypi.org", ".pypi.org", false),
            ("www.pypi.org", ".pypi.org", true),
            ("pypi.org", "PyPI.org", false),
            ("org", "pypi.org", false),
        ] {
            assert_eq!(is_permitted(host, base), permitted, "{host} in {base}");
        }
        for (host, base, excluded) in [
            ("pypi.org", ".PyPI.org", true),
            ("www.pypi.org", "pypi.org", true),
            ("evilpypi.org", "pypi.org", false),
            ("pypi.org", "", true),
        ] {
            assert_eq!(is_excluded(host, base), excluded, "{host} in {base}");
        }
    }

    #[test]
    fn addresses_are_never_permitted() {
        let constraints =
            Constraints { permitted: vec!["0.1".to_owned()], excluded: Vec::new(), addresses: false, written: true };
        assert!(!constraints.permit(&"10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_lies_beyond_the_hosts_is_named() {
        let hosts: Vec<HostName> = ["pypi.org", "files.pythonhosted.org"].map(|host| host.parse().unwrap()).into();
        let beyond = |permitted: &[&str], addresses| {
            let permitted = permitted.iter().map(|&base| base.to_owned()).collect();
            Constraints { permitted, excluded: Vec::new(), addresses, written: true }.beyond(&hosts)
        };
        assert!(beyond(&["pypi.org", "test.pypi.org", ".pypi.org", "Files.PythonHosted.org"], false).is_empty());
        let wide = ["pypi.org", "com", "org", ".org", "pythonhosted.org", "evilpypi.org"];
        assert_eq!(beyond(&wide, true), ["com", "org", ".org", "pythonhosted.org", "evilpypi.org", "IP addresses"]);
    }
}
