//! What an index holds: projects, and their distribution files.

use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use super::wheel::Wheel;
use crate::name::ProjectName;

/// A project on an index.
#[derive(Clone, Debug)]
pub struct Project {
    name: String,
    serial: u64,
    status: String,
    files: Vec<Artifact>,
}

/// One distribution file.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its file name as the page says it.
    pub file_name: String,
    /// The version that the index has it under.
    pub version: String,
    /// What it is made of.
    pub bytes: Bytes,
    /// Its core metadata, served beside it (PEP 658); a wheel has it.
    pub metadata: Option<Bytes>,
    /// The versions of Python that it runs on.
    pub requires_python: Option<String>,
    /// What it depends on, for the legacy JSON.
    pub requires_dist: Vec<String>,
    /// When it was uploaded, as the simple API writes it.
    pub upload_time: String,
    /// Why it was yanked; empty when no reason was given.
    pub yanked: Option<String>,
    /// What `x-pypi-file-project` says; the project that lists it when not set, no header when empty.
    pub owner: Option<String>,
    /// The file name in its URL, where that differs from what the page says.
    pub url_name: Option<String>,
}

/// All projects of an index.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    projects: Vec<Project>,
}

impl Project {
    /// A project without files. The name is shown as it is written here.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), serial: 29_000_001, status: "active".to_owned(), files: Vec::new() }
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, file: Artifact) -> Self {
        self.files.push(file);
        self
    }

    /// Sets the serial of its last change.
    #[must_use]
    pub const fn at_serial(mut self, serial: u64) -> Self {
        self.serial = serial;
        self
    }

    /// Sets its status (PEP 792).
    #[must_use]
    pub fn with_status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }

    /// The name as its owner writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as URLs have it (PEP 503).
    #[must_use]
    pub fn normalized(&self) -> String {
        normalize(&self.name)
    }

    /// The serial of its last change.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Its status (PEP 792).
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Its files, in the order of the page.
    #[must_use]
    pub fn files(&self) -> &[Artifact] {
        &self.files
    }

    /// Its versions, in the order of its files, each once.
    #[must_use]
    pub fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = Vec::new();
        for file in &self.files {
            if !versions.contains(&file.version.as_str()) {
                versions.push(&file.version);
            }
        }
        versions
    }
}

impl Artifact {
    /// A file of any kind, without metadata.
    #[must_use]
    pub fn raw(file_name: &str, version: &str, bytes: impl Into<Bytes>) -> Self {
        Self {
            file_name: file_name.to_owned(),
            version: version.to_owned(),
            bytes: bytes.into(),
            metadata: None,
            requires_python: None,
            requires_dist: Vec::new(),
            upload_time: "2026-01-02T03:04:05.678901Z".to_owned(),
            yanked: None,
            owner: None,
            url_name: None,
        }
    }

    /// A wheel with its metadata.
    ///
    /// # Errors
    /// As [`Wheel::build`].
    pub fn wheel(wheel: &Wheel) -> io::Result<Self> {
        Ok(Self {
            metadata: Some(wheel.metadata().into()),
            requires_python: wheel.python().map(ToOwned::to_owned),
            requires_dist: wheel.dependencies().to_vec(),
            ..Self::raw(&wheel.file_name(), wheel.version(), wheel.build()?)
        })
    }

    /// The path on the files host: `/packages/`, the file's digest in three pieces, its name. PyPI takes BLAKE2b-256;
    /// any digest of that length makes such a path.
    #[must_use]
    pub fn path(&self) -> String {
        let hash = self.sha256();
        let (first, rest) = hash.split_at_checked(2).unwrap_or_default();
        let (second, rest) = rest.split_at_checked(2).unwrap_or_default();
        format!("/packages/{first}/{second}/{rest}/{}", self.url_name())
    }

    /// The last segment of its URL.
    #[must_use]
    pub fn url_name(&self) -> &str {
        self.url_name.as_deref().unwrap_or(&self.file_name)
    }

    /// The SHA-256 of its bytes, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex_sha256(&self.bytes)
    }

    /// The SHA-256 of its metadata, in hexadecimal.
    #[must_use]
    pub fn metadata_sha256(&self) -> Option<String> {
        self.metadata.as_deref().map(hex_sha256)
    }
}

impl Catalog {
    /// Adds a project.
    pub fn push(&mut self, project: Project) {
        self.projects.push(project);
    }

    /// All projects, in the order of the root page.
    #[must_use]
    pub fn projects(&self) -> &[Project] {
        &self.projects
    }

    /// The project of that name, however it is written.
    #[must_use]
    pub fn project(&self, name: &str) -> Option<&Project> {
        let wanted = normalize(name);
        self.projects.iter().find(|project| project.normalized() == wanted)
    }

    /// Every file with the project that lists it.
    pub fn files(&self) -> impl Iterator<Item = (&Project, &Artifact)> {
        self.projects.iter().flat_map(|project| project.files.iter().map(move |file| (project, file)))
    }

    /// The serial of the last change of any project.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.projects.iter().map(Project::serial).max().unwrap_or_default()
    }
}

impl FromIterator<Project> for Catalog {
    fn from_iter<I: IntoIterator<Item = Project>>(projects: I) -> Self {
        Self { projects: projects.into_iter().collect() }
    }
}

/// The name as URLs have it; what is no name is left as it stands.
pub(super) fn normalize(name: &str) -> String {
    ProjectName::parse(name).map_or_else(|_| name.to_owned(), |name| name.to_string())
}

pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_digest_in_pieces() {
        let file = Artifact::raw("acme-1.0.tar.gz", "1.0", "x");
        let segments: Vec<_> = file.path().split('/').map(str::len).collect();
        assert_eq!(segments, [0, 8, 2, 2, 60, 15]);
        assert_eq!(file.path().split('/').skip(2).take(3).collect::<String>(), file.sha256());
    }

    #[test]
    fn projects_are_found_however_their_name_is_written() {
        let catalog: Catalog = [Project::new("Acme.Core")].into_iter().collect();
        assert!(catalog.project("acme-core").is_some() && catalog.project("ACME__core").is_some());
        assert!(catalog.project("acme").is_none());
    }
}
