//! Filtered pages in memory: who is given one, for how long, and who never is (RFC 9111).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use http::{Method, Response};
use namewall::demo::standin::Builder;
use namewall::demo::standin::body::{broken_after, full, pieces};
use namewall::demo::{Project, StandIn};
use namewall::policy::Policy;
use time::macros::date;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Answer, Ask, JSON, RULES, World, exchange, pypi};

/// A page of which the rules take a file.
const MIXED: &str = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[
{"filename":"six-1.0.tar.gz","url":"https://files.pythonhosted.org/packages/six-1.0.tar.gz","hashes":{}},
{"filename":"acme_core-9.0.tar.gz","url":"https://files.pythonhosted.org/packages/acme_core-9.0.tar.gz","hashes":{}}]}"#;

/// PyPI whose page of `six` has these fields, and a tag that it knows again.
fn six(fields: &'static [(&'static str, &'static str)]) -> Builder {
    StandIn::builder().responder(move |asked| {
        let unchanged = asked.header("if-none-match").is_some_and(|tag| tag.contains("v1"));
        let mut response = Response::builder().status(if unchanged { 304 } else { 200 }).header("content-type", JSON);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let body = if unchanged { full("") } else { full(MIXED) };
        (asked.path() == "/simple/six/").then(|| response.body(body).unwrap())
    })
}

async fn world(fields: &'static [(&'static str, &'static str)]) -> World {
    World::adjusted(six(fields), RULES, |settings| settings.admin = Some("127.0.0.1:0".parse().unwrap())).await
}

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=600, public"), ("etag", "\"v1\"")];

fn ask() -> Ask {
    Ask::get("pypi.org", "/simple/six/").header("accept", JSON)
}

/// How many requests for the page have reached upstream.
fn asked(world: &World) -> usize {
    world.standin.log().len()
}

fn age(answer: &Answer) -> Option<u64> {
    answer.header("age").parse().ok()
}

#[tokio::test]
async fn a_filtered_page_is_given_to_whoever_asks_next() {
    let world = world(FRESH).await;
    let first = world.ask(ask()).await;
    assert!(!first.text().contains("acme") && age(&first).is_none());
    for next in [ask(), ask().h2(), ask().method(Method::HEAD)] {
        let is_head = next.method == Method::HEAD;
        let answer = world.ask(next).await;
        assert_eq!(answer.status, 200);
        if !is_head {
            assert_eq!(answer.bytes(), first.bytes());
        }
        assert!(age(&answer).is_some_and(|age| age < 5), "{answer:?}");
        for same in ["etag", "content-type", "cache-control", "vary", "namewall-decision", "namewall-rule"] {
            assert_eq!(answer.header(same), first.header(same), "{same}");
        }
        assert_eq!(answer.header("content-length"), first.header("content-length"));
        assert_ne!(answer.header("namewall-request-id"), first.header("namewall-request-id"));
    }
    assert_eq!(asked(&world), 1);
    // Each time that it was sent it is told what was hidden.
    assert_eq!(world.proxy.tally().entries.values().copied().collect::<Vec<_>>(), [4]);
    let metrics = world.admin("/metrics").await;
    for line in [
        "namewall_cache_requests_total{result=\"hit\"} 3\n",
        "namewall_cache_requests_total{result=\"miss\"} 1\n",
        "namewall_cache_hit_ratio 0.75\n",
        "namewall_decisions_total{decision=\"filtered\",surface=\"page\",rule=\"acme\"} 4\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("namewall_cache_bytes 0\n"), "{metrics}");
}

#[tokio::test]
async fn who_has_the_page_is_told_that_it_is_the_page() {
    let world = world(FRESH).await;
    let tag = world.ask(ask()).await.header("etag").to_owned();
    for (condition, status) in [
        (tag.clone(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("\"v1\"".to_owned(), 200),
        ("*".to_owned(), 200),
        (tag.replace("nw-", "nw-0"), 200),
    ] {
        let answer = world.ask(ask().header("if-none-match", condition.as_str())).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (status, tag.as_str()), "{condition}");
        assert_eq!(answer.bytes().is_empty(), status == 304);
        assert_eq!(answer.header("content-length").is_empty(), status == 304, "{condition}");
    }
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn what_is_stale_is_asked_about_with_the_tag_inside() {
    let world = world(&[("cache-control", "max-age=1"), ("etag", "\"v1\"")]).await;
    let first = world.ask(ask()).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = world.ask(ask()).await;
    assert_eq!((second.bytes(), age(&second)), (first.bytes(), Some(0)));
    assert_eq!(asked(&world), 2);
    assert_eq!(world.standin.log()[1].header("if-none-match"), Some("\"v1\""));
    // What upstream said makes it fresh again.
    world.ask(ask()).await;
    assert_eq!(asked(&world), 2);
    assert!(world.admin("/metrics").await.contains("namewall_cache_requests_total{result=\"revalidated\"} 1\n"));
}

#[tokio::test]
async fn a_page_that_has_changed_takes_the_place_of_the_old_one() {
    let count = AtomicUsize::new(0);
    let builder = StandIn::builder().responder(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let page = MIXED.replace("six-1.0", &format!("six-{number}.0"));
        let response = Response::builder().header("content-type", JSON).header("cache-control", "max-age=600");
        response.header("etag", format!("\"v{number}\"")).body(full(page)).ok()
    });
    let world = World::with(builder, RULES).await;
    assert!(world.ask(ask()).await.text().contains("six-0.0"));
    // pip says this of every page.
    assert!(world.ask(ask().header("cache-control", "max-age=0")).await.text().contains("six-1.0"));
    assert_eq!(world.standin.log()[1].header("if-none-match"), Some("\"v0\""));
    assert!(world.ask(ask()).await.text().contains("six-1.0"));
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn what_a_client_wishes_is_done() {
    let world = world(FRESH).await;
    world.ask(ask()).await;
    let mut expected = 1;
    for (wish, more) in [
        ("max-age=0", 1),
        ("no-cache", 1),
        ("max-age=600", 0),
        ("min-fresh=300", 0),
        ("min-fresh=700", 1),
        ("only-if-cached", 0),
        ("no-store", 1),
    ] {
        expected += more;
        assert_eq!(world.ask(ask().header("cache-control", wish)).await.status, 200, "{wish}");
        assert_eq!(asked(&world), expected, "{wish}");
    }
    let absent = Ask::get("pypi.org", "/simple/other/").header("cache-control", "only-if-cached");
    let answer = world.ask(absent).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["type"]), (504, &"urn:namewall:not-cached".into()));
    assert_eq!(asked(&world), expected);
}

#[tokio::test]
async fn credentials_and_kept_pages_never_meet() {
    let world = world(FRESH).await;
    for (number, field) in [("authorization", "Basic eDp5"), ("cookie", "a=b")].into_iter().enumerate() {
        // What is answered to them is kept for nobody, and what is kept is not for them.
        for _ in 0..2 {
            assert_eq!(world.ask(ask().header(field.0, field.1)).await.status, 200);
        }
        assert_eq!(asked(&world), 3 * number + 2);
        world.ask(ask().header("cache-control", "no-cache")).await;
        assert_eq!(asked(&world), 3 * number + 3);
    }
}

#[tokio::test]
async fn what_upstream_says_is_not_to_be_kept_is_not() {
    const TAG: (&str, &str) = ("etag", "\"x\"");
    for fields in [
        &[("cache-control", "max-age=600, private"), TAG][..],
        &[("cache-control", "max-age=600, no-store"), TAG],
        &[("cache-control", "max-age=600"), TAG, ("set-cookie", "a=b")],
        &[("cache-control", "max-age=600"), TAG, ("vary", "Accept, User-Agent")],
        &[("cache-control", "max-age=600"), TAG, ("vary", "*")],
        &[("cache-control", "max-age=600"), ("age", "600")],
        &[],
    ] {
        let world = world(fields).await;
        for _ in 0..2 {
            world.ask(ask()).await;
        }
        let log = world.standin.log();
        assert_eq!((log.len(), log[1].header("if-none-match")), (2, None), "{fields:?}");
        assert!(world.admin("/metrics").await.contains("namewall_cache_bytes 0\n"), "{fields:?}");
    }
}

#[tokio::test]
async fn what_is_kept_has_its_age_from_its_beginning() {
    let world = world(&[("cache-control", "max-age=600"), ("age", "100")]).await;
    world.ask(ask()).await;
    assert!(age(&world.ask(ask()).await).is_some_and(|age| (100..105).contains(&age)));
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_change_of_the_rules_is_felt_at_once() {
    let world = world(FRESH).await;
    assert!(!world.ask(ask()).await.text().contains("acme"));
    world.proxy.set_policy(Policy::compile(Vec::new(), date!(2026 - 01 - 01)).unwrap()).unwrap();
    assert!(world.admin("/metrics").await.contains("namewall_cache_bytes 0\n"));
    assert!(world.ask(ask()).await.text().contains("acme_core"));
    assert_eq!(asked(&world), 2);
    assert_eq!(world.standin.log()[1].header("if-none-match"), None);
}

#[tokio::test]
async fn a_project_of_which_nothing_is_left_is_not_there_each_time() {
    let world = World::with(pypi(), RULES).await;
    for _ in 0..3 {
        let answer = world.get("/simple/disguise/").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (404, "404 Not Found"));
        assert_eq!((answer.header("namewall-decision"), answer.header("age")), ("hidden", ""));
    }
    assert_eq!(asked(&world), 1);
    assert_eq!(world.proxy.tally().entries.values().copied().collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn each_representation_and_coding_is_a_page_of_its_own() {
    let world = world(FRESH).await;
    for _ in 0..2 {
        for accept in [JSON, "application/vnd.pypi.simple.v1+html", "text/html"] {
            let page = Ask::get("pypi.org", "/simple/six/").header("accept", accept);
            let plain = world.ask(page.clone()).await;
            assert!(plain.header("content-type").starts_with(accept) && plain.header("content-encoding").is_empty());
            assert_eq!(world.ask(page.header("accept-encoding", "gzip")).await.status, 200);
        }
    }
    assert_eq!(asked(&world), 6);
    // Nobody's query fills the cache with pages that are one.
    for _ in 0..2 {
        world.ask(Ask::get("pypi.org", "/simple/six/?x=1").header("accept", JSON)).await;
    }
    assert_eq!(asked(&world), 8);
}

#[tokio::test]
async fn what_is_written_here_is_packed_once_for_those_who_take_it() {
    let many = (0..40).fold(Project::new("six"), |six, number| {
        six.file(namewall::demo::Artifact::raw(&format!("six-{number}.tar.gz"), &number.to_string(), "x"))
    });
    let odd = namewall::demo::Artifact::raw("acme_core-1.0.tar.gz", "1.0", "x");
    let world = World::with(StandIn::builder().project(many.file(odd)), RULES).await;
    let gzip = || ask().header("accept-encoding", "gzip");
    let first = world.ask(gzip()).await;
    assert_eq!(first.header("content-encoding"), "");
    let packed = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let answer = world.ask(gzip()).await;
        if answer.header("content-encoding") == "gzip" {
            break answer;
        }
        assert_eq!(answer.bytes(), first.bytes());
    };
    assert!(packed.bytes().len() < first.bytes().len() / 4);
    let mut unpacked = Vec::new();
    GzipDecoder::new(&packed.bytes()[..]).read_to_end(&mut unpacked).await.unwrap();
    assert_eq!(&unpacked, first.bytes());
    // The same page in other bytes: its tag is weak, and still the page's.
    assert_eq!(packed.header("etag"), format!("W/{}", first.header("etag")));
    for tag in [packed.header("etag"), first.header("etag")] {
        assert_eq!(world.ask(gzip().header("if-none-match", tag)).await.status, 304);
    }
    assert_eq!(asked(&world), 1);
    // And asked about, it stays as it is packed.
    let again = world.ask(gzip().header("cache-control", "max-age=0")).await;
    assert_eq!((again.bytes(), again.header("etag")), (packed.bytes(), packed.header("etag")));
}

/// PyPI that takes its time; its pages may be kept.
fn slow() -> Builder {
    StandIn::builder().responder(|_| {
        let (one, other) = MIXED.split_at(100);
        let body = pieces([one, other], Duration::from_millis(500));
        Response::builder().header("content-type", JSON).header("cache-control", "max-age=60").body(body).ok()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_wait_are_one_question_upstream() {
    // Its head comes late, too, and all are connected before the first asks: who comes behind the head and wants the page
    // as it is now is a question more.
    let builder = StandIn::builder().responder(|_| {
        std::thread::sleep(Duration::from_secs(1));
        let body = full(MIXED);
        Response::builder().header("content-type", JSON).header("cache-control", "max-age=60").body(body).ok()
    });
    let world = World::with(builder, RULES).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let tcp = world.connect("pypi.org:443").await.unwrap();
        clients.push(world.tls(tcp, "pypi.org", false).await.unwrap());
    }
    let mut asking = tokio::task::JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        // Even those who want it as it is now.
        let wish = if number % 2 == 0 { "max-age=0" } else { "max-age=60" };
        asking.spawn(async move { exchange(client, &ask().header("cache-control", wish)).await });
    }
    let answers = asking.join_all().await;
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.bytes(), answers[0].bytes());
    }
    assert_eq!(asked(&world), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_answered_though_the_one_who_asked_goes() {
    let world = World::with(slow(), RULES).await;
    let tcp = world.connect("pypi.org:443").await.unwrap();
    let mut leaving = world.tls(tcp, "pypi.org", false).await.unwrap();
    let request = format!("GET /simple/six/ HTTP/1.1\r\nhost: pypi.org\r\naccept: {JSON}\r\n\r\n");
    leaving.write_all(request.as_bytes()).await.unwrap();
    while asked(&world) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (answer, ()) = tokio::join!(world.ask(ask()), async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(leaving);
    });
    assert_eq!(answer.status, 200);
}

/// A page named as a coding is.
#[tokio::test]
async fn who_takes_no_gzip_gets_none_whatever_the_project_is_called() {
    let files = (0..40).fold(Project::new("indexed-gzip"), |project, number| {
        let name = format!("indexed_gzip-{number}.tar.gz");
        project.file(namewall::demo::Artifact::raw(&name, &number.to_string(), "x"))
    });
    let odd = namewall::demo::Artifact::raw("acme_core-1.0.tar.gz", "1.0", "x");
    let world = World::with(StandIn::builder().project(files.file(odd)), RULES).await;
    for _ in 0..3 {
        let answer = world.get("/simple/indexed-gzip/").await;
        assert_eq!(answer.header("content-encoding"), "");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(asked(&world), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_have_the_page_are_one_question_upstream() {
    let builder = StandIn::builder().responder(|asked| {
        std::thread::sleep(Duration::from_millis(300));
        let response = Response::builder().header("content-type", JSON).header("etag", "\"v1\"");
        match asked.header("if-none-match") {
            Some("\"v1\"") => response.status(304).body(full("")),
            _ => response.header("cache-control", "max-age=60").body(full(MIXED)),
        }
        .ok()
    });
    let world = World::with(builder, RULES).await;
    let tag = world.ask(ask().header("cache-control", "no-store")).await.header("etag").to_owned();
    world.standin.forget();
    let (world, begun) = (Arc::new(world), std::time::Instant::now());
    let clients: Vec<_> = (0..12)
        .map(|number| {
            // One of them has no copy.
            let ask = if number == 5 { ask() } else { ask().header("if-none-match", tag.as_str()) };
            let world = Arc::clone(&world);
            tokio::spawn(async move { (number, world.ask(ask).await) })
        })
        .collect();
    for client in clients {
        let (number, answer) = client.await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.header("etag")),
            (if number == 5 { 200 } else { 304 }, tag.as_str())
        );
    }
    assert!(asked(&world) <= 2 && begun.elapsed() < Duration::from_secs(3), "{} {:?}", asked(&world), begun.elapsed());
}

#[tokio::test]
async fn a_304_counts_with_all_its_lines_and_for_the_page_that_it_names() {
    // What the answer to the second question says, whether that was conditional, and whether the third is asked, too.
    type Fields = &'static [(&'static str, &'static str)];
    let cases: [(Fields, usize); 5] = [
        (&[("cache-control", "public, max-age=600"), ("etag", "\"v1\"")], 2),
        (&[("cache-control", "public, max-age=600"), ("cache-control", "no-store")], 3),
        (&[("cache-control", "max-age=600"), ("vary", "Accept"), ("vary", "Cookie")], 3),
        (&[("cache-control", "max-age=600"), ("set-cookie", "a=b")], 3),
        // It is about another page: that is fetched.
        (&[("cache-control", "max-age=600"), ("etag", "\"v2\"")], 3),
    ];
    for (fields, expected) in cases {
        let builder = StandIn::builder().responder(move |asked| {
            let conditional = asked.header("if-none-match").is_some();
            let mut response = Response::builder().header("content-type", JSON);
            if !conditional {
                return response.header("cache-control", "max-age=0").header("etag", "\"v1\"").body(full(MIXED)).ok();
            }
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            response.status(304).body(full("")).ok()
        });
        let world = World::with(builder, RULES).await;
        let first = world.ask(ask()).await;
        for _ in 0..2 {
            let next = world.ask(ask()).await;
            assert_eq!((next.status.as_u16(), next.bytes()), (200, first.bytes()), "{fields:?}");
        }
        let log = world.standin.log();
        assert_eq!(log[1].header("if-none-match"), Some("\"v1\""), "{fields:?}");
        // The one that names another page: asked about, fetched, and asked about again, and fetched.
        let expected = if fields.contains(&("etag", "\"v2\"")) { expected + 2 } else { expected };
        assert_eq!(log.len(), expected, "{fields:?}");
    }
}

#[tokio::test]
async fn a_page_without_a_tag_is_not_revived_by_a_304_about_the_clients_own() {
    let count = AtomicUsize::new(0);
    let builder = StandIn::builder().responder(move |asked| {
        let response = Response::builder().header("content-type", JSON);
        match (count.fetch_add(1, Ordering::Relaxed), asked.header("if-none-match")) {
            (0, _) => response.header("cache-control", "max-age=1").body(full(MIXED)),
            (_, Some(_)) => response.status(304).header("cache-control", "max-age=600").body(full("")),
            _ => response.header("etag", "\"v2\"").body(full(MIXED.replace("six-1.0", "six-2.0"))),
        }
        .ok()
    });
    let world = World::with(builder, RULES).await;
    assert!(world.ask(ask()).await.text().contains("six-1.0"));
    let new = world.ask(ask().header("cache-control", "no-store")).await;
    assert!(new.text().contains("six-2.0"));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(world.ask(ask().header("if-none-match", new.header("etag"))).await.status, 304);
    assert!(world.ask(ask()).await.text().contains("six-2.0"));
}

#[tokio::test]
async fn what_a_field_that_nobody_knows_says_is_nobody_elses() {
    let builder = StandIn::builder().responder(|asked| {
        let outside = asked.header("x-outside-url").unwrap_or("https://files.pythonhosted.org");
        let page = MIXED.replace("https://files.pythonhosted.org", outside);
        Response::builder().header("content-type", JSON).header("cache-control", "max-age=600").body(full(page)).ok()
    });
    let world = World::with(builder, RULES).await;
    assert!(world.ask(ask().header("x-outside-url", "https://evil.example")).await.text().contains("evil.example"));
    assert!(!world.ask(ask()).await.text().contains("evil.example"));
    // Nor is what is kept for those who might have shown who they are.
    for token in ["private-token", "x-jfrog-art-api", "origin"] {
        world.ask(ask().header(token, "x")).await;
    }
    assert_eq!(asked(&world), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_holds_up_nobody_for_long() {
    let count = AtomicUsize::new(0);
    let builder = StandIn::builder().responder(move |_| {
        let pause = if count.fetch_add(1, Ordering::Relaxed) == 0 { 20_000 } else { 0 };
        let (one, other) = MIXED.split_at(100);
        let body = pieces([one, other], Duration::from_millis(pause));
        Response::builder().header("content-type", JSON).header("cache-control", "max-age=60").body(body).ok()
    });
    let world = Arc::new(World::with(builder, RULES).await);
    let leading = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.ask(ask()).await }
    });
    while asked(&world) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = std::time::Instant::now();
    assert_eq!(world.ask(ask()).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    leading.abort();
}

#[tokio::test]
async fn what_upstream_keeps_from_caches_is_kept_from_the_clients_too() {
    for (said, passed_on) in
        [("no-store", "no-store"), ("private, max-age=5", "private, no-cache"), ("max-age=5", "no-cache")]
    {
        let builder = StandIn::builder().responder(move |_| {
            Response::builder().header("content-type", JSON).header("cache-control", said).body(full(MIXED)).ok()
        });
        let world = World::with(builder, RULES).await;
        assert_eq!(world.ask(ask()).await.header("cache-control"), passed_on);
    }
}

#[tokio::test]
async fn what_fails_is_not_kept_and_takes_nobodys_place() {
    let count = AtomicUsize::new(0);
    let builder = StandIn::builder().responder(move |_| {
        let response = Response::builder().header("content-type", JSON).header("cache-control", "max-age=600");
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => response.body(broken_after("{\"name\":")),
            1 => response.status(503).body(full("not now")),
            2 => response.body(full("no JSON")),
            3 => response.status(404).body(full("404 Not Found")),
            _ => response.body(full(MIXED)),
        }
        .ok()
    });
    let world = World::with(builder, RULES).await;
    for status in [502, 503, 502, 404, 200, 200] {
        assert_eq!(world.ask(ask()).await.status, status);
    }
    assert_eq!(asked(&world), 5);
}

#[tokio::test]
async fn with_no_room_nothing_is_kept() {
    let world = World::with(six(FRESH), &format!("[cache]\nsize = 0\n{RULES}")).await;
    for _ in 0..2 {
        assert_eq!(header_of_age(&world).await, "");
    }
    assert_eq!(asked(&world), 2);
}

async fn header_of_age(world: &World) -> String {
    world.ask(ask()).await.header("age").to_owned()
}
