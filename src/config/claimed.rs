//! Compiles `[claimed]`: how often the public list is looked at for protected names, and who is told.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::raw::Text;
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use super::value;

/// More often would be a load on PyPI: its list has tens of megabytes.
const SHORTEST: Duration = Duration::from_secs(60);

/// What is done about protected names that strangers hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// How often the public list is looked at; `None` is only when a client asks for it.
    pub every: Option<Duration>,
    /// Who is told when the names change.
    pub webhook: Option<WebhookUrl>,
}

/// The address of a webhook. Shows its host alone: for most services the rest is the password.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// This address.
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    /// The address itself: for the request, and nowhere else.
    #[must_use]
    pub const fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the file says of it: in a table, or of how often in one line.
pub(super) fn claimed(document: &Document, mistakes: &mut Mistakes<'_>) -> Claimed {
    let short = document.raw.claimed_every.as_ref();
    let mut keep_every = |text: &Text| mistakes.keep(&text.span(), every(text.get_ref()));
    let Some(table) = document.raw.claimed.as_ref() else {
        return Claimed { every: short.and_then(keep_every), webhook: None };
    };
    let raw = table.get_ref();
    let every = raw.every.as_ref().or(short).and_then(&mut keep_every);
    if let (Some(_), Some(short)) = (&raw.every, short) {
        let wrong = Wrong::new("`claimed-every` stands beside `every` in `[claimed]`", "remove one of the two");
        mistakes.report(&short.span(), wrong);
    }
    // At the table, since an excerpt of the line would show the password in it.
    let webhook = raw.webhook.as_ref().and_then(|text| mistakes.keep(&table.span(), webhook(text.get_ref())));
    Claimed { every, webhook }
}

fn every(text: &str) -> Result<Duration, Wrong> {
    match value::duration(text)? {
        short if short < SHORTEST => {
            let help = "write at least `1m`; once a day is enough for most: `24h`";
            Err(Wrong::new(format!("`{text}` is too often to fetch PyPI's list"), help))
        }
        every => Ok(every),
    }
}

fn webhook(text: &str) -> Result<WebhookUrl, Wrong> {
    let help = "write the whole address: `webhook = \"https://hooks.acme.example/namewall\"`";
    let url = Url::parse(text).map_err(|error| Wrong::new(format!("`webhook` is not a URL: {error}"), help))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Wrong::new("`webhook` is not an http or https URL", help));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let help = "write it without the part before `@`; put a token into its path or query";
        return Err(Wrong::new("`webhook` has a user in it, which is not sent", help));
    }
    Ok(WebhookUrl(url))
}
