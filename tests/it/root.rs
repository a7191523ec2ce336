//! The list of all projects: filtered as it streams.

use std::time::Duration;

use namewall::demo::{Project, StandIn};

use crate::world::{Ask, HTML, JSON, RULES, World};

#[tokio::test]
async fn protected_names_are_gone_from_the_list() {
    let world = World::new().await;
    let answer = world.get("/simple/").await;
    let list = answer.json();
    let names: Vec<&str> = list["projects"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Acme.SDK", "acmetool", "innocent", "mixed", "disguise"]);
    assert_eq!(answer.header("content-type"), JSON);
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert!(answer.header("etag").starts_with("\"nw-"));
    assert_eq!((answer.header("namewall-decision"), answer.header("namewall-rule")), ("filtered", "acme"));
    let html = world.ask(Ask::get("pypi.org", "/simple/").header("accept", HTML)).await;
    assert_eq!(html.header("content-type"), HTML);
    let html = html.text();
    assert!(html.contains(r#"<a href="/simple/acme-sdk/">Acme.SDK</a>"#) && !html.contains("acme-core"), "{html}");
}

#[tokio::test]
async fn a_long_list_comes_whole_to_both_protocols() {
    let mut pypi = StandIn::builder();
    for number in 0..20_000 {
        let name = if number % 10 == 0 { format!("acme-{number}") } else { format!("project-{number}") };
        pypi = pypi.project(Project::new(&name));
    }
    let world = World::with(pypi, RULES).await;
    for h2 in [false, true] {
        let mut ask = Ask::get("pypi.org", "/simple/").header("accept", JSON);
        ask.h2 = h2;
        let answer = world.ask(ask).await;
        // The head has gone before the end is known: it names whatever rule may hide something.
        assert_eq!((answer.header("namewall-decision"), answer.header("namewall-rule")), ("filtered", "acme"));
        assert_eq!(answer.json()["projects"].as_array().unwrap().len(), 18_000);
    }
    let tally = world.proxy.tally();
    assert_eq!(tally.entries.values().sum::<u64>(), 4_000);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_complete_answer() {
    let broken = |body: &'static str| {
        StandIn::builder().responder(move |asked| {
            (asked.path() == "/simple/").then(|| {
                let response = http::Response::builder().header("content-type", JSON);
                response.body(namewall::demo::standin::body::broken_after(body)).unwrap()
            })
        })
    };
    let start = r#"{"meta":{"api-version":"1.4"},"projects":[{"name":"six"},{"name":"seven"},"#;
    for h2 in [false, true] {
        let world = World::with(broken(start), RULES).await;
        let mut ask = Ask::get("pypi.org", "/simple/").header("accept", JSON);
        ask.h2 = h2;
        let answer = world.ask(ask).await;
        assert!(answer.body.is_err() || answer.status == 502, "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_a_502() {
    for body in ["", "[]", "<html>", r#"{"projects":[{"name":"six"}"#, r#"{"projects":[{"name":"six"}]} x"#, "{}"] {
        let pypi = StandIn::builder().responder(move |_| {
            let response = http::Response::builder().header("content-type", JSON);
            response.body(namewall::demo::standin::body::full(body)).ok()
        });
        let world = World::with(pypi, RULES).await;
        let answer = world.get("/simple/").await;
        assert!(answer.status == 502 || answer.body.is_err(), "{body}: {answer:?}");
    }
}

/// A proxy that is stopped in a hurry cuts lists off; as HTML, what has come by then could pass for all there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_cut_off_is_no_complete_answer() {
    let pypi = StandIn::builder().responder(|asked| {
        let projects = (0..200).map(|at| {
            let many: String = (0..1000).map(|n| format!(r#"{{"name":"six-{at}-{n}"}},"#)).collect();
            if at == 0 { format!(r#"{{"meta":{{}},"projects":[{many}"#) } else { many }
        });
        let body = namewall::demo::standin::body::pieces(projects, Duration::from_millis(50));
        (asked.path() == "/simple/").then(|| http::Response::builder().header("content-type", JSON).body(body).unwrap())
    });
    let world = World::with(pypi, RULES).await;
    let mut answers = Vec::new();
    for number in 0..16 {
        let mut ask = Ask::get("pypi.org", "/simple/").header("accept", HTML);
        ask.h2 = number % 4 == 0;
        let tcp = world.connect("pypi.org:443").await.unwrap();
        let tls = world.tls(tcp, "pypi.org", ask.h2).await.unwrap();
        answers.push(tokio::spawn(async move { crate::world::exchange(tls, &ask).await }));
    }
    // On a busy machine that takes a while; a list takes ten seconds.
    while world.standin.log().len() < answers.len() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_standin, proxy, _folder) = world.into_parts();
    proxy.stop(std::future::ready(())).await;
    for answer in answers {
        let answer = answer.await.unwrap();
        assert!(answer.status == 200 && answer.body.is_err(), "{} {:?}", answer.status, answer.body.map(|b| b.len()));
    }
}
