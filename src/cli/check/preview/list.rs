//! Reads a list of names: plain text, or the list of all projects as PyPI sends it.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::{PreviewError, Tally, UNRANKED};
use crate::claimed::is_list;
use crate::cli::input;
use crate::name::{NameBuffer, NameRef, Subject, name_on_line};
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::pypi::{Judge, Malformed};

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// Reads the list at `path`, or standard input, into `tally`.
pub(super) fn read(path: &Path, tally: &mut Tally<'_>) -> Result<(), PreviewError> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let unreadable = |cause: io::Error| PreviewError::Unreadable(format!("cannot read the list {shown}: {cause}"));
    let mut input = BufReader::with_capacity(PIECE, input::open(path).map_err(unreadable)?);
    let first = input.fill_buf().map_err(unreadable)?.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let done = match first {
        Some(b'{') => of_json(input, tally),
        Some(b'<') => of_html(input, tally),
        _ => names(input, tally).map(|()| is_list(tally.names, tally.invalid)),
    };
    done.map_err(unreadable)?
        .map_err(|malformed| PreviewError::Untrusted(format!("{shown} is not PyPI's list of projects: {malformed}")))
}

/// One name a line; a rank may stand behind it, and whatever else behind that.
pub(super) fn names(mut input: impl BufRead, tally: &mut Tally<'_>) -> io::Result<()> {
    let (mut line, mut buffer) = (Vec::new(), NameBuffer::default());
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some((name, mut fields)) = name_on_line(&line) {
            match NameRef::fold(name, &mut buffer) {
                Ok(name) => tally.add(name, fields.next().and_then(rank).unwrap_or(UNRANKED)),
                Err(_not_a_name) => tally.add_invalid(1),
            }
        }
        line.clear();
    }
    Ok(())
}

fn rank(field: &[u8]) -> Option<u64> {
    str::from_utf8(field).ok()?.parse().ok()
}

type Reading = io::Result<Result<(), Malformed>>;

fn of_json(mut input: impl BufRead, tally: &mut Tally<'_>) -> Reading {
    let mut filter = RootFilter::new(Representation::Json);
    let mut out = Vec::new();
    loop {
        let piece = input.fill_buf()?;
        let length = piece.len();
        out.clear();
        let pushed = match length {
            0 => filter.finish(&mut Listener(tally), &mut out),
            _ => filter.push(piece, &mut Listener(tally), &mut out),
        };
        if let Err(malformed) = pushed {
            return Ok(Err(malformed));
        }
        if length == 0 {
            // The listener lets everything pass, so that only what is no name is gone.
            tally.add_invalid(filter.removed());
            return Ok(Ok(()));
        }
        input.consume(length);
    }
}

fn of_html(mut input: impl BufRead, tally: &mut Tally<'_>) -> Reading {
    let mut page = Vec::new();
    input.read_to_end(&mut page)?;
    let received = Received {
        kind: filter::Kind::Root,
        content_type: Some("text/html"),
        body: &page,
        url: None,
        wanted: Representation::Json,
    };
    Ok(filter_page(&received, &mut Listener(tally)).map(|filtered| tally.add_invalid(filtered.removed)))
}

/// Hears the names that a page's reader asks about, and hides none.
struct Listener<'t, 'p>(&'t mut Tally<'p>);

impl Judge for Listener<'_, '_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        if let Subject::Project(name) = subject {
            self.0.add(name, UNRANKED);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use time::Date;

    use super::*;
    use crate::policy::{Pattern, Policy, Rule};

    fn counts(list: &str) -> Result<(u64, u64, u64), PreviewError> {
        let names = vec![Pattern::parse("acme*").unwrap()];
        let rules = vec![Rule { id: "acme".to_owned(), names, ..Rule::default() }];
        let policy = Policy::compile(rules, Date::MIN).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list).unwrap();
        let preview = super::super::of(&policy, file.path(), 1, Date::MIN)?;
        Ok((preview.names, preview.invalid, preview.hidden))
    }

    #[test]
    fn the_forms_in_which_lists_come() {
        let json = r#"{"meta":{"api-version":"1.4"},"projects":[{"name":"acme"},{"name":"Six"},{"_last-serial":1,"name":"-"}]}"#;
        let html = "<!DOCTYPE html><html><body><a href=\"/simple/acme/\">acme</a><a href=\"/simple/six/\">Six</a></body></html>";
        assert_eq!(counts(json).unwrap(), (3, 1, 1));
        assert_eq!(counts(html).unwrap(), (2, 0, 1));
        assert_eq!(counts("acme\nSix\n-\n").unwrap(), (3, 1, 1));
        for no_list in ["", "\n", "[\"acme\", \"six\"]", "-\n-\nsix\n"] {
            assert!(matches!(counts(no_list), Err(PreviewError::Untrusted(_))), "{no_list:?}");
        }
        assert!(matches!(counts(&json[..40]), Err(PreviewError::Untrusted(_))));
        assert!(matches!(counts("{\"rows\":[]}"), Err(PreviewError::Untrusted(_))));
    }
}
