//! Tells the story on a terminal: few lines, red for the stranger, green for the company.

use std::io::{self, Write};

use super::stage::{IMPORT, Scene};
use super::{Act, Outcome, cast};
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
    pub(super) fn prologue(&mut self, private: &str) -> io::Result<()> {
        let title = self.paint(Paint::Bold, "Dependency confusion, played on this machine with real clients");
        let ours = self.paint(Paint::Green, &format!("{} {}", cast::PACKAGE, cast::OURS));
        let planted = self.paint(Paint::Red, &format!("{} {}", cast::PACKAGE, cast::PLANTED));
        let ordinary = format!("{} {}", cast::ORDINARY, cast::ORDINARY_VERSION);
        writeln!(self.out, "{title}\n")?;
        for (index, url, package, note) in [
            ("private index", private, ours, "the company's own"),
            ("public index", "https://pypi.org (a stand-in)", planted, "a stranger's: the name was free there"),
            ("", "", ordinary, "an ordinary package that both depend on"),
        ] {
            writeln!(self.out, "  {index:14} {url:33} {package}, {note}")?;
        }
        writeln!(self.out, "\nMaking fresh environments ...")?;
        self.out.flush()
    }

    /// Which half begins.
    pub(super) fn curtain(&mut self, protected: bool) -> io::Result<()> {
        let title = if protected {
            format!("2. The same commands, and namewall protects {}", cast::PATTERN)
        } else {
            "1. Without a rule: the highest version wins with pip, the first index that knows the name with uv"
                .to_owned()
        };
        let title = self.paint(Paint::Bold, &title);
        writeln!(self.out, "\n{title}")?;
        self.out.flush()
    }

    /// One install, and what came of it.
    pub(super) fn scene(&mut self, scene: &Scene, protected: bool) -> io::Result<()> {
        let (paint, mark) = if scene.version == cast::OURS { (Paint::Green, "ok") } else { (Paint::Red, "!!") };
        let module = self.paint(paint, &format!("{mark} {}", scene.module));
        let said = self.paint(Paint::Dim, &scene.said);
        writeln!(self.out, "\n  $ {}\n     {said}\n  $ {IMPORT}\n     {module}", scene.typed)?;
        if protected && scene.version != cast::OURS {
            writeln!(self.out, "     {}", self.paint(Paint::Red, "namewall should have kept this away"))?;
        }
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
            0 => format!("nothing that it was asked for bore the name {}", cast::PROTECTED_WORD),
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
            acts.map(|act| format!("{} {}", act.client, act.version)).collect::<Vec<_>>().join(", ")
        };
        if !outcome.defended {
            let result = format!("without a rule: {}; with it: {}", installed(false), installed(true));
            return self.paint(Paint::Red, &format!("The story did not go as it should: {result}"));
        }
        let verdict = self.paint(Paint::Green, "The attack worked without namewall, and failed with it.");
        format!("{verdict}\nFor your own names: namewall run --protect '{}' -- pip install ...", cast::PATTERN)
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", paint as u8) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::story::Client;

    fn told(outcome: &Outcome, colours: bool) -> String {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(&mut out, colours);
        narrator.prologue("http://127.0.0.1:1/simple/").unwrap();
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
        assert!(defeat.contains("with it: pip 99.0") && defeat.contains("3 requests bore the name acme"), "{defeat}");
    }
}
