//! Reads what is installed: `*.dist-info` and `*.egg-info`. Only a direct URL tells where it came from.

use std::path::Path;

use serde::Deserialize;

use super::entry::{Entry, Otherwise};
use super::read;

/// A distribution's metadata is headers, then its description.
const HEADERS: u64 = 256 * 1024;

/// `direct_url.json` (PEP 610), and the drafted `provenance_url.json` (PEP 710) of the same shape.
#[derive(Deserialize)]
pub(super) struct DirectUrl {
    pub(super) url: String,
}

/// The distribution that the folder `info` (or the old style's file) describes.
pub(super) fn read(info: &Path) -> Option<Entry> {
    let headers = ["METADATA", "PKG-INFO", ""].iter().find_map(|name| {
        let path = if name.is_empty() { info.to_owned() } else { info.join(name) };
        read::start_of(&path, HEADERS).ok()
    });
    let headers = String::from_utf8_lossy(headers.as_deref().unwrap_or_default()).into_owned();
    // The folder's name stands in for a METADATA that is gone: what is importable is there all the same.
    let stem = info.file_stem()?.to_str()?;
    let (name, version) = stem.split_once('-').map_or((stem, None), |(name, rest)| (name, rest.split('-').next()));
    let url = ["direct_url.json", "provenance_url.json"].iter().find_map(|file| direct_url(&info.join(file)));
    Some(Entry {
        project: header(&headers, "Name").unwrap_or(name).to_owned(),
        version: header(&headers, "Version").or(version).map(str::to_owned),
        otherwise: match url {
            Some(_) => Otherwise::Elsewhere,
            None => Otherwise::Unknown("origin unknown: nothing says which index it was installed from"),
        },
        urls: url.into_iter().collect(),
        by: read::start_of(&info.join("INSTALLER"), 64).ok().map(|by| String::from_utf8_lossy(&by).trim().to_owned()),
        ..Entry::default()
    })
}

/// The URL in such a file, if it is there and can be read.
pub(super) fn direct_url(path: &Path) -> Option<String> {
    let bytes = read::start_of(path, HEADERS).ok()?;
    serde_json::from_slice(&bytes).ok().map(|DirectUrl { url }| url)
}

/// The value of a header, before the description.
pub(super) fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = headers.lines().take_while(|line| !line.trim().is_empty()).filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::found;
    use super::*;

    #[test]
    fn only_a_direct_url_tells() {
        let site = tempfile::tempdir().unwrap();
        let info = |name: &str, files: &[(&str, &str)]| {
            let path = site.path().join(name);
            fs::create_dir(&path).unwrap();
            files.iter().for_each(|(file, text)| fs::write(path.join(file), text).unwrap());
            read(&path).unwrap()
        };
        let metadata = ("METADATA", "Metadata-Version: 2.1\nName: Acme.Core\nVersion: 9.0\n\nName: six\n");
        let plain = info("acme_core-9.0.dist-info", &[metadata]);
        assert_eq!(plain.version.as_deref(), Some("9.0"));
        assert_eq!(found(&[plain]).len(), 1);
        let url = "https://files.pythonhosted.org/packages/a/b/c/acme_data-1.0-py3-none-any.whl";
        let json = format!("{{\"url\": \"{url}\", \"archive_info\": {{}}}}");
        let direct = info("acme_data-1.0.dist-info", &[("direct_url.json", &json)]);
        assert_eq!(found(&[direct]), [format!("error acme-data from {url}")]);
        let local = "{\"url\": \"file:///src/acme\", \"dir_info\": {}}";
        let local = info("acme_tool-1.0.dist-info", &[metadata, ("direct_url.json", local)]);
        assert!(found(&[local]).is_empty());
    }
}
