//! What the stand-in was asked: the evidence for "nothing upstream ever heard of it".

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use percent_encoding::percent_decode_str;

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The protocol.
    pub version: Version,
    /// `:authority` or `Host`, as written.
    pub host: String,
    /// The name in the TLS handshake.
    pub sni: Option<String>,
    /// Path and query, as written.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
}

/// One completed TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The name that the client asked for.
    pub sni: Option<String>,
    /// The protocol that was agreed upon.
    pub alpn: Option<String>,
}

/// One upload that arrived whole.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Which request brought it.
    pub asked: Asked,
    /// The multipart body, or the beginning of a very long one.
    pub body: Bytes,
    /// How many bytes it had.
    pub length: u64,
}

/// What all connections write to.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    asked: Vec<Asked>,
    handshakes: Vec<Handshake>,
    uploads: Vec<Upload>,
}

impl Asked {
    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    /// The query, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// A header as text, when there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether `word` stands anywhere in it, in any case and percent-encoding.
    #[must_use]
    pub fn mentions(&self, word: &str) -> bool {
        let word = word.to_ascii_lowercase();
        let holds = |text: &str| percent_decode_str(text).decode_utf8_lossy().to_ascii_lowercase().contains(&word);
        holds(&self.target)
            || holds(&self.host)
            || self.sni.as_deref().is_some_and(holds)
            || self.headers.values().any(|value| holds(&String::from_utf8_lossy(value.as_bytes())))
    }
}

impl Log {
    pub(super) fn request(&self, asked: Asked) {
        self.entries().asked.push(asked);
    }

    pub(super) fn handshake(&self, handshake: Handshake) {
        self.entries().handshakes.push(handshake);
    }

    pub(super) fn upload(&self, upload: Upload) {
        self.entries().uploads.push(upload);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.entries().asked.clone()
    }

    pub(super) fn handshakes(&self) -> Vec<Handshake> {
        self.entries().handshakes.clone()
    }

    pub(super) fn uploads(&self) -> Vec<Upload> {
        self.entries().uploads.clone()
    }

    pub(super) fn clear(&self) {
        *self.entries() = Entries::default();
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing that holds the lock can panic in the middle of a change.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_hides() {
        let asked = |target: &str, sni: Option<&str>, referer: &'static str| Asked {
            method: Method::GET,
            version: Version::HTTP_11,
            host: "pypi.org".to_owned(),
            sni: sni.map(ToOwned::to_owned),
            target: target.to_owned(),
            headers: [(http::header::REFERER, referer.parse().unwrap())].into_iter().collect(),
        };
        assert!(asked("/simple/%41cme-core/", None, "").mentions("acme"));
        assert!(asked("/", Some("acme.pypi.org"), "").mentions("acme"));
        assert!(asked("/", None, "https://pypi.org/ACME").mentions("acme"));
        assert!(!asked("/simple/ordinary/", Some("pypi.org"), "").mentions("acme"));
    }
}
