//! Writes a page in JSON as no server would, but as one may.

use super::dice::Dice;
use super::entry::Entry;
use super::page::Page;

/// The page in JSON. One in sixty isn't one that all readers read alike.
pub(super) fn write(page: &Page, dice: &mut Dice) -> String {
    let files: Vec<String> = page.entries.iter().map(|entry| file(entry, dice)).collect();
    let versions: Vec<String> = page.entries.iter().map(|entry| string(version(&entry.filename), dice)).collect();
    let mut members = vec![
        ("name", string(&page.display, dice)),
        ("files", array(&files, dice)),
        ("versions", array(&versions, dice)),
        ("meta", meta(dice)),
    ];
    if dice.once_in(4) {
        members.push(("alternate-locations", format!("[{}]", string("http://index.example/simple/acme/", dice))));
    }
    if dice.once_in(4) {
        members.push((
            "project-status",
            dice.pick(&[r#"{"status":"active"}"#, r#"{"status":"archived","reason":"<a href=acme>"}"#]).to_owned(),
        ));
    }
    noise(&mut members, dice);
    dice.shuffle(&mut members);
    if dice.once_in(60) {
        members.push(("files", "[]".to_owned()));
    }
    object(&members, dice)
}

fn meta(dice: &mut Dice) -> String {
    let mut members = vec![("api-version", dice.pick(&["\"1.0\"", "\"1.1\"", "\"1.4\""]).to_owned())];
    if dice.once_in(2) {
        members.push(("_last-serial", "29000001".to_owned()));
    }
    if dice.once_in(5) {
        members.push(("tracks", format!("[{}]", string("http://index.example/simple/acme/", dice))));
    }
    object(&members, dice)
}

fn file(entry: &Entry, dice: &mut Dice) -> String {
    let hashes: Vec<_> = entry.hashes.iter().map(|(name, digest)| (*name, string(digest, dice))).collect();
    let mut members = vec![
        ("filename", string(&entry.filename, dice)),
        ("url", string(&entry.href, dice)),
        ("hashes", object(&hashes, dice)),
        ("size", entry.size.to_string()),
        ("upload-time", string(&entry.time, dice)),
    ];
    match entry.requires_python {
        Some(specifiers) => members.push(("requires-python", string(specifiers, dice))),
        None if dice.once_in(2) => members.push(("requires-python", "null".to_owned())),
        None => {}
    }
    match entry.yanked {
        Some("") => members.push(("yanked", "true".to_owned())),
        Some(reason) => members.push(("yanked", string(reason, dice))),
        None if dice.once_in(2) => members.push(("yanked", "false".to_owned())),
        None => {}
    }
    let metadata = entry.metadata.as_ref().map(|hash| match hash {
        Some(digest) => format!(r#"{{"sha256":"{digest}"}}"#),
        None => "true".to_owned(),
    });
    match metadata {
        Some(metadata) => {
            if dice.once_in(2) {
                members.push((dice.pick(&["data-dist-info-metadata", "dist-info-metadata"]), metadata.clone()));
            }
            members.push(("core-metadata", metadata));
        }
        None if dice.once_in(2) => members.push(("core-metadata", "false".to_owned())),
        None => {}
    }
    match &entry.provenance {
        Some(url) => members.push(("provenance", string(url, dice))),
        None if dice.once_in(2) => members.push(("provenance", "null".to_owned())),
        None => {}
    }
    noise(&mut members, dice);
    dice.shuffle(&mut members);
    object(&members, dice)
}

/// Members that nobody knows.
fn noise(members: &mut Vec<(&'static str, String)>, dice: &mut Dice) {
    let known = [
        ("x", "{\"files\":[{\"filename\":\"acme-1.0.zip\",\"url\":\"acme-1.0.zip\"}]}"),
        ("_url", "\"acme-1.0.zip\""),
        ("FILENAME", "[[[1e5,-0.0]],null,{\"\":{}}]"),
        ("file", "\"\\u0061cme\\ud83d\\ude00\\/\""),
    ];
    for (key, value) in known {
        if dice.once_in(8) {
            members.push((key, value.to_owned()));
        }
    }
}

/// The version that a page lists for a file.
pub(super) fn version(filename: &str) -> &str {
    let rest = filename.split('-').nth(1).unwrap_or("0");
    rest.trim_end_matches(".tar.gz")
}

fn object(members: &[(&str, String)], dice: &mut Dice) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(key, value)| format!("{}{}:{}{value}", string(key, dice), space(dice), space(dice)))
        .collect();
    format!("{{{}{}}}", space(dice), members.join(&format!("{},", space(dice))))
}

fn array(elements: &[String], dice: &mut Dice) -> String {
    format!("[{}{}]", space(dice), elements.join(&format!(",{}", space(dice))))
}

fn space(dice: &mut Dice) -> &'static str {
    dice.pick(&["", "", "", " ", "\n  ", "\t\r\n"])
}

/// `text`, some letters of it as escapes.
fn string(text: &str, dice: &mut Dice) -> String {
    let often = dice.once_in(6);
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '/' if dice.once_in(8) => out.push_str("\\/"),
            ' '.. if !(often && dice.once_in(3)) => out.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                out.push_str(&if dice.once_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }),
        }
    }
    out.push('"');
    out
}
