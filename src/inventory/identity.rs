//! As whom a private index is asked: reads what the credentials name, anew each time, into one request field.

use std::io::{self, Read};
use std::path::Path;

use http::HeaderValue;

use super::netrc;
use crate::config::{Credentials, InventorySource, Secret, SecretSource};

/// The largest file that is read for a secret.
const MAX_FILE: u64 = 256 * 1024;

/// Why nobody knows as whom to ask.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("cannot read {path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error("the secret has a character that no request can carry")]
    Unsendable,
}

/// The value of `Authorization`, if there is anything to say.
pub(super) fn authorization(source: &InventorySource) -> Result<Option<HeaderValue>, IdentityError> {
    let said = match &source.credentials {
        Credentials::Nobody => return Ok(None),
        Credentials::Bearer(token) => Secret::new(format!("Bearer {}", secret(token)?.expose())),
        Credentials::Basic(user, password) => Secret::basic(user, secret(password)?.expose()),
        Credentials::Netrc(path) => {
            let text = match read(path) {
                Ok(text) => text,
                // Most machines have none, and most indexes ask for nobody.
                Err(IdentityError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let host = source.url.as_url().host_str().unwrap_or_default();
            match netrc::find(text.expose(), host) {
                Some((user, password)) => Secret::basic(&user, &password),
                None => return Ok(None),
            }
        }
    };
    let mut value = HeaderValue::try_from(said.expose()).map_err(|_secret| IdentityError::Unsendable)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn secret(source: &SecretSource) -> Result<Secret, IdentityError> {
    match source {
        SecretSource::Given(secret) => Ok(secret.clone()),
        // Editors end a file with a line end that is no part of the secret.
        SecretSource::File(path) => Ok(Secret::new(read(path)?.expose().trim_end_matches(['\r', '\n']))),
    }
}

fn read(path: &Path) -> Result<Secret, IdentityError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
        .map_err(|cause| IdentityError::File { path: path.display().to_string(), cause })?;
    Ok(Secret::new(text))
}
