//! Linux: a folder of trusted certificates, and a tool that makes the bundle which programs read out of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::mark_of;
use super::{Change, Held, Holdings, StoreError, run};
use crate::files::{self, Readers};

/// A kind of system, as found in the root of one.
#[derive(Debug)]
struct Layout {
    name: &'static str,
    /// Where the administrator's certificates are put, one a file.
    anchors: &'static str,
    /// Tells that a system is of this kind.
    sign: &'static str,
    /// What makes the bundle: the first that is there. With what it is told, and told after a removal.
    tools: &'static [(&'static str, &'static [&'static str], &'static [&'static str])],
    /// What it makes: OpenSSL, curl and Python read this.
    bundle: &'static str,
    package: &'static str,
}

/// Without `--fresh`, Debian's leaves the link to a certificate that is gone.
const UPDATE_CA_CERTIFICATES: (&str, &[&str], &[&str]) = ("update-ca-certificates", &[], &["--fresh"]);
const UPDATE_CA_TRUST: (&str, &[&str], &[&str]) = ("update-ca-trust", &[], &[]);
const TRUST: (&str, &[&str], &[&str]) = ("trust", &["extract-compat"], &["extract-compat"]);

/// Debian's comes last: openSUSE has a tool of that name.
const LAYOUTS: [Layout; 4] = [
    Layout {
        name: "Fedora's and RHEL's",
        anchors: "etc/pki/ca-trust/source/anchors",
        sign: "etc/pki/ca-trust/source",
        tools: &[UPDATE_CA_TRUST],
        bundle: "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        package: "ca-certificates",
    },
    Layout {
        name: "Arch's",
        anchors: "etc/ca-certificates/trust-source/anchors",
        sign: "etc/ca-certificates/trust-source",
        tools: &[UPDATE_CA_TRUST, TRUST],
        bundle: "etc/ca-certificates/extracted/tls-ca-bundle.pem",
        package: "ca-certificates-utils",
    },
    Layout {
        name: "openSUSE's",
        anchors: "etc/pki/trust/anchors",
        sign: "etc/pki/trust",
        tools: &[UPDATE_CA_CERTIFICATES],
        bundle: "var/lib/ca-certificates/ca-bundle.pem",
        package: "ca-certificates",
    },
    Layout {
        name: "Debian's and Alpine's",
        anchors: "usr/local/share/ca-certificates",
        sign: "usr/share/ca-certificates",
        tools: &[UPDATE_CA_CERTIFICATES],
        bundle: "etc/ssl/certs/ca-certificates.crt",
        package: "ca-certificates",
    },
];

/// Not `PATH`: who runs us as root with a folder of his own in it should not run his tools as root.
const PLACES: [&str; 6] = ["usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin"];

/// The store below one root.
#[derive(Debug)]
pub(super) struct Anchors {
    name: &'static str,
    folder: PathBuf,
    bundle: PathBuf,
    tool: PathBuf,
    refresh: &'static [&'static str],
    refresh_after_removal: &'static [&'static str],
}

impl Anchors {
    /// The store of the system in `root`.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NoTool`].
    pub(super) fn under(root: &Path) -> Result<Self, StoreError> {
        let find = |tool: &str| PLACES.iter().map(|place| root.join(place).join(tool)).find(|path| path.is_file());
        let mut half = None;
        for layout in &LAYOUTS {
            if !root.join(layout.sign).is_dir() {
                continue;
            }
            let found = layout.tools.iter().find_map(|tool| find(tool.0).map(|path| (path, tool.1, tool.2)));
            if let Some((tool, refresh, refresh_after_removal)) = found {
                let (folder, bundle) = (root.join(layout.anchors), root.join(layout.bundle));
                return Ok(Self { name: layout.name, folder, bundle, tool, refresh, refresh_after_removal });
            }
            half = half.or(Some(layout));
        }
        let tools = || LAYOUTS.iter().flat_map(|layout| layout.tools);
        if let Some(layout) = half {
            let tool = layout.tools.first().map_or("", |tool| tool.0);
            return Err(StoreError::NoTool { folder: root.join(layout.sign), tool, package: layout.package });
        }
        let mut looked_for: Vec<_> = tools().map(|tool| tool.0).collect();
        looked_for.sort_unstable();
        looked_for.dedup();
        Err(StoreError::NoStore { looked_for: looked_for.join(", ") })
    }

    pub(super) fn name(&self) -> String {
        format!("{} ({}, {})", self.name, self.folder.display(), self.bundle.display())
    }

    pub(super) fn holdings(&self, path: &Path) -> Result<Holdings, StoreError> {
        let bundle = match fs::read(&self.bundle) {
            Ok(bundle) => bundle,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::of(&self.bundle, error)),
        };
        let ours = self.ours(path)?.into_iter().map(|(_, held)| held).collect();
        Ok(Holdings { trusted: Held::all_in(&bundle), ours })
    }

    pub(super) fn apply(&self, path: &Path, change: &Change) -> Result<(), StoreError> {
        fs::create_dir_all(&self.folder).map_err(|error| StoreError::of(&self.folder, error))?;
        for held in &change.added {
            let path = self.folder.join(file_name(path, held));
            files::replace_durably(&path, held.pem().as_bytes(), Readers::All)
                .map_err(|error| StoreError::of(&path, error))?;
        }
        for (path, _) in self.ours(path)?.into_iter().filter(|(_, held)| change.removed.contains(held)) {
            fs::remove_file(&path).map_err(|error| StoreError::of(&path, error))?;
        }
        let arguments = if change.removed.is_empty() { self.refresh } else { self.refresh_after_removal };
        run(Command::new(&self.tool).args(arguments)).map(drop)
    }

    /// What was installed from `path`: the name says so, and the contents are what the name says.
    fn ours(&self, path: &Path) -> Result<Vec<(PathBuf, Held)>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::of(&self.folder, error)),
        };
        let mut ours = Vec::new();
        let prefix = prefix(path);
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::of(&self.folder, error))?;
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with(&prefix) {
                continue;
            }
            let contents = fs::read(entry.path()).map_err(|error| StoreError::of(&entry.path(), error))?;
            if let [held] = Held::all_in(&contents).as_slice()
                && *name == *file_name(path, held)
            {
                ours.push((entry.path(), held.clone()));
            }
        }
        Ok(ours)
    }
}

fn prefix(path: &Path) -> String {
    format!("namewall-{}-", mark_of(path))
}

/// Which file the authority came from, and which one it is.
fn file_name(path: &Path, held: &Held) -> String {
    format!("{}{}.crt", prefix(path), held.hex().get(..16).unwrap_or_default())
}

#[cfg(unix)]
#[cfg(test)]
#[path = "anchors_tests.rs"]
mod tests;
