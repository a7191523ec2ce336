//! Conditional requests: a copy is revived only if it was filtered by the very rules in force.

use crate::world::{Ask, JSON, RULES, World};

async fn page(world: &World, accept: &str, condition: Option<&str>) -> crate::world::Answer {
    let mut ask = Ask::get("pypi.org", "/simple/mixed/").header("accept", accept);
    if let Some(tag) = condition {
        ask = ask.header("if-none-match", tag);
    }
    world.ask(ask).await
}

#[tokio::test]
async fn a_page_is_revalidated_by_its_own_tag() {
    let world = World::new().await;
    let first = page(&world, JSON, None).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("\"nw-") && tag.contains("-json-"), "{tag}");
    let again = page(&world, JSON, Some(&tag)).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, tag.as_str()));
    assert_eq!(again.header("cache-control"), "no-cache");
    let upstream = world.standin.log().last().unwrap().header("if-none-match").unwrap().to_owned();
    assert!(!upstream.contains("nw-"), "upstream knows its own tags only: {upstream}");
}

#[tokio::test]
async fn a_copy_from_before_is_never_revived() {
    // The client has primed its cache with upstream's own tag, or under other rules.
    let world = World::with(crate::world::pypi(), "").await;
    let unprotected = page(&world, JSON, None).await;
    assert!(unprotected.text().contains("acme_core"));
    let tag = unprotected.header("etag").to_owned();
    let inner = tag.trim_matches('"').rsplit('-').next().unwrap().to_owned();
    let world = world.restarted(RULES).await;
    for stale in [tag.clone(), format!("\"{inner}\""), "*".to_owned(), format!("{tag}, \"{inner}\"")] {
        let answer = page(&world, JSON, Some(&stale)).await;
        assert_eq!(answer.status, 200, "{stale}");
        assert!(!answer.text().contains("acme_core"));
        assert_eq!(world.standin.log().last().unwrap().header("if-none-match"), None);
    }
    // And back: lifting the rules brings the page back at once.
    let filtered = page(&world, JSON, None).await.header("etag").to_owned();
    let world = world.restarted("").await;
    let lifted = page(&world, JSON, Some(&filtered)).await;
    assert_eq!(lifted.status, 200);
    assert!(lifted.text().contains("acme_core"));
}

#[tokio::test]
async fn a_tag_of_another_representation_is_another_page() {
    let world = World::new().await;
    let json = page(&world, JSON, None).await.header("etag").to_owned();
    assert_eq!(page(&world, "text/html", Some(&json)).await.status, 200);
}

#[tokio::test]
async fn other_conditions_and_ranges_do_not_reach_upstream() {
    let world = World::new().await;
    let ask = Ask::get("pypi.org", "/simple/mixed/").header("accept", JSON).header("range", "bytes=0-10");
    let date = "Mon, 23 Nov 2026 00:00:00 GMT";
    let answer = world.ask(ask.header("if-modified-since", date).header("if-range", "\"x\"")).await;
    assert_eq!(answer.status, 200);
    let asked = &world.standin.log()[0];
    for name in ["range", "if-modified-since", "if-range", "if-none-match"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
}
