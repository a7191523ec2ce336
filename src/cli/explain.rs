//! `namewall explain`: whether a name, a file, a URL or a requirement is protected, by which rule, and why.

use std::fmt::Display;

use http::Method;
use serde_json::{Value, json};

use super::output::{Console, Style};
use super::{Common, Failure, Outcome};
use crate::config::Settings;
use crate::name::{FileName, HostName, ProjectName, Subject};
use crate::policy::{Match, Policy, Verdict};
use crate::pypi::resource::Resource;
use crate::pypi::site::site_of;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Project names, file names, URLs or requirements
    #[arg(required = true, value_name = "THING")]
    things: Vec<String>,
}

/// The kind of a URL that the proxy has nothing to do with.
const ELSEWHERE: &str = "url of a host that is not intercepted";

/// What a thing turned out to be, and all that it names.
struct Thing {
    written: String,
    kind: &'static str,
    projects: Vec<ProjectName>,
    files: Vec<FileName>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let policy = settings.policy(time::OffsetDateTime::now_utc().date())?;
    let things: Vec<Thing> = arguments.things.iter().map(|text| read(text, &settings)).collect::<Result<_, _>>()?;
    let verdicts: Vec<Verdict<'_>> = things.iter().map(|thing| judge(thing, &policy)).collect();
    if arguments.json {
        let list: Vec<Value> = things.iter().zip(&verdicts).map(|(thing, verdict)| as_json(thing, verdict)).collect();
        console.line(format_args!("{:#}", Value::from(list)))?;
    } else {
        for (thing, verdict) in things.iter().zip(&verdicts) {
            console.text(&as_text(thing, verdict, console))?;
        }
    }
    let any = verdicts.iter().any(|verdict| verdict.protected.is_some());
    Ok(if any { Outcome::Finding } else { Outcome::Fine })
}

/// Understands what the user means by `text`.
fn read(text: &str, settings: &Settings) -> Result<Thing, Failure> {
    let thing = |kind, projects, files| Thing { written: text.to_owned(), kind, projects, files };
    if text.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Ok(match read_url(text, settings)? {
            Some(resource) => thing("url", resource.projects, resource.files),
            None => thing(ELSEWHERE, vec![], vec![]),
        });
    }
    // A file name, or a path to one: people paste what they see.
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    if !text.contains("://")
        && let Ok(file) = FileName::parse(last)
        && file.is_distribution()
    {
        return Ok(thing("file", vec![], vec![file]));
    }
    if let Ok(project) = ProjectName::parse(text) {
        return Ok(thing("project", vec![project], vec![]));
    }
    // A requirement (PEP 508): the name, then extras, a version, a marker or a URL. The URL names something too.
    let (name, rest) = text.split_at(text.find(|c: char| !is_name_character(c)).unwrap_or(text.len()));
    let usage = |why: &dyn Display| {
        Failure::Usage(format!("`{text}` is no project name, file name, URL or requirement: {why}"))
    };
    let project = ProjectName::parse(name).map_err(|why| usage(&why))?;
    if !rest.trim_start().starts_with(['[', '(', '<', '>', '=', '!', '~', ';', '@']) {
        return Err(usage(&format_args!("`{}` can't follow a name", rest.trim())));
    }
    let url = rest.split_once('@').map(|(_, url)| url.split_whitespace().next().unwrap_or_default());
    let mut requirement = thing("requirement", vec![project], vec![]);
    if let Some(url) = url.filter(|url| url.contains("://"))
        && let Some(resource) = read_url(url, settings)?
    {
        requirement.projects.extend(resource.projects);
        requirement.files.extend(resource.files);
    }
    Ok(requirement)
}

const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// What a URL asks for; `None` on a host that the proxy doesn't look into.
fn read_url(text: &str, settings: &Settings) -> Result<Option<Resource>, Failure> {
    let usage = |why: &dyn Display| Failure::Usage(format!("`{text}` is no URL of an index: {why}"));
    let url = url::Url::parse(text).map_err(|why| usage(&why))?;
    let host: HostName = url.host_str().unwrap_or_default().parse().map_err(|why| usage(&why))?;
    let Some(site) = site_of(&settings.sites, &host) else { return Ok(None) };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Resource::of(site.kind, &Method::GET, &format!("{}{query}", url.path())).map(Some).map_err(|why| usage(&why))
}

/// The first protecting verdict on anything that the thing names.
fn judge<'p>(thing: &Thing, policy: &'p Policy) -> Verdict<'p> {
    let projects = thing.projects.iter().map(|name| Subject::Project(name.as_name()));
    let mut best = Verdict::default();
    for subject in projects.chain(thing.files.iter().map(Subject::File)) {
        let verdict = policy.judge(subject);
        if verdict.protected.is_some() {
            return verdict;
        }
        if best.audited.is_none() {
            best = verdict;
        }
    }
    best
}

fn as_json(thing: &Thing, verdict: &Verdict<'_>) -> Value {
    let found = verdict.protected.or(verdict.audited);
    json!({
        "thing": thing.written,
        "kind": thing.kind,
        "projects": thing.projects.iter().map(ProjectName::as_str).collect::<Vec<_>>(),
        "files": thing.files.iter().map(FileName::as_str).collect::<Vec<_>>(),
        "verdict": if verdict.protected.is_some() { "protected" } else { "allowed" },
        "certain": verdict.certain,
        "rule": found.map(|found| &found.rule.id),
        "mode": found.map(|found| found.rule.mode.as_str()),
        "pattern": found.map(|found| found.written),
        "folded": found.map(|found| found.folded),
        "place": found.and_then(|found| found.place).map(ToString::to_string),
        "reason": found.and_then(|found| found.rule.reason.as_deref()),
        "owner": found.and_then(|found| found.rule.owner.as_deref()),
        "private_index": found.and_then(|found| found.rule.private_index.as_deref()),
    })
}

fn as_text(thing: &Thing, verdict: &Verdict<'_>, console: &Console) -> String {
    let name = console.paint(Style::Bold, &thing.written);
    match (&verdict.protected, &verdict.audited) {
        (Some(found), _) => {
            let word = console.paint(Style::Red, "protected");
            let sure = if verdict.certain { "" } else { " unless the public index says that it is another project's" };
            format!("{name}: {word}{sure}\n{}", details(found))
        }
        (None, Some(found)) => {
            let word = console.paint(Style::Green, "allowed");
            format!("{name}: {word}, but an audit rule would hide it\n{}", details(found))
        }
        (None, None) => {
            let note = if thing.kind == ELSEWHERE { format!(" ({})", thing.kind) } else { String::new() };
            format!("{name}: {}{note}\n", console.paint(Style::Green, "allowed"))
        }
    }
}

fn details(found: &Match<'_>) -> String {
    let mut lines = vec![("rule", found.rule.id.clone())];
    let pattern = if found.written == found.folded {
        found.written.to_owned()
    } else {
        format!("{} (compared as {})", found.written, found.folded)
    };
    lines.push(("pattern", pattern));
    let place = found.place.map_or_else(|| "the command line".to_owned(), ToString::to_string);
    lines.push(("written at", place));
    let said =
        [("reason", &found.rule.reason), ("owner", &found.rule.owner), ("install from", &found.rule.private_index)];
    lines.extend(said.into_iter().filter_map(|(label, value)| Some((label, value.clone()?))));
    lines.iter().map(|(label, value)| format!("  {label:<13}{value}\n")).collect()
}
