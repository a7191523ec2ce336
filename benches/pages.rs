//! How long it takes to filter a page, by the number of its files.
//!
//! Wanted: an entry in less than a microsecond. Of each size, one page has entries that go, and one has none.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod support;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use namewall::demo::simple::Form;
use namewall::proxy::judge::PolicyJudge;
use namewall::pypi::filter::{Kind, Received, filter_page};
use namewall::pypi::negotiate::Representation;
use namewall::pypi::page::Page;

/// Counts what each row allocates: an entry that is kept should cost nothing but its place in a list.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// How many files.
const SIZES: [usize; 3] = [20, 500, 8_000];

/// How many files, and whether some of them are protected.
const PAGES: [(usize, bool); 6] = [(20, false), (20, true), (500, false), (500, true), (8_000, false), (8_000, true)];

#[divan::bench(args = PAGES)]
fn json_to_json(bencher: Bencher<'_, '_>, page: (usize, bool)) {
    filter(bencher, page, Form::Json, Representation::Json);
}

#[divan::bench(args = PAGES)]
fn json_to_html(bencher: Bencher<'_, '_>, page: (usize, bool)) {
    filter(bencher, page, Form::Json, Representation::TextHtml);
}

#[divan::bench(args = PAGES)]
fn html_to_html(bencher: Bencher<'_, '_>, page: (usize, bool)) {
    filter(bencher, page, Form::LegacyHtml, Representation::TextHtml);
}

/// Reading alone.
#[divan::bench(args = SIZES)]
fn parse_json(bencher: Bencher<'_, '_>, files: usize) {
    let body = support::page(Form::Json, files, false);
    bencher
        .counter(ItemsCount::new(files))
        .bench(|| Page::from_json(black_box(body.as_bytes()), None).expect("a page"));
}

#[divan::bench(args = SIZES)]
fn parse_html(bencher: Bencher<'_, '_>, files: usize) {
    let body = support::page(Form::LegacyHtml, files, false);
    let read = || Page::from_html(black_box(body.as_bytes()), None, None).expect("a page");
    bencher.counter(ItemsCount::new(files)).bench(read);
}

/// Writing alone, of a page from which something went.
#[divan::bench(args = SIZES)]
fn render_json(bencher: Bencher<'_, '_>, files: usize) {
    render(bencher, files, |page| page.to_json().expect("a page that came in JSON").len());
}

#[divan::bench(args = SIZES)]
fn render_html(bencher: Bencher<'_, '_>, files: usize) {
    render(bencher, files, |page| page.to_html().len());
}

fn render(bencher: Bencher<'_, '_>, files: usize, write: impl Fn(&Page<'_>) -> usize + Sync) {
    let body = support::page(Form::Json, files, true);
    let mut page = Page::from_json(body.as_bytes(), None).expect("a page");
    page.filter(&mut PolicyJudge::new(&support::policy(10)));
    bencher.counter(ItemsCount::new(files)).bench(|| write(black_box(&page)));
}

/// Judging alone, of a page that has been read.
#[divan::bench(args = PAGES)]
fn judge_entries(bencher: Bencher<'_, '_>, (files, protected): (usize, bool)) {
    let body = support::page(Form::Json, files, protected);
    let policy = support::policy(10);
    let page = Page::from_json(body.as_bytes(), None).expect("a page");
    bencher.counter(ItemsCount::new(files)).with_inputs(|| page.clone()).bench_values(|mut page| {
        page.filter(&mut PolicyJudge::new(black_box(&policy)));
        assert_eq!(page.removed() > 0, protected);
        page
    });
}

fn filter(bencher: Bencher<'_, '_>, (files, protected): (usize, bool), form: Form, wanted: Representation) {
    let body = support::page(form, files, protected);
    let policy = support::policy(10);
    let page = Received {
        kind: Kind::Project(None),
        content_type: Some(form.content_type()),
        body: body.as_bytes(),
        url: None,
        wanted,
    };
    bencher.counter(ItemsCount::new(files)).bench(|| {
        let filtered = filter_page(black_box(&page), &mut PolicyJudge::new(&policy)).expect("a page");
        assert_eq!(filtered.removed > 0, protected);
        filtered.body.len()
    });
}
