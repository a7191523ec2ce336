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
    let world = World::with(crate::world::pypi(), &format!("[cache]\nsize = 0\n{RULES}")).await;
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

/// Every condition, alone and with every other, on each surface that is filtered: upstream hears of none but its own tag,
/// and the client is told 304 for nothing but its present copy.
#[tokio::test]
async fn conditions_in_every_combination() {
    let world = World::new().await;
    let date = "Mon, 23 Nov 2026 00:00:00 GMT";
    for (target, accept) in [
        ("/simple/mixed/", JSON),
        ("/simple/mixed/", "text/html"),
        ("/simple/innocent/", JSON),
        ("/simple/", JSON),
        ("/pypi/innocent/json", "application/json"),
    ] {
        let ask = || Ask::get("pypi.org", target).header("accept", accept);
        let first = world.ask(ask()).await;
        let tag = first.header("etag").to_owned();
        let inner = tag.trim_matches('"').rsplit('-').next().unwrap().to_owned();
        let other = tag.replacen("nw-", "nw-000000000000", 1);
        let conditions = [
            ("if-none-match", tag.clone()),
            ("if-none-match", format!("W/{tag}")),
            ("if-none-match", format!("\"x\", {tag}")),
            ("if-none-match", format!("\"{inner}\"")),
            ("if-none-match", other),
            ("if-none-match", "*".to_owned()),
            ("if-modified-since", date.to_owned()),
            ("if-unmodified-since", date.to_owned()),
            ("if-match", format!("\"{inner}\"")),
            ("if-match", "*".to_owned()),
            ("if-range", tag.clone()),
            ("range", "bytes=0-3".to_owned()),
        ];
        for mask in 1_u32..1 << conditions.len() {
            // All pairs, and all at once: more of them say nothing new.
            if mask.count_ones() > 2 && mask != (1 << conditions.len()) - 1 {
                continue;
            }
            let chosen: Vec<_> =
                (0..conditions.len()).filter(|bit| mask & (1 << bit) != 0).map(|bit| &conditions[bit]).collect();
            let answer =
                world.ask(chosen.iter().fold(ask(), |ask, (name, value)| ask.header(name, value.as_str()))).await;
            let present = chosen.iter().any(|(name, value)| *name == "if-none-match" && value.contains(&tag));
            let context = format!("{target} {accept} {chosen:?}");
            assert_eq!(answer.status.as_u16(), if present { 304 } else { 200 }, "{context}");
            assert_eq!((answer.header("etag"), answer.header("content-range")), (tag.as_str(), ""), "{context}");
            if !present {
                assert_eq!(answer.bytes(), first.bytes(), "{context}");
            }
            let asked = world.standin.log().pop().unwrap();
            for name in ["if-modified-since", "if-unmodified-since", "if-match", "if-range", "range"] {
                assert_eq!(asked.header(name), None, "{context}");
            }
            assert!(asked.header("if-none-match").is_none_or(|tags| tags.contains(&inner) && !tags.contains("nw-")));
        }
        world.standin.forget();
    }
}

/// Files are never altered, so a client's conditions and ranges are the origin server's to answer.
#[tokio::test]
async fn files_keep_their_own_validators() {
    let world = World::new().await;
    let url = world.standin.url_of("innocent", "innocent-2.0.tar.gz").unwrap();
    let path = url.strip_prefix("https://files.pythonhosted.org").unwrap();
    let first = world.ask(Ask::get("files.pythonhosted.org", path)).await;
    assert!(!first.header("etag").starts_with("\"nw-") && !first.header("etag").is_empty());
    let ask =
        Ask::get("files.pythonhosted.org", path).header("if-range", first.header("etag")).header("range", "bytes=2-");
    assert_eq!(world.ask(ask.header("if-none-match", "\"x\"")).await.status, 206);
    let asked = world.standin.log().pop().unwrap();
    assert_eq!((asked.header("range"), asked.header("if-none-match")), (Some("bytes=2-"), Some("\"x\"")));
}
