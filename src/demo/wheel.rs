//! Makes small, valid wheels: a module or two, and the metadata that installers check.

use std::io::{self, Cursor, Write};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A pure-Python wheel to be made.
#[derive(Clone, Debug)]
pub struct Wheel {
    name: String,
    version: String,
    requires_dist: Vec<String>,
    requires_python: Option<String>,
    module: String,
}

impl Wheel {
    /// A wheel of `name` with one empty module, called as the project is.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            requires_dist: Vec::new(),
            requires_python: None,
            module: String::new(),
        }
    }

    /// Sets the source of its module.
    #[must_use]
    pub fn module(mut self, source: &str) -> Self {
        source.clone_into(&mut self.module);
        self
    }

    /// Adds a dependency (PEP 508).
    #[must_use]
    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires_dist.push(requirement.to_owned());
        self
    }

    /// Sets the versions of Python that it runs on.
    #[must_use]
    pub fn requires_python(mut self, specifier: &str) -> Self {
        self.requires_python = Some(specifier.to_owned());
        self
    }

    /// The name of the project as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version as written.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The versions of Python that it runs on, if it says so.
    #[must_use]
    pub fn python(&self) -> Option<&str> {
        self.requires_python.as_deref()
    }

    /// What it depends on.
    #[must_use]
    pub fn dependencies(&self) -> &[String] {
        &self.requires_dist
    }

    /// Its file name (binary distribution format, "File name convention").
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.module_name(), self.version)
    }

    /// The METADATA file, which an index also serves beside the wheel (PEP 658).
    #[must_use]
    pub fn metadata(&self) -> String {
        let mut metadata = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: made for a demonstration\n",
            self.name, self.version
        );
        let python = self.requires_python.iter().map(|python| format!("Requires-Python: {python}\n"));
        let requires = self.requires_dist.iter().map(|requirement| format!("Requires-Dist: {requirement}\n"));
        metadata.extend(python.chain(requires));
        metadata
    }

    /// The wheel's bytes, the same each time.
    ///
    /// # Errors
    /// When the archive can't be written, which memory alone can cause.
    pub fn build(&self) -> io::Result<Vec<u8>> {
        let info = format!("{}-{}.dist-info", self.module_name(), self.version);
        let files = [
            (format!("{}.py", self.module_name()), self.module.clone()),
            (format!("{info}/METADATA"), self.metadata()),
            (
                format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nGenerator: namewall\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
            ),
        ];
        let record = format!("{info}/RECORD");
        let mut lines: String = files.iter().map(|(path, text)| record_line(path, text.as_bytes())).collect();
        lines.push_str(&format!("{record},,\n"));

        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, text) in files.into_iter().chain([(record, lines)]) {
            archive.start_file(path, SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Stored))?;
            archive.write_all(text.as_bytes())?;
        }
        Ok(archive.finish()?.into_inner())
    }

    fn module_name(&self) -> String {
        self.name.replace(['-', '.'], "_").to_ascii_lowercase()
    }
}

fn record_line(path: &str, bytes: &[u8]) -> String {
    format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes)), bytes.len())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_record_lists_every_file_with_its_hash() {
        let wheel = Wheel::new("Acme.Core", "1.0").module("WHO = 'acme'\n").requires("greetings>=1");
        assert_eq!(wheel.file_name(), "acme_core-1.0-py3-none-any.whl");
        let mut archive = zip::ZipArchive::new(Cursor::new(wheel.build().unwrap())).unwrap();
        let mut record = String::new();
        archive.by_name("acme_core-1.0.dist-info/RECORD").unwrap().read_to_string(&mut record).unwrap();
        let recorded: Vec<_> = record.lines().filter_map(|line| line.split(',').next()).collect();
        let stored: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(recorded, stored);
        let mut module = Vec::new();
        archive.by_name("acme_core.py").unwrap().read_to_end(&mut module).unwrap();
        assert!(record.starts_with(&record_line("acme_core.py", &module)));
    }

    #[test]
    fn the_metadata_names_project_and_dependencies() {
        let wheel = Wheel::new("acme-core", "1.0").requires("greetings").requires_python(">=3.8");
        let metadata = wheel.metadata();
        for line in ["Name: acme-core", "Version: 1.0", "Requires-Dist: greetings", "Requires-Python: >=3.8"] {
            assert!(metadata.lines().any(|found| found == line), "{line} in {metadata}");
        }
        assert_eq!(wheel.build().unwrap(), wheel.build().unwrap());
    }
}
