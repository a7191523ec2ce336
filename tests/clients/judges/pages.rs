//! All pages of these tests, filtered by the very code that the proxy runs.

use std::sync::OnceLock;

use namewall::policy::{FilePattern, Pattern, Policy, Rule};
use namewall::proxy::judge::PolicyJudge;
use namewall::pypi::filter::{Kind, Received, filter_page};
use namewall::pypi::negotiate::Representation;

use super::dice::Dice;
use super::page::{Form, Page};

const JSON_PAGES: usize = 1_200;
const HTML_PAGES: usize = 1_000;

/// A page as a client is given it.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) page: &'static Page,
    pub(super) wanted: Representation,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// What came of all pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) rendered: Vec<Rendered>,
    pub(super) refused: usize,
    pub(super) emptied: usize,
}

impl Rendered {
    /// Whether it went from one form to another, or which it kept.
    pub(super) fn way(&self) -> (Form, bool) {
        (self.page.form, self.wanted.is_html())
    }
}

/// The pages, the same each time.
pub(super) fn pages() -> &'static Pages {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    PAGES.get_or_init(|| {
        let mut dice = Dice::new(0xac3e);
        let forms = [Form::Json; JSON_PAGES].into_iter().chain([Form::Html; HTML_PAGES]);
        let drawn: Vec<Page> = forms.enumerate().map(|(number, form)| Page::draw(number, form, &mut dice)).collect();
        let policy = policy();
        let mut pages = Pages::default();
        for page in Vec::leak(drawn) {
            let html = dice.pick(&[Representation::Html, Representation::TextHtml]);
            if page.form == Form::Json {
                pages.add(page, Representation::Json, &policy);
            }
            pages.add(page, html, &policy);
        }
        pages
    })
}

impl Pages {
    fn add(&mut self, page: &'static Page, wanted: Representation, policy: &Policy) {
        let project = page.project.parse().unwrap();
        let url = page.url();
        let content_type = match page.form {
            Form::Json => "application/vnd.pypi.simple.v1+json",
            Form::Html if self.rendered.len().is_multiple_of(2) => "application/vnd.pypi.simple.v1+html",
            Form::Html => "text/html; charset=utf-8",
        };
        let received = Received {
            kind: Kind::Project(Some(&project)),
            content_type: Some(content_type),
            body: page.body.as_bytes(),
            url: Some(&url),
            wanted,
        };
        match filter_page(&received, &mut PolicyJudge::new(policy)) {
            Err(_) => self.refused += 1,
            Ok(filtered) if filtered.emptied => self.emptied += 1,
            Ok(filtered) => {
                let (content_type, body) = (filtered.content_type.to_owned(), filtered.body.into_owned());
                self.rendered.push(Rendered { page, wanted, content_type, body });
            }
        }
    }
}

/// What [`super::names::is_protected`] says, as rules; and no eggs.
fn policy() -> Policy {
    let patterns = |all: &[&str]| all.iter().map(|written| Pattern::parse(written).unwrap()).collect();
    let names = Rule {
        id: "names".to_owned(),
        names: patterns(&["acme", "acme-*", "re:corp-(core|data)[0-9]+"]),
        except: patterns(&["acme-sdk"]),
        ..Rule::default()
    };
    let eggs = Rule { id: "eggs".to_owned(), files: vec![FilePattern::parse("*.egg").unwrap()], ..Rule::default() };
    Policy::compile(vec![names, eggs], time::OffsetDateTime::now_utc().date()).unwrap()
}
