//! Reads a list of all projects, in JSON, in HTML or one name a line, and keeps what the policy protects.

use super::{Claim, Claims};
use crate::name::{NameBuffer, NameRef, Subject, name_on_line};
use crate::policy::{Match, Policy};
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::json::{self, Value};
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::pypi::{Judge, Malformed};

/// The most that is kept of a list: some hundred thousand protected projects.
const MAX_KEPT: usize = 32 << 20;

/// A list in JSON, as it comes: all that isn't protected is taken out of it.
#[derive(Debug)]
pub(crate) struct JsonList<'p> {
    filter: RootFilter,
    judge: Reverse<'p>,
    kept: Vec<u8>,
}

/// Hides what may be seen.
#[derive(Debug)]
struct Reverse<'p> {
    policy: &'p Policy,
    listed: u64,
}

impl Judge for Reverse<'_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        self.listed += 1;
        matching(self.policy, subject).is_none()
    }
}

/// The rule that protects, or would.
fn matching<'p>(policy: &'p Policy, subject: Subject<'_>) -> Option<Match<'p>> {
    let verdict = policy.judge(subject);
    verdict.protected.or(verdict.audited)
}

impl<'p> JsonList<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        let judge = Reverse { policy, listed: 0 };
        Self { filter: RootFilter::new(Representation::Json), judge, kept: Vec::new() }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        self.filter.push(piece, &mut self.judge, &mut self.kept)?;
        if self.kept.len() > MAX_KEPT { Err(Malformed::Limit("too much of it is protected")) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> Result<Claims, Malformed> {
        self.filter.finish(&mut self.judge, &mut self.kept)?;
        let document = json::document(&self.kept)?;
        let projects = document.get("projects").map(Value::elements).transpose()?.flatten().unwrap_or_default();
        let mut claims = Claims { listed: self.judge.listed, ..Claims::default() };
        for project in projects {
            let name = project.get("name").and_then(Value::text).map(|name| name.decode_bytes()).transpose()?;
            let serial =
                project.get("_last-serial").and_then(|serial| str::from_utf8(serial.bytes()).ok()?.parse().ok());
            add(&mut claims, self.judge.policy, &name.unwrap_or_default(), serial);
        }
        Ok(sorted(claims))
    }
}

/// What `policy` protects of a list in HTML, which says of no project when it changed or how its holder writes it.
pub(crate) fn of_html(policy: &Policy, text: &[u8]) -> Result<Claims, Malformed> {
    let page = Received {
        kind: filter::Kind::Root,
        content_type: Some("text/html"),
        body: text,
        url: None,
        wanted: Representation::Html,
    };
    let mut heard = Heard { policy, claims: Claims::default() };
    filter_page(&page, &mut heard)?;
    // Anything can be read as HTML: an error page lists nothing.
    if heard.claims.listed == 0 { Err(Malformed::Shape("it lists no project")) } else { Ok(sorted(heard.claims)) }
}

/// Hears the names that a page's reader asks about, and hides none.
struct Heard<'p> {
    policy: &'p Policy,
    claims: Claims,
}

impl Judge for Heard<'_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        if let Subject::Project(name) = subject {
            self.claims.listed += 1;
            add(&mut self.claims, self.policy, name.as_str().as_bytes(), None);
        }
        false
    }
}

/// What `policy` protects of names that stand one a line.
pub(crate) fn of_names(policy: &Policy, text: &[u8]) -> Result<Claims, Malformed> {
    let mut claims = Claims::default();
    let mut buffer = NameBuffer::default();
    let mut invalid = 0;
    for line in text.split(|byte| *byte == b'\n') {
        if let Some((name, _rank)) = name_on_line(line) {
            claims.listed += 1;
            invalid += u64::from(NameRef::fold(name, &mut buffer).is_err());
            add(&mut claims, policy, name, None);
        }
    }
    is_list(claims.listed, invalid)?;
    Ok(sorted(claims))
}

/// Whether a text of so many lines, of which so many are no names, is a list: a download that failed is an empty file, and
/// an archive has lines, too.
pub(crate) fn is_list(lines: u64, invalid: u64) -> Result<(), Malformed> {
    match lines {
        0 => Err(Malformed::Shape("it lists no project")),
        _ if invalid.saturating_mul(2) > lines => Err(Malformed::Shape("most of its lines are no names of projects")),
        _ => Ok(()),
    }
}

fn add(claims: &mut Claims, policy: &Policy, written: &[u8], last_serial: Option<u64>) {
    let mut buffer = NameBuffer::default();
    let Ok(name) = NameRef::fold(written, &mut buffer) else { return };
    let Some(found) = matching(policy, Subject::Project(name)) else { return };
    claims.add(name, String::from_utf8_lossy(written).into_owned(), &found, last_serial);
}

impl Claims {
    /// Adds the project `name`, as its holder has `written` it, which the rule that was `found` protects.
    pub(crate) fn add(&mut self, name: NameRef<'_>, written: String, found: &Match<'_>, last_serial: Option<u64>) {
        let claim = Claim {
            name: name.as_str().to_owned(),
            written,
            pattern: found.written.to_owned(),
            last_serial,
            mode: found.rule.mode.as_str(),
        };
        self.by_rule.entry(found.rule.id.clone()).or_default().push(claim);
    }
}

fn sorted(mut claims: Claims) -> Claims {
    for of_rule in claims.by_rule.values_mut() {
        of_rule.sort();
        of_rule.dedup_by(|one, other| one.name == other.name);
    }
    claims
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::policy::{Pattern, Rule};

    fn policy() -> Policy {
        let patterns = |list: &[&str]| list.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        let rule = |id: &str, names: &[&str], except: &[&str]| Rule {
            id: id.to_owned(),
            names: patterns(names),
            except: patterns(except),
            ..Rule::default()
        };
        let rules = vec![rule("acme", &["acme-*"], &["acme-sdk"]), rule("b", &["b"], &[])];
        Policy::compile(rules, date!(2026 - 01 - 01)).unwrap()
    }

    #[test]
    fn protected_names_are_found_in_any_spelling_and_in_any_pieces() {
        let document = br#"{"meta":{"_last-serial":9,"api-version":"1.4"},"projects":[
            {"_last-serial":7,"name":"requests"},{"_last-serial":5,"name":"Acme_Core"},
            {"_last-serial":6,"name":"acme-sdk"},{"name":"B"},{"_last-serial":4,"name":"acme.a"}]}"#;
        let policy = policy();
        for piece in [1, 10, 1000] {
            let mut list = JsonList::new(&policy);
            document.chunks(piece).for_each(|piece| list.push(piece).unwrap());
            let claims = list.finish().unwrap();
            assert_eq!((claims.listed, claims.count()), (5, 3));
            let acme: Vec<_> = claims.by_rule["acme"].iter().map(|c| (c.written.as_str(), c.last_serial)).collect();
            assert_eq!(acme, [("acme.a", Some(4)), ("Acme_Core", Some(5))]);
            assert_eq!(claims.by_rule["b"][0].last_serial, None);
        }
    }

    #[test]
    fn names_one_a_line_are_read_too() {
        let text = b"# all\nrequests\r\nAcme.Core 12\nacme_core\n\nacme-sdk\n!\n";
        let claims = of_names(&policy(), text).unwrap();
        assert_eq!((claims.listed, claims.count()), (5, 1));
    }

    #[test]
    fn what_is_no_list_is_not_searched_in_vain() {
        for text in [&b""[..], b"\n# nothing\n", b"\xfd7zXZ\x00\n\x01!\nab\n", b"404: Not Found?\n"] {
            assert!(of_names(&policy(), text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lists_in_html_are_read_too() {
        let page = b"<!DOCTYPE html><html><body><a href=\"/simple/requests/\">requests</a>\n\
            <a href=\"/simple/acme-core/\">Acme_Core</a><a href=\"/simple/acme-sdk/\">acme-sdk</a></body></html>";
        let claims = of_html(&policy(), page).unwrap();
        assert_eq!((claims.listed, claims.count()), (3, 1));
        assert_eq!(claims.by_rule["acme"][0].name, "acme-core");
    }

    #[test]
    fn what_is_cut_off_is_not_believed() {
        let policy = policy();
        let mut list = JsonList::new(&policy);
        list.push(br#"{"projects":[{"name":"acme-core"}"#).unwrap();
        assert_eq!(list.finish(), Err(Malformed::Truncated));
    }
}
