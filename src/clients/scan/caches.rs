//! Where pip and uv keep their caches on this machine.

use std::path::PathBuf;

use crate::config::environment::Environment;

/// The caches of pip and uv, where the environment and the platform put them.
#[must_use]
pub fn default_caches(environment: &Environment) -> Vec<PathBuf> {
    let path = |name: &str| environment.var(name).map(PathBuf::from);
    let home = |below: &str| path("HOME").map(|home| home.join(below));
    let xdg = |name: &str| path("XDG_CACHE_HOME").or_else(|| home(".cache")).map(|cache| cache.join(name));
    let (pip, uv) = if cfg!(windows) {
        let local = |below: &str| path("LOCALAPPDATA").map(|local| local.join(below));
        (local("pip\\Cache"), local("uv\\cache"))
    } else if cfg!(target_os = "macos") {
        (home("Library/Caches/pip"), xdg("uv"))
    } else {
        (xdg("pip"), xdg("uv"))
    };
    [path("PIP_CACHE_DIR").or(pip), path("UV_CACHE_DIR").or(uv)].into_iter().flatten().collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn where_they_are() {
        let caches = |pairs: &[(&str, &str)]| {
            let caches = default_caches(&Environment::from_pairs(pairs.iter().copied()));
            caches.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(caches(&[("HOME", "/home/ann")]), ["/home/ann/.cache/pip", "/home/ann/.cache/uv"]);
        assert_eq!(caches(&[("XDG_CACHE_HOME", "/c"), ("UV_CACHE_DIR", "/u")]), ["/c/pip", "/u"]);
        assert!(caches(&[]).is_empty());
    }
}
