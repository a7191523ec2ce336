//! What a request target means: read again in its canonical form it is the same, and no name in it is overlooked.

#![no_main]

use http::Method;
use http::uri::PathAndQuery;
use libfuzzer_sys::fuzz_target;
use namewall::pypi::resource::{Kind, Resource};
use namewall::pypi::site::SiteKind;
use namewall_fuzz::{opinion, protects};
use percent_encoding::percent_decode_str;

// `index GET /simple/acme/`
fuzz_target!(|input: &str| {
    let mut words = input.splitn(3, ' ');
    let (Some(site), Some(method), Some(target)) = (words.next(), words.next(), words.next()) else { return };
    let site = match site {
        "index" => SiteKind::Index,
        "files" => SiteKind::Files,
        "upload" => SiteKind::Upload,
        "mirror" => SiteKind::Mirror,
        _ => return,
    };
    // What hyper refuses never gets that far.
    let (Ok(method), Ok(target)) = (Method::from_bytes(method.as_bytes()), PathAndQuery::try_from(target)) else {
        return;
    };
    let Ok(resource) = Resource::of(site, &method, target.as_str()) else { return };

    assert!(!resource.target.contains(|letter: char| letter.is_ascii_control()), "{resource:?}");
    assert!(resource.target.starts_with('/'), "{resource:?}");
    PathAndQuery::try_from(&resource.target).expect("what goes upstream is a target");
    let Ok(again) = Resource::of(site, &method, &resource.target) else {
        panic!("only we understood {}", resource.target)
    };
    assert_eq!(again.kind, resource.kind, "{resource:?}");
    assert_eq!(again.target, resource.target);
    assert!(again.projects.iter().all(|name| resource.projects.contains(name)), "{resource:?} {again:?}");
    assert!(again.files.iter().all(|file| resource.files.contains(file)), "{resource:?} {again:?}");

    // Before `.sitemap.xml` stands a word of PyPI's own, whatever it looks like.
    let may_bear_names = !matches!(resource.kind, Kind::Nothing | Kind::Sitemap);
    if may_bear_names && bears_protected_name(site, target.path()) {
        assert!(protects(resource.subjects()), "nobody noticed: {resource:?}");
    }
});

/// Whether a segment of the path is a protected name, and stands where a name can stand.
fn bears_protected_name(site: SiteKind, path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let segments: Vec<&str> = path.split(['/', '\\']).filter(|segment| !segment.is_empty()).collect();
    let mut names = segments.clone();
    match *segments {
        // The prefix of a mirror says nothing of what is below it.
        _ if site == SiteKind::Mirror => return false,
        // A version, or a version of Python and a letter.
        ["pypi", _, _, "json"] | ["integrity", _, _, _, "provenance"] => drop(names.remove(2)),
        ["packages", _, _, _, _] => drop(names.drain(..3)),
        _ => {}
    }
    names.into_iter().any(opinion::is_protected)
}
