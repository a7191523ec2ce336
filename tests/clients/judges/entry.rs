//! One entry of a page, whatever form the page has; drawn so that it is known beforehand who may see it.

use aws_lc_rs::digest::{SHA256, digest};
use url::Url;

use super::dice::Dice;
use super::index::wheel;
use super::names::{self, STRANGERS, display, doubtful_file, protected_file};

/// What must become of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Plainly innocent: each reader sees it, and all that is said of it.
    Seen,
    /// Some reader would take it for a protected project's.
    Hidden,
    /// Nobody can tell.
    Either,
}

/// An entry of a page.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) fate: Fate,
    /// The version that it makes available of the page's project to a client which wants wheels.
    pub(super) installs: Option<(usize, usize)>,
    pub(super) filename: String,
    pub(super) href: String,
    pub(super) hashes: Vec<(&'static str, String)>,
    pub(super) requires_python: Option<&'static str>,
    pub(super) yanked: Option<&'static str>,
    /// Its hash may be untold.
    pub(super) metadata: Option<Option<String>>,
    pub(super) size: usize,
    pub(super) time: String,
    pub(super) provenance: Option<String>,
}

/// What an entry is drawn for.
pub(super) struct Drawing<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) project: &'a str,
    /// Whether the page's form says the file's name beside its URL.
    pub(super) names_files: bool,
}

const FILES: &str = "http://files.example/packages";
const PYTHONS: &[&str] = &[">=3.6", ">=3.7, !=3.8.*", "<4", ">=2.7,<99", ">=99"];
const REASONS: &[&str] = &[
    "",
    "bad release",
    "\"quoted\" & 'single'",
    "</a><a href='acme-9.0.zip'>acme</a>",
    "line\n<b>\ttab",
    "&quot;&#97;",
];
/// What no page in HTML can say, or not in one way alone.
const ODD_REASONS: &[&str] = &["\r\n\u{1f4a9}\u{c}\u{1}\u{2028}", "\u{feff}\\", "-->", "]]>"];

impl Drawing<'_> {
    /// A plain wheel of the page's own project.
    pub(super) fn own_wheel(&mut self, version: (usize, usize)) -> Entry {
        let filename = format!("{}-{}.{}-py3-none-any.whl", self.snake(), version.0, version.1);
        Entry { installs: Some(version), ..self.innocent(filename) }
    }

    /// A plain sdist of the page's own project.
    pub(super) fn own_sdist(&mut self, version: (usize, usize)) -> Entry {
        let filename = format!("{}-{}.{}.tar.gz", self.snake(), version.0, version.1);
        let mut entry = self.innocent(filename);
        entry.href.push_str(self.dice.pick(&["", "", "?acme-1.0.zip", "?x=1&copy=/acme-1.0.zip"]));
        entry
    }

    /// A wheel of a project whose name is nearly a protected one.
    pub(super) fn strangers(&mut self) -> Entry {
        let stranger = self.dice.pick(STRANGERS);
        let name = display(self.dice, stranger, &["_"]);
        let filename = format!("{name}-9{}.{}-py3-none-any.whl", self.dice.below(9), self.dice.below(99));
        self.innocent(filename)
    }

    /// An entry of which nobody knows.
    pub(super) fn doubtful(&mut self) -> Entry {
        let filename = doubtful_file(self.dice, self.project);
        let mut entry = Entry { fate: Fate::Either, ..self.innocent(filename) };
        if self.names_files && self.dice.once_in(3) {
            // Harmless in JSON. In an anchor's fragment it would be a name.
            entry.hashes = match self.dice.below(3) {
                0 => vec![("egg", self.egg())],
                1 => vec![("sha1", format!("00&egg={}", self.egg()))],
                _ => vec![("x#egg", self.egg()), ("md5", self.dice.hex(32))],
            };
            entry.filename = format!("{}-9{}.0.zip", self.snake(), self.dice.below(9));
            entry.href = self.place(&entry.filename);
        }
        entry
    }

    /// An entry that bears a protected name somewhere, and would be the page's own newest wheel otherwise.
    pub(super) fn hidden(&mut self) -> Entry {
        let bad = protected_file(self.dice);
        let good = format!("{}-9{}.{}-py3-none-any.whl", self.snake(), self.dice.below(9), self.dice.below(99));
        let mut entry = Entry { fate: Fate::Hidden, ..self.innocent(good.clone()) };
        match self.dice.below(14) {
            0 if self.names_files => entry.filename = bad,
            0..3 => {
                entry.href = self.place(&bad);
                entry.filename = bad;
            }
            3..8 => entry.href = self.disguised(&bad),
            8 => entry.href = torn(self.dice, &bad),
            9..11 => entry.href = format!("{}{}", entry.href, self.egg_fragment()),
            11 => entry.provenance = Some(self.attested_as(&good)),
            12 => entry.provenance = Some(self.provenance(&bad)),
            _ => {
                entry.filename = format!("{}-9{}.0-py3.9.egg", self.snake(), self.dice.below(9));
                entry.href = self.place(&entry.filename);
            }
        }
        entry
    }

    /// A URL in which `bad` is the file's name for some clients.
    fn disguised(&mut self, bad: &str) -> String {
        let segment = encoded(self.dice, bad);
        match self.dice.below(6) {
            0 => self.place(bad),
            5 => format!("{FILES}/{segment}@{}/x-1.0.zip", self.dice.pick(&["", "v1"])),
            1 => format!("{FILES}/{}", bad.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()),
            2 => format!(
                "{}{}",
                self.place(bad),
                self.dice.pick(&["/", "//", "/?x", "/#md5=0123456789abcdef0123456789abcdef"])
            ),
            3 => format!("{FILES}/x{}{segment}", self.dice.pick(&["%2F", "%2f", "\\", "%5C"])),
            _ => format!("{}{segment}", self.dice.pick(&["http:", "HTTP:", "//", "http://"])),
        }
    }

    /// What makes a URL that of another project's file, for pip.
    fn egg_fragment(&mut self) -> String {
        let before = self.dice.pick(&["#egg=", "#sha256=00&egg=", "?x=1#md5=00&egg=", "?egg=", "#e%67g=", "#&egg="]);
        format!("{before}{}", self.egg())
    }

    fn attested_as(&mut self, filename: &str) -> String {
        let project = display(self.dice, "acme-core", names::ANY);
        format!("http://index.example/integrity/{project}/1.0/{filename}/provenance")
    }

    fn provenance(&mut self, filename: &str) -> String {
        let segment = encoded(self.dice, filename);
        match self.dice.once_in(2) {
            true => format!("{FILES}/{segment}.provenance"),
            false => format!("http://index.example/integrity/x/1/{segment}/provenance"),
        }
    }

    fn innocent(&mut self, filename: String) -> Entry {
        let dice = &mut *self.dice;
        let mut hashes = vec![("sha256", dice.hex(64))];
        if dice.once_in(3) {
            hashes.push(("md5", dice.hex(32)));
        }
        if dice.once_in(3) {
            hashes.push(("blake2b", dice.hex(64)));
        }
        dice.shuffle(&mut hashes);
        let requires_python = dice.once_in(2).then(|| dice.pick(PYTHONS));
        let reasons = if self.names_files && dice.once_in(2) { ODD_REASONS } else { REASONS };
        let yanked = dice.once_in(5).then(|| dice.pick(reasons));
        let metadata = (!dice.once_in(4)).then(|| (!dice.once_in(4)).then(|| metadata_digest(&filename)));
        let time = format!(
            "20{}-0{}-1{}T0{}:04:05.678901Z",
            10 + dice.below(16),
            1 + dice.below(9),
            dice.below(9),
            dice.below(9)
        );
        let provenance = dice.once_in(3).then(|| {
            format!("http://index.example/integrity/{}/1.0/{}/provenance", self.project, filename.replace(' ', "%20"))
        });
        let size = self.dice.below(1 << 20);
        let href = self.place(&filename);
        let (fate, installs) = (Fate::Seen, None);
        Entry { fate, installs, filename, href, hashes, requires_python, yanked, metadata, size, time, provenance }
    }

    /// A URL for `filename`, absolute or relative.
    fn place(&mut self, filename: &str) -> String {
        let segment = encoded(self.dice, filename);
        let hash = self.dice.hex(60);
        match self.dice.below(8) {
            0 => format!("../../packages/{segment}"),
            3 => format!("HTTP://Files.Example:80/{segment}"),
            4 => format!("http://files.example/acme-1.0.zip/x/.././{segment}"),
            1 => format!("/packages/{segment}"),
            2 => format!("//files.example/{segment}"),
            _ => format!("{FILES}/{}/{}/{hash}/{segment}", self.dice.hex(2), self.dice.hex(2)),
        }
    }

    fn egg(&mut self) -> String {
        let project = self.dice.pick(names::PROTECTED);
        format!(
            "{}{}",
            display(self.dice, project, names::ANY),
            self.dice.pick(&["", "-99.1", "-99.1-1", "-99.1-py3.9"])
        )
    }

    fn snake(&self) -> String {
        self.project.replace('-', "_")
    }
}

impl Entry {
    /// The host and the decoded path that it leads to from `root`.
    pub(super) fn address(&self, root: &Url) -> String {
        address(root.join(&self.href).unwrap().as_str())
    }
}

/// The host and the decoded path of an absolute URL.
pub(super) fn address(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    format!("{}{}", url.host_str().unwrap(), percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy())
}

/// Of the metadata that the index serves beside `filename`: uv compares them.
fn metadata_digest(filename: &str) -> String {
    let metadata = wheel(&format!("{filename}.metadata")).unwrap_or_default();
    digest(&SHA256, &metadata).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `name` as a segment of a URL, with some bytes encoded that need not be.
fn encoded(dice: &mut Dice, name: &str) -> String {
    let much = dice.once_in(4);
    let mut segment = String::new();
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._+!".contains(&byte);
        match plain && !(much && dice.once_in(3)) {
            true => segment.push(char::from(byte)),
            false if dice.once_in(2) => segment.push_str(&format!("%{byte:02x}")),
            false => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

/// A URL that the readers put together before they look at it.
fn torn(dice: &mut Dice, name: &str) -> String {
    let (front, back) = name.split_at(2);
    match dice.below(4) {
        0 => format!("{FILES}/{front}\t{back}"),
        1 => format!("{FILES}/{front}\n{back}"),
        2 => format!("{FILES}/{name}%0A"),
        _ => format!(" {name}"),
    }
}
