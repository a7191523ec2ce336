//! Prunes the legacy JSON of a project or of one release (`/pypi/{project}/json`, `/pypi/{project}/{version}/json`).

use std::borrow::Cow;

use super::json::{self, Member, Value, find};
use super::link::{Link, Room};
use super::meta::text;
use super::pruned::Pruned;
use super::{Judge, Malformed};
use crate::name::{ProjectName, Subject};

/// Removes the hidden files of the project `expected` from `bytes`, from `urls` and `releases` alike. Emptied are a
/// document of a hidden project, and one whose own release has lost all files.
///
/// # Errors
/// [`Malformed`] if it isn't the legacy JSON of that project.
pub fn prune<'a>(
    bytes: &'a [u8],
    expected: Option<&ProjectName>,
    judge: &mut dyn Judge,
) -> Result<Pruned<'a>, Malformed> {
    let members = json::members(bytes)?.ok_or(Malformed::Shape("legacy JSON is an object"))?;
    let name = name_of(&members)?;
    if expected.is_some_and(|expected| name != *expected) {
        return Err(Malformed::Shape("it is another project's legacy JSON"));
    }
    if judge.hides(Subject::Project(name.as_name())) {
        return Ok(Pruned { body: Cow::Borrowed(b""), removed: 0, emptied: true });
    }
    if let Some(version) = version_of(&members)?
        && judge.hides(Subject::Release(name.as_name(), &version))
    {
        return Ok(Pruned { body: Cow::Borrowed(b""), removed: 0, emptied: true });
    }
    let urls = find(&members, "urls").map(|urls| Files::read(urls, judge)).transpose()?.flatten();
    let releases =
        find(&members, "releases").map(|releases| read_releases(releases, &name, judge)).transpose()?.flatten();
    let removed = urls.as_ref().map_or(0, |files| files.removed)
        + releases.iter().flatten().map(|(_, files)| files.removed).sum::<u64>();
    let emptied = urls.as_ref().is_some_and(Files::is_emptied);
    if removed == 0 {
        return Ok(Pruned { body: Cow::Borrowed(bytes), removed, emptied });
    }
    let body = json::write_object(members.iter(), |member, out| match (&urls, &releases) {
        (Some(urls), _) if member.key.is("urls") => urls.write(out),
        (_, Some(releases)) if member.key.is("releases") => write_releases(releases, out),
        _ => out.extend_from_slice(member.value.bytes()),
    });
    Ok(Pruned { body: Cow::Owned(body), removed, emptied })
}

fn name_of(members: &[Member<'_>]) -> Result<ProjectName, Malformed> {
    let info = find(members, "info").ok_or(Malformed::Shape("legacy JSON has `info`"))?;
    let name = info.get("name").ok_or(Malformed::Shape("`info` has a `name`"))?;
    let name = text(name, "`info.name` is not a string")?;
    ProjectName::parse(name).map_err(|_invalid| Malformed::Shape("`info.name` is no project's name"))
}

/// The version that `info` describes; an index other than PyPI's may not say.
fn version_of<'a>(members: &[Member<'a>]) -> Result<Option<Cow<'a, str>>, Malformed> {
    let version = find(members, "info").and_then(|info| info.get("version")).filter(|version| !version.is_null());
    let text = version.map(|version| version.text().ok_or(Malformed::Shape("`info.version` is not a string")));
    text.transpose()?.map(|text| text.decode()).transpose()
}

/// The files of one release.
struct Files<'a> {
    source: Value<'a>,
    kept: Vec<Value<'a>>,
    removed: u64,
}

impl<'a> Files<'a> {
    /// `None` for `null`.
    fn read(source: Value<'a>, judge: &mut dyn Judge) -> Result<Option<Self>, Malformed> {
        if source.is_null() {
            return Ok(None);
        }
        let mut files = Self { source, kept: Vec::new(), removed: 0 };
        let mut room = Room::default();
        for file in source.elements()?.ok_or(Malformed::Shape("a release's files are not an array"))? {
            if is_hidden(file, judge, &mut room)? { files.removed += 1 } else { files.kept.push(file) }
        }
        Ok(Some(files))
    }

    /// The release is hidden, with whatever files it has.
    fn hide(&mut self) {
        self.removed += (self.kept.len() as u64).max(1);
        self.kept.clear();
    }

    const fn is_emptied(&self) -> bool {
        self.kept.is_empty() && self.removed > 0
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.removed == 0 {
            out.extend_from_slice(self.source.bytes());
        } else {
            json::write_array(self.kept.iter().copied(), out);
        }
    }
}

type Releases<'a> = Vec<(Member<'a>, Files<'a>)>;

fn read_releases<'a>(
    releases: Value<'a>,
    project: &ProjectName,
    judge: &mut dyn Judge,
) -> Result<Option<Releases<'a>>, Malformed> {
    if releases.is_null() {
        return Ok(None);
    }
    let mut read = Vec::new();
    for member in releases.members()?.ok_or(Malformed::Shape("`releases` is not an object"))? {
        let mut files =
            Files::read(member.value, judge)?.ok_or(Malformed::Shape("a release's files are not an array"))?;
        if !files.is_emptied() && judge.hides(Subject::Release(project.as_name(), &member.key.decode()?)) {
            files.hide();
        }
        read.push((member, files));
    }
    Ok(Some(read))
}

/// A release that has lost its files is not named any more; one that never had any is.
fn write_releases(releases: &Releases<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (member, files)) in releases.iter().filter(|(_, files)| !files.is_emptied()).enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(member.key.written());
        out.extend_from_slice(b"\":");
        files.write(out);
    }
    out.push(b'}');
}

fn is_hidden(file: Value<'_>, judge: &mut dyn Judge, room: &mut Room) -> Result<bool, Malformed> {
    let (mut filename, mut url) = (None, None);
    let is_object = file.each_member(|key, value| {
        if key.is("filename") {
            filename = value.text();
        } else if key.is("url") {
            url = value.text();
        }
        Ok(())
    })?;
    if !is_object {
        return Err(Malformed::Shape("a file is not an object"));
    }
    let (Some(filename), Some(url)) = (filename, url) else {
        return Err(Malformed::Shape("a file has a `filename` and a `url`"));
    };
    let (filename, url) = (filename.decode()?, url.decode()?);
    Ok(Link { filename: Some(&filename), url: &url, provenance: None }.is_hidden(judge, room))
}

#[cfg(test)]
mod tests;
