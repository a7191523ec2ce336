//! A proxy as a variable names it: where it is, and what it wants to know. Shown without its password, always.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::Secret;
use crate::name::Authority;

/// A proxy that is spoken to in plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProxyUrl {
    pub(super) address: Authority,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<Secret>,
}

impl ProxyUrl {
    /// Reads what a variable says.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the variable's name.
    pub(super) fn parse(raw: &str) -> Result<Self, &'static str> {
        // curl and requests take a proxy without a scheme for an HTTP one.
        let url = if raw.contains("://") { Url::parse(raw) } else { Url::parse(&format!("http://{raw}")) };
        let url = url.map_err(|_unusable| "is no URL")?;
        match url.scheme() {
            "http" => {}
            "https" => return Err("names a proxy that is spoken to over TLS, and namewall is none"),
            "socks4" | "socks4a" | "socks5" | "socks5h" => return Err("names a SOCKS proxy, and namewall is none"),
            _ => return Err("names no HTTP proxy"),
        }
        let host = url.host_str().and_then(|host| host.parse().ok()).ok_or("names no host")?;
        let address = Authority { host, port: url.port_or_known_default().unwrap_or(80) };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let authorization = (!url.username().is_empty() || url.password().is_some())
            .then(|| Secret::basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default())));
        Ok(Self { address, authorization })
    }
}

/// Without user and password.
impl std::fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_sent_and_not_shown() {
        let proxy = ProxyUrl::parse("http://ann:s%40crt@Proxy.example:3128/").unwrap();
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        assert_eq!(proxy.authorization.as_ref().map(Secret::expose), Some("Basic YW5uOnNAY3J0"));
        assert!(!format!("{proxy:?}").contains("YW5u"));
        assert_eq!(ProxyUrl::parse("127.0.0.1:3128").unwrap().to_string(), "http://127.0.0.1:3128");
        assert_eq!(ProxyUrl::parse("[::1]:3128").unwrap().to_string(), "http://[::1]:3128");
        for wrong in ["socks5h://127.0.0.1:1080", "https://p.example", "ftp://p.example", "http://", "://"] {
            assert!(ProxyUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
