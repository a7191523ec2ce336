//! Real clients, pinned, against `namewall serve` and a stand-in for PyPI; and their parsers, on filtered pages.
//!
//! The clients themselves come from the package registry that this machine's pip is set up for, once, into
//! `target/clients/`. Where that can't be reached these tests fail and say so; they never pass by doing nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a failure here is to stop the test with its place"
)]

#[path = "../support/book/mod.rs"]
mod book;
mod demo;
mod docs;
mod install;
mod judges;
mod mirror;
mod pins;
mod programs;
mod publish;
#[path = "../support/mod.rs"]
mod support;
mod wire;
mod world;

use pins::Pin;
use world::World;

macro_rules! clients {
    ($($name:ident = $pin:expr;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn takes_the_strangers_package_without_rules_and_the_companys_with_them() {
                confusion($pin).await;
            }

            #[tokio::test]
            async fn installs_an_ordinary_package_with_its_dependency() {
                ordinary($pin).await;
            }

            #[tokio::test]
            async fn is_refused_the_planted_file_and_told_by_which_rule() {
                refused_file($pin).await;
            }
        }
    )* };
}

clients! {
    oldest_pip = pins::OLDEST_PIP;
    older_pip = pins::OLDER_PIP;
    newest_pip = pins::NEWEST_PIP;
    newest_uv = pins::NEWEST_UV;
}

async fn confusion(pin: Pin) {
    let open = World::without_rules().await;
    let installed = open.install(pin, &["acme-core"]).await;
    assert_eq!(installed.version("acme-core").as_deref(), Some("99.0"), "{}", installed.said);
    // So the next half could see a leak, if there were one.
    assert!(!open.pypi.mentions("acme").is_empty());

    let walled = World::protecting().await;
    let installed = walled.install(pin, &["acme-core"]).await;
    assert_eq!(installed.version("acme-core").as_deref(), Some("1.0"), "{}", installed.said);
    assert_eq!(installed.version("greetings").as_deref(), Some("2.1"), "{}", installed.said);
    walled.assert_nothing_leaked();
    let decision = walled.wall.decision(|decision| decision["decision"] == "hidden").await;
    assert_eq!((&decision["rule"], &decision["project"]), (&"acme".into(), &"acme-core".into()));
}

async fn ordinary(pin: Pin) {
    let world = World::protecting().await;
    let installed = world.install(pin, &["paint"]).await;
    assert_eq!(installed.version("paint").as_deref(), Some("3.0"), "{}", installed.said);
    assert_eq!(installed.version("greetings").as_deref(), Some("2.1"), "{}", installed.said);
    world.assert_nothing_leaked();
}

async fn refused_file(pin: Pin) {
    let world = World::protecting().await;
    let url = world.pypi.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap();
    let installed = world.install(pin, &[&format!("acme-core @ {url}")]).await;
    assert!(!installed.success, "{}", installed.said);
    assert!(installed.said.contains("is protected by namewall rule acme"), "{}", installed.said);
    assert_eq!(installed.version("acme-core"), None, "{}", installed.said);
    world.assert_nothing_leaked();
}
