//! A second opinion on what clients see in a page, written without any of the proxy's own readers.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::PAGE;

/// Whether `text` is a way to write `acme` or a name that begins with `acme-`. No name is longer than 255 bytes.
pub fn is_protected(text: &str) -> bool {
    let name = text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let words: Vec<&str> = text.split(['-', '_', '.']).collect();
    let whole = |word: Option<&&str>| word.is_some_and(|word| !word.is_empty());
    name && whole(words.first()) && whole(words.last()) && words[0].eq_ignore_ascii_case("acme")
}

/// Panics if a client would find a protected file in a project page in JSON.
pub fn check_json_page(body: &[u8]) {
    let Some(page) = parse(body) else { return };
    page["files"].as_array().expect("a list of files").iter().for_each(check_file);
}

/// Panics if a client would find a protected file in legacy JSON.
pub fn check_legacy_json(body: &[u8]) {
    let Some(page) = parse(body) else { return };
    let releases = page["releases"].as_object().into_iter().flat_map(|releases| releases.values());
    let files = releases.chain([&page["urls"]]).filter_map(Value::as_array);
    files.flatten().for_each(check_file);
    assert!(!is_protected(page["info"]["name"].as_str().expect("a name")), "{page}");
}

/// Panics if a client would find a protected project in a root list in JSON.
pub fn check_json_root(body: &[u8]) {
    let Some(page) = parse(body) else { return };
    for project in page["projects"].as_array().expect("a list of projects") {
        assert!(!is_protected(project["name"].as_str().expect("a name")), "{project}");
    }
}

/// Panics if a client would find a protected file in a project page in HTML, as the proxy writes it.
pub fn check_html_page(body: &[u8]) {
    hrefs(body).iter().for_each(|href| check_url(href));
}

/// Panics if a client would find a protected project in a root list in HTML, as the proxy writes it.
pub fn check_html_root(body: &[u8]) {
    for href in hrefs(body) {
        assert!(!is_protected(&last_segment(&href)), "{href}");
    }
}

/// What we let pass is JSON, with two exceptions where nobody looks: half a surrogate pair, and a number that is no `f64`.
fn parse(body: &[u8]) -> Option<Value> {
    match serde_json::from_slice(body) {
        Ok(page) => Some(page),
        Err(error) if ["surrogate", "hex escape", "out of range"].iter().any(|why| error.to_string().contains(why)) => {
            None
        }
        Err(error) => panic!("{error} in {}", body.escape_ascii()),
    }
}

fn check_file(file: &Value) {
    check_file_name(file["filename"].as_str().expect("a file name"));
    check_url(file["url"].as_str().expect("a URL"));
}

fn check_url(url: &str) {
    // Python's reading, then that of the WHATWG, which uv follows.
    check_file_name(&last_segment(url));
    if let Ok(url) = PAGE.join(url) {
        check_file_name(&last_segment(url.path()));
    }
}

fn last_segment(url: &str) -> Cow<'_, str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8_lossy()
}

/// Whatever stands before a dash may be the project for somebody.
fn check_file_name(file: &str) {
    let protected = file.match_indices('-').any(|(at, _)| is_protected(&file[..at]));
    assert!(!protected && !is_protected(file), "{file:?} is visible");
}

fn hrefs(body: &[u8]) -> Vec<String> {
    let page = std::str::from_utf8(body).expect("text");
    let raw = page.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    raw.map(unescape).collect()
}

fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}
