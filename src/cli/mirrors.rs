//! Says which of PyPI's known public mirrors the config leaves alone, and which of those this environment uses.

use url::Url;

use crate::config::environment::Environment;
use crate::name::HostName;
use crate::pypi::mirrors::{MIRRORS, Mirror, known_mirror};
use crate::pypi::site::{SiteKind, Sites, site_of};
use crate::telemetry::log::Verbosity;

/// Mirrors that are named when not all are.
const SHOWN: usize = 3;

/// What pip and uv take their indexes from.
const VARIABLES: [&str; 6] =
    ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"];

/// A variable of this environment that leads clients past the proxy.
#[derive(Debug, serde::Serialize)]
pub(super) struct MirrorInUse {
    /// The variable.
    pub(super) variable: &'static str,
    /// The mirror's host.
    pub(super) host: String,
}

impl std::fmt::Display for MirrorInUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { variable, host } = self;
        write!(
            f,
            "warning: {variable} leads to {host}, a public mirror of PyPI that is not intercepted: nothing is hidden there"
        )
    }
}

/// The note on the mirrors that are left alone, unless only errors are wanted.
pub(super) fn said(sites: &Sites, verbosity: Verbosity) -> String {
    if verbosity > Verbosity::Quiet { note(sites, verbosity > Verbosity::Normal) } else { String::new() }
}

/// The variables that lead to a mirror which isn't intercepted, and its host. Only that: an index's URL may hold a password.
pub(super) fn used(sites: &Sites, environment: &Environment) -> Vec<MirrorInUse> {
    let mut used: Vec<MirrorInUse> = Vec::new();
    for variable in VARIABLES {
        let value = environment.var(variable).map(|value| value.to_string_lossy()).unwrap_or_default();
        for host in value.split_whitespace().filter_map(host_of) {
            if known_mirror(&host).is_some()
                && site_of(sites, &host).is_none()
                && !used.iter().any(|known| known.variable == variable && known.host == host.as_str())
            {
                used.push(MirrorInUse { variable, host: host.to_string() });
            }
        }
    }
    used
}

/// The host of an index: a URL, or uv's `name=URL`.
fn host_of(index: &str) -> Option<HostName> {
    let of_url = |text| Url::parse(text).ok()?.host_str()?.parse().ok();
    of_url(index).or_else(|| of_url(index.split_once('=')?.1))
}

/// The mirrors that are not intercepted, and how one is; nothing if all are.
fn note(sites: &Sites, all: bool) -> String {
    let is_left_alone = |mirror: &&Mirror| mirror.host.parse().is_ok_and(|host| site_of(sites, &host).is_none());
    let alone: Vec<&Mirror> = MIRRORS.iter().filter(is_left_alone).collect();
    let Some(first) = alone.first() else { return String::new() };
    let list = if all {
        alone.iter().map(|mirror| format!("\n  https://{}{}", mirror.host, mirror.index)).collect()
    } else {
        let names: Vec<&str> = alone.iter().take(SHOWN).map(|mirror| mirror.host).collect();
        let more = "`namewall check -v` lists all, and so does the annotated config at `[[intercept]]`";
        format!(", such as {}\n  ({more})", names.join(", "))
    };
    format!(
        "note: known public mirrors of PyPI that are not intercepted: {}{list}\n  to look into one, add to the config:\n    \
         [[intercept]]\n    host = \"{}\"\n    kind = \"{}\"\n",
        alone.len(),
        first.host,
        SiteKind::Mirror.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::site::default_sites;

    fn sites(more: &[&str]) -> Sites {
        default_sites().chain(more.iter().map(|host| (host.parse().unwrap(), SiteKind::Mirror))).collect()
    }

    fn warned(pairs: &[(&str, &str)]) -> Vec<String> {
        let used = used(&sites(&["mirror.nju.edu.cn"]), &Environment::from_pairs(pairs.iter().copied()));
        used.into_iter().map(|used| format!("{} {}", used.variable, used.host)).collect()
    }

    #[test]
    fn a_mirror_in_use_is_warned_of() {
        for (variable, value, expected) in [
            ("PIP_INDEX_URL", "https://pypi.tuna.tsinghua.edu.cn/simple", &["pypi.tuna.tsinghua.edu.cn"][..]),
            ("UV_DEFAULT_INDEX", "http://ann:secret@Mirrors.Aliyun.com:80/pypi/simple/", &["mirrors.aliyun.com"]),
            (
                "UV_INDEX",
                "https://pypi.org/simple ali=https://mirrors.aliyun.com/pypi/simple/",
                &["mirrors.aliyun.com"],
            ),
            (
                "PIP_EXTRA_INDEX_URL",
                "https://mirror.baidu.com/pypi/simple\n https://mirror.yandex.ru/pypi/simple https://mirror.baidu.com/x",
                &["mirror.baidu.com", "mirror.yandex.ru"],
            ),
            ("UV_INDEX_URL", "https://mirror.nju.edu.cn/pypi/web/simple", &[]),
            ("UV_EXTRA_INDEX_URL", "https://pypi.acme.example/simple?x=https://mirror.baidu.com/", &[]),
            ("UV_INDEX", "nonsense = x= https://", &[]),
            ("SOME_INDEX_URL", "https://mirror.baidu.com/pypi/simple", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|host| format!("{variable} {host}")).collect();
            assert_eq!(warned(&[(variable, value)]), expected, "{value}");
        }
    }

    #[test]
    fn the_note_is_short_unless_asked_for_more() {
        insta::assert_snapshot!(note(&sites(&["mirrors.cernet.edu.cn"]), false), @r#"
        note: known public mirrors of PyPI that are not intercepted: 22, such as pypi.tuna.tsinghua.edu.cn, mirrors.bfsu.edu.cn, mirror.lzu.edu.cn
          (`namewall check -v` lists all, and so does the annotated config at `[[intercept]]`)
          to look into one, add to the config:
            [[intercept]]
            host = "pypi.tuna.tsinghua.edu.cn"
            kind = "mirror"
        "#);
        let long = note(&sites(&["tsinghua.edu.cn"]), true);
        let listed: Vec<_> = MIRRORS
            .iter()
            .filter(|mirror| long.contains(&format!("https://{}{}\n", mirror.host, mirror.index)))
            .collect();
        assert_eq!(listed.len(), MIRRORS.len() - 2, "{long}");
        assert!(!long.contains("tsinghua"), "a parent that is intercepted covers it: {long}");
    }

    #[test]
    fn nothing_is_said_when_all_are_intercepted() {
        let hosts: Vec<&str> = MIRRORS.iter().map(|mirror| mirror.host).collect();
        assert_eq!(note(&sites(&hosts), false), "");
        assert_eq!(note(&sites(&hosts[..hosts.len() - 1]), false).lines().count(), 6);
    }
}
