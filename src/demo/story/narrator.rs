//! Tells the story on a terminal: few lines, red for the stranger, green for the company.

use std::io::{self, Write};

use super::keep::Keys;
use super::stage::{IMPORT, Proof};
use super::{Act, Client, Outcome, cast};
use crate::telemetry::decision::Tally;

/// Who tells.
pub(super) struct Narrator<'o> {
    out: &'o mut (dyn Write + Send),
    colours: bool,
}

/// Select Graphic Rendition (ECMA-48 §8.3.117), as few terminals lack it.
#[derive(Clone, Copy)]
enum Paint {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

impl<'o> Narrator<'o> {
    pub(super) fn new(out: &'o mut (dyn Write + Send), colours: bool) -> Self {
        Self { out, colours }
    }

    /// Who is who.
    pub(super) fn prologue(&mut self, client: Client, private: &str) -> io::Result<()> {
        let title = format!("Dependency confusion, played on this machine with real {client}");
        let title = self.paint(Paint::Bold, &title);
        let ours = self.paint(Paint::Green, &format!("{} {}", cast::PACKAGE, cast::OURS));
        let planted = self.paint(Paint::Red, &format!("{} {}", cast::PACKAGE, cast::PLANTED));
        let ordinary = format!("{} {}", cast::ORDINARY, cast::ORDINARY_VERSION);
        writeln!(self.out, "{title}\n")?;
        for (index, url, package, note) in [
            ("private index", private, ours, "your company's own"),
            ("public index", "https://pypi.org (a stand-in)", planted, "a stranger's"),
            ("", "", ordinary, "which both depend on"),
        ] {
            writeln!(self.out, "  {index:13}  {url:31}  {package}, {note}")?;
        }
        writeln!(self.out, "\nMaking fresh environments ...")?;
        self.out.flush()
    }

    /// Which half begins.
    pub(super) fn curtain(&mut self, client: Client, protected: bool) -> io::Result<()> {
        let title = if protected {
            format!("2. The same again, and namewall protects {}", cast::PATTERN)
        } else {
            format!("1. Without a rule: {}", client.weakness())
        };
        let title = self.paint(Paint::Bold, &title);
        writeln!(self.out, "\n{title}\n")?;
        self.out.flush()
    }

    /// That a speaker is waited for.
    pub(super) fn waits(&mut self) -> io::Result<()> {
        let prompt = self.paint(Paint::Dim, "Enter goes on");
        write!(self.out, "\n{prompt} ")?;
        self.out.flush()
    }

    /// A command, before it runs.
    pub(super) fn types(&mut self, typed: &str) -> io::Result<()> {
        writeln!(self.out, "  $ {typed}")?;
        self.out.flush()
    }

    /// What it says of what it has installed; nothing when it has installed nothing.
    pub(super) fn says(&mut self, said: &str) -> io::Result<()> {
        if !said.is_empty() {
            let said = self.paint(Paint::Dim, said);
            writeln!(self.out, "    {said}")?;
        }
        self.out.flush()
    }

    /// What came of an install.
    pub(super) fn shows(&mut self, proof: &Proof, protected: bool) -> io::Result<()> {
        let (paint, mark) = if proof.version == cast::OURS { (Paint::Green, "ok") } else { (Paint::Red, "!!") };
        let module = self.paint(paint, &format!("{mark} {}", proof.module));
        writeln!(self.out, "  $ {IMPORT}\n    {module}")?;
        if protected && proof.version != cast::OURS {
            writeln!(self.out, "    {}", self.paint(Paint::Red, "namewall should have kept this away"))?;
        }
        self.out.flush()
    }

    /// What a visitor may try, now that the stage stays.
    pub(super) fn stay(&mut self, keys: &Keys) -> io::Result<()> {
        let title = self.paint(Paint::Bold, "All of it stays until Ctrl-C. In another terminal:");
        writeln!(self.out, "\n{title}\n")?;
        for (name, place) in &keys.places {
            writeln!(self.out, "  {name:14}  {place}")?;
        }
        for (command, shows) in &keys.tries {
            let shows = self.paint(Paint::Dim, &format!("# {shows}"));
            writeln!(self.out, "\n  {shows}\n  {command}")?;
        }
        self.out.flush()
    }

    /// The very end of what stayed.
    pub(super) fn farewell(&mut self) -> io::Result<()> {
        writeln!(self.out, "\nEverything that the demo had made is removed.")?;
        self.out.flush()
    }

    /// What was hidden by which rule, and what it proves.
    pub(super) fn epilogue(&mut self, outcome: &Outcome, tally: &Tally) -> io::Result<()> {
        let title = self.paint(Paint::Bold, "3. What namewall did");
        writeln!(self.out, "\n{title}\n")?;
        for (key, count) in &tally.entries {
            let times = if *count == 1 { String::new() } else { format!(", {count} times") };
            let rule = key.rule.as_deref().unwrap_or("none");
            let (what, on) = (key.outcome.as_str(), key.surface.as_str());
            writeln!(self.out, "  {what}: {} ({on}){times}, by rule `{rule}` ({})", key.subject, cast::PATTERN)?;
        }
        let heard = match outcome.leaked {
            0 => format!("heard nothing of {}", cast::PROTECTED_WORD),
            leaked => self.paint(Paint::Red, &format!("{leaked} requests bore the name {}", cast::PROTECTED_WORD)),
        };
        writeln!(self.out, "  the public index: {heard}; {} came from it as always\n", cast::ORDINARY)?;
        let verdict = self.verdict(outcome);
        writeln!(self.out, "{verdict}")?;
        self.out.flush()
    }

    fn verdict(&self, outcome: &Outcome) -> String {
        let installed = |protected| {
            let acts = outcome.acts.iter().filter(move |act: &&Act| act.protected == protected);
            acts.map(|act| format!("{} took {}", act.client, act.version)).collect::<Vec<_>>().join(", ")
        };
        if !outcome.defended {
            let result = format!("without a rule: {}; with it: {}", installed(false), installed(true));
            return self.paint(Paint::Red, &format!("The story did not go as it should: {result}"));
        }
        let verdict = self.paint(Paint::Green, "The attack worked without namewall, and failed with it.");
        let usual = outcome.acts.first().map_or(Client::Pip, |act| act.client).usual();
        format!("{verdict}\nFor your own names: namewall run --protect '{}' -- {usual}", cast::PATTERN)
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", paint as u8) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outcome: &Outcome, colours: bool) -> String {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(&mut out, colours);
        narrator.prologue(Client::Pip, "http://127.0.0.1:1/simple/").unwrap();
        narrator.epilogue(outcome, &Tally::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn outcome(version: &str, leaked: usize) -> Outcome {
        let act = Act { client: Client::Pip, protected: true, version: version.to_owned() };
        Outcome { acts: vec![act], leaked, defended: version == cast::OURS && leaked == 0 }
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(!told(&outcome("1.0", 0), false).contains('\x1b'));
        assert!(told(&outcome("1.0", 0), true).contains("\x1b[32m"));
    }

    #[test]
    fn a_defeat_is_told_as_one() {
        assert!(told(&outcome("1.0", 0), false).contains("worked without namewall, and failed with it"));
        let defeat = told(&outcome("99.0", 3), false);
        assert!(
            defeat.contains("with it: pip took 99.0") && defeat.contains("3 requests bore the name acme"),
            "{defeat}"
        );
    }
}
