//! Reads uv's cache: buckets by kind and version, in them the index, in that a file or a folder a project.

use std::fs;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::judge::Judge;
use super::read;

/// How much of a cached page or archive is searched for the host that it came from.
const SEARCHED: u64 = 4 << 20;

/// Whether `folder` is one.
pub(super) fn is_one(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file() && children(folder).any(|child| bucket(&child).is_some())
}

/// The protected projects in the cache at `root`, and where each is. The others are passed over by their names alone.
pub(super) fn read(root: &Path, judge: &Judge<'_>, seen: &mut dyn FnMut()) -> Vec<(PathBuf, Entry)> {
    let mut entries = Vec::new();
    for folder in children(root).filter(|child| bucket(child).is_some()) {
        for (index, is_pypi) in indexes(&folder) {
            for path in children(&index) {
                seen();
                entries.extend(project(&path, is_pypi, judge).map(|entry| (path, entry)));
            }
        }
    }
    entries
}

/// The name of a bucket that holds projects, without its version.
fn bucket(path: &Path) -> Option<&str> {
    let (kind, version) = path.file_name()?.to_str()?.rsplit_once("-v")?;
    let known = matches!(kind, "simple" | "wheels" | "sdists" | "built-wheels");
    (known && version.bytes().all(|byte| byte.is_ascii_digit())).then_some(kind)
}

/// The folders of projects in a bucket, and whether each is that of PyPI: others are named by a digest.
fn indexes(bucket: &Path) -> Vec<(PathBuf, bool)> {
    let below = |name: &str| children(&bucket.join(name)).map(|folder| (folder, false)).collect::<Vec<_>>();
    let mut all = vec![(bucket.join("pypi"), true)];
    all.extend(below("index"));
    all.extend(below("url"));
    all
}

fn project(path: &Path, is_pypi: bool, judge: &Judge<'_>) -> Option<Entry> {
    // `NAME.rkyv` is a page, a folder NAME has archives; neither has a dot in its (folded) name.
    let name = path.file_name()?.to_str()?.split('.').next()?;
    if !judge.is_protected(name) {
        return None;
    }
    let version = children(path).filter(|child| child.extension().is_some_and(|it| it != "lock")).find_map(|child| {
        let name = child.file_name()?.to_str()?.to_owned();
        name.split_once('-').map(|(version, _tags)| version.to_owned())
    });
    let url = if is_pypi { Some(format!("https://pypi.org/simple/{name}/")) } else { host(path, judge) };
    Some(Entry { project: name.to_owned(), version, urls: url.into_iter().collect(), ..Entry::default() })
}

/// The host of the public index that the page, or an archive in the folder, names as its origin.
fn host(path: &Path, judge: &Judge<'_>) -> Option<String> {
    let files = if path.is_dir() { children(path).collect() } else { vec![path.to_owned()] };
    files.iter().find_map(|file| {
        let bytes = read::start_of(file, SEARCHED).ok()?;
        judge.public_url_in(&bytes)
    })
}

/// What is in a folder, sorted; nothing if it can't be listed. Symbolic links lead into other buckets.
fn children(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, policy, sites};
    use super::*;

    #[test]
    fn by_index() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("CACHEDIR.TAG", "");
        write("simple-v28/pypi/acme-core.rkyv", "");
        write("simple-v28/pypi/six.rkyv", "");
        write("simple-v28/index/0011/acme-data.rkyv", "\0https://pypi.acme.example/acme_data-1.0.zip\0");
        write("wheels-v8/index/0011/acme-tool/1.0-py3-none-any.http", "\0\0https://files.pythonhosted.org/x.whl\0");
        write("wheels-v8/pypi/acme-core/99.0-py3-none-any.msgpack", "");
        write("archive-v0/xyz/acme.py", "");
        assert!(is_one(root.path()));
        let (policy, sites) = (policy(), sites());
        let mut seen = 0;
        let entries = read(root.path(), &Judge { policy: &policy, sites: &sites }, &mut || seen += 1);
        let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(
            found(&entries),
            [
                "error acme-core from https://pypi.org/simple/acme-core/",
                "error acme-core from https://pypi.org/simple/acme-core/",
                "error acme-tool from https://files.pythonhosted.org/",
            ]
        );
        assert_eq!((seen, entries.len()), (5, 4));
        assert_eq!(entries[1].version, None);
        assert!(entries.iter().any(|entry| entry.version.as_deref() == Some("99.0")));
    }
}
