//! One file on a project page: the names that it bears, and its fields by name, read only when asked for.

use std::borrow::Cow;

use crate::pypi::html::Anchor;
use crate::pypi::json::{Layout, Reader, Text, Value};
use crate::pypi::link::{self, Link, Room};
use crate::pypi::meta::integer;
use crate::pypi::render::{self, Pieces};
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
    pub(super) fn read(reader: &mut Reader<'a>, layout: &mut Layout<'a>) -> Result<Self, Malformed> {
        if reader.peek()? != b'{' {
            return Err(Malformed::Shape("an element of `files` is not an object"));
        }
        let (mut filename, mut url, mut provenance) = (None, None, None);
        let value = reader.nested(|reader| {
            reader.object_like(layout, |reader, key| {
                let value = reader.value()?;
                let field = match &*key.decode_bytes()? {
                    b"filename" => &mut filename,
                    b"url" => &mut url,
                    b"provenance" if !value.is_null() => &mut provenance,
                    _ => return Ok(()),
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
        let filename = link::file_name(&anchor.href).into_owned();
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

    /// Writes it as an anchor. `layout` is that of the entry before it.
    pub(super) fn write_anchor(&self, layout: &mut Layout<'a>, out: &mut Vec<u8>) {
        match &self.origin {
            Origin::Html(attributes) => {
                let attributes = attributes.iter().map(|(name, value)| (*name, render::whole(value)));
                render::page_anchor(render::whole(&self.url), attributes, &self.filename, out);
            }
            Origin::Json(value) => self.write_anchor_from_json(&Said::by(*value, layout), out),
        }
    }

    /// With one hash as the URL's fragment (PEP 503), and what PyPI's HTML has, in its order (PEP 833 froze HTML: sizes
    /// and upload times are in JSON alone).
    fn write_anchor_from_json(&self, said: &Said<'a>, out: &mut Vec<u8>) {
        let url = self.url.split_once('#').map_or(&*self.url, |(url, _)| url);
        let hash = said.hashes.and_then(Hash::one_of);
        let href = hash.as_ref().map_or_else(|| render::whole(url), |hash| [url, "#", &hash.name, "=", &hash.digest]);
        // PEP 714; its old name; and what PyPI's JSON calls that.
        let metadata = said.core_metadata.or(said.dist_info_metadata).or(said.data_dist_info_metadata);
        let metadata = metadata.and_then(Metadata::of);
        let requires_python = said.requires_python.and_then(|value| Field::Json(value).text());
        let yanked = said.yanked.and_then(|value| Field::Json(value).yanked());
        let gpg_sig = said.gpg_sig.and_then(|word| match word.bytes() {
            b"true" => Some("true"),
            b"false" => Some("false"),
            _ => None,
        });
        let attributes = [
            ("data-requires-python", requires_python.as_deref().filter(|text| !text.is_empty()).map(render::whole)),
            ("data-yanked", yanked.as_deref().map(render::whole)),
            ("data-dist-info-metadata", metadata.as_ref().map(Metadata::pieces)),
            ("data-core-metadata", metadata.as_ref().map(Metadata::pieces)),
            ("data-gpg-sig", gpg_sig.map(render::whole)),
            ("data-provenance", self.provenance().map(render::whole)),
        ];
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        render::page_anchor(href, attributes, &self.filename, out);
    }
}

/// What an entry says that goes into its anchor.
#[derive(Default)]
struct Said<'a> {
    core_metadata: Option<Value<'a>>,
    dist_info_metadata: Option<Value<'a>>,
    data_dist_info_metadata: Option<Value<'a>>,
    gpg_sig: Option<Value<'a>>,
    hashes: Option<Value<'a>>,
    requires_python: Option<Value<'a>>,
    yanked: Option<Value<'a>>,
}

impl<'a> Said<'a> {
    fn by(entry: Value<'a>, layout: &mut Layout<'a>) -> Self {
        let mut said = Self::default();
        // It has been read before: no more faults are found.
        let _is_object = entry.each_member_like(layout, |key, value| {
            let field = match &*key.decode_bytes()? {
                b"core-metadata" => &mut said.core_metadata,
                b"dist-info-metadata" => &mut said.dist_info_metadata,
                b"data-dist-info-metadata" => &mut said.data_dist_info_metadata,
                b"gpg-sig" => &mut said.gpg_sig,
                b"hashes" => &mut said.hashes,
                b"requires-python" => &mut said.requires_python,
                b"yanked" => &mut said.yanked,
                _ => return Ok(()),
            };
            *field = Some(value);
            Ok(())
        });
        said
    }
}

/// Whether there is separate metadata (PEP 658), and perhaps its hash.
enum Metadata<'a> {
    There,
    Hashed(Hash<'a>),
}

impl<'a> Metadata<'a> {
    /// Of `true`, or of an object.
    fn of(value: Value<'a>) -> Option<Self> {
        match value.bytes() {
            b"true" => Some(Self::There),
            [b'{', ..] => Some(Hash::one_of(value).map_or(Self::There, Self::Hashed)),
            _ => None,
        }
    }

    fn pieces(&self) -> Pieces<'_> {
        match self {
            Self::There => render::whole("true"),
            Self::Hashed(hash) => [&hash.name, "=", &hash.digest, "", ""],
        }
    }
}

/// A file's hash, by its algorithm's name.
struct Hash<'a> {
    name: Cow<'a, str>,
    digest: Cow<'a, str>,
}

impl<'a> Hash<'a> {
    /// `sha256` if there is that, else the first that there is.
    ///
    /// It becomes the fragment of a link: what isn't plainly a hash could say `egg=acme-9.9` there, whether by its name
    /// or behind an `&`, and pip would take that for the file's name.
    fn one_of(hashes: Value<'a>) -> Option<Self> {
        let mut found: Option<Self> = None;
        let _is_object = hashes.each_member(|name, digest| {
            let Some(Ok(digest)) = digest.text().map(Text::decode) else { return Ok(()) };
            let name = name.decode()?;
            if is_hash(&name, &digest) && (found.is_none() || name == "sha256") {
                found = Some(Self { name, digest });
            }
            Ok(())
        });
        found
    }
}

/// Whether it looks as what `hashlib` has: `sha3_256`, `blake2b`, `md5`.
fn is_hash(name: &str, digest: &str) -> bool {
    let known = ["sha", "md5", "blake"].iter().any(|family| name.starts_with(family));
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let hexadecimal = digest.bytes().fold(true, |all, byte| all & byte.is_ascii_hexdigit());
    known && plain && !digest.is_empty() && hexadecimal
}
