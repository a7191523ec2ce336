//! The formats in which variables are set and unset.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::Variable;

/// How variables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `export NAME='value'`, for sh, bash and zsh.
    #[default]
    Sh,
    /// `set -gx NAME 'value'`.
    Fish,
    /// `$Env:NAME = 'value'`.
    Powershell,
    /// `set "NAME=value"`.
    Cmd,
    /// `NAME="value"`, for tools that read `.env` files.
    Dotenv,
    /// Lines for `$GITHUB_ENV`.
    Github,
    /// Lines for a dotenv report artifact.
    Gitlab,
    /// One JSON object.
    Json,
}

impl Format {
    /// Whether its reader can take a variable away.
    #[must_use]
    pub const fn can_unset(self) -> bool {
        matches!(self, Self::Sh | Self::Fish | Self::Powershell | Self::Cmd | Self::Json)
    }
}

/// The variables as text in `format`, each line ended.
#[must_use]
pub fn print(variables: &[Variable], format: Format) -> String {
    lines(variables.iter().map(|(name, value)| (*name, Some(value.as_str()))), format)
}

/// What sets each variable to the value that it had, or takes it away where it had none.
#[must_use]
pub fn print_undone(undone: &[(&'static str, Option<String>)], format: Format) -> String {
    lines(undone.iter().map(|(name, value)| (*name, value.as_deref())), format)
}

fn lines<'v>(variables: impl Iterator<Item = (&'static str, Option<&'v str>)>, format: Format) -> String {
    if format == Format::Json {
        let object: Map<String, Value> =
            variables.map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from))).collect();
        return format!("{:#}\n", Value::Object(object));
    }
    let mut text = String::new();
    for (name, value) in variables {
        // Writing to a string cannot fail.
        let _written = match value {
            Some(value) => set(&mut text, format, name, value),
            None => unset(&mut text, format, name),
        };
    }
    text
}

fn set(text: &mut String, format: Format, name: &str, value: &str) -> std::fmt::Result {
    match format {
        Format::Sh => writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''")),
        Format::Fish => writeln!(text, "set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
        Format::Powershell => writeln!(text, "$Env:{name} = '{}'", value.replace('\'', "''")),
        Format::Cmd => writeln!(text, "set \"{name}={}\"", value.replace('%', "%%")),
        Format::Dotenv => {
            writeln!(text, "{name}=\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$"))
        }
        Format::Github | Format::Gitlab | Format::Json => writeln!(text, "{name}={value}"),
    }
}

fn unset(text: &mut String, format: Format, name: &str) -> std::fmt::Result {
    match format {
        Format::Sh => writeln!(text, "unset {name}"),
        Format::Fish => writeln!(text, "set -e {name}"),
        Format::Powershell => writeln!(text, "Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        Format::Cmd => writeln!(text, "set \"{name}=\""),
        Format::Dotenv | Format::Github | Format::Gitlab | Format::Json => writeln!(text, "{name}="),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn some(format: Format) -> String {
        print(&[("A", "it's $5".into()), ("B", r"C:\x".into())], format)
    }

    #[test]
    fn each_format_quotes_as_its_reader_unquotes() {
        assert_eq!(some(Format::Sh), "export A='it'\\''s $5'\nexport B='C:\\x'\n");
        assert_eq!(some(Format::Fish), "set -gx A 'it\\'s $5'\nset -gx B 'C:\\\\x'\n");
        assert_eq!(some(Format::Powershell), "$Env:A = 'it''s $5'\n$Env:B = 'C:\\x'\n");
        assert_eq!(some(Format::Dotenv), "A=\"it's \\$5\"\nB=\"C:\\\\x\"\n");
        assert_eq!(some(Format::Github), "A=it's $5\nB=C:\\x\n");
        let json: Value = serde_json::from_str(&some(Format::Json)).unwrap();
        assert_eq!(json["A"], "it's $5");
    }

    #[test]
    fn a_shell_reads_back_what_was_printed_and_undoes_it() {
        let undone = print_undone(&[("A", None), ("B", Some("it's".to_owned()))], Format::Sh);
        let script = format!("{}printf '%s|' \"$A\"\n{undone}printf '%s' \"${{A-gone}} $B\"", some(Format::Sh));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "it's $5|gone it's");
    }
}
