//! Which clients are tried, and what is peculiar about each. Change a pin here and nowhere else.

/// A client of the package registry, at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// The readers of simple pages that the judges of filtered pages bring together: pip, pypi-simple, pdm's and poetry's.
pub(crate) const READERS: &[Pin] = &[
    NEWEST_PIP,
    Pin { name: "packaging", version: "26.4" },
    Pin { name: "poetry", version: "2.5.1" },
    Pin { name: "pypi-simple", version: "1.8.0" },
    Pin { name: "unearth", version: "0.19.0" },
    // What of poetry's needs its readers have.
    Pin { name: "cleo", version: "2.1.0" },
    Pin { name: "platformdirs", version: "4.14.8" },
    Pin { name: "poetry-core", version: "2.5.0" },
    Pin { name: "rapidfuzz", version: "3.14.6" },
    Pin { name: "tomlkit", version: "0.15.2" },
    // What the others need.
    Pin { name: "annotated-types", version: "0.8.0" },
    Pin { name: "anyio", version: "4.16.0" },
    Pin { name: "attrs", version: "26.1.0" },
    Pin { name: "beautifulsoup4", version: "4.15.0" },
    Pin { name: "certifi", version: "2026.10.19.post1" },
    Pin { name: "charset-normalizer", version: "3.5.3" },
    Pin { name: "h11", version: "0.16.0" },
    Pin { name: "httpcore2", version: "2.16.2" },
    Pin { name: "httpx2", version: "2.16.2" },
    Pin { name: "idna", version: "3.20" },
    Pin { name: "mailbits", version: "0.2.3" },
    Pin { name: "pydantic", version: "2.14.4" },
    Pin { name: "pydantic-core", version: "2.50.5" },
    Pin { name: "requests", version: "2.34.2" },
    Pin { name: "soupsieve", version: "4.1.3" },
    Pin { name: "typing-extensions", version: "4.16.0" },
    Pin { name: "typing-inspection", version: "0.4.5" },
    Pin { name: "urllib3", version: "2.8.0" },
];

/// The publisher that most projects use, and what it needs.
pub(crate) const TWINE: &[Pin] = &[
    Pin { name: "twine", version: "7.0.0" },
    Pin { name: "backports.tarfile", version: "1.2.0" },
    Pin { name: "certifi", version: "2026.10.19.post1" },
    Pin { name: "cffi", version: "2.1.1" },
    Pin { name: "charset-normalizer", version: "3.5.3" },
    Pin { name: "cryptography", version: "50.0.2" },
    Pin { name: "docutils", version: "0.23" },
    Pin { name: "id", version: "1.6.1" },
    Pin { name: "idna", version: "3.20" },
    Pin { name: "importlib_metadata", version: "10.2.0" },
    Pin { name: "jaraco.classes", version: "3.4.0" },
    Pin { name: "jaraco.context", version: "6.1.2" },
    Pin { name: "jaraco.functools", version: "4.6.0" },
    Pin { name: "jeepney", version: "0.9.0" },
    Pin { name: "keyring", version: "25.7.0" },
    Pin { name: "lazy-importer", version: "0.1.0" },
    Pin { name: "markdown-it-py", version: "4.3.0" },
    Pin { name: "mdurl", version: "0.1.2" },
    Pin { name: "more-itertools", version: "11.2.1" },
    Pin { name: "nh3", version: "0.3.8" },
    Pin { name: "packaging", version: "26.4" },
    Pin { name: "pycparser", version: "3.12" },
    Pin { name: "Pygments", version: "2.21.0" },
    Pin { name: "readme_renderer", version: "46.0" },
    Pin { name: "requests", version: "2.34.2" },
    Pin { name: "requests-toolbelt", version: "1.0.0" },
    Pin { name: "rfc3986", version: "2.0.0" },
    Pin { name: "rich", version: "15.0.0" },
    Pin { name: "SecretStorage", version: "3.5.0" },
    Pin { name: "urllib3", version: "2.8.0" },
    Pin { name: "zipp", version: "4.1.2" },
];

/// The mirror of all of PyPI, which calls XML-RPC, and what it needs.
pub(crate) const BANDERSNATCH: &[Pin] = &[
    Pin { name: "bandersnatch", version: "6.8.0" },
    Pin { name: "aiohappyeyeballs", version: "2.7.1" },
    Pin { name: "aiohttp", version: "3.14.5" },
    Pin { name: "aiohttp-xmlrpc", version: "1.5.0" },
    Pin { name: "aiohttp_socks", version: "0.12.0" },
    Pin { name: "aiosignal", version: "1.4.0" },
    Pin { name: "attrs", version: "26.1.0" },
    Pin { name: "filelock", version: "4.3.1" },
    Pin { name: "frozenlist", version: "1.8.0" },
    Pin { name: "humanfriendly", version: "10.0" },
    Pin { name: "idna", version: "3.20" },
    Pin { name: "importlib_metadata", version: "10.2.0" },
    Pin { name: "lazy-importer", version: "0.1.0" },
    Pin { name: "lxml", version: "6.1.3" },
    Pin { name: "multidict", version: "7.2.1" },
    Pin { name: "packaging", version: "26.4" },
    Pin { name: "propcache", version: "0.5.4" },
    Pin { name: "python-socks", version: "3.2.1" },
    Pin { name: "typing_extensions", version: "4.16.0" },
    Pin { name: "yarl", version: "1.25.1" },
    Pin { name: "zipp", version: "4.1.2" },
];
