//! What the clients of `tests/support` see, so that a test which trusts them has a reason to.

use crate::support::{Dial, Http1, JSON};
use crate::world::World;

#[tokio::test]
async fn both_protocols_see_the_same_decisions() {
    let world = World::protecting().await;
    let mut h1 = Dial::to("pypi.org").h1(&world.wall).await;
    let h2 = Dial::to("pypi.org").h2(&world.wall).await;
    let accept = [("accept", JSON)];
    h1.get("/simple/acme-core/", &accept).await.assert_hidden("acme");
    h2.get("/simple/acme-core/", &accept).await.assert_hidden("acme");
    world.assert_nothing_leaked();

    let (over_h1, over_h2) = (h1.get("/simple/paint/", &accept).await, h2.get("/simple/paint/", &accept).await);
    assert_eq!((over_h1.status, over_h1.header("content-type")), (200, Some(JSON)), "{over_h1:?}");
    assert!(over_h1.complete && over_h2.complete && over_h1.body == over_h2.body, "{over_h1:?} {over_h2:?}");
    assert_eq!(over_h1.json()["name"], "paint");
}

#[tokio::test]
async fn a_refusal_has_its_reason_phrase_where_the_protocol_has_one() {
    let world = World::protecting().await;
    let url = world.pypi.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap();
    let path = url.strip_prefix("https://files.pythonhosted.org").unwrap();
    let files = Dial::to("files.pythonhosted.org");
    let over_h1 = files.h1(&world.wall).await.get(path, &[]).await;
    over_h1.assert_refused("acme-core", "acme");
    assert!(over_h1.reason.starts_with("Forbidden: "), "{over_h1:?}");
    files.h2(&world.wall).await.get(path, &[]).await.assert_refused("acme-core", "acme");
    world.assert_nothing_leaked();
}

#[tokio::test]
async fn bytes_go_out_as_the_test_has_them() {
    let world = World::protecting().await;
    let mut h1 = Dial::to("pypi.org").h1(&world.wall).await;
    let disguised = b"GET /%73imple%2fPAINT/ HTTP/1.1\r\nhOsT: pypi.org\r\n\r\n";
    let answer = h1.raw(disguised, "GET").await;
    assert_ne!((answer.status, answer.complete), (0, false), "{answer:?}");
    // What is no request at all is the end of a connection.
    let mut plain = Http1::plain(world.wall.address()).await;
    assert_eq!(plain.raw(b"\0\0\0\0\r\n\r\n", "GET").await.status / 100, 4);
}
