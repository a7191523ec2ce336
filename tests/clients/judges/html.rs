//! Writes a page in HTML as mirrors do, and worse.

use super::dice::Dice;
use super::entry::Entry;
use super::names::protected_file;
use super::page::Page;

/// Letters that have a reference by name.
const NAMED: &[(char, &str)] = &[
    ('"', "&quot;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('&', "&amp;"),
    ('.', "&period;"),
    ('#', "&num;"),
    ('/', "&sol;"),
    (':', "&colon;"),
    ('_', "&lowbar;"),
    ('%', "&percnt;"),
    ('\\', "&bsol;"),
    ('\t', "&Tab;"),
    ('\n', "&NewLine;"),
];

/// The page in HTML. One in sixty isn't one that all readers read alike.
pub(super) fn write(page: &Page, dice: &mut Dice) -> String {
    let mut out = dice.pick(&["<!DOCTYPE html>\n<html><head>", "<HTML>", "", "\u{feff}<!doctype html>"]).to_owned();
    if dice.once_in(2) {
        out.push_str("<meta name='pypi:repository-version' content=1.1>");
    }
    if let Some(base) = page.base {
        out.push_str(&format!("<{} href{}>", dice.pick(&["base", "BASE"]), value(base, dice)));
    }
    out.push_str(&format!("<title>{} <a href=acme-1.0.zip></title><body class=a class=b><h1>", page.display));
    for entry in &page.entries {
        noise(&mut out, dice);
        anchor(entry, &mut out, dice);
    }
    if page.base.is_some() && dice.once_in(2) {
        out.push_str("<base href='http://elsewhere.example/acme/'>");
    }
    if dice.once_in(60) {
        out.push_str("<a href=x-1.0.zip href=acme-1.0.zip>");
    }
    // Nothing is taken of what is cut off.
    out.push_str(dice.pick(&["</body></html>", "", "<!--", "<!-- <a href=acme-1.0.zip>", "<a href=acme-1.0.zip"]));
    out
}

fn anchor(entry: &Entry, out: &mut String, dice: &mut Dice) {
    let (name, digest) = &entry.hashes.iter().find(|(name, _)| *name == "sha256").unwrap();
    let href = match entry.href.contains('#') {
        true => entry.href.clone(),
        false => format!("{}#{name}={digest}", entry.href),
    };
    let (before, after) = dice.pick(&[("", ""), ("", ""), (" ", ""), ("\n\t", " \n")]);
    let mut attributes = vec![("href", Some(format!("{before}{href}{after}")))];
    attributes.extend(entry.requires_python.map(|text| ("data-requires-python", Some(text.to_owned()))));
    attributes.extend(entry.yanked.map(|text| ("data-yanked", Some(text.to_owned()).filter(|text| !text.is_empty()))));
    attributes.extend(entry.provenance.as_ref().map(|url| ("data-provenance", Some(url.clone()))));
    if let Some(metadata) = &entry.metadata {
        let metadata = metadata.as_ref().map_or_else(|| "true".to_owned(), |digest| format!("sha256={digest}"));
        if dice.once_in(2) {
            attributes.push(("data-dist-info-metadata", Some(metadata.clone())));
        }
        attributes.push(("data-core-metadata", Some(metadata)));
    }
    for odd in ["title", "onclick", "data-filename", "hreflang"] {
        if dice.once_in(5) {
            let bait = protected_file(dice);
            attributes.push((odd, Some(dice.pick(&[">", "<a href=acme-1.0.zip>", "' href=acme", &bait]).to_owned())));
        }
    }
    dice.shuffle(&mut attributes);
    out.push_str(dice.pick(&["<a", "<A", "<a\n"]));
    for (name, text) in attributes {
        let name = if dice.once_in(5) { name.to_ascii_uppercase() } else { name.to_owned() };
        let between = dice.pick(&[" ", " ", "\n\t", " / "]);
        let given = text.map_or_else(String::new, |text| value(&text, dice));
        out.push_str(&format!("{between}{name}{given}"));
    }
    let text = if dice.once_in(3) { protected_file(dice) } else { entry.filename.clone() };
    out.push_str(&format!(
        " >{}{}{}",
        dice.pick(&["", "<b>", "\n"]),
        entities(&text, dice),
        dice.pick(&["</a>", "</A ><br/>", "<br>\n"])
    ));
}

/// `= "…"` in one of three kinds of quotes, the last being none.
fn value(text: &str, dice: &mut Dice) -> String {
    let equals = dice.pick(&["=", "=", " = ", "\n="]);
    let text = entities(text, dice);
    match dice.below(3) {
        0 => format!("{equals}\"{text}\""),
        1 => format!("{equals}'{text}'"),
        _ if text.is_empty() || text.contains([' ', '\t', '\n', '`', '=']) => format!("{equals}\"{text}\""),
        _ => format!("{equals}{text}"),
    }
}

/// `text`, all of it that could end an attribute and some more as character references.
fn entities(text: &str, dice: &mut Dice) -> String {
    let often = dice.once_in(6);
    let mut out = String::new();
    for letter in text.chars() {
        let plain = !"\"'<>&".contains(letter);
        if plain && (!often || !dice.once_in(3)) {
            out.push(letter);
            continue;
        }
        let code = u32::from(letter);
        let named = NAMED.iter().find(|(of, _)| *of == letter);
        out.push_str(&match (dice.below(3), named) {
            (0, Some((_, named))) => (*named).to_owned(),
            (1, _) => format!("&#{code};"),
            _ => format!("&#{}{code:0>4x};", dice.pick(&["x", "X"])),
        });
    }
    out
}

/// What is no entry, though some of it looks like one.
fn noise(out: &mut String, dice: &mut Dice) {
    if !dice.once_in(3) {
        return;
    }
    let bait = format!("<a href='{}'>x</a>", protected_file(dice));
    let (before, after) = dice.pick(&[
        ("<!-- ", " -->"),
        ("<!-->", "<!-- -->"),
        ("<template>", "</template>"),
        ("<script>", "</script>"),
        ("<style>", "</style>"),
        ("<textarea>", "</textarea>"),
        ("<p title=\"", "\">"),
        ("<a name=x>", "</a>"),
        ("<?x ", ">"),
        ("<svg><![CDATA[>", "]]></svg>"),
        ("<template><template></template>", "</template>"),
    ]);
    out.push_str(&format!("{before}{bait}{after}"));
}
