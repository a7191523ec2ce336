//! How long it takes to filter a root list, by its bytes, and how often memory is asked for meanwhile.
//!
//! Wanted: a gigabyte a second by 1,000 names, 0.7 by 100,000, half a gigabyte when HTML is written; and no allocation
//! for an element: those that are counted are a few for each chunk.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod support;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use namewall::policy::{Pattern, Policy, Rule};
use namewall::proxy::judge::PolicyJudge;
use namewall::pypi::negotiate::Representation;
use namewall::pypi::root::RootFilter;
use time::macros::date;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// How many exact names, prefixes and expressions the policy has.
#[derive(Clone, Copy, Debug)]
struct Patterns(usize, usize, usize);

const POLICIES: [Patterns; 8] = [
    Patterns(0, 0, 0),
    Patterns(10, 0, 0),
    Patterns(1_000, 0, 0),
    Patterns(1_000, 100, 20),
    Patterns(100_000, 0, 0),
    Patterns(0, 10_000, 0),
    Patterns(0, 0, 2_000),
    Patterns(100_000, 10_000, 2_000),
];

#[divan::bench(args = POLICIES)]
fn json(bencher: Bencher<'_, '_>, patterns: Patterns) {
    filter(bencher, patterns, Representation::Json);
}

#[divan::bench(args = POLICIES)]
fn html(bencher: Bencher<'_, '_>, patterns: Patterns) {
    filter(bencher, patterns, Representation::TextHtml);
}

fn filter(bencher: Bencher<'_, '_>, patterns: Patterns, wanted: Representation) {
    const PROJECTS: usize = 100_000;
    const CHUNK: usize = 16 << 10;
    let list = support::root(PROJECTS);
    let policy = policy(patterns);
    let mut out = Vec::with_capacity(2 * CHUNK);
    bencher.counter(BytesCount::of_str(&list)).bench_local(|| {
        let (mut filter, mut judge) = (RootFilter::new(wanted), PolicyJudge::new(&policy));
        for chunk in black_box(list.as_bytes()).chunks(CHUNK) {
            out.clear();
            filter.push(chunk, &mut judge, &mut out).expect("a root list");
        }
        filter.finish(&mut judge, &mut out).expect("a root list");
        filter.removed()
    });
}

/// Most names begin as other projects' do, so that no look-up is spared for its first letters.
fn policy(Patterns(names, prefixes, expressions): Patterns) -> Policy {
    let word = |number: usize| support::WORDS[number % 16].to_lowercase();
    let names = (0..names).map(|number| format!("{}-{}-internal-{number}", word(number), word(number / 16)));
    let prefixes = (0..prefixes).map(|number| format!("{}-corp{number}-*", word(number)));
    let expressions = (0..expressions).map(|number| format!("re:unit{number}-(core|data|[a-z]+-tools)[0-9]*"));
    let written = names.chain(prefixes).chain(expressions);
    let names = written.map(|pattern| Pattern::parse(&pattern).expect("a pattern")).collect();
    let rule = Rule { id: "many".to_owned(), names, ..Rule::default() };
    Policy::compile(vec![rule], date!(2026 - 01 - 01)).expect("rules that compile")
}
