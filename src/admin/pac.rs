//! The PAC file: tells browsers of the listeners that they can use, and how. All goes through them, so it names no other way.

use std::net::SocketAddr;

use http::StatusCode;
use http::header::HeaderValue;

use super::reply::{Answer, text, typed};
use crate::config::ListenerSettings;
use crate::name::Authority;

/// A listener that clients reach by themselves, as a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reachable {
    address: SocketAddr,
    speaks_tls: bool,
}

impl Reachable {
    /// The one at `address`; `None` if clients come to it by a load balancer or by a firewall alone.
    pub(crate) fn of(address: SocketAddr, settings: &ListenerSettings) -> Option<Self> {
        settings.is_for_clients().then_some(Self { address, speaks_tls: settings.tls.is_some() })
    }

    /// As PAC files write it; what stands for all of the machine's addresses is told as the one by which we were asked.
    fn written(self, asked_at: Option<&Authority>) -> String {
        let word = if self.speaks_tls { "HTTPS" } else { "PROXY" };
        match asked_at {
            Some(asked) if self.address.ip().is_unspecified() => {
                format!("{word} {}", Authority { host: asked.host.clone(), port: self.address.port() })
            }
            _ => format!("{word} {}", self.address),
        }
    }
}

/// The file for who asks at `host`.
pub(super) fn answer(proxies: &[Reachable], host: Option<&HeaderValue>) -> Answer {
    if proxies.is_empty() {
        // A file that names none would send everybody past the proxy.
        let detail = "no listener of this proxy is one that browsers can be sent to: each is transparent, or for load \
                      balancers alone (proxy-protocol); where a balancer is, write a PAC file that names it\n";
        return text(StatusCode::NOT_FOUND, detail);
    }
    let asked_at = host.and_then(|host| Authority::parse_or(host.to_str().ok()?, 80).ok());
    let proxies: Vec<_> = proxies.iter().map(|proxy| proxy.written(asked_at.as_ref())).collect();
    let file = format!("function FindProxyForURL(url, host) {{ return \"{}\"; }}\n", proxies.join("; "));
    typed("application/x-ns-proxy-autoconfig", file)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::config::ListenerTls;

    async fn told(listeners: &[(&str, ListenerSettings)], host: &'static str) -> (StatusCode, String) {
        let reachable = |(address, settings): &(&str, _)| Reachable::of(address.parse().unwrap(), settings);
        let proxies: Vec<_> = listeners.iter().filter_map(reachable).collect();
        let answer = answer(&proxies, Some(&HeaderValue::from_static(host)));
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_listener_is_named_as_it_can_be_used() {
        let plain = || ListenerSettings::plain("127.0.0.1:0".parse().unwrap(), Vec::new());
        let tls = ListenerSettings { tls: Some(ListenerTls { cert: "c".into(), key: "k".into() }), ..plain() };
        let balanced = ListenerSettings { balancers: vec!["10.0.0.0/8".parse().unwrap()], ..plain() };
        let turned = ListenerSettings { transparent: true, ..plain() };
        let unusable = [("10.0.0.1:3", balanced), ("10.0.0.1:4", turned)];
        let all = [("0.0.0.0:1", plain()), ("10.0.0.1:2", tls)].into_iter().chain(unusable.clone());
        let (status, file) = told(&all.collect::<Vec<_>>(), "proxy.example:3129").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            file,
            "function FindProxyForURL(url, host) { return \"PROXY proxy.example:1; HTTPS 10.0.0.1:2\"; }\n"
        );
        let (status, why) = told(&unusable, "proxy.example:3129").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(why.contains("load balancers") && !why.contains("DIRECT"), "{why}");
    }
}
