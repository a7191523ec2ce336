//! The run: every row by every contestant in turn, in rounds.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::client::{self, Client, Order};
use crate::origin::Origin;
use crate::peers::{self, NAMEWALL, Peer, Stage};
use crate::report::{Contestant, Curve, DIRECT, Figures, Line, Point, Run};
use crate::rows::{self, Row};
use crate::{Options, Result, measure, sandbox, work};

/// Who stands between the client and nginx, if anybody.
pub(crate) type Between<'a> = Option<&'a Peer>;

/// Measures everything.
pub(crate) fn measure(options: &Options) -> Result<Run> {
    sandbox::furnish()?;
    let folder = tempfile::Builder::new().prefix("namewall-bench-").tempdir()?;
    // squid's user reads there, too.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let stage = Stage {
        folder: folder.path().to_owned(),
        origin_ca: folder.path().join("ca.pem"),
        namewall: fs::canonicalize(&options.namewall)?,
    };
    let _origin = Origin::start(&stage.folder, &work().join("www"))?;
    let (peers, skipped) = peers::start(&stage, options);
    std::thread::sleep(Duration::from_millis(500));
    let mut contestants = vec![Contestant::direct()];
    contestants.extend(peers.iter().map(contestant));
    let rounds = if options.quick { 1 } else { 2 };
    // Before the rows: of small pages alone, from its start.
    if let Some(row) = rows::endurance(options) {
        for (peer, contestant) in peers.iter().zip(contestants.iter_mut().skip(1)) {
            eprintln!("{} after many requests", contestant.name);
            match figures(&stage, &row, Some(peer), false) {
                Ok(figures) => {
                    contestant.requests = figures.requests;
                    (contestant.after, contestant.own_after) = (Some(peer.resident()), Some(peer.own()));
                }
                Err(error) => eprintln!("{error}"),
            }
        }
    }
    let mut lines: Vec<_> =
        rows::all(options).into_iter().map(|row| (Line::of(&row, contestants.len()), row)).collect();
    for round in 1..=rounds {
        for (line, row) in &mut lines {
            eprintln!("round {round} of {rounds}: {}", row.title);
            let forth = 0..contestants.len();
            let order: Vec<_> = if round % 2 == 1 { forth.collect() } else { forth.rev().collect() };
            for index in order {
                let between = index.checked_sub(1).map(|peer| &peers[peer]);
                line.add(index, figures(&stage, row, between, round == 1));
            }
        }
    }
    let curves = if options.wants_row("growth") { growth(&stage, &peers, options) } else { Vec::new() };
    let lines = lines.into_iter().map(|(line, _)| line).collect();
    let (date, processor) = (time::OffsetDateTime::now_utc().date().to_string(), measure::processor());
    Ok(Run { date, processor, rounds, contestants, skipped, lines, curves })
}

fn contestant(peer: &Peer) -> Contestant {
    Contestant {
        name: peer.plan.name.to_owned(),
        version: peer.plan.version.clone(),
        note: peer.plan.note.to_owned(),
        hides: peer.plan.hides,
        start: Some(peer.start),
        idle: Some(peer.resident()),
        own: Some(peer.own()),
        after: None,
        own_after: None,
        requests: 0.0,
    }
}

/// One row by one of them.
fn figures(stage: &Stage, row: &Row, between: Between<'_>, checked: bool) -> Result<Figures> {
    let order = row.order(between, &stage.origin_ca);
    if checked && row.host == "pypi.org" {
        row.check(&client::look(&order)?, between.is_some_and(|peer| peer.plan.hides))?;
    }
    let _background = if row.busy { pass(stage, between)? } else { Vec::new() };
    let mut client = Client::start(&order)?;
    if let Some(peer) = between {
        measure::forget_peak(peer.id());
    }
    let before = between.map(|peer| measure::cpu(peer.id()));
    client.begin()?;
    let outcome = client.outcome()?;
    let used = between.zip(before).map(|(peer, before)| measure::cpu(peer.id()) - before);
    let requests = outcome.requests as f64;
    Ok(Figures {
        requests,
        per_second: requests / outcome.seconds,
        p50: outcome.p50,
        p99: outcome.p99,
        first_byte: outcome.first_byte,
        cpu: used.filter(|_| !row.busy).map(|used| used.as_secs_f64() * 1e3 / requests),
        peak: between.map(|peer| measure::peak(peer.id()) as f64 / 1e6),
    })
}

/// What passes in the background comes at such a pace, in bytes a second, that the client's core is not full of it.
const PACE: f64 = 30e6;

/// Lets a root list and two files pass, over and over, until the clients are dropped.
fn pass(stage: &Stage, between: Between<'_>) -> Result<Vec<Client>> {
    let start = |row: Row| {
        let order = Order { pace: Some(PACE), ..row.order(between, &stage.origin_ca) };
        let mut client = Client::start(&order)?;
        client.begin().map(|()| client)
    };
    rows::background().map(start).into_iter().collect()
}

/// How namewall's cost grows with pages, policies and connections; beside it, what nginx takes without a proxy.
fn growth(stage: &Stage, peers: &[Peer], options: &Options) -> Vec<Curve> {
    let walls = peers.iter().filter(|peer| peer.plan.name.starts_with(NAMEWALL));
    let all: Vec<Between<'_>> = std::iter::once(None).chain(walls.map(Some)).collect();
    let step = |between: Between<'_>, x, row: &Row, of_policy: bool| match between {
        Some(wall) if of_policy => {
            let plan = peers::with_policy(stage, wall.plan.name, x)?;
            figures(stage, row, Some(&Peer::start(plan, 1, &stage.folder)?), false)
        }
        _ => figures(stage, row, between, false),
    };
    let curve = |id: &str, title: &str, steps: Vec<(usize, Row)>| {
        let mut points = Vec::new();
        for (x, row) in &steps {
            eprintln!("by {title}: {x}");
            for between in &all {
                let of = between.map_or(DIRECT, |wall| wall.plan.name).to_owned();
                match step(*between, *x, row, id == "policy") {
                    Ok(Figures { cpu, p50, p99, .. }) => points.push(Point { of, x: *x, cpu, p50, p99 }),
                    Err(error) => eprintln!("{of}: {error}"),
                }
            }
        }
        Curve { id: id.to_owned(), title: title.to_owned(), points }
    };
    vec![
        curve("size", "files on the page", rows::by_size(options)),
        curve("policy", "names in the policy (page of 500 files)", rows::by_policy(options)),
        curve("connections", "connections (page of 20 files)", rows::by_connections(options)),
    ]
}
