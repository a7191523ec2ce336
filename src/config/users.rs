//! Reads the file that `users` of `[listen]` names, and says what is wrong with it where the config names it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::raw::Text;
use super::snippet::{Mistakes, Wrong};
use super::value;
use crate::files;
use crate::policy::audience::USER;
use crate::users::Users;

/// A hundred thousand users.
const LARGEST: u64 = 16 << 20;

/// The users, and the file that they are in.
#[derive(Clone, Debug)]
pub struct UsersFile {
    /// The file.
    pub path: PathBuf,
    /// Who is in it; or why that is unknown, where whoever asks may not read it: nobody but the proxy has to.
    pub users: Result<Arc<Users>, UnreadableUsers>,
    /// Whether others than its owner and group may read it.
    pub exposed: bool,
}

/// The users file may be read by others alone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot read the users file `{}`: {cause}", path.display())]
pub struct UnreadableUsers {
    path: PathBuf,
    cause: Arc<io::Error>,
}

/// The one user whom `text` names, on the command line: as in the users file, or with the `user:` that the config writes.
///
/// # Errors
/// Why it names nobody, and what to write.
pub(crate) fn one_user(text: &str) -> Result<String, String> {
    value::one_user(text.strip_prefix(USER).unwrap_or(text))
        .map_err(|wrong| format!("{}; write the whole name as in the users file, such as `ci`", wrong.message()))
}

/// The users that the config asks for, if it does so.
pub(super) fn users(text: Option<&Text>, mistakes: &mut Mistakes<'_>) -> Option<UsersFile> {
    let text = text?;
    let folder = mistakes.source().folder(text.span().start).to_owned();
    mistakes.keep(&text.span(), value::path(text.get_ref(), &folder).and_then(read))
}

fn read(path: PathBuf) -> Result<UsersFile, Wrong> {
    let shown = path.display();
    let text = match files::read_text(&path, LARGEST) {
        Ok(Some(text)) => text,
        Ok(None) => {
            let help = format!("make it with `htpasswd -B -c {shown} alice`");
            return Err(Wrong::new(format!("there is no file `{shown}`"), help));
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let users = Err(UnreadableUsers { path: path.clone(), cause: error.into() });
            return Ok(UsersFile { path, users, exposed: false });
        }
        Err(error) => {
            let help = "the users file is text in UTF-8 that namewall's user may read";
            return Err(Wrong::new(format!("cannot read `{shown}`: {error}"), help));
        }
    };
    let users = Users::parse(&text).map_err(|error| {
        let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
        let help = error.help.replace("FILE", &shown.to_string());
        Wrong::new(format!("{shown}{line}: {}", error.message), help)
    })?;
    Ok(UsersFile { exposed: is_exposed(&path), users: Ok(users.into()), path })
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}
