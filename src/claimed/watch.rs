//! Looks at the public list now and then while the proxy runs, and tells a webhook when the protected names on it change.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::{Claims, LIST, fetch};
use crate::config::WebhookUrl;
use crate::files::{self, Readers, Replacement};
use crate::inventory::jittered;
use crate::policy::Policy;
use crate::proxy::Shared;
use crate::telemetry::decision::timestamp;

/// How long after the start the list is looked at first, at most.
const SETTLE: Duration = Duration::from_secs(60);

/// Attempts to tell a webhook, and how long it takes to the second; to the third four times as long.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// How long a webhook may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Names that a webhook is told at most, of each kind.
const TOLD: usize = 1000;

/// The first line of what is kept.
const FORMAT: &str = "namewall-claimed 1";

/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;

/// A rule, and a name that it protects.
type Pair = (String, String);

/// Of which names was told.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None` until what was kept is read.
    told: Option<BTreeSet<Pair>>,
    /// Whether there is something that could not be told.
    pending: bool,
}

/// Begins to look, if the config says so.
pub(crate) fn start(shared: &Arc<Shared>) {
    if let Some(every) = shared.settings.claimed.every {
        shared.tasks.spawn_until_abort(watch(Arc::clone(shared), every));
    }
}

async fn watch(shared: Arc<Shared>, every: Duration) {
    let (mut last, mut tag) = (String::new(), None);
    tokio::time::sleep(jittered(every.min(SETTLE))).await;
    loop {
        // Not held while we sleep: a large policy that has been replaced shall go.
        let policy = shared.policy();
        if policy.missing().next().is_none() {
            let pending = shared.claimed.0.lock().await.pending;
            // The same list under other rules is another finding; what could not be told is found anew.
            let known = tag.take().filter(|_| !pending && last == policy.fingerprint());
            match fetch(&shared.fetcher, &policy, known.as_deref()).await {
                Ok(Some((claims, new_tag))) => {
                    (last, tag) = (policy.fingerprint().to_owned(), new_tag);
                    count(&shared, &policy, &claims);
                    let mut state = shared.claimed.0.lock().await;
                    tell(&shared, &policy, &claims, &mut state).await;
                }
                Ok(None) => tag = known,
                Err(problem) => warn!(%problem, "cannot look for protected names on the public index"),
            }
        }
        drop(policy);
        tokio::time::sleep(jittered(every)).await;
    }
}

/// Tells of what was found on a list that a client has fetched, unless something is being told this moment.
pub(crate) async fn hear(shared: &Shared, policy: &Policy, claims: &Claims) {
    if let Ok(mut state) = shared.claimed.0.try_lock() {
        tell(shared, policy, claims, &mut state).await;
    }
}

fn count(shared: &Shared, policy: &Policy, claims: &Claims) {
    let counts = claims.by_rule.iter().map(|(rule, claims)| (rule.as_str(), claims.len() as u64));
    shared.metrics.claimed(policy.rules().iter().map(|rule| rule.id.as_str()), counts);
}

/// Tells of what has changed since it was told last.
async fn tell(shared: &Shared, policy: &Policy, claims: &Claims, state: &mut State) {
    let path = shared.settings.state_folder().join("claimed.list");
    let told = state.told.get_or_insert_with(|| {
        read(&path).unwrap_or_else(|problem| {
            warn!(path = %path.display(), %problem, "cannot read which names were claimed: all will be told anew");
            BTreeSet::new()
        })
    });
    let now: BTreeSet<Pair> = claims
        .by_rule
        .iter()
        .flat_map(|(rule, claims)| claims.iter().map(|claim| (rule.clone(), claim.name.clone())))
        .collect();
    if now == *told {
        state.pending = false;
        return;
    }
    let (added, gone): (Vec<&Pair>, Vec<&Pair>) = (now.difference(told).collect(), told.difference(&now).collect());
    let names = added.iter().take(20).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" ");
    let (claimed, new, gone_count) = (now.len(), added.len(), gone.len());
    warn!(claimed, new, gone = gone_count, names, "protected names on the public index have changed");
    if let Some(webhook) = &shared.settings.claimed.webhook
        && !post(shared, webhook, &message(policy, claims, &added, &gone)).await
    {
        state.pending = true;
        return;
    }
    state.pending = false;
    if let Err(problem) = write(&path, &now) {
        error!(path = %path.display(), %problem, "cannot keep which names were told of: they are told anew after a restart");
    }
    *told = now;
}

fn message(policy: &Policy, claims: &Claims, added: &[&Pair], gone: &[&Pair]) -> Bytes {
    let pairs = |pairs: &[&Pair]| {
        let told = pairs.iter().take(TOLD).map(|(rule, name)| json!({"rule": rule, "name": name}));
        told.collect::<Vec<_>>()
    };
    let claimed = claims.by_rule.iter().flat_map(|(rule, claims)| claims.iter().map(move |claim| (rule, claim)));
    let claimed = claimed.take(TOLD).map(|(rule, claim)| {
        json!({"rule": rule, "name": claim.name, "written": claim.written, "last-serial": claim.last_serial})
    });
    let message = json!({
        "event": "claimed-names-changed",
        "ts": timestamp(),
        "index": LIST,
        "policy": policy.fingerprint(),
        "counts": {"claimed": claims.count(), "added": added.len(), "gone": gone.len()},
        "added": pairs(added),
        "gone": pairs(gone),
        "claimed": claimed.collect::<Vec<_>>(),
    });
    message.to_string().into()
}

/// Whether the webhook took it.
async fn post(shared: &Shared, webhook: &WebhookUrl, body: &Bytes) -> bool {
    for attempt in 0..ATTEMPTS {
        let sent = tokio::time::timeout(DEADLINE, shared.fetcher.post_json(webhook.expose(), body.clone())).await;
        match sent {
            Ok(Ok(status)) if status.is_success() => {
                info!(%webhook, "told the webhook of claimed names");
                return true;
            }
            Ok(Ok(status)) => warn!(%webhook, %status, "the webhook did not take the message"),
            Ok(Err(problem)) => warn!(%webhook, %problem, "cannot reach the webhook"),
            Err(_elapsed) => warn!(%webhook, "the webhook did not answer in time"),
        }
        if attempt + 1 < ATTEMPTS {
            tokio::time::sleep(jittered(PAUSE * 4_u32.pow(attempt))).await;
        }
    }
    error!(%webhook, "the webhook was not told of claimed names; it will be with the next look at the list");
    false
}

fn read(path: &Path) -> io::Result<BTreeSet<Pair>> {
    let Some(text) = files::read_text(path, MAX_FILE)? else { return Ok(BTreeSet::new()) };
    let lines = text.strip_prefix(FORMAT).and_then(|rest| rest.strip_prefix('\n'));
    let lines = lines.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is of another version"))?;
    // Neither an id nor a name has a space in it.
    Ok(lines.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect())
}

fn write(path: &Path, pairs: &BTreeSet<Pair>) -> io::Result<()> {
    std::fs::create_dir_all(files::folder_of(path))?;
    let mut out = Replacement::of(path, Readers::Owner)?;
    writeln!(out, "{FORMAT}")?;
    for (rule, name) in pairs {
        writeln!(out, "{rule} {name}")?;
    }
    out.commit()
}
