//! Reads pip's cache: responses under the digests of their URLs, and the wheels that pip built.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA224, digest};
use serde::Deserialize;

use super::entry::{Entry, Otherwise};
use super::installed::{direct_url, header};
use super::judge::Judge;
use super::read;
use super::remedy::Tool;
use crate::name::FileName;
use crate::pypi::site::SiteKind;

/// How much of an entry's headers, and of a cached page, is read.
const HEAD: u64 = 64 * 1024;
const BODY: u64 = 16 << 20;
/// `http-v2/a/b/c/d/e/<digest>`, `wheels/aa/bb/cc/<rest>/`, and some to spare.
const MAX_DEPTH: usize = 8;

/// Whether `folder` is one.
pub(super) fn is_one(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_dir();
    has("http-v2")
        || has("wheels") && (has("http") || folder.join("selfcheck").exists())
        || has("http") && has("selfcheck")
}

/// The entries of the cache at `root` that say which project they are of.
pub(super) fn read(root: &Path, judge: &Judge<'_>, seen: &mut dyn FnMut()) -> Vec<(PathBuf, Tool, Entry)> {
    let mut entries = Vec::new();
    for folder in ["http-v2", "http"] {
        each_file(&root.join(folder), 0, &mut |path| {
            if path.extension().is_none() {
                seen();
                entries.extend(response(path, judge).map(|entry| (path.to_owned(), Tool::PipHttpCache, entry)));
            }
        });
    }
    each_file(&root.join("wheels"), 0, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "whl") {
            seen();
            entries.extend(built_wheel(path).map(|entry| (path.to_owned(), Tool::PipWheelCache, entry)));
        }
    });
    entries
}

fn each_file(folder: &Path, depth: usize, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => each_file(&entry.path(), depth + 1, visit),
            Ok(kind) if kind.is_file() => visit(&entry.path()),
            _ => {}
        }
    }
}

/// A response: PyPI's file host says in its headers whose file it is; a page and metadata say it themselves.
fn response(path: &Path, judge: &Judge<'_>) -> Option<Entry> {
    let head = read::start_of(path, HEAD).ok()?;
    if let Some(project) = packed_header(&head, "x-pypi-file-project") {
        let version = packed_header(&head, "x-pypi-file-version");
        let urls = vec!["https://files.pythonhosted.org/".to_owned()];
        return Some(Entry { project, version, urls, ..Entry::default() });
    }
    let body = path.with_extension("body");
    // The older format has the body in the same file, behind the magic and a few keys.
    let (file, bytes) = if body.is_file() {
        let bytes = read::start_of(&body, BODY).ok()?;
        (body, bytes)
    } else {
        let bytes = read::start_of(path, BODY).ok()?;
        (path.to_owned(), bytes)
    };
    if bytes.starts_with(b"PK\x03\x04") {
        return archive(&file);
    }
    let start = bytes.iter().position(|byte| matches!(byte, b'{' | b'<')).unwrap_or_default();
    let content = bytes.get(start..).unwrap_or_default();
    page(content, path, judge).or_else(|| metadata(&bytes))
}

/// The value of a header in a msgpack map: its key, then a string with its length before it.
fn packed_header(head: &[u8], name: &str) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    let at = memchr::memmem::find(&lower, name.as_bytes())? + name.len();
    let (length, skip) = match *head.get(at)? {
        short @ 0xa0..=0xbf => (usize::from(short & 0x1f), 1),
        0xd9 | 0xc4 => (usize::from(*head.get(at + 1)?), 2),
        _ => return None,
    };
    let value = head.get(at + skip..at + skip + length)?;
    String::from_utf8(value.to_vec()).ok()
}

/// A simple page, as far as it is needed.
#[derive(Deserialize)]
struct Page {
    name: String,
    #[serde(default)]
    files: Vec<PageFile>,
}

#[derive(Deserialize)]
struct PageFile {
    #[serde(default)]
    url: String,
}

fn page(content: &[u8], path: &Path, judge: &Judge<'_>) -> Option<Entry> {
    const TITLE: &str = "<title>Links for ";
    let (project, url) = if content.starts_with(b"{") {
        let mut documents = serde_json::Deserializer::from_slice(content).into_iter::<Page>();
        let page = documents.next()?.ok()?;
        (page.name, page.files.into_iter().map(|file| file.url).find(|url| judge.is_public(url)))
    } else {
        let title = memchr::memmem::find(content, TITLE.as_bytes())? + TITLE.len();
        let rest = content.get(title..)?;
        let name = rest.get(..memchr::memchr(b'<', rest)?)?;
        (String::from_utf8_lossy(name).into_owned(), judge.public_url_in(content))
    };
    let url = asked_for(&project, path, judge).or(url);
    // The digest says that it was none of PyPI's own pages. Where a mirror has its pages nobody told us.
    let has_mirrors = judge.sites.values().any(|kind| *kind == SiteKind::Mirror);
    let otherwise = match url {
        None if has_mirrors => Otherwise::Unknown("origin unknown: a cached page without its address"),
        _ => Otherwise::Elsewhere,
    };
    Some(Entry { project, urls: url.into_iter().collect(), otherwise, ..Entry::default() })
}

/// The URL of the page, if it is one of the public index's: entries are named by the digests of their URLs.
fn asked_for(project: &str, path: &Path, judge: &Judge<'_>) -> Option<String> {
    let key = path.file_name()?.to_str()?;
    let urls = judge.sites.keys().flat_map(|host| {
        ["", "/"].map(|slash| {
            format!("https://{host}/simple/{}{slash}", project.to_ascii_lowercase().replace(['_', '.'], "-"))
        })
    });
    urls.into_iter().find(|url| {
        let hex: String = digest(&SHA224, url.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        hex == key
    })
}

const NO_ADDRESS: Otherwise = Otherwise::Unknown("origin unknown: the cache keeps no address with it");

/// A `.metadata` file.
fn metadata(bytes: &[u8]) -> Option<Entry> {
    let at = memchr::memmem::find(bytes, b"Metadata-Version:")?;
    let head = String::from_utf8_lossy(bytes.get(at..bytes.len().min(at + 64 * 1024))?).into_owned();
    let version = header(&head, "Version").map(str::to_owned);
    Some(Entry { project: header(&head, "Name")?.to_owned(), version, otherwise: NO_ADDRESS, ..Entry::default() })
}

/// A wheel: the folder of its metadata bears its name.
fn archive(path: &Path) -> Option<Entry> {
    let archive = zip::ZipArchive::new(File::open(path).ok()?).ok()?;
    let info = archive
        .file_names()
        .flatten()
        .find_map(|name| name.split_once(".dist-info/").map(|(info, _)| info.to_owned()))?;
    let (name, version) = info.split_once('-')?;
    let version = Some(version.to_owned());
    Some(Entry { project: name.to_owned(), version, otherwise: NO_ADDRESS, ..Entry::default() })
}

/// A wheel that pip built; `origin.json` beside it says from what.
fn built_wheel(path: &Path) -> Option<Entry> {
    let file = FileName::parse(path.file_name()?.to_str()?).ok()?;
    let project = file.candidates().projects.first()?.as_str().to_owned();
    let version = file.as_str().split('-').nth(1).map(str::to_owned);
    let url = direct_url(&path.with_file_name("origin.json"));
    let otherwise = if url.is_some() { Otherwise::Elsewhere } else { NO_ADDRESS };
    Some(Entry { project, version, urls: url.into_iter().collect(), otherwise, ..Entry::default() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, policy, sites};
    use super::*;

    fn packed(headers: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = b"cc=4,\x82\xa8response".to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            bytes.push(0xa0 | u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn responses_and_wheels() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("http-v2/1/1/1/1/1/11", &packed(&[("X-PyPI-File-Project", "acme-core"), ("x-pypi-file-version", "9.0")]));
        // The digest of https://pypi.org/simple/acme-data/.
        let url = "https://pypi.org/simple/acme-data/";
        let key: String = digest(&SHA224, url.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        write(&format!("http-v2/2/2/2/2/2/{key}"), &packed(&[("etag", "x")]));
        write(&format!("http-v2/2/2/2/2/2/{key}.body"), br#"{"name":"acme-data","files":[],"meta":{}}"#);
        write("http-v2/3/3/3/3/3/33", &packed(&[]));
        write("http-v2/3/3/3/3/3/33.body", b"<!DOCTYPE html><title>Links for acme-tool</title><a href=\"x\">x</a>");
        write("http-v2/4/4/4/4/4/44", &packed(&[]));
        write("http-v2/4/4/4/4/4/44.body", b"Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n");
        write("wheels/aa/bb/cc/dd/acme_local-1.0-py3-none-any.whl", b"");
        write(
            "wheels/aa/bb/cc/dd/origin.json",
            br#"{"url": "https://files.pythonhosted.org/packages/a/b/c/acme_local-1.0.tar.gz"}"#,
        );
        assert!(is_one(root.path()));
        let (policy, mut sites) = (policy(), sites());
        sites.insert("mirror.example".parse().unwrap(), SiteKind::Mirror);
        let mut seen = 0;
        let entries = read(root.path(), &Judge { policy: &policy, sites: &sites }, &mut || seen += 1);
        let entries: Vec<Entry> = entries.into_iter().map(|(_, _, entry)| entry).collect();
        let mut lines = found(&entries);
        lines.sort();
        assert_eq!(
            lines,
            [
                "error acme-core from https://files.pythonhosted.org/",
                "error acme-data from https://pypi.org/simple/acme-data/",
                "error acme-local from https://files.pythonhosted.org/packages/a/b/c/acme_local-1.0.tar.gz",
                "warning acme from origin unknown: the cache keeps no address with it",
                "warning acme-tool from origin unknown: a cached page without its address",
            ]
        );
        assert_eq!(seen, 5);
        sites.remove("mirror.example");
        let entries = read(root.path(), &Judge { policy: &policy, sites: &sites }, &mut || ());
        let entries: Vec<Entry> = entries.into_iter().map(|(_, _, entry)| entry).collect();
        assert_eq!(found(&entries).len(), 4, "a page of an index that isn't public");
    }
}
