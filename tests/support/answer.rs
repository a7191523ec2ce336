//! An answer as it came over the wire, and what tests say about it.

use serde_json::Value;

/// One answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// HTTP/1.1's reason phrase; empty over HTTP/2.
    pub(crate) reason: String,
    /// The headers in their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without the transfer coding, with the content coding.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub(crate) complete: bool,
}

impl Answer {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The page isn't there, by that rule, and nothing may be kept of it.
    #[track_caller]
    pub(crate) fn assert_hidden(&self, rule: &str) {
        self.assert_decided(404, "hidden", Some(rule));
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("etag"), None, "{self:?}");
    }

    /// The file is refused by that rule, which says so wherever a client could show it.
    #[track_caller]
    pub(crate) fn assert_refused(&self, name: &str, rule: &str) {
        self.assert_decided(403, "refused", Some(rule));
        let title = format!("{name} is protected by namewall rule {rule}");
        assert!(self.reason.is_empty() || self.reason == format!("Forbidden: {title}"), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!((&problem["title"], &problem["status"]), (&title.into(), &403.into()));
        assert!(problem["type"].is_string() && problem["detail"].is_string(), "{problem}");
    }

    /// It could not be trusted, for that reason.
    #[track_caller]
    pub(crate) fn assert_failed(&self, reason: &str) {
        self.assert_decided(502, "failed", None);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["type"], format!("urn:namewall:{reason}"), "{self:?}");
    }

    #[track_caller]
    fn assert_decided(&self, status: u16, decision: &str, rule: Option<&str>) {
        let found = (self.status, self.header("namewall-decision"), self.header("namewall-rule"));
        assert_eq!(found, (status, Some(decision), rule), "{self:?}");
        assert!(self.header("namewall-request-id").is_some_and(|id| !id.is_empty()), "{self:?}");
    }
}
