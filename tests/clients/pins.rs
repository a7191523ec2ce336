//! Which clients are tried, and what is peculiar about each. Change a pin here and nowhere else.

/// A client of the package registry, at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// Its project, and the command.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
}

/// Asks for `text/html` and nothing else, as all pips before 22.2. The oldest that still starts on Python 3.11, where
/// 19.0 fails to import; from Python 3.12 on none of its age does, so these tests want a Python from 3.8 to 3.11.
pub(crate) const OLDEST_PIP: Pin = Pin { name: "pip", version: "19.3.1" };

/// Asks for JSON, reads PEP 658 metadata, trusts nothing but `REQUESTS_CA_BUNDLE` and its kin; the pip that Python 3.11
/// brings along.
pub(crate) const OLDER_PIP: Pin = Pin { name: "pip", version: "23.2.1" };

/// Keeps pages for as long as they say; reads `SSL_CERT_FILE`.
pub(crate) const NEWEST_PIP: Pin = Pin { name: "pip", version: "26.3" };

/// Speaks HTTP/2; shows problem details.
pub(crate) const NEWEST_UV: Pin = Pin { name: "uv", version: "0.13.9" };
