//! Where an upstream's answer leads: judged as if it had been asked for.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderValue, LOCATION};
use http::{Method, Response};
use url::Url;

use super::super::body::Body;
use super::{Exchange, named};
use crate::name::HostName;
use crate::pypi::resource::Resource;
use crate::pypi::site::{SiteKind, site_of};

impl Exchange {
    /// A redirect to a protected name is as good as the page: it would tell that the name is taken, and by what.
    pub(super) fn check_location(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        headers.get_all(LOCATION).iter().find_map(|location| match self.resolve(location) {
            Some((host, path_and_query)) => match site_of(&self.shared.settings.sites, &host) {
                Some(site) => self.check_target(site.kind, &path_and_query),
                None => None,
            },
            None => Some(self.fail("bad-redirect", "upstream redirects to what is no URL of an index")),
        })
    }

    /// Where a `Location` leads, seen from what was asked.
    fn resolve(&self, location: &HeaderValue) -> Option<(HostName, String)> {
        let base = Url::parse(&self.upstream_uri().ok()?.to_string()).ok()?;
        let target = base.join(location.to_str().ok()?).ok()?;
        let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some((target.host_str()?.parse().ok()?, format!("{}{query}", target.path())))
    }

    fn check_target(&self, site: SiteKind, path_and_query: &str) -> Option<Response<Body>> {
        let Ok(resource) = Resource::of(site, &Method::GET, path_and_query) else {
            return Some(self.fail("bad-redirect", "upstream redirects to a path that no index has"));
        };
        let policy = Arc::clone(&self.policy);
        resource.subjects().find_map(|subject| {
            let found = policy.judge(subject).protected?;
            Some(self.deny(&named(&policy, subject), &found))
        })
    }
}
