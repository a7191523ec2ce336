//! Where the fields of an upstream's answer lead, and what they call its body: judged as if it had been asked for.

use http::header::{
    CONTENT_DISPOSITION, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, REFRESH,
};
use http::{Method, Response};
use percent_encoding::percent_decode_str;

use super::super::body::Body;
use super::{Exchange, named};
use crate::name::{FileName, HostName, Subject};
use crate::policy::Match;
use crate::pypi::refresh;
use crate::pypi::resource::Resource;
use crate::pypi::site::{SiteKind, host_and_path, site_of};

/// Fields that a client may follow, or not: one that leads to what is protected, or nowhere that we understand, goes.
const HINTS: [HeaderName; 3] = [LINK, REFRESH, CONTENT_LOCATION];

/// What was found at the end of a lead.
enum Lead<'e> {
    Fine,
    Protected(String, Match<'e>),
    Unreadable(&'static str),
}

impl Exchange {
    /// Looks at the fields that lead on. A redirect to a protected name is as good as the page: it would tell that the
    /// name is taken, and by what. So is a body that calls itself so.
    pub(super) fn check_leads(&self, headers: &mut HeaderMap) -> Option<Response<Body>> {
        for location in headers.get_all(LOCATION) {
            match self.follow(location.to_str().unwrap_or_default()) {
                Lead::Fine => {}
                Lead::Protected(name, found) => return Some(self.deny(&name, &found)),
                Lead::Unreadable(why) => return Some(self.fail("bad-redirect", why)),
            }
        }
        for name in HINTS {
            if !headers.get_all(&name).iter().all(|value| self.leads_well(&name, value)) {
                headers.remove(&name);
            }
        }
        self.check_disposition(headers)
    }

    fn leads_well(&self, name: &HeaderName, value: &HeaderValue) -> bool {
        let targets = value.to_str().ok().and_then(|text| targets(name, text));
        targets.is_some_and(|all| all.iter().all(|target| matches!(self.follow(target), Lead::Fine)))
    }

    fn follow(&self, target: &str) -> Lead<'_> {
        match self.resolve(target) {
            Some((host, path_and_query)) => match site_of(&self.shared.settings.sites, &host) {
                Some(site) => self.check_target(site.kind, &path_and_query),
                None => Lead::Fine,
            },
            None => Lead::Unreadable("upstream redirects to what is no URL of an index"),
        }
    }

    /// Where a target leads, seen from what was asked.
    fn resolve(&self, target: &str) -> Option<(HostName, String)> {
        let target = Some(target).filter(|target| !target.is_empty())?;
        host_and_path(&self.upstream_url()?.join(target).ok()?)
    }

    fn check_target(&self, site: SiteKind, path_and_query: &str) -> Lead<'_> {
        let Ok(resource) = Resource::of(site, &Method::GET, path_and_query) else {
            return Lead::Unreadable("upstream redirects to a path that no index has");
        };
        let protected = resource.subjects().find_map(|subject| self.protected(subject));
        protected.map_or(Lead::Fine, |(name, found)| Lead::Protected(name, found))
    }

    /// pip takes a file's name from `Content-Disposition` before its URL's. One that can't be read goes.
    fn check_disposition(&self, headers: &mut HeaderMap) -> Option<Response<Body>> {
        let values: Vec<HeaderValue> = headers.get_all(CONTENT_DISPOSITION).iter().cloned().collect();
        for value in values {
            let Some(files) = value.to_str().ok().and_then(file_names) else {
                headers.remove(CONTENT_DISPOSITION);
                return None;
            };
            if let Some((name, found)) = files.iter().find_map(|file| self.protected(Subject::File(file))) {
                return Some(self.deny(&name, &found));
            }
        }
        None
    }

    fn protected(&self, subject: Subject<'_>) -> Option<(String, Match<'_>)> {
        let found = self.policy.judge(subject).protected?;
        Some((named(&self.policy, subject), found))
    }
}

/// The URLs in a field: `<…>` in `Link` (RFC 8288), the one behind the seconds in `Refresh`, all of `Content-Location`.
/// `None` if nobody can say.
fn targets<'v>(name: &HeaderName, value: &'v str) -> Option<Vec<&'v str>> {
    if *name == LINK {
        return Some(value.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest).trim()).collect());
    }
    if *name != REFRESH {
        return Some(vec![value]);
    }
    // Without a URL it is the same page again.
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number { Some(Vec::new()) } else { refresh::target(value).map(|url| vec![url]) }
}

/// The names in a `Content-Disposition` (RFC 6266), each in every way of reading it; `None` if one of them is no file's.
fn file_names(value: &str) -> Option<Vec<FileName>> {
    let mut files = Vec::new();
    let mut parts = value.split(';').map(str::trim);
    parts.next()?;
    for (key, raw) in parts.filter_map(|part| part.split_once('=')) {
        let key = key.trim().to_ascii_lowercase();
        if !key.starts_with("filename") {
            continue;
        }
        // `filename*=UTF-8''acme.whl` (RFC 8187), with its charset and language before the name.
        let raw = raw.trim();
        let raw = if key.ends_with('*') { raw.splitn(3, '\'').last()? } else { raw };
        let unquoted = raw.trim_matches('"');
        files.push(FileName::parse(unquoted).ok()?);
        files.push(FileName::parse(percent_decode_str(unquoted).decode_utf8().ok()?.as_bytes()).ok()?);
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_disposition() {
        let names =
            |value| file_names(value).map(|files| files.iter().map(|f| f.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(names("attachment"), Some(vec![]));
        assert_eq!(names("attachment; filename=a.whl"), Some(vec!["a.whl".into(), "a.whl".into()]));
        assert_eq!(names("inline; FileName = \"a.whl\"").unwrap()[0], "a.whl");
        assert_eq!(names("attachment; filename*=UTF-8''%61.whl").unwrap(), ["%61.whl", "a.whl"]);
        assert_eq!(names("attachment; filename=x.whl; filename*=utf-8'en'a.whl").unwrap()[2], "a.whl");
        for unreadable in
            ["", "attachment; filename=", "attachment; filename=../a.whl", "attachment; filename=\"a\\\"b.whl\""]
        {
            assert_eq!(names(unreadable), None.or_else(|| (unreadable.is_empty()).then(Vec::new)), "{unreadable}");
        }
    }

    #[test]
    fn the_targets_of_hints() {
        for (name, value, urls) in [
            (LINK, "</a>; rel=preload, <https://h/b>; rel=\"x\"", Some(&["/a", "https://h/b"][..])),
            (REFRESH, "0; URL='/simple/acme/'", Some(&["/simple/acme/"])),
            (REFRESH, "0; /simple/acme/", Some(&["/simple/acme/"])),
            (REFRESH, "5", Some(&[])),
            (REFRESH, "url=/simple/acme/", None),
            (CONTENT_LOCATION, "/x", Some(&["/x"])),
        ] {
            assert_eq!(targets(&name, value).as_deref(), urls, "{name}: {value}");
        }
    }
}
