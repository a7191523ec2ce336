//! Decides when the config's files have changed and lie still, and which settings of a new config take a restart.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::settings::Settings;

/// What one look at the config's files found, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(Vec<Result<Stamp, io::ErrorKind>>);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    /// The path without symbolic links. A Kubernetes volume is renewed by turning the link `..data` to another folder,
    /// where nothing that was there before changes: kubernetes.io/docs/concepts/configuration/configmap.
    resolved: PathBuf,
    /// Which file it is: an editor renames a new one over the old.
    identity: Identity,
    modified: Option<SystemTime>,
    length: u64,
}

/// Device, inode, and when the inode changed (which also tells of new permissions and of a time that was set back).
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);

/// When it was made: the standard library has no file index for Windows yet (rust-lang/rust#63010).
#[cfg(not(unix))]
type Identity = Option<SystemTime>;

/// What a look means, after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All is as it was when the config was read.
    Same,
    /// Something has changed, and may be changing still.
    Restless,
    /// What has changed lies still: read it.
    Changed,
}

/// Remembers in which state the files were read.
#[derive(Debug)]
pub struct Watch {
    read: Look,
    restless: Option<Look>,
}

impl Look {
    /// Looks at `files`; one that isn't there is a sight too.
    pub fn at<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        let stamp = |path: P| Stamp::of(path.as_ref()).map_err(|error| error.kind());
        Self(files.into_iter().map(stamp).collect())
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let resolved = path.canonicalize()?;
        let metadata = resolved.metadata()?;
        Ok(Self { resolved, identity: identity(&metadata), modified: metadata.modified().ok(), length: metadata.len() })
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

impl Watch {
    /// For files that were read in this state.
    #[must_use]
    pub const fn new(read: Look) -> Self {
        Self { read, restless: None }
    }

    /// What `now` means: a change is worth reading when two looks in a row see the same of it, since whoever writes in
    /// place may be half way through.
    pub fn sees(&mut self, now: Look) -> Sight {
        if now == self.read {
            self.restless = None;
            return Sight::Same;
        }
        if self.restless.as_ref() == Some(&now) {
            self.has_read(now);
            return Sight::Changed;
        }
        self.restless = Some(now);
        Sight::Restless
    }

    /// Remembers that the files were read in this state.
    pub fn has_read(&mut self, now: Look) {
        *self = Self::new(now);
    }
}

/// The keys whose values differ between `new` and what runs, and which only a start reads.
#[must_use]
pub fn needing_restart(new: &Settings, running: &Settings) -> Vec<&'static str> {
    let changed = [
        ("listen.addr", new.listeners != running.listeners),
        ("listen.admin", new.admin != running.admin),
        ("listen.admin-hosts", new.admin_hosts != running.admin_hosts),
        ("listen.allow", new.allow != running.allow),
        ("listen.users", new.users.is_some() != running.users.is_some()),
        ("listen.drain", new.drain != running.drain),
        ("listen.drain-notice", new.drain_notice != running.drain_notice),
        ("limits", new.limits != running.limits),
        ("ca", new.ca != running.ca),
        ("upstream.proxy", new.parents != running.parents),
        ("upstream.extra-roots", new.extra_roots != running.extra_roots),
        ("upstream.connect-to", new.connect_to != running.connect_to),
        ("tunnel", new.exits != running.exits),
        ("cache.size", new.cache != running.cache),
        ("intercept", new.sites != running.sites),
        ("log.format", new.log_format != running.log_format),
        ("log.decisions", new.decisions != running.decisions),
        ("log.access", new.access != running.access || new.access_format != running.access_format),
        ("claimed", new.claimed != running.claimed),
        ("inventory", !same_inventories(new, running)),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

fn same_inventories(new: &Settings, running: &Settings) -> bool {
    new.inventories.len() == running.inventories.len()
        && new.inventories.iter().zip(&running.inventories).all(|(one, other)| one.is_same_as(other))
}

/// Why `new` is hardly what anybody means, if it was read after `running`. Protection that is there goes when somebody
/// writes so, not because a volume was unmounted, a disk was full, or a pipe had been read to its end before.
#[must_use]
pub fn doubt(new: &Settings, running: &Settings) -> Option<String> {
    let config = running.source.as_deref().and_then(|file| doubt_of_config(file, new));
    config.or_else(|| emptied(new, running)).or_else(|| unmounted(new, running))
}

fn doubt_of_config(file: &Path, new: &Settings) -> Option<String> {
    let shown = file.display();
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("`{shown}` is no regular file, and can't be read twice; write the config into one")),
        Err(_) if new.source.as_deref() == Some(file) => None,
        Err(_) => Some(format!("the config file `{shown}` is gone; serving without it takes a restart")),
    }
}

/// A file that said something, and has nothing in it now.
fn emptied(new: &Settings, running: &Settings) -> Option<String> {
    let said = |file: &&PathBuf| running.files.contains(file) && !running.blank.contains(file);
    let shown = new.blank.iter().find(said)?.display();
    Some(format!("`{shown}` is empty; write a comment into it if no rule is meant"))
}

/// A folder of which an include took files, and takes none now.
fn unmounted(new: &Settings, running: &Settings) -> Option<String> {
    let below = |settings: &Settings, folder: &Path| settings.files.iter().any(|file| file.starts_with(folder));
    let still = |folder: &PathBuf| new.watched.contains(folder);
    let lost = |folder: &&PathBuf| still(folder) && below(running, folder) && !below(new, folder);
    let shown = running.watched.iter().find(lost)?.display();
    let help = "leave one with a comment in it if no rule is meant, or take the include away";
    Some(format!("no included file is left in `{shown}`, of which rules came; {help}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{Environment, Overrides};

    fn settings(folder: &Path, config: &str) -> Settings {
        fs::write(folder.join("namewall.toml"), config).unwrap();
        Settings::load_from(&Overrides::default(), &Environment::default(), folder).unwrap()
    }

    #[test]
    fn a_change_is_read_once_it_lies_still() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let look = || Look::at([&file]);
        fs::write(&file, "a").unwrap();
        let mut watch = Watch::new(look());
        assert_eq!(watch.sees(look()), Sight::Same);
        fs::write(&file, "ab").unwrap();
        assert_eq!(watch.sees(look()), Sight::Restless);
        fs::write(&file, "abc").unwrap();
        assert_eq!(watch.sees(look()), Sight::Restless, "still being written");
        assert_eq!(watch.sees(look()), Sight::Changed);
        assert_eq!(watch.sees(look()), Sight::Same);
    }

    #[test]
    fn what_comes_and_goes_between_two_looks_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("f"), folder.path().join("g"));
        let look = || Look::at([&file]);
        fs::write(&file, "a").unwrap();
        let before = look();
        fs::rename(&file, &aside).unwrap();
        let mut watch = Watch::new(before.clone());
        assert_eq!(watch.sees(look()), Sight::Restless);
        assert_eq!(watch.sees(before), Sight::Same);
        assert_eq!(watch.sees(look()), Sight::Restless, "the first look at it again");
        assert_eq!(watch.sees(look()), Sight::Changed);
        fs::write(&file, "a").unwrap();
        assert_eq!(watch.sees(look()), Sight::Restless, "it was made anew");
    }

    #[test]
    fn a_file_renamed_over_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("f"), folder.path().join("g"));
        fs::write(&file, "a").unwrap();
        fs::write(&other, "b").unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        let before = Look::at([&file]);
        fs::rename(&other, &file).unwrap();
        assert_ne!(Look::at([&file]), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_behind_a_link_is_swapped_as_kubernetes_does_it() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("f"), "a").unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/f", path("f")).unwrap();
        let before = Look::at([path("f")]);
        symlink("..2", path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        assert_ne!(Look::at([path("f")]), before);
    }

    #[test]
    fn what_takes_a_restart_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let running = settings(folder.path(), "");
        let rules =
            settings(folder.path(), "[[protect]]\nid = \"a\"\nnames = [\"a\"]\n[[assert]]\nallowed = [\"b\"]\n");
        assert_eq!(needing_restart(&rules, &running), [""; 0]);
        let more = settings(
            folder.path(),
            "[listen]\ndrain = \"1s\"\n[log]\ndecisions = \"d\"\n[[intercept]]\nhost = \"m.example\"\nkind = \"mirror\"\n",
        );
        assert_eq!(needing_restart(&more, &running), ["listen.drain", "intercept", "log.decisions"]);
        for more in ["proxy = \"p:1\"", "no-proxy = \"a\"", "[[upstream.route]]\nto = \"a\"\nproxy = \"direct\""] {
            let more = settings(folder.path(), &format!("[upstream]\n{more}\n"));
            assert_eq!(needing_restart(&more, &running), ["upstream.proxy"]);
        }
    }

    #[test]
    fn rules_go_because_somebody_writes_so_and_not_with_their_volume() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.d");
        fs::create_dir(&rules).unwrap();
        for id in ["a", "b"] {
            fs::write(rules.join(format!("{id}.toml")), format!("[[protect]]\nid = \"{id}\"\nnames = [\"{id}\"]\n"))
                .unwrap();
        }
        let config = "include = [\"rules.d/*.toml\"]\n[[protect]]\nid = \"own\"\nnames = [\"own\"]\n";
        let load = || settings(folder.path(), config);
        let running = load();
        fs::write(rules.join("a.toml"), "").unwrap();
        assert!(doubt(&load(), &running).unwrap().contains("a.toml` is empty"));
        assert_eq!(doubt(&load(), &load()), None, "it was never otherwise");
        fs::write(rules.join("a.toml"), "# none\n").unwrap();
        assert_eq!(doubt(&load(), &running), None);
        fs::remove_file(rules.join("a.toml")).unwrap();
        assert_eq!(doubt(&load(), &running), None, "one of two");
        fs::remove_file(rules.join("b.toml")).unwrap();
        assert!(doubt(&load(), &running).unwrap().contains("no included file is left"));
        fs::remove_dir(&rules).unwrap();
        assert!(doubt(&load(), &running).unwrap().contains("no included file is left"));
        assert_eq!(doubt(&settings(folder.path(), "# none\n"), &running), None, "the include is gone, too");
    }

    #[test]
    fn a_config_that_is_gone_or_empty_is_no_permission() {
        let folder = tempfile::tempdir().unwrap();
        let running = settings(folder.path(), "[[protect]]\nid = \"a\"\nnames = [\"a\"]\n");
        assert_eq!(doubt(&running, &running), None);
        let empty = settings(folder.path(), "");
        assert!(doubt(&empty, &running).unwrap().contains("is empty"));
        assert_eq!(doubt(&empty, &empty), None);
        let none = settings(folder.path(), "# none\n");
        assert_eq!(doubt(&none, &running), None);
        fs::remove_file(folder.path().join("namewall.toml")).unwrap();
        let elsewhere = Settings { source: None, ..running.clone() };
        assert!(doubt(&elsewhere, &running).unwrap().contains("is gone"));
        assert_eq!(doubt(&running, &elsewhere), None, "a first file may come");
        let piped = Settings { source: Some(folder.path().to_owned()), ..running };
        assert!(doubt(&piped, &piped).unwrap().contains("no regular file"));
    }
}
