//! Decides by which way a destination is reached: directly, or through which parent proxy.

use std::sync::Arc;

use crate::config::{Parent, Parents};
use crate::name::Authority;

/// What a way is for: the environment may name one proxy for plain HTTP and another for everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A tunnel, or TLS of our own.
    Tunnel,
    /// Requests to `http://` URLs.
    PlainHttp,
}

impl Parents {
    /// The parent through which `to` is reached; `None` is directly.
    #[must_use]
    pub fn to(&self, to: &Authority, purpose: Purpose) -> Option<&Arc<Parent>> {
        if let Some((_, parent)) = self.routes.iter().find(|(destinations, _)| destinations.cover(to)) {
            return parent.as_ref();
        }
        if self.no_proxy.cover(to) {
            return None;
        }
        match purpose {
            Purpose::Tunnel => self.default.as_ref(),
            Purpose::PlainHttp => self.plain.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scheme;

    fn parent(name: &str) -> Option<Arc<Parent>> {
        let address = format!("{name}:1").parse().unwrap();
        let parent = Parent { scheme: Scheme::Http, address, credentials: None, named_by: String::new() };
        Some(Arc::new(parent))
    }

    #[test]
    fn the_first_route_decides_then_the_exceptions_then_the_default() {
        let parents = Parents {
            routes: vec![
                ("a.example".parse().unwrap(), parent("one")),
                ("example, 10.*".parse().unwrap(), None),
                ("*:8443".parse().unwrap(), parent("two")),
            ],
            no_proxy: "a.example, corp.test".parse().unwrap(),
            default: parent("default"),
            plain: parent("plain"),
            notes: Vec::new(),
        };
        let way = |to: &str, purpose| {
            parents.to(&to.parse().unwrap(), purpose).map_or("direct", |parent| parent.address.host.as_str())
        };
        for (to, tunnel, plain) in [
            ("x.a.example:443", "one", "one"),
            ("b.example:443", "direct", "direct"),
            ("10.0.0.1:8443", "direct", "direct"),
            ("pypi.org:8443", "two", "two"),
            ("x.corp.test:443", "direct", "direct"),
            ("pypi.org:443", "default", "plain"),
        ] {
            assert_eq!((way(to, Purpose::Tunnel), way(to, Purpose::PlainHttp)), (tunnel, plain), "{to}");
        }
        assert_eq!(Parents::default().to(&"pypi.org:443".parse().unwrap(), Purpose::Tunnel), None);
    }
}
