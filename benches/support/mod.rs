//! What the benches judge, and by which rules: pages laid out as PyPI's, and policies of several sizes.

use namewall::demo::simple::{self, Form};
use namewall::demo::{Artifact, Catalog, Project};
use namewall::policy::{FilePattern, Pattern, Policy, Rule};
use time::macros::date;

pub(crate) const WORDS: [&str; 16] = [
    "data", "Py", "tools", "core", "async", "http", "lib", "django", "ml", "graph", "x", "client", "utils", "sdk",
    "io", "cloud",
];

/// No rule at all, ten of every kind, or one of as many names as are asked for.
pub(crate) fn policy(names: usize) -> Policy {
    let rules = match names {
        0 => Vec::new(),
        10 => (0..10).map(mixed_rule).collect(),
        _ => vec![Rule { id: "many".to_owned(), names: (0..names).map(many).collect(), ..Rule::default() }],
    };
    Policy::compile(rules, date!(2026 - 01 - 01)).expect("rules that compile")
}

/// One exact name, one prefix, one pattern that only an automaton finds, an exception and files.
fn mixed_rule(number: usize) -> Rule {
    let pattern = |text: String| Pattern::parse(&text).expect("a pattern");
    let unit =
        ["acme", "initech", "umbrella", "hooli", "globex", "cyberdyne", "tyrell", "wonka", "stark", "wayne"][number];
    Rule {
        id: unit.to_owned(),
        names: [unit.to_owned(), format!("{unit}-*"), format!("*-{unit}-internal"), format!("re:{unit}[0-9]+")]
            .map(pattern)
            .to_vec(),
        except: vec![pattern(format!("{unit}-sdk"))],
        files: vec![FilePattern::parse(&format!("{unit}*.egg")).expect("a pattern")],
        ..Rule::default()
    }
}

/// Mostly exact names, every tenth a prefix.
fn many(number: usize) -> Pattern {
    let end = if number.is_multiple_of(10) { "-*" } else { "" };
    Pattern::parse(&format!("acme-{}-{number}{end}", WORDS[number % 16].to_lowercase())).expect("a pattern")
}

/// The page of a project of so many files, of which every hundredth bears a name that the ten rules protect.
pub(crate) fn page(form: Form, files: usize, protected: bool) -> String {
    let project = (0..files).fold(Project::new("sample-project"), |project, number| {
        let odd = protected && number % 100 == 7;
        project.file(file(if odd { "acme_core" } else { "sample_project" }, number))
    });
    simple::detail(&project, form, |file| format!("https://files.pythonhosted.org{}", file.path()))
}

/// An sdist and nine wheels for each version, as projects with compiled code have them.
fn file(project: &str, number: usize) -> Artifact {
    let version = format!("{}.{}.{}", number / 1000, number / 100 % 10, number / 10 % 10);
    let bytes = number.to_string();
    let file = match number % 10 {
        0 => return Artifact::raw(&format!("{}-{version}.tar.gz", project.replace('_', "-")), &version, bytes),
        minor @ 1..=5 => format!("cp31{minor}-cp31{minor}-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        minor => format!("cp3{minor}-cp3{minor}-macosx_11_0_arm64"),
    };
    Artifact {
        requires_python: Some(">=3.8".to_owned()),
        metadata: Some(bytes.clone().into()),
        ..Artifact::raw(&format!("{project}-{version}-{file}.whl"), &version, bytes)
    }
}

/// A root list of so many projects; a few of them bear names that the rules protect.
pub(crate) fn root(projects: usize) -> String {
    let name = |number: usize| {
        let word = |shift: usize| WORDS[(number >> shift) % 16];
        match number % 5_000 {
            7 => format!("acme-tools-{number}"),
            _ if number.is_multiple_of(3) => format!("{}-{}{number}", word(2).to_lowercase(), word(6).to_lowercase()),
            _ => format!("{}_{}{number}", word(3), word(7)),
        }
    };
    let catalog: Catalog = (0..projects).map(|number| Project::new(&name(number))).collect();
    simple::root(&catalog, Form::Json)
}

/// A config of so many exact names, a tenth as many prefixes and a fiftieth as many expressions; `more` is said of the
/// exact ones.
pub(crate) fn config(names: usize, more: &str) -> String {
    let list = |count: usize, name: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |list, number| list + "  \"" + &name(number) + "\",\n")
    };
    let word = |number: usize| WORDS[number % 16].to_lowercase();
    let rule =
        |id: &str, names: String, more: &str| format!("[[protect]]\nid = \"{id}\"\n{more}names = [\n{names}]\n\n");
    if names == 0 {
        return String::new();
    }
    rule("exact", list(names, &|number| format!("acme-{}-{number}", word(number))), more)
        + &rule("prefixes", list(names / 10, &|number| format!("corp{number}-{}-*", word(number))), "")
        + &rule(
            "expressions",
            list(names / 50, &|number| format!("re:unit{number}-(core|data|[a-z]+-tools)[0-9]*")),
            "",
        )
}
