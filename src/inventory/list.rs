//! Reads a private index's list of projects, in JSON as it streams in or in HTML as a whole, for the names alone.

use url::Url;

use crate::name::{ProjectName, Subject};
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::pypi::{Judge, Malformed};
use crate::pypi::{html, json};

/// The most names that are taken of one index; PyPI itself has less than one million.
pub(super) const MAX_NAMES: usize = 5_000_000;

/// What may be left of a list in JSON once its projects are taken out.
const MAX_FRAME: usize = 1 << 20;

/// One page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) names: Vec<ProjectName>,
    /// Entries that bear no name that PyPI could have.
    pub(super) nameless: u64,
    /// Where the list goes on, as the page itself says.
    pub(super) next: Option<String>,
}

/// Reads a page in JSON as it comes.
#[derive(Debug)]
pub(super) struct JsonPage {
    filter: RootFilter,
    notes: Notes,
    frame: Vec<u8>,
}

/// Takes every name down, and leaves nothing to be passed on.
#[derive(Debug, Default)]
struct Notes(Vec<ProjectName>);

impl Judge for Notes {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        if let Subject::Project(name) = subject
            && self.0.len() <= MAX_NAMES
        {
            self.0.push(name.to_owned());
        }
        true
    }
}

impl JsonPage {
    pub(super) fn new() -> Self {
        Self { filter: RootFilter::new(Representation::Json), notes: Notes::default(), frame: Vec::new() }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        self.filter.push(piece, &mut self.notes, &mut self.frame)?;
        if self.frame.len() > MAX_FRAME {
            return Err(Malformed::Limit("there is more around the projects than projects"));
        }
        enough(&self.notes)
    }

    pub(super) fn finish(mut self) -> Result<Page, Malformed> {
        self.filter.finish(&mut self.notes, &mut self.frame)?;
        enough(&self.notes)?;
        let names = self.notes.0;
        let nameless = self.filter.removed().saturating_sub(names.len() as u64);
        Ok(Page { names, nameless, next: next_in(&self.frame)? })
    }
}

/// Reads a page in HTML that was found at `url`.
pub(super) fn html_page(body: &[u8], url: &Url) -> Result<Page, Malformed> {
    let (names, nameless) = html::listed(body, url)?;
    if names.is_empty() {
        // A page of errors or a form to sign in looks like this, too.
        return Err(Malformed::Shape("it links to no project"));
    }
    Ok(Page { names, nameless, next: None })
}

fn enough(notes: &Notes) -> Result<(), Malformed> {
    if notes.0.len() > MAX_NAMES { Err(Malformed::Limit("it lists more than five million projects")) } else { Ok(()) }
}

/// `next` of the document or of its `meta`, if either is a string.
fn next_in(frame: &[u8]) -> Result<Option<String>, Malformed> {
    let frame = json::document(frame)?;
    let next = frame.get("next").or_else(|| frame.get("meta")?.get("next")).and_then(json::Value::text);
    let next = next.map(|text| text.decode_bytes()).transpose()?;
    Ok(next.map(|next| String::from_utf8_lossy(&next).into_owned()).filter(|next| !next.is_empty()))
}

/// The target of the link that has the relation `next` (RFC 8288).
pub(super) fn next_link(field: &str) -> Option<&str> {
    let mut rest = field;
    while let Some((_, opened)) = rest.split_once('<') {
        let (target, after) = opened.split_once('>')?;
        // Parameters end where the next link opens; no relation's name has `<` in it.
        let parameters = after.split('<').next().unwrap_or_default();
        let is_next = parameters.split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target.trim());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(document: &str, piece: usize) -> Result<Page, Malformed> {
        let mut page = JsonPage::new();
        document.as_bytes().chunks(piece).try_for_each(|piece| page.push(piece))?;
        page.finish()
    }

    fn names(page: &Page) -> Vec<&str> {
        page.names.iter().map(ProjectName::as_str).collect()
    }

    #[test]
    fn json_is_read_in_pieces_of_any_size() {
        let document = r#"{"meta":{"api-version":"1.0","next":"?page=2"},"projects":[{"name":"Acme_Core"},{"name":"b"},{"name":"no name"}]}"#;
        for piece in [1, 7, 1000] {
            let page = json(document, piece).unwrap();
            assert_eq!((names(&page), page.nameless), (vec!["acme-core", "b"], 1));
            assert_eq!(page.next.as_deref(), Some("?page=2"));
        }
        assert_eq!(json(r#"{"projects":[],"next":null}"#, 9).unwrap(), Page::default());
        for refused in ["", "{}", "[]", r#"{"projects":[{"name":"a"}"#, r#"{"projects":["a"]}"#] {
            assert!(json(refused, 5).is_err(), "{refused}");
        }
    }

    #[test]
    fn html_is_read_and_a_form_to_sign_in_is_none() {
        let url = Url::parse("https://pypi.acme.example/simple/").unwrap();
        let read = |text: &str| html_page(text.as_bytes(), &url);
        let page = read(r#"<a href="Acme_Core/">Acme.Core</a><a href="/simple/b/">b</a>"#).unwrap();
        assert_eq!(names(&page), ["acme-core", "b"]);
        for (link, counts) in [
            (r#"<a href="https://pypi.acme.example/simple/acme/">Acme</a>"#, true),
            (r#"<a href="acme-with-a-long-name/">acme-with-a-lo..&gt;</a>"#, true),
            (r#"<a href="acme/">acme-c..&gt;</a>"#, false),
            (r#"<a href="../">../</a>"#, false),
            (r#"<a href="../acme/">acme</a>"#, false),
            (r#"<a href="acme/1.0/">acme</a>"#, false),
            (r#"<a href="https://elsewhere.example/simple/acme/">acme</a>"#, false),
            (r#"<a href="help/">Help us</a>"#, false),
        ] {
            assert_eq!(read(link).is_ok(), counts, "{link}");
        }
        let form = r#"<h1>Sign in</h1><form></form><a href="/help">Help</a><a href="https://acme.example/requests">Requests</a>"#;
        assert!(read(form).is_err());
    }

    #[test]
    fn the_next_page_is_linked() {
        for (field, next) in [
            (r#"<https://a.example/?page=2>; rel="next""#, Some("https://a.example/?page=2")),
            (r#"<?p=1>; rel=prev, <?p=3>; title="x"; REL="last Next""#, Some("?p=3")),
            (r#"<?p=1>; rel="prev""#, None),
            ("", None),
            ("<", None),
        ] {
            assert_eq!(next_link(field), next, "{field}");
        }
    }
}
