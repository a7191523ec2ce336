//! Finds the files of the config and reads them: `--config`, `$NAMEWALL_CONFIG`, the usual places, else the built-in default.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::snippet::{ConfigError, Mistake, Wrong};
use super::source::{Role, Source};

/// The annotated default: what is in force when no file is found, and what its users start from.
pub const BUILT_IN: &str = include_str!("../../config/namewall.toml");

/// The config's JSON Schema, for editors.
pub const SCHEMA: &str = include_str!("../../config/namewall.schema.json");

const FILE: &str = "namewall.toml";
const VARIABLE: &str = "NAMEWALL_CONFIG";

/// No config is longer; a device or a disk image that was named by mistake is.
const LONGEST: u64 = 4 << 20;

/// What to do about a path that leads to no file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remedies {
    /// There is nothing.
    pub(super) absent: &'static str,
    /// There is a folder.
    pub(super) folder: &'static str,
}

const OF_CONFIG: Remedies = Remedies {
    absent: "write the path of an existing file, or name none to use the usual places",
    folder: "write the path of the file in it, mostly `namewall.toml`",
};

/// A file that may hold the config.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    /// As its user would write it.
    shown: PathBuf,
    /// What named it, so that it must exist; `None` for the usual places.
    named_by: Option<&'static str>,
}

/// The config that `named` (`--config`) or else the usual places hold.
pub(super) fn find(named: Option<&Path>, environment: &Environment, cwd: &Path) -> Result<Source, ConfigError> {
    for candidate in candidates(named, environment) {
        let path = cwd.join(&candidate.shown);
        match read(&path) {
            Ok(bytes) => return Ok(decode(Role::Config, &candidate.shown, path, bytes)?),
            Err(error) if candidate.named_by.is_none() && is_absent(&error) && !is_link(&path) => {}
            Err(error) => {
                let by = match candidate.named_by {
                    Some(by) => format!(", named by {by},"),
                    None if is_absent(&error) => ", to which a symbolic link leads,".to_owned(),
                    None => String::new(),
                };
                let what = format!("the config file `{}`{by}", candidate.shown.display());
                return Err(Mistake::of_file(unreadable(&what, &error, OF_CONFIG)).into());
            }
        }
    }
    let shown = Path::new("(built-in default)");
    Ok(Source::new(shown, Role::Config, None, cwd.to_owned(), BUILT_IN.to_owned()))
}

/// Where to look, in this order.
fn candidates(named: Option<&Path>, environment: &Environment) -> Vec<Candidate> {
    let named = named.map(|path| (path.to_owned(), "--config"));
    let variable = || environment.var(VARIABLE).map(|value| (PathBuf::from(value), "$NAMEWALL_CONFIG"));
    if let Some((shown, by)) = named.or_else(variable) {
        return vec![Candidate { shown, named_by: Some(by) }];
    }
    let user = environment.config_home().map(|folder| folder.join("namewall").join(FILE));
    let system = Path::new("/etc/namewall").join(FILE);
    let usual = [Some(PathBuf::from(FILE)), user, Some(system)];
    usual.into_iter().flatten().map(|shown| Candidate { shown, named_by: None }).collect()
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} MiB", LONGEST >> 20)));
    }
    Ok(bytes)
}

/// Whether a link stands there: one that leads nowhere was meant to lead to the config.
fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Why `what` can't be read.
pub(super) fn unreadable(what: &str, error: &io::Error, remedies: Remedies) -> Wrong {
    let (message, help) = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ("doesn't exist".to_owned(), remedies.absent),
        io::ErrorKind::PermissionDenied => (
            "can't be read: permission denied".to_owned(),
            "let the user that runs namewall read the file and enter its folders",
        ),
        io::ErrorKind::IsADirectory => ("is a folder".to_owned(), remedies.folder),
        _ => (format!("can't be read: {error}"), "write the path of a TOML file"),
    };
    Wrong::new(format!("{what} {message}"), help)
}

/// The text of a file, or the first place where it isn't UTF-8.
pub(super) fn decode(role: Role, shown: &Path, path: PathBuf, bytes: Vec<u8>) -> Result<Source, Mistake> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let (text, broken_at) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        // Up to the first mistake the text is the same, so that it has its true place.
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(error.utf8_error().valid_up_to())),
    };
    // Editors on Windows begin a file with a byte order mark, which is no column.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let source = Source::new(shown, role, Some(path), folder, text);
    let Some(at) = broken_at else { return Ok(source) };
    let message = format!("the {} `{}` is not UTF-8", role.noun(), shown.display());
    let wrong = Wrong::new(message, "save it as UTF-8; the character at the caret is the first that is not");
    Err(Mistake::at(&source, &(at..at + char::REPLACEMENT_CHARACTER.len_utf8()), wrong))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn environment(home: &Path) -> Environment {
        Environment::from_pairs([("HOME", home)])
    }

    #[test]
    fn the_usual_places_come_in_this_order() {
        let shown = |named: Option<&Path>, environment: &Environment| -> Vec<_> {
            candidates(named, environment).into_iter().map(|c| (c.shown.display().to_string(), c.named_by)).collect()
        };
        let with_variable = Environment::from_pairs([("HOME", "/home/ann"), ("NAMEWALL_CONFIG", "/v.toml")]);
        assert_eq!(shown(Some(Path::new("c.toml")), &with_variable), [("c.toml".to_owned(), Some("--config"))]);
        assert_eq!(shown(None, &with_variable), [("/v.toml".to_owned(), Some("$NAMEWALL_CONFIG"))]);
        let usual = [
            ("namewall.toml".to_owned(), None),
            ("/home/ann/.config/namewall/namewall.toml".to_owned(), None),
            ("/etc/namewall/namewall.toml".to_owned(), None),
        ];
        assert_eq!(shown(None, &environment(Path::new("/home/ann"))), usual);
        assert_eq!(shown(None, &Environment::default()), [usual[0].clone(), usual[2].clone()]);
    }

    #[test]
    fn the_first_that_is_there_is_read() {
        let home = tempfile::tempdir().unwrap();
        let cwd = tempfile::tempdir().unwrap();
        let environment = environment(home.path());
        let users = home.path().join(".config/namewall/namewall.toml");
        fs::create_dir_all(users.parent().unwrap()).unwrap();
        fs::write(&users, "# user's").unwrap();
        assert_eq!(find(None, &environment, cwd.path()).unwrap().text, "# user's");

        fs::write(cwd.path().join("namewall.toml"), "# folder's").unwrap();
        let found = find(None, &environment, cwd.path()).unwrap();
        assert_eq!(found.text, "# folder's");
        assert_eq!(&*found.shown, Path::new("namewall.toml"));
        assert_eq!(found.path, Some(cwd.path().join("namewall.toml")));
        assert_eq!(found.folder, cwd.path());

        fs::write(cwd.path().join("other.toml"), "# named").unwrap();
        assert_eq!(find(Some(Path::new("other.toml")), &environment, cwd.path()).unwrap().text, "# named");
    }

    #[test]
    fn a_named_file_must_be_there() {
        let cwd = tempfile::tempdir().unwrap();
        let error = find(Some(Path::new("gone.toml")), &Environment::default(), cwd.path()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
error: the config file `gone.toml`, named by --config, doesn't exist
 = help: write the path of an existing file, or name none to use the usual places
"#);
        let environment = Environment::from_pairs([("NAMEWALL_CONFIG", "gone.toml")]);
        let error = find(None, &environment, cwd.path()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
error: the config file `gone.toml`, named by $NAMEWALL_CONFIG, doesn't exist
 = help: write the path of an existing file, or name none to use the usual places
"#);
    }

    #[test]
    fn what_is_there_but_unreadable_is_not_skipped() {
        let cwd = tempfile::tempdir().unwrap();
        fs::create_dir(cwd.path().join("namewall.toml")).unwrap();
        let error = find(None, &Environment::default(), cwd.path()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
error: the config file `namewall.toml` is a folder
 = help: write the path of the file in it, mostly `namewall.toml`
"#);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_not_skipped() {
        let cwd = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("gone.toml", cwd.path().join("namewall.toml")).unwrap();
        let error = find(None, &Environment::default(), cwd.path()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
error: the config file `namewall.toml`, to which a symbolic link leads, doesn't exist
 = help: write the path of an existing file, or name none to use the usual places
"#);
    }

    #[test]
    fn text_that_is_not_utf_8_is_shown() {
        let cwd = tempfile::tempdir().unwrap();
        fs::write(cwd.path().join("namewall.toml"), b"[[protect]]\nreason = \"f\xfcr Acme\"\n").unwrap();
        let error = find(None, &Environment::default(), cwd.path()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
error: the config file `namewall.toml` is not UTF-8
 --> namewall.toml:2:12
  |
2 | reason = "f�r Acme"
  |            ^
  = help: save it as UTF-8; the character at the caret is the first that is not
"#);
    }

    #[test]
    fn a_device_is_not_read_for_ever() {
        if cfg!(unix) {
            let error = find(Some(Path::new("/dev/zero")), &Environment::default(), Path::new("/")).unwrap_err();
            assert!(error.to_string().contains("more than 4 MiB"), "{error}");
        }
    }
}
