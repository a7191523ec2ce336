//! The clients that are tried, described.

use super::family::{Family, Layout, Lock, Made, line, quoted};

/// What pip wants stands in a requirements file, which may name further indexes.
pub(crate) const PIP: Family = Family {
    name: "pip",
    layouts: &[Layout::new("--extra-index-url", "--extra-index-url {private}")],
    files: &[("wanted.txt", "{layout}\n{wanted}")],
    want: line,
    env: &[("PIP_DISABLE_PIP_VERSION_CHECK", "1")],
    install: &["python -m pip install --target site-packages -r wanted.txt"],
    locks: &[HASHES],
    builds: true,
};

/// Before pip knew PEP 517, and `name @ URL` outside of metadata.
pub(crate) const PIP_BEFORE_BACKENDS: Family =
    Family { builds: false, want: |name, url| format!("{}\n", url.unwrap_or(name)), ..PIP };

/// Since pip knows PEP 751.
pub(crate) const PIP_WITH_PYLOCK: Family = Family { locks: &[HASHES, PYLOCK], ..PIP };

const HASHES: Lock = Lock {
    name: "--require-hashes",
    file: "wanted.txt",
    made: Made::Written(
        "{layout}\nacme-core==99.0 --hash=sha256:{acme-sha256}\ngreetings==2.1 --hash=sha256:{greetings-sha256}\n",
    ),
    install: "python -m pip install --target site-packages --require-hashes -r wanted.txt",
};

const PYLOCK: Lock = Lock {
    name: "pylock.toml",
    file: "pylock.toml",
    made: Made::Written(
        r#"lock-version = "1.0"
created-by = "anybody"
[[packages]]
name = "acme-core"
version = "99.0"
wheels = [{ url = "{acme-url}", hashes = { sha256 = "{acme-sha256}" } }]
[[packages]]
name = "greetings"
version = "2.1"
wheels = [{ url = "{greetings-url}", hashes = { sha256 = "{greetings-sha256}" } }]
"#,
    ),
    install: "python -m pip install --target site-packages -r pylock.toml",
};

/// uv's projects.
pub(crate) const UV: Family = Family {
    name: "uv sync",
    layouts: &[
        Layout::new("private index as default", UV_PRIVATE_DEFAULT),
        Layout::new("unsafe-best-match", UV_BEST),
        Layout::new("unsafe-first-match, PyPI first", UV_FIRST),
    ],
    files: &[(
        "pyproject.toml",
        "[project]\nname = \"job\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [{wanted}]\n\
         [tool.uv]\npackage = false\n{layout}",
    )],
    want: quoted,
    env: &[("UV_PYTHON", "{python}"), ("UV_PYTHON_DOWNLOADS", "never")],
    install: &["uv sync"],
    locks: &[Lock { name: "uv.lock", file: "uv.lock", made: Made::By("uv lock"), install: "uv sync --frozen" }],
    builds: true,
};

const UV_PRIVATE_DEFAULT: &str = "[[tool.uv.index]]\nurl = \"https://pypi.org/simple/\"\n\
                                  [[tool.uv.index]]\nurl = \"{private}\"\ndefault = true\n";
const UV_BEST: &str = "index-strategy = \"unsafe-best-match\"\n[[tool.uv.index]]\nurl = \"{private}\"\n";
const UV_FIRST: &str = "index-strategy = \"unsafe-first-match\"\n[[tool.uv.index]]\nurl = \"https://pypi.org/simple/\"\n\
                        [[tool.uv.index]]\nurl = \"{private}\"\ndefault = true\n";

/// uv as pip.
pub(crate) const UV_PIP: Family = Family {
    name: "uv pip",
    layouts: &[Layout::new(
        "--index-url private --extra-index-url PyPI",
        "--index-url {private}\n--extra-index-url https://pypi.org/simple/",
    )],
    files: PIP.files,
    want: line,
    install: &["uv pip install --target site-packages -r wanted.txt"],
    locks: &[Lock { install: "uv pip install --target site-packages --require-hashes -r wanted.txt", ..HASHES }],
    ..UV
};

/// Poetry's projects.
pub(crate) const POETRY: Family = Family {
    name: "poetry",
    layouts: &[
        Layout::new(
            "supplemental",
            "[[tool.poetry.source]]\nname = \"corp\"\nurl = \"{private}\"\npriority = \"supplemental\"\n",
        ),
        Layout::new(
            "two primaries",
            "[[tool.poetry.source]]\nname = \"corp\"\nurl = \"{private}\"\n[[tool.poetry.source]]\nname = \"PyPI\"\n",
        ),
    ],
    files: &[(
        "pyproject.toml",
        "[project]\nname = \"job\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [{wanted}]\n\
         [tool.poetry]\npackage-mode = false\n{layout}",
    )],
    want: quoted,
    env: &[("POETRY_VIRTUALENVS_IN_PROJECT", "true"), ("POETRY_NO_INTERACTION", "1")],
    install: &["python -m poetry install"],
    locks: &[Lock {
        name: "poetry.lock",
        file: "poetry.lock",
        made: Made::By("python -m poetry lock"),
        install: "python -m poetry install",
    }],
    builds: true,
};

/// PDM's projects.
pub(crate) const PDM: Family = Family {
    name: "pdm",
    layouts: &[Layout::new("two sources", PDM_SOURCE), Layout::new("respect-source-order", PDM_IN_ORDER)],
    files: &[(
        "pyproject.toml",
        "[project]\nname = \"job\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [{wanted}]\n\
         [tool.pdm]\ndistribution = false\n{layout}",
    )],
    want: quoted,
    env: &[("PDM_CHECK_UPDATE", "0"), ("PDM_NON_INTERACTIVE", "1")],
    install: &["python -m pdm install"],
    locks: &[Lock {
        name: "pdm.lock",
        file: "pdm.lock",
        made: Made::By("python -m pdm lock"),
        install: "python -m pdm sync",
    }],
    builds: true,
};

const PDM_SOURCE: &str = "[[tool.pdm.source]]\nname = \"corp\"\nurl = \"{private}\"\nverify_ssl = false\n";
const PDM_IN_ORDER: &str = "[tool.pdm.resolution]\nrespect-source-order = true\n\
                            [[tool.pdm.source]]\nname = \"pypi\"\nurl = \"https://pypi.org/simple\"\n\
                            [[tool.pdm.source]]\nname = \"corp\"\nurl = \"{private}\"\nverify_ssl = false\n";

/// Pipenv's projects. It asks the private index for what is bound to it and for nothing else.
pub(crate) const PIPENV: Family = Family {
    name: "pipenv",
    layouts: &[
        Layout { name: "two sources", text: "", asks_both: false },
        Layout {
            name: "install_search_all_sources",
            text: "[pipenv]\ninstall_search_all_sources = true\n",
            asks_both: false,
        },
    ],
    files: &[(
        "Pipfile",
        "[[source]]\nname = \"pypi\"\nurl = \"https://pypi.org/simple\"\nverify_ssl = true\n\
         [[source]]\nname = \"corp\"\nurl = \"{private}\"\nverify_ssl = false\n\
         {layout}[packages]\n{wanted}",
    )],
    want: |name, url| {
        url.map_or_else(|| format!("{name} = \"*\"\n"), |url| format!("{name} = {{ file = \"{url}\" }}\n"))
    },
    env: &[("PIPENV_VENV_IN_PROJECT", "1"), ("PIPENV_YES", "1"), ("VIRTUALENV_NO_PERIODIC_UPDATE", "1")],
    install: &["python -m pipenv install"],
    locks: &[Lock {
        name: "Pipfile.lock",
        file: "Pipfile.lock",
        made: Made::By("python -m pipenv lock"),
        install: "python -m pipenv sync",
    }],
    builds: true,
};

/// Hatch's environments, with pip in them. They have no lock.
pub(crate) const HATCH: Family = Family {
    name: "hatch (pip)",
    layouts: &[Layout::new("PIP_EXTRA_INDEX_URL", "{private}")],
    files: &[(
        "pyproject.toml",
        "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
         [project]\nname = \"job\"\nversion = \"1\"\n\
         [tool.hatch.envs.default]\nskip-install = true\npath = \".venv\"\ndependencies = [{wanted}]\n",
    )],
    want: quoted,
    env: &[("PIP_EXTRA_INDEX_URL", "{layout}"), ("VIRTUALENV_NO_PERIODIC_UPDATE", "1")],
    install: &["python -m hatch env create"],
    locks: &[],
    builds: true,
};
