//! One file on a project page: the names that it bears, and its fields by name, read only when asked for.

use std::borrow::Cow;

use crate::pypi::html::Anchor;
use crate::pypi::json::{Reader, Value, find};
use crate::pypi::link::{self, Link, Room};
use crate::pypi::meta::integer;
use crate::pypi::{Judge, Malformed};

/// One file on a project page.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    filename: Cow<'a, str>,
    url: Cow<'a, str>,
    provenance: Option<Cow<'a, str>>,
    origin: Origin<'a>,
}

#[derive(Clone, Debug)]
enum Origin<'a> {
    Json(Value<'a>),
    Html(Vec<(&'static str, String)>),
}

/// A field of an entry, as its page has it.
#[derive(Clone, Copy, Debug)]
pub enum Field<'e> {
    /// A member of a JSON entry.
    Json(Value<'e>),
    /// The value of an anchor's `data-` attribute.
    Attribute(&'e str),
}

impl<'e> Field<'e> {
    /// The text of a string, or of an attribute.
    #[must_use]
    pub fn text(self) -> Option<Cow<'e, str>> {
        match self {
            Self::Json(value) => value.text().and_then(|text| text.decode().ok()),
            Self::Attribute(value) => Some(Cow::Borrowed(value)),
        }
    }

    /// The whole number that it is.
    #[must_use]
    pub fn integer(self) -> Option<u64> {
        match self {
            Self::Json(value) => integer(value),
            Self::Attribute(value) => value.parse().ok(),
        }
    }

    fn yanked(self) -> Option<Cow<'e, str>> {
        match self {
            Self::Json(value) if value.bytes() == b"true" => Some(Cow::Borrowed("")),
            // In JSON an empty reason is false (PEP 691); in HTML the attribute alone counts.
            Self::Json(_) => self.text().filter(|reason| !reason.is_empty()),
            Self::Attribute(reason) => Some(Cow::Borrowed(reason)),
        }
    }
}

impl<'a> Entry<'a> {
    /// Reads an element of `files`. What names the file, or leads to another one, must be of its right type.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        if reader.peek()? != b'{' {
            return Err(Malformed::Shape("an element of `files` is not an object"));
        }
        let (mut filename, mut url, mut provenance) = (None, None, None);
        let value = reader.nested(|reader| {
            reader.object(|key, value| {
                let field = if key.is("filename") {
                    &mut filename
                } else if key.is("url") {
                    &mut url
                } else if key.is("provenance") && !value.is_null() {
                    &mut provenance
                } else {
                    return Ok(());
                };
                let text = value.text().ok_or(Malformed::Shape("`filename`, `url` or `provenance` is no string"))?;
                *field = Some(text.decode()?);
                Ok(())
            })
        })?;
        let (Some(filename), Some(url)) = (filename, url) else {
            return Err(Malformed::Shape("a file has a `filename` and a `url`"));
        };
        Ok(Self { filename, url, provenance, origin: Origin::Json(value) })
    }

    /// Takes an anchor. Its file name is the URL's last segment; if that is none, it will be hidden.
    pub(super) fn from_html(anchor: Anchor) -> Self {
        let filename = link::last_segment(&anchor.href).unwrap_or_default();
        let filename = String::from_utf8_lossy(&filename).into_owned();
        let provenance = anchor.attributes.iter().find(|(name, _)| *name == "data-provenance");
        let provenance = provenance.map(|(_, url)| Cow::Owned(url.clone()));
        let (filename, url) = (Cow::Owned(filename), Cow::Owned(anchor.href));
        Self { filename, url, provenance, origin: Origin::Html(anchor.attributes) }
    }

    /// The file's name.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// Where the file is; may be relative to the page.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of its attestations (PEP 740).
    #[must_use]
    pub fn provenance(&self) -> Option<&str> {
        self.provenance.as_deref()
    }

    /// When it was uploaded, as written (PEP 700).
    #[must_use]
    pub fn upload_time(&self) -> Option<Cow<'_, str>> {
        self.get("upload-time")?.text()
    }

    /// Its size in bytes (PEP 700).
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.get("size")?.integer()
    }

    /// Why it was yanked, if it was; the reason may be empty (PEP 592).
    #[must_use]
    pub fn yanked(&self) -> Option<Cow<'_, str>> {
        self.get("yanked")?.yanked()
    }

    /// Any field by its name in JSON; in HTML, the attribute `data-` and that name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Field<'_>> {
        match &self.origin {
            Origin::Json(value) => value.get(key).map(Field::Json),
            Origin::Html(attributes) => attributes
                .iter()
                .find(|(name, _)| name.strip_prefix("data-") == Some(key))
                .map(|(_, value)| Field::Attribute(value)),
        }
    }

    /// The element of `files` as it was written.
    pub(super) const fn json(&self) -> Option<Value<'a>> {
        match self.origin {
            Origin::Json(value) => Some(value),
            Origin::Html(_) => None,
        }
    }

    pub(super) fn is_hidden(&self, judge: &mut dyn Judge, room: &mut Room) -> bool {
        Link { filename: Some(&self.filename), url: &self.url, provenance: self.provenance() }.is_hidden(judge, room)
    }

    /// The URL as an anchor has it: with one hash as its fragment (PEP 503).
    pub(super) fn href(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::Html(_) => Cow::Borrowed(&self.url),
            Origin::Json(value) => {
                let url = self.url.split('#').next().unwrap_or_default();
                value.get("hashes").and_then(one_hash).map_or(Cow::Borrowed(url), |hash| format!("{url}#{hash}").into())
            }
        }
    }

    /// The attributes of its anchor.
    pub(super) fn attributes(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        match &self.origin {
            Origin::Html(attributes) => attributes.iter().map(|(name, value)| (*name, value.as_str().into())).collect(),
            Origin::Json(value) => self.attributes_from_json(*value),
        }
    }

    /// What PyPI's HTML has, in its order (PEP 833 froze HTML: sizes and upload times are in JSON alone).
    fn attributes_from_json(&self, value: Value<'a>) -> Vec<(&'static str, Cow<'_, str>)> {
        let members = value.members().ok().flatten().unwrap_or_default();
        let field = |key| find(&members, key);
        let flag = |word: &Value<'_>| matches!(word.bytes(), b"true" | b"false");
        // PEP 714; its old name; and what PyPI's JSON calls that.
        let metadata = ["core-metadata", "dist-info-metadata", "data-dist-info-metadata"].into_iter().find_map(field);
        let metadata = metadata.and_then(available);
        let requires_python = field("requires-python").and_then(|value| Field::Json(value).text());
        let gpg_sig = field("gpg-sig").filter(flag).map(|word| String::from_utf8_lossy(word.bytes()));
        [
            ("data-requires-python", requires_python.filter(|text| !text.is_empty())),
            ("data-yanked", field("yanked").and_then(|value| Field::Json(value).yanked())),
            ("data-dist-info-metadata", metadata.clone()),
            ("data-core-metadata", metadata),
            ("data-gpg-sig", gpg_sig),
            ("data-provenance", self.provenance().map(Cow::Borrowed)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// `true`, or one hash: whether there is separate metadata (PEP 658).
fn available<'a>(metadata: Value<'a>) -> Option<Cow<'a, str>> {
    if metadata.bytes() == b"true" {
        return Some(Cow::Borrowed("true"));
    }
    metadata.members().ok()??;
    Some(one_hash(metadata).map_or(Cow::Borrowed("true"), Cow::Owned))
}

/// `sha256=…` if there is one, else the first hash that there is.
///
/// It becomes the fragment of a link: what isn't plainly a hash could say `egg=acme-9.9` there, whether by its name or
/// behind an `&`, and pip would take that for the file's name.
fn one_hash(hashes: Value<'_>) -> Option<String> {
    let members = hashes.members().ok()??;
    let plain = members.iter().filter_map(|member| {
        let (name, digest) = (member.key.decode().ok()?, member.value.text()?.decode().ok()?);
        is_hash(&name, &digest).then_some((name, digest))
    });
    let hashes: Vec<_> = plain.collect();
    let (name, digest) = hashes.iter().find(|(name, _)| name == "sha256").or_else(|| hashes.first())?;
    Some(format!("{name}={digest}"))
}

/// Whether it looks as what `hashlib` has: `sha3_256`, `blake2b`, `md5`.
fn is_hash(name: &str, digest: &str) -> bool {
    let known = ["sha", "md5", "blake"].iter().any(|family| name.starts_with(family));
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    known && plain && !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}
