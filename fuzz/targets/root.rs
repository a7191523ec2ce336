//! The root list, in pieces of any size: the same comes out as from the whole, and nothing protected shows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::Malformed;
use namewall::pypi::filter::Kind;
use namewall::pypi::negotiate::Representation;
use namewall::pypi::root::RootFilter;
use namewall_fuzz::{REPRESENTATIONS, again, assert_stable, filter, judge, opinion, show};

// Two bytes say how long the pieces are, in turn.
fuzz_target!(|input: &[u8]| {
    let [one, other, body @ ..] = input else { return };
    for wanted in REPRESENTATIONS {
        let (whole, in_pieces) = (push(wanted, [body]), push(wanted, pieces(body, [*one, *other])));
        assert_eq!(whole.2, in_pieces.2);
        if whole.2.is_ok() {
            assert_eq!((show(&whole.0), whole.1), (show(&in_pieces.0), in_pieces.1));
        }
    }
    for content_type in ["application/vnd.pypi.simple.v1+json", "text/html"] {
        for wanted in REPRESENTATIONS {
            check(content_type, body, wanted);
        }
    }
});

/// What comes out, how much went, and how it ended.
fn push<'a>(
    wanted: Representation,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, u64, Result<(), Malformed>) {
    let (mut filter, mut judge, mut out) = (RootFilter::new(wanted), judge(), Vec::new());
    let pushed = pieces.into_iter().try_for_each(|piece| filter.push(piece, &mut judge, &mut out));
    let ended = pushed.and_then(|()| filter.finish(&mut judge, &mut out));
    (out, filter.removed(), ended)
}

fn pieces(mut body: &[u8], lengths: [u8; 2]) -> impl Iterator<Item = &[u8]> {
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, rest) = body.split_at(body.len().min(usize::from(length).max(1)));
        body = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn check(content_type: &str, body: &[u8], wanted: Representation) {
    let Ok(first) = filter(Kind::Root, content_type, body, wanted) else { return };
    if first.content_type.contains("html") {
        opinion::check_html_root(&first.body);
        assert_stable(Kind::Root, &again(Kind::Root, &first, wanted), wanted);
    } else {
        opinion::check_json_root(&first.body);
        assert_stable(Kind::Root, &first, wanted);
    }
}
