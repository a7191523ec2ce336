//! macOS: `security` and the keychain that it is for, the system's when root asks and else the user's.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Change, Held, Holdings, Source, StoreError, run};

/// A keychain, and the trust settings of the same domain.
#[derive(Debug)]
pub(super) struct Keychain {
    tool: PathBuf,
    /// For all users; else for this one, in the default keychain.
    admin: bool,
}

const SYSTEM: &str = "/Library/Keychains/System.keychain";

impl Keychain {
    pub(super) fn here() -> Self {
        #[cfg(unix)]
        let admin = rustix::process::geteuid().is_root();
        #[cfg(not(unix))]
        let admin = false;
        Self { tool: PathBuf::from("/usr/bin/security"), admin }
    }

    pub(super) fn name(&self) -> String {
        if self.admin { format!("macOS's, for all users ({SYSTEM})") } else { "macOS's, for this user".to_owned() }
    }

    pub(super) fn holdings(&self, path: &Path) -> Result<Holdings, StoreError> {
        let mut find = self.security(&["find-certificate", "-a", "-p", "-c", "namewall CA"]);
        // It fails when there is none, as the next one does without any setting.
        let found = run(find.args(self.keychain())).unwrap_or_default();
        let mut dump = self.security(&["dump-trust-settings"]);
        let settings = run(dump.args(self.domain())).unwrap_or_default();
        let in_keychain = Held::all_in(found.as_bytes());
        let is_trusted = |held: &Held| {
            let common_name = held.subject().split_once("CN=").map_or("", |(_, name)| name);
            !common_name.is_empty() && settings.contains(common_name)
        };
        let trusted = in_keychain.iter().filter(|held| is_trusted(held)).cloned().collect();
        Ok(Holdings { trusted, ours: of_file(path, &in_keychain) })
    }

    pub(super) fn apply(&self, change: &Change) -> Result<(), StoreError> {
        for held in &change.added {
            let file = written(held)?;
            let mut add = self.security(&["add-trusted-cert"]);
            add.args(self.domain()).args(["-r", "trustRoot"]);
            if self.admin {
                add.args(["-k", SYSTEM]);
            }
            run(add.arg(file.path()))?;
        }
        for held in &change.removed {
            let file = written(held)?;
            // First the setting; it fails when there is none.
            let _unset = run(self.security(&["remove-trusted-cert"]).args(self.domain()).arg(file.path()));
            run(self.security(&["delete-certificate", "-Z", &held.hex().to_uppercase()]).args(self.keychain()))?;
        }
        Ok(())
    }

    fn security(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tool);
        command.args(arguments);
        command
    }

    fn domain(&self) -> Option<&'static str> {
        self.admin.then_some("-d")
    }

    fn keychain(&self) -> Option<&'static str> {
        self.admin.then_some(SYSTEM)
    }
}

/// A keychain doesn't say from which file a certificate came, so ours are those that the file holds now.
pub(super) fn of_file(path: &Path, found: &[Held]) -> Vec<Held> {
    let Ok(source) = Source::read(path) else { return Vec::new() };
    found.iter().filter(|held| source.certificates().contains(held)).cloned().collect()
}

/// The certificate in a file that is removed when the tool has read it.
pub(super) fn written(held: &Held) -> Result<tempfile::NamedTempFile, StoreError> {
    use std::io::Write as _;
    let write = || {
        let mut file = tempfile::Builder::new().suffix(".crt").tempfile()?;
        file.write_all(held.pem().as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|reason| StoreError::File { path: std::env::temp_dir(), reason })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use crate::tls::system::{Kind, SystemStore};
    use crate::tls::testing::authority;

    use super::*;

    /// Remembers one certificate, and the trust in it, as the real one does.
    const SECURITY: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> calls
for last; do :; done
case $1 in
find-certificate) cat keychain ;;
dump-trust-settings) cat trust ;;
add-trusted-cert) cp "$last" keychain; openssl x509 -in "$last" -noout -subject -nameopt RFC2253 > trust ;;
remove-trusted-cert) rm trust ;;
delete-certificate) rm keychain ;;
esac
"#;

    #[test]
    fn what_security_is_asked_for() {
        let (dir, ours) = authority();
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("security");
        fs::write(&tool, SECURITY).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let store = SystemStore(Kind::Keychain(Keychain { tool, admin: true }));
        let source = Source::read(&dir.path().join("ca.pem")).unwrap();
        assert!(!store.holdings(source.path()).unwrap().trusts(&source.certificates()[0]));
        assert_eq!(store.install(&source).unwrap().added.len(), 1);
        assert!(store.install(&source).unwrap().is_none());
        assert_eq!(store.uninstall(source.path()).unwrap().removed.len(), 1);
        let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
        let said: Vec<_> =
            calls.lines().filter(|call| !call.starts_with("find-") && !call.starts_with("dump-")).collect();
        assert!(said[0].starts_with(&format!("add-trusted-cert -d -r trustRoot -k {SYSTEM} /")), "{said:?}");
        assert!(said[1].starts_with("remove-trusted-cert -d /"), "{said:?}");
        let hash = ours.fingerprint().replace(':', "");
        assert_eq!(said[2], format!("delete-certificate -Z {hash} {SYSTEM}"));
    }
}
