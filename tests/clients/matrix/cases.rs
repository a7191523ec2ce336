//! What every client is tried with. Each case ends in a cell of the table, or in a panic when a promise is broken.

use super::client::{Client, Done, Job};
use super::family::Layout;
use crate::strict::strictly;
use crate::world::{PAGE_AGE, PLANTED, Way};

/// What a client says when no index has what it wants.
const NONE: &str = "says that there is none";

/// The attack by each layout of indexes: the stranger's version gets in, and through namewall it doesn't.
pub(crate) async fn attack(client: &Client<'_>) -> String {
    let mut told = Vec::new();
    for layout in client.family.layouts {
        let wanted = [("acme-core", None)];
        let open = client.install(Job { way: Way::Past, layout, wanted: &wanted }, None).await;
        open.assert_has("acme-core", Some("99.0"));
        // So the next half could see a leak, if there were one.
        assert!(!client.world.pypi.mentions("acme").is_empty());

        let walled = through_the_wall(client, layout, &wanted).await;
        if layout.asks_both {
            assert!(walled.success, "{}", walled.said);
            walled.assert_has("acme-core", Some("1.0"));
            walled.assert_has("greetings", Some("2.1"));
            told.push(format!("{}: 99.0 → 1.0", layout.name));
        } else {
            assert_eq!(refused(&walled), NONE, "{}", walled.said);
            told.push(format!("{}: 99.0 → nothing¹", layout.name));
        }
    }
    let decision = client.world.wall.decision(|decision| decision["decision"] == "hidden").await;
    assert_eq!((&decision["rule"], &decision["project"]), (&"acme".into(), &"acme-core".into()));
    told.join("<br>")
}

/// Packages that nobody protects, by a wheel that needs another, and by a source distribution that needs a backend.
pub(crate) async fn ordinary(client: &Client<'_>) -> String {
    let wanted = [("paint", None), ("crayon", None)];
    let wanted = if client.family.builds { &wanted[..] } else { &wanted[..1] };
    let done = through_the_wall(client, &client.family.layouts[0], wanted).await;
    assert!(done.success, "{}", done.said);
    done.assert_has("paint", Some("3.0"));
    done.assert_has("greetings", Some("2.1"));
    if !client.family.builds {
        return "✓ wheels²".to_owned();
    }
    done.assert_has("crayon", Some("1.4"));
    "✓".to_owned()
}

/// A lock file that has the planted file in it; made, where the client makes them, when nobody protected anything.
pub(crate) async fn locked(client: &Client<'_>) -> String {
    let mut told = Vec::new();
    for lock in client.family.locks {
        let job = Job { way: Way::Past, layout: &client.family.layouts[0], wanted: &[("acme-core", None)] };
        let text = client.lock(job, lock).await;
        client.install_locked(job, lock, &text).await.assert_has("acme-core", Some("99.0"));
        client.world.pypi.forget();
        let done = client.install_locked(Job { way: Way::Wall, ..job }, lock, &text).await;
        client.world.assert_nothing_leaked();
        told.push(format!("{}: {}", lock.name, refused(&done)));
    }
    if told.is_empty() { "none".to_owned() } else { told.join("<br>") }
}

/// The planted file by its URL.
pub(crate) async fn direct(client: &Client<'_>) -> String {
    let url = client.world.pypi.url_of("acme-core", PLANTED).unwrap();
    let wanted = [("acme-core", Some(&*url))];
    let layout = &client.family.layouts[0];
    client.install(Job { way: Way::Past, layout, wanted: &wanted }, None).await.assert_has("acme-core", Some("99.0"));
    let done = through_the_wall(client, layout, &wanted).await;
    refused(&done).to_owned()
}

/// What the client kept from before there were rules: both of what is protected, and of a page which a rule takes a
/// file from. PyPI says that neither has changed.
pub(crate) async fn stale(client: &Client<'_>) -> String {
    let layout = &client.family.layouts[0];
    let wanted = [("acme-core", None), ("dye", None)];
    let home = tempfile::tempdir().unwrap();
    let open = Job { way: Way::Past, layout, wanted: &wanted };
    client.install(open, Some(home.path())).await.assert_has("dye", Some("2.0"));
    // Older than it may become without being asked for again.
    tokio::time::sleep(PAGE_AGE * 2).await;
    client.world.pypi.forget();
    let again = client.install(open, Some(home.path())).await;
    again.assert_has("dye", Some("2.0"));
    again.assert_has("acme-core", Some("99.0"));
    let asked = client.world.pypi.log();
    let kept = asked.iter().any(|asked| asked.path() == "/simple/dye/" && asked.header("if-none-match").is_some());
    tokio::time::sleep(PAGE_AGE * 2).await;

    client.world.pypi.forget();
    let walled = client.install(Job { way: Way::Wall, ..open }, Some(home.path())).await;
    client.world.assert_nothing_leaked();
    if layout.asks_both {
        walled.assert_has("dye", Some("1.0"));
        walled.assert_has("acme-core", Some("1.0"));
    } else {
        walled.assert_has("acme-core", None);
        let walled = client.install(Job { way: Way::Wall, layout, wanted: &wanted[1..] }, Some(home.path())).await;
        walled.assert_has("dye", Some("1.0"));
    }
    if kept { "✓".to_owned() } else { "✓ keeps no page".to_owned() }
}

/// The client's Python, as strict about certificates as Python 3.13 is by default: it trusts namewall on every host.
pub(crate) async fn strict(client: &Client<'_>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let url = client.world.pypi.url_of("paint", "paint-3.0-py3-none-any.whl").unwrap();
    let (success, said) =
        client.world.run(strictly(&client.bin, &["https://pypi.org/simple/paint/", &url]), folder.path()).await;
    assert!(success, "{said}");
    "✓".to_owned()
}

async fn through_the_wall(client: &Client<'_>, layout: &'static Layout, wanted: &[(&str, Option<&str>)]) -> Done {
    client.world.pypi.forget();
    let done = client.install(Job { way: Way::Wall, layout, wanted }, None).await;
    client.world.assert_nothing_leaked();
    done
}

/// How much of the reason the user gets to see.
fn refused(done: &Done) -> &'static str {
    assert!(!done.success, "{}", done.said);
    done.assert_has("acme-core", None);
    let said = done.said.split_whitespace().collect::<Vec<_>>().join(" ");
    if said.contains("acme-core is protected by namewall rule acme") {
        "names the rule"
    } else if said.split(|other: char| !other.is_ascii_alphanumeric()).any(|word| word == "403") {
        // A word of its own: a port and a digest may well contain these digits.
        "says 403"
    } else {
        let none = [
            "no matching distribution",
            "no version of acme-core",
            "unable to find installation candidates",
            "candidatenotfound",
        ];
        assert!(none.iter().any(|words| said.to_lowercase().contains(words)), "refused for another reason: {said}");
        NONE
    }
}

impl Done {
    #[track_caller]
    fn assert_has(&self, project: &str, version: Option<&str>) {
        assert_eq!(self.version(project).as_deref(), version, "{project}: {}", self.said);
    }
}
