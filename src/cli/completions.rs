//! `namewall completions`: the script by which a shell completes what is typed after `namewall`.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::output::Console;
use super::{Cli, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown(&Cli::command()), "namewall", &mut script);
    console.text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}

/// `command` without what its help hides: `clap_complete` offers that like everything else.
fn shown(command: &Command) -> Command {
    // clap takes names that live as long as the program, and hands out ones that don't. This command is the program's last.
    let lasting = |text: &str| -> &'static str { text.to_owned().leak() };
    let mut bare = Command::new(lasting(command.get_name()))
        .visible_aliases(command.get_visible_aliases().map(lasting))
        .propagate_version(command.is_propagate_version_set())
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).map(shown));
    if let Some(about) = command.get_about() {
        bare = bare.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        bare = bare.version(lasting(version));
    }
    bare
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn what_the_help_hides_is_not_offered() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut shown(&Cli::command()), "namewall", &mut script);
            let script = String::from_utf8(script).unwrap();
            let offered = |hidden| script.split(|c: char| !c.is_alphanumeric()).any(|word| word == hidden);
            assert!(!offered("guarded") && !offered("pace"), "{shell}: {script}");
            for told in ["ready-file", "renew", "log-format", "version"] {
                assert!(script.contains(told), "{shell}: no {told}: {script}");
            }
        }
    }
}
