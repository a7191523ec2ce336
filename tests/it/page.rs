//! The status page in a real browser: what it shows, that it follows, that nothing gets in through names, paths and
//! rules, that keys suffice. Its pictures are left in `target/tmp`.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::admin::{body, with_admin};
use crate::browser::Browser;
use crate::world::{RULES, World, pypi};

/// What would run, if any of it were taken for more than words.
const EVIL: &str = r#"
[[protect]]
id = "\"><img/src=x/onerror=alert(1)>"
names = ["evil-*"]
reason = "</script><script>alert(2)</script> \u2028 <b onclick=alert(3)>bold</b>"
owner = "<svg/onload=alert(4)>"
mode = "enforce"

[[protect]]
id = "watched"
names = ["innocent"]
mode = "audit"
expires = 2999-12-31
"#;

async fn world(config: &str) -> World {
    World::adjusted(pypi(), &format!("{RULES}{config}"), with_admin).await
}

fn url(world: &World) -> String {
    format!("http://{}/", world.proxy.admin().unwrap())
}

/// An hour in which much has happened, as `/status.json` tells of it.
fn busy() -> Value {
    let wave = |at: u32, period: f64| ((f64::from(at) / period).sin() + 1.2) / 2.2;
    let minute = |at: u32| {
        json!({
            "requests_per_second": 40.0 * wave(at, 7.0) + f64::from(at % 5),
            "up_bytes_per_second": 9_000.0 * wave(at, 5.0),
            "down_bytes_per_second": 8e6 * wave(at, 6.0) + 3e5 * f64::from(at % 7),
            "tunnels": 12 + at % 9, "connections": 31 + at % 11,
            "upstream": { "count": 900, "p50": 0.018 + 0.01 * wave(at, 4.0), "p95": 0.09 + 0.08 * wave(at, 9.0) },
        })
    };
    let by = |at: u32| json!({ "allowed": at % 3, "hidden": (at * 7) % 11, "refused": at % 4, "filtered": at % 2, "failed": 0 });
    let name = |decision, rule, subject, count| json!({ "decision": decision, "rule": rule, "subject": subject, "count": count });
    let rule = |id: &str, reason: &str, hits: u32| {
        json!({ "id": id, "inventory": false, "mode": "enforce", "patterns": 3, "reason": reason,
            "owner": "platform@acme.example", "expires": null, "in_force": true, "hits": hits })
    };
    json!({
        "version": "0.1.0", "uptime_seconds": 432_000, "policy": "9f2c51ab77e0", "ready": true, "unready": null,
        "draining": false, "complaint": null, "ca_expires_in_seconds": 29_000_000.0,
        "rules": [rule("acme", "Internal to Acme; served by the private index", 311), rule("acme-data", "Data team's own", 58),
            rule("old-tools", "Names given up in 2024, never to come back", 9),
            json!({ "id": "corp-index", "inventory": true, "mode": "enforce", "patterns": 0, "reason": null, "owner": null, "expires": null, "in_force": true, "hits": 27 })],
        "inventories": [{ "id": "corp-index", "age_seconds": 312.0, "names": 2143 }],
        "now": { "connections": 38, "tunnels": 17, "requests_per_second": 31.4, "up_bytes_per_second": 4_200.0, "down_bytes_per_second": 6_420_000.0 },
        "upstream": { "count": 54_000, "p50": 0.0231, "p95": 0.148 },
        "cache": { "hit_ratio": 0.83, "bytes": 41_000_000 },
        "hour": {
            "names": [name("hidden", "acme", "acme-core", 203), name("hidden", "acme", "acme-billing-client", 77),
                name("refused", "acme", "acme_core-99.0-py3-none-any.whl", 31), name("hidden", "acme-data", "acme-data7", 58),
                name("filtered", "corp-index", "(root)", 27), name("hidden", "old-tools", "deploytool", 9)],
            "others": 0, "minutes": (0..60).map(by).collect::<Vec<_>>(),
        },
        "minutes": (0..60).map(minute).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn it_shows_what_is_and_follows_what_comes() {
    let world = world(EVIL).await;
    for path in ["/simple/acme/", "/simple/acme-core/", "/simple/acme-core/", "/simple/mixed/", "/simple/innocent/"] {
        world.get(path).await;
    }
    let mut browser = Browser::start().await;
    browser.prefer("light").await;
    browser.open(&url(&world)).await;
    browser.until("document.querySelector('#state .word').textContent === 'ready'").await;
    browser.until("document.querySelectorAll('#decisions tbody tr').length === 6").await;
    let text = |id: &str| format!("document.getElementById('{id}').innerText");
    assert_eq!(browser.value(&text("policy")).await, world.proxy.fingerprint());
    assert_eq!(browser.value(&text("kept-out")).await, "4");
    assert_eq!(browser.value(&text("authority")).await.as_str().unwrap().split_whitespace().last(), Some("days"));
    let rows = "[...document.querySelectorAll('#names tbody tr')].map((row) => row.innerText.trim().split('\\t').map((cell) => cell.trim()).join('|'))";
    let names = browser.value(rows).await;
    assert_eq!(names[0], "acme-core|acme|hidden|2", "{names}");
    assert!(names.as_array().unwrap().iter().any(|row| row == "innocent|watched|audited|2"), "{names}");
    let rules = browser.value(&text("rules")).await;
    assert!(rules.as_str().unwrap().contains("Internal to Acme"), "{rules}");
    // Nothing is loaded anew: it is told.
    browser.value("window.stays = true").await;
    browser.until("document.getElementById('stream').textContent === 'live'").await;
    world.get("/simple/acme-live/").await;
    browser.until("document.querySelector('#decisions tbody tr').innerText.includes('acme-live')").await;
    browser.until("document.getElementById('names').innerText.includes('acme-live')").await;
    browser.until("document.getElementById('kept-out').innerText === '5'").await;
    assert_eq!(browser.value("window.stays").await, true);
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
}

#[tokio::test]
async fn nothing_gets_in_through_names_paths_and_rules() {
    let world = world(EVIL).await;
    world.get("/simple/evil-twin/").await;
    for path in [
        "/simple/evil-twin/\"onload=\"alert(5)\"",
        "/simple/evil-%3Cscript%3Ealert(6)%3C%2Fscript%3E/",
        "/simple/evil-x/\u{2028}",
    ] {
        let tcp = world.connect("pypi.org:443").await.unwrap();
        let mut tls = world.tls(tcp, "pypi.org", false).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: pypi.org\r\nconnection: close\r\n\r\n");
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _end = tls.read_to_end(&mut answer).await;
    }
    let mut browser = Browser::start().await;
    browser.open(&url(&world)).await;
    browser.until("document.getElementById('names').innerText.includes('evil-twin')").await;
    browser.until("document.getElementById('decisions').innerText.includes('evil-twin')").await;
    for words in ["\"><img/src=x/onerror=alert(1)>", "</script><script>alert(2)</script>", "<svg/onload=alert(4)>"] {
        let shown = format!("document.getElementById('rules').innerText.includes({})", json!(words));
        assert_eq!(browser.value(&shown).await, true, "{words}");
    }
    let strange = "document.querySelectorAll('img, script:not([src]), [onload], [onerror], [onclick], iframe, b[onclick]').length";
    assert_eq!(browser.value(strange).await, 0);
    assert_eq!(browser.value("document.scripts.length").await, 1);
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
    // The policy is what it says, even if a script found a hole.
    let inline = "new Promise((done) => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; \
        document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective)); document.head.append(s); })";
    assert_eq!(browser.value(inline).await, "script-src-elem");
    assert_eq!(browser.value("window.ran").await, Value::Null);
}

#[tokio::test]
async fn keys_suffice_and_pictures_are_left() {
    let world = world("").await;
    for number in 0..12 {
        world.get(&format!("/simple/acme-{number}/")).await;
    }
    let mut browser = Browser::start().await;
    browser.prefer("light").await;
    browser.open(&url(&world)).await;
    browser.until("document.querySelectorAll('#decisions tbody tr').length === 12").await;
    let mut reached = Vec::new();
    for _ in 0..9 {
        browser.press("Tab").await;
        let place = "(document.activeElement.getAttribute('aria-labelledby') || document.activeElement.id || document.activeElement.textContent)";
        reached.push(browser.value(place).await.as_str().unwrap().to_owned());
    }
    assert_eq!(
        reached,
        [
            "Skip to the content",
            "decisions",
            "metrics",
            "readiness",
            "certificate",
            "names-title",
            "rules-title",
            "pause",
            "live-title"
        ]
    );
    browser.value("document.getElementById('pause').focus()").await;
    browser.press(" ").await;
    assert_eq!(browser.value("document.getElementById('pause').getAttribute('aria-pressed')").await, "true");
    world.get("/simple/acme-meanwhile/").await;
    browser.until("document.getElementById('stream').textContent === 'paused, 1 wait'").await;
    browser.press(" ").await;
    browser.until("document.querySelector('#decisions tbody tr').innerText.includes('acme-meanwhile')").await;
    browser.value("document.activeElement.blur()").await;
    let unnamed = "[...document.querySelectorAll('svg[role=img], table, section')].filter((one) => !(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') || one.querySelector('caption'))).length";
    assert_eq!(browser.value(unnamed).await, 0);
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 420)] {
        browser.prefer(scheme).await;
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size).await;
        browser.value(&format!("draw({})", busy())).await;
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("status-{scheme}-{width}.png"));
        let png = browser.screenshot(&path).await;
        assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000, "{} bytes", png.len());
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.value(fits).await, true, "{scheme} {width}: nothing runs out at the side");
        if width == 1280 {
            assert_eq!(browser.value("document.documentElement.scrollHeight <= innerHeight").await, true, "one screen");
        }
    }
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
}

#[tokio::test]
async fn its_parts_come_under_a_strict_policy() {
    let world = world("").await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/status.css", "text/css"),
        ("/status.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = world.admin(path).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("content-type: {kind}")), "{answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{answer}");
        assert!(!answer.contains("https://") && !answer.contains("style=\"") && !answer.contains(" onclick"), "{path}");
    }
    let status = body(&world.admin("/status.json").await);
    assert_eq!((&status["ready"], &status["policy"]), (&true.into(), &world.proxy.fingerprint().into()));
    assert_eq!((&status["rules"][0]["id"], &status["rules"][0]["patterns"]), (&"acme".into(), &2.into()));
    assert!(!status.to_string().contains("http"), "no place of an index: {status}");
}
