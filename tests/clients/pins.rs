//! Which clients are tried, at which versions, and what is peculiar about each. Change a pin here and nowhere else.
//!
//! A set of pins is what `pip freeze` says of a virtual environment with the client in it, folded. The older pips
//! stay as they are, since each shows an age; no other client may be older than May 2026.

/// A client of the package registry and all that it needs, each at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pins(pub(crate) &'static str);

impl Pins {
    /// What pip takes, the client itself first.
    pub(crate) fn packages(self) -> impl Iterator<Item = &'static str> {
        self.0.split_whitespace()
    }

    /// The project of the client itself.
    pub(crate) fn name(self) -> &'static str {
        self.split().0
    }

    /// The version of the client itself.
    pub(crate) fn version(self) -> &'static str {
        self.split().1
    }

    fn split(self) -> (&'static str, &'static str) {
        self.packages().next().and_then(|first| first.split_once("==")).unwrap()
    }
}

/// Knows neither build backends nor JSON, and resolves nothing; what Python 3.6 brought along.
pub(crate) const PIP_18: Pins = Pins("pip==18.1");

/// Asks for `text/html` and nothing else, as all pips before 22.2. The oldest that still starts on Python 3.11,
/// where 19.0 fails to import; from Python 3.12 on none of its age does, so these tests want a Python from 3.8 to
/// 3.11.
pub(crate) const PIP_19: Pins = Pins("pip==19.3.1");

/// Asks for JSON, as pip has done since 22.2.
pub(crate) const PIP_22: Pins = Pins("pip==22.3.1");

/// Reads PEP 658 metadata, trusts nothing but `REQUESTS_CA_BUNDLE` and its kin; the pip that Python 3.11 brings
/// along.
pub(crate) const PIP_23: Pins = Pins("pip==23.2.1");

/// Reads `SSL_CERT_FILE`.
pub(crate) const PIP_24: Pins = Pins("pip==24.3.1");

/// The last that asks for each page anew.
pub(crate) const PIP_25: Pins = Pins("pip==25.3");

/// Keeps pages for as long as they say; installs from `pylock.toml`.
pub(crate) const NEWEST_PIP: Pins = Pins("pip==26.3");

/// Half a year old.
pub(crate) const OLDER_UV: Pins = Pins("uv==0.11.16");

/// Speaks HTTP/2; shows problem details.
pub(crate) const NEWEST_UV: Pins = Pins("uv==0.13.9");

/// Asks PyPI for JSON only, and for a JSON of its own for each release.
pub(crate) const POETRY: Pins = Pins(
    "poetry==2.5.1 anyio==4.16.0 backports.tarfile==1.2.0 backports.zstd==1.8.0 build==1.6.1 CacheControl==0.14.4 \
     certifi==2026.10.19.post1 cffi==2.1.1 charset-normalizer==3.5.3 cleo==2.1.0 crashtest==0.4.1 \
     cryptography==50.0.2 distlib==0.4.4 dulwich==1.2.21 fastjsonschema==2.22.3 filelock==4.3.1 findpython==0.8.0 \
     h11==0.16.0 httpcore2==2.16.2 httpx2==2.16.2 idna==3.20 importlib_metadata==10.2.0 installer==1.1.0 \
     jaraco.classes==3.4.0 jaraco.context==6.1.2 jaraco.functools==4.6.0 jeepney==0.9.0 keyring==25.7.0 \
     lazy-importer==0.1.0 more-itertools==11.2.1 msgpack==1.2.4 packaging==26.4 pbs-installer==2026.10.25 \
     pkginfo==1.13.3 platformdirs==4.14.8 poetry-core==2.5.0 pycparser==3.12 pyproject_hooks==1.3.3 \
     python-discovery==1.9.6 RapidFuzz==3.14.6 requests-toolbelt==1.0.0 requests==2.34.2 SecretStorage==3.5.0 \
     shellingham==1.5.4 tomlkit==0.15.2 trove-classifiers==2026.9.21.13 truststore==0.10.5 typing_extensions==4.16.0 \
     urllib3==2.8.0 virtualenv==21.15.11 zipp==4.1.2",
);

/// Its `locked` extra: with the newest of all that it needs it doesn't start.
pub(crate) const PDM: Pins = Pins(
    "pdm==2.29.3 anyio==4.13.0 anysqlite==0.0.5 argcomplete==3.7.0 blinker==1.9.0 certifi==2026.4.22 dep-logic==0.7.1 \
     distlib==0.4.0 filelock==3.29.0 findpython==0.8.0 h11==0.16.0 hishel==1.2.1 httpcore==1.0.9 httpx==0.28.1 \
     id==1.6.1 idna==3.13 installer==1.0.0 markdown-it-py==4.1.0 mdurl==0.1.2 msgpack==1.1.2 packaging==26.2 \
     pbs-installer==2026.5.4 platformdirs==4.9.6 Pygments==2.20.0 pyproject_hooks==1.2.0 python-discovery==1.3.0 \
     python-dotenv==1.2.2 resolvelib==1.2.1 rich==15.0.0 shellingham==1.5.4 socksio==1.0.0 tomli==2.4.1 \
     tomlkit==0.14.0 truststore==0.10.4 typing_extensions==4.15.0 unearth==0.18.2 urllib3==2.6.3 virtualenv==21.3.1",
);

/// Asks for hashes at PyPI's legacy JSON.
pub(crate) const PIPENV: Pins = Pins(
    "pipenv==2026.10.3 certifi==2026.10.19.post1 distlib==0.4.4 filelock==4.3.1 packaging==26.4 platformdirs==4.14.8 \
     python-discovery==1.9.6 virtualenv==21.15.11",
);

/// Has pip, the one that virtualenv brings along, or uv install for it.
pub(crate) const HATCH: Pins = Pins(
    "hatch==1.18.2 anyio==4.16.0 backports.tarfile==1.2.0 backports.zstd==1.8.0 cffi==2.1.1 click==8.5.1 \
     cryptography==50.0.2 distlib==0.4.4 distro==1.9.0 filelock==4.3.1 h11==0.16.0 hatchling==1.33.0 \
     httpcore2==2.16.2 httpx2==2.16.2 hyperlink==21.0.0 idna==3.20 importlib_metadata==10.2.0 jaraco.classes==3.4.0 \
     jaraco.context==6.1.2 jaraco.functools==4.6.0 jeepney==0.9.0 keyring==25.7.0 lazy-importer==0.1.0 \
     markdown-it-py==4.3.0 mdurl==0.1.2 more-itertools==11.2.1 packaging==26.4 pathspec==1.1.1 pexpect==4.9.0 \
     platformdirs==4.14.8 pluggy==1.7.0 ptyprocess==0.7.0 pycparser==3.12 Pygments==2.21.0 pyproject_hooks==1.3.3 \
     python-discovery==1.9.6 rich==15.0.0 SecretStorage==3.5.0 shellingham==1.5.4 tomli_w==1.2.0 tomlkit==0.15.2 \
     trove-classifiers==2026.9.21.13 truststore==0.10.5 typing_extensions==4.16.0 userpath==1.9.2 uv==0.13.9 \
     virtualenv==21.15.11 zipp==4.1.2",
);

/// The readers of simple pages that the judges of filtered pages bring together: pip, pypi-simple, pdm's and
/// poetry's. Of poetry's needs those that its readers have.
pub(crate) const READERS: Pins = Pins(
    "pip==26.3 packaging==26.4 poetry==2.5.1 pypi-simple==1.8.0 unearth==0.19.0 cleo==2.1.0 platformdirs==4.14.8 \
     poetry-core==2.5.0 rapidfuzz==3.14.6 tomlkit==0.15.2 annotated-types==0.8.0 anyio==4.16.0 attrs==26.1.0 \
     beautifulsoup4==4.15.0 certifi==2026.10.19.post1 charset-normalizer==3.5.3 h11==0.16.0 httpcore2==2.16.2 \
     httpx2==2.16.2 idna==3.20 mailbits==0.2.3 pydantic==2.14.4 pydantic-core==2.50.5 requests==2.34.2 \
     soupsieve==4.1.3 typing-extensions==4.16.0 typing-inspection==0.4.5 urllib3==2.8.0",
);

/// The publisher that most projects use, and what it needs.
pub(crate) const TWINE: Pins = Pins(
    "twine==7.0.0 backports.tarfile==1.2.0 certifi==2026.10.19.post1 cffi==2.1.1 charset-normalizer==3.5.3 \
     cryptography==50.0.2 docutils==0.23 id==1.6.1 idna==3.20 importlib_metadata==10.2.0 jaraco.classes==3.4.0 \
     jaraco.context==6.1.2 jaraco.functools==4.6.0 jeepney==0.9.0 keyring==25.7.0 lazy-importer==0.1.0 \
     markdown-it-py==4.3.0 mdurl==0.1.2 more-itertools==11.2.1 nh3==0.3.8 packaging==26.4 pycparser==3.12 \
     Pygments==2.21.0 readme_renderer==46.0 requests==2.34.2 requests-toolbelt==1.0.0 rfc3986==2.0.0 rich==15.0.0 \
     SecretStorage==3.5.0 urllib3==2.8.0 zipp==4.1.2",
);

/// The mirror of all of PyPI, which calls XML-RPC, and what it needs.
pub(crate) const BANDERSNATCH: Pins = Pins(
    "bandersnatch==6.8.0 aiohappyeyeballs==2.7.1 aiohttp==3.14.5 aiohttp-xmlrpc==1.5.0 aiohttp_socks==0.12.0 \
     aiosignal==1.4.0 attrs==26.1.0 filelock==4.3.1 frozenlist==1.8.0 humanfriendly==10.0 idna==3.20 \
     importlib_metadata==10.2.0 lazy-importer==0.1.0 lxml==6.1.3 multidict==7.2.1 packaging==26.4 propcache==0.5.4 \
     python-socks==3.2.1 typing_extensions==4.16.0 yarl==1.25.1 zipp==4.1.2",
);
