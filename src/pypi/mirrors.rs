//! The public mirrors of PyPI that are known: the same content on hosts that nobody intercepts unless told to.

use crate::name::HostName;

/// A host of somebody else's with all of PyPI on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The host.
    pub host: &'static str,
    /// Where its simple index is.
    pub index: &'static str,
}

/// The mirrors, each under the address that its users write into their config.
///
/// Sources: the list of chsrc, a tool that switches package sources (`src/recipe/lang/Python/common.h` in
/// <https://github.com/RubyMetric/chsrc>, as of July 2026), the operators' own help pages, and Dockerfiles and shell
/// profiles in public repositories. Nobody keeps a full list; a mirror that is missing here is a mirror all the same.
pub const MIRRORS: &[Mirror] = &[
    // Universities. chsrc's list:
    mirror("pypi.tuna.tsinghua.edu.cn", "/simple/"),
    mirror("mirrors.cernet.edu.cn", "/pypi/web/simple/"),
    mirror("mirrors.bfsu.edu.cn", "/pypi/web/simple/"),
    mirror("mirror.lzu.edu.cn", "/pypi/web/simple/"),
    mirror("mirror.sjtu.edu.cn", "/pypi/web/simple/"),
    mirror("mirror.nju.edu.cn", "/pypi/web/simple/"),
    mirror("mirrors.pku.edu.cn", "/pypi/web/simple/"),
    mirror("mirrors.hust.edu.cn", "/pypi/web/simple/"),
    // Redirects to TUNA from outside its campus (chsrc).
    mirror("mirrors.zju.edu.cn", "/pypi/web/simple/"),
    // TUNA's other name.
    mirror("mirrors.tuna.tsinghua.edu.cn", "/pypi/web/simple/"),
    // USTC's help page (https://github.com/ustclug/mirrorhelp, source/pypi.rst), and the older name in many files.
    mirror("mirrors.ustc.edu.cn", "/pypi/web/simple/"),
    mirror("pypi.mirrors.ustc.edu.cn", "/simple/"),
    // Public repositories.
    mirror("mirrors.sustech.edu.cn", "/pypi/web/simple/"),
    // Companies. chsrc's list:
    mirror("mirrors.aliyun.com", "/pypi/simple/"),
    mirror("mirrors.cloud.tencent.com", "/pypi/simple/"),
    mirror("mirrors.huaweicloud.com", "/repository/pypi/simple/"),
    mirror("mirrors.163.com", "/pypi/simple/"),
    // Public repositories.
    mirror("repo.huaweicloud.com", "/repository/pypi/simple/"),
    mirror("mirror.baidu.com", "/pypi/simple/"),
    mirror("pypi.doubanio.com", "/simple/"),
    mirror("pypi.douban.com", "/simple/"),
    mirror("mirror.kakao.com", "/pypi/simple/"),
    mirror("mirror.yandex.ru", "/pypi/simple/"),
];

const fn mirror(host: &'static str, index: &'static str) -> Mirror {
    Mirror { host, index }
}

/// The mirror that `host` is, or is a sub-domain of.
#[must_use]
pub fn known_mirror(host: &HostName) -> Option<&'static Mirror> {
    host.with_parents().find_map(|name| MIRRORS.iter().find(|mirror| mirror.host == name))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::Method;

    use super::*;
    use crate::pypi::resource::{Kind, Resource};
    use crate::pypi::site::{SiteKind, default_sites, site_of};

    #[test]
    fn the_table_is_sound() {
        let sites: HashMap<_, _> = default_sites().collect();
        for mirror in MIRRORS {
            let host: HostName = mirror.host.parse().unwrap();
            assert_eq!(host.as_str(), mirror.host, "in the form in which hosts are compared");
            assert_eq!(known_mirror(&host), Some(mirror), "listed once");
            assert_eq!(site_of(&sites, &host), None, "{host} is intercepted by default");
            let of = |target: &str| Resource::of(SiteKind::Mirror, &Method::GET, target).unwrap().kind;
            assert_eq!(of(mirror.index), Kind::Root, "{host}");
            assert!(matches!(of(&format!("{}acme/", mirror.index)), Kind::Page(_)), "{host}");
        }
    }

    #[test]
    fn sub_domains_are_mirrors_and_neighbours_are_not() {
        let known = |host: &str| known_mirror(&host.parse().unwrap()).map(|mirror| mirror.host);
        assert_eq!(known("Mirrors.Aliyun.com."), Some("mirrors.aliyun.com"));
        assert_eq!(known("eu.mirrors.aliyun.com"), Some("mirrors.aliyun.com"));
        assert_eq!(known("pypi.mirrors.ustc.edu.cn"), Some("pypi.mirrors.ustc.edu.cn"), "the nearest");
        for host in ["aliyun.com", "evilmirrors.aliyun.com", "mirrors.aliyun.com.example", "pypi.org", "127.0.0.1"] {
            assert_eq!(known(host), None, "{host}");
        }
    }
}
