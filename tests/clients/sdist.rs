//! A source distribution, and the build backend that it needs: small enough to be read, complete enough for every client.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use namewall::demo::{Artifact, Wheel};

/// The project of the backend. As any other it comes from PyPI, when a client builds.
pub(crate) const BACKEND: &str = "tiny-backend";

/// The hooks of PEP 517, without a need of their own.
const HOOKS: &str = r#"
import os, tarfile, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open("PKG-INFO") as file:
        metadata = file.read()
    fields = dict(line.split(": ", 1) for line in metadata.splitlines())
    module, version = fields["Name"].replace("-", "_"), fields["Version"]
    info = "%s-%s.dist-info/" % (module, version)
    files = {
        module + ".py": "",
        info + "METADATA": metadata,
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[info + "RECORD"] = "".join("%s,,\n" % name for name in list(files) + [info + "RECORD"])
    name = "%s-%s-py3-none-any.whl" % (module, version)
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def build_sdist(folder, config_settings=None):
    raise NotImplementedError("nobody builds an sdist of an sdist")
"#;

/// The backend's wheel.
pub(crate) fn backend() -> Artifact {
    Artifact::wheel(&Wheel::new(BACKEND, "1.0").module(HOOKS)).unwrap()
}

/// `name-version.tar.gz`, built by the backend.
pub(crate) fn sdist(name: &str, version: &str) -> Artifact {
    let stem = format!("{name}-{version}");
    let build = format!("[build-system]\nrequires = [\"{BACKEND}\"]\nbuild-backend = \"tiny_backend\"\n");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in [
        ("PKG-INFO", format!("Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n")),
        ("pyproject.toml", format!("{build}[project]\nname = \"{name}\"\nversion = \"{version}\"\n")),
        // What pips that ask for it before they build look for.
        ("setup.py", "raise SystemExit('this project is built by its backend')\n".to_owned()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{stem}/{path}"), text.as_bytes()).unwrap();
    }
    let mut zipped = archive.into_inner().unwrap();
    zipped.flush().unwrap();
    Artifact::raw(&format!("{stem}.tar.gz"), version, zipped.finish().unwrap())
}
