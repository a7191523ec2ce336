//! What a simple page says about itself: the version of the API, the state of the project.

use super::Malformed;
use super::json::{Member, Value, find};

/// The metadata of a page, from JSON's `meta` and `project-status` or HTML's `<meta name="pypi:…">`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// `api-version` or `pypi:repository-version`.
    pub(super) version: String,
    /// `active`, `archived`, `quarantined` or `deprecated` (PEP 792).
    pub(super) status: Option<String>,
    /// Why.
    pub(super) status_reason: Option<String>,
    /// PyPI's private `_last-serial`.
    pub(super) serial: Option<u64>,
}

impl Default for Meta {
    /// A page that doesn't say is of version 1.0 (PEP 629).
    fn default() -> Self {
        Self { version: "1.0".to_owned(), status: None, status_reason: None, serial: None }
    }
}

impl Meta {
    /// Reads JSON's `meta`.
    pub(super) fn from_json(meta: Value<'_>) -> Result<Self, Malformed> {
        let members = meta.members()?.ok_or(Malformed::Shape("`meta` is not an object"))?;
        let mut read = Self::default();
        if let Some(version) = find(&members, "api-version") {
            read.set_version(&text(version, "`api-version` is not a string")?)?;
        }
        read.serial = find(&members, "_last-serial").and_then(integer);
        Ok(read)
    }

    /// Takes over a version, if it is one that this program knows how to filter.
    pub(super) fn set_version(&mut self, version: &str) -> Result<(), Malformed> {
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if major != "1" || !number(minor) {
            return Err(Malformed::Shape("its API version is not 1.x"));
        }
        version.clone_into(&mut self.version);
        Ok(())
    }

    /// Reads JSON's `project-status`.
    pub(super) fn set_status(&mut self, status: Value<'_>) -> Result<(), Malformed> {
        if status.is_null() {
            return Ok(());
        }
        let members: Vec<Member<'_>> =
            status.members()?.ok_or(Malformed::Shape("`project-status` is not an object"))?;
        let string = |key| find(&members, key).filter(|value| !value.is_null());
        let read = |value| text(value, "`project-status` holds something else than strings");
        self.status = string("status").map(read).transpose()?;
        self.status_reason = string("reason").map(read).transpose()?;
        Ok(())
    }
}

/// A string that must be one.
pub(super) fn text(value: Value<'_>, otherwise: &'static str) -> Result<String, Malformed> {
    Ok(value.text().ok_or(Malformed::Shape(otherwise))?.decode()?.into_owned())
}

/// A number that is a whole one.
pub(super) fn integer(value: Value<'_>) -> Option<u64> {
    std::str::from_utf8(value.bytes()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::json::document;

    fn meta(json: &str) -> Result<Meta, Malformed> {
        Meta::from_json(document(json.as_bytes()).unwrap())
    }

    #[test]
    fn only_version_1_is_understood() {
        assert_eq!(meta(r#"{"api-version":"1.4","_last-serial":12}"#).unwrap().serial, Some(12));
        assert_eq!(meta(r#"{"api-version":"1.99"}"#).unwrap().version, "1.99");
        assert_eq!(meta("{}").unwrap().version, "1.0");
        for bad in ["2.0", "10.1", "1.", "1.x", "v1.0", "", "1.0.0", " 1.0", "1.0\"><a href=x>"] {
            assert!(meta(&serde_json::json!({ "api-version": bad }).to_string()).is_err(), "{bad}");
        }
        for bad in [r#"{"api-version":1.0}"#, r#"{"api-version":null}"#, "[]", "null"] {
            assert!(meta(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn status() {
        let mut meta = Meta::default();
        meta.set_status(document(br#"{"status":"archived","reason":"old"}"#).unwrap()).unwrap();
        assert_eq!((meta.status.as_deref(), meta.status_reason.as_deref()), (Some("archived"), Some("old")));
        assert!(meta.set_status(document(b"1").unwrap()).is_err());
        assert!(meta.set_status(document(br#"{"status":1}"#).unwrap()).is_err());
    }
}
