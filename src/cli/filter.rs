//! `namewall filter`: one page from standard input to standard output, by the code that the proxy runs, without a network.

use std::io::{self, Read, Write};

use super::asker::As;
use super::output::Console;
use super::{Common, Failure, Outcome, asserted_policy, knows_enough};
use crate::name::{ProjectName, Subject};
use crate::policy::Policy;
use crate::proxy::judge::PolicyJudge;
use crate::pypi::Malformed;
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;

/// What is read at once.
const PIECE: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the page is
    #[arg(long = "as", value_name = "KIND")]
    kind: Kind,
    /// Its media type [default: JSON or HTML, by its first byte]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The media types that the client accepts, as in an Accept field [default: as it comes]
    #[arg(long, value_name = "TYPES")]
    accept: Option<String>,
    /// The project whose page it is
    #[arg(long, value_name = "NAME")]
    project: Option<ProjectName>,
    #[command(flatten)]
    asker: As,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// The list of all projects
    Root,
    /// A project's simple page
    Project,
    /// A project's legacy JSON
    Legacy,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let whole = asserted_policy(&settings)?;
    arguments.asker.tell_of_stranger(&settings, console);
    let narrowed = arguments.asker.narrowed(&whole);
    let policy = narrowed.as_ref().unwrap_or(&whole);
    if let Some(found) = arguments.project.as_ref().and_then(|p| policy.judge(Subject::Project(p.as_name())).protected)
    {
        console.error(format_args!("404: the project is protected by rule {}", found.rule.id));
        return Ok(Outcome::Finding);
    }
    knows_enough(policy)?;
    let mut input = io::stdin().lock();
    let mut first = [0];
    let length = input.read(&mut first)?;
    let first = first.get(..length).unwrap_or_default();
    let content_type = arguments.content_type.clone().unwrap_or_else(|| sniffed(first, arguments.kind));
    let wanted = match &arguments.accept {
        Some(accept) => Representation::negotiate(Some(accept), None),
        None => Representation::negotiate(Some(&content_type), None),
    };
    let mut input = first.chain(input);
    let streamed = arguments.kind == Kind::Root
        && Representation::of_response(Some(&content_type)).is_ok_and(|received| !received.is_html());
    let filtered = if streamed {
        filter_root(&mut input, wanted, policy, console)
    } else {
        filter_whole(&mut input, arguments, &content_type, wanted, policy, console)
    };
    match filtered? {
        Ok(outcome) => Ok(outcome),
        Err(malformed) => {
            console.error(format_args!("502 {}: {malformed}", malformed.reason()));
            Ok(Outcome::Untrusted)
        }
    }
}

/// The type of a page that begins with `first`.
fn sniffed(first: &[u8], kind: Kind) -> String {
    let json = first.first().is_none_or(|byte| *byte != b'<');
    match (kind, json) {
        (Kind::Legacy, _) => "application/json",
        (_, true) => "application/vnd.pypi.simple.v1+json",
        (_, false) => "text/html",
    }
    .to_owned()
}

type Filtering = Result<Result<Outcome, Malformed>, Failure>;

/// Streams the root list: what could be judged is out before a fault further on is met, as in the proxy.
fn filter_root(input: &mut impl Read, wanted: Representation, policy: &Policy, console: &Console) -> Filtering {
    let mut filter = RootFilter::new(wanted);
    let mut judge = PolicyJudge::new(policy);
    let mut stdout = io::stdout().lock();
    let mut piece = vec![0; PIECE];
    let mut out = Vec::new();
    loop {
        let length = input.read(&mut piece)?;
        out.clear();
        let pushed = match piece.get(..length).filter(|piece| !piece.is_empty()) {
            Some(piece) => filter.push(piece, &mut judge, &mut out),
            None => filter.finish(&mut judge, &mut out),
        };
        if let Err(malformed) = pushed {
            return Ok(Err(malformed));
        }
        stdout.write_all(&out)?;
        if length == 0 {
            stdout.flush()?;
            tell(console, &judge, filter.removed());
            return Ok(Ok(Outcome::Fine));
        }
    }
}

fn filter_whole(
    input: &mut impl Read,
    arguments: &Arguments,
    content_type: &str,
    wanted: Representation,
    policy: &Policy,
    console: &Console,
) -> Filtering {
    let mut page = Vec::new();
    input.read_to_end(&mut page)?;
    let project = arguments.project.as_ref();
    let kind = match arguments.kind {
        Kind::Root => filter::Kind::Root,
        Kind::Project => filter::Kind::Project(project),
        Kind::Legacy => filter::Kind::Legacy(project),
    };
    let mut judge = PolicyJudge::new(policy);
    let received = Received { kind, content_type: Some(content_type), body: &page, url: None, wanted };
    let filtered = match filter_page(&received, &mut judge) {
        Ok(filtered) => filtered,
        Err(malformed) => return Ok(Err(malformed)),
    };
    tell(console, &judge, filtered.removed);
    if filtered.emptied {
        console.error(match kind {
            filter::Kind::Legacy(_) => "404: what it describes (its `info`, or all its files) is hidden",
            _ => "404: nothing is left on the page",
        });
        return Ok(Ok(Outcome::Finding));
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&filtered.body)?;
    stdout.flush()?;
    Ok(Ok(Outcome::Fine))
}

fn tell(console: &Console, judge: &PolicyJudge<'_>, removed: u64) {
    console.error(format_args!("removed {removed}"));
    for hit in judge.hits() {
        let verb = if hit.hides { "hid" } else { "would have hidden (audit)" };
        console.error(format_args!("rule {} {verb} {} by {}", hit.found.rule.id, hit.count, hit.found.written));
    }
}
