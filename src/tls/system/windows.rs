//! Windows: `certutil` and the store `Root`, the machine's where that is allowed and else the user's.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

use super::keychain::{of_file, written};
use super::{Change, Held, Holdings, StoreError, run};

/// The trusted roots.
#[derive(Debug)]
pub(super) struct RootStore {
    certutil: &'static str,
    powershell: &'static str,
}

/// certutil prints for people, in their language. The user's view has the machine's roots in it.
const LIST: &str = r"Get-ChildItem Cert:\CurrentUser\Root | ForEach-Object { [Convert]::ToBase64String($_.RawData) }";

/// To whom a store belongs: certutil's flag.
const MACHINE: &[&str] = &[];
const USER: &[&str] = &["-user"];

impl RootStore {
    pub(super) const fn here() -> Self {
        Self { certutil: "certutil.exe", powershell: "powershell.exe" }
    }

    pub(super) fn name() -> String {
        r"Windows's (Root)".to_owned()
    }

    pub(super) fn holdings(&self, path: &Path) -> Result<Holdings, StoreError> {
        let mut list = Command::new(self.powershell);
        let listed = run(list.args(["-NoProfile", "-NonInteractive", "-Command", LIST]))?;
        let ders = listed.lines().filter_map(|line| STANDARD.decode(line.trim()).ok()).map(CertificateDer::from);
        let mut trusted: Vec<Held> = Vec::new();
        for held in ders.filter_map(|der| Held::from_der(&der)) {
            if !trusted.contains(&held) {
                trusted.push(held);
            }
        }
        let ours = of_file(path, &trusted);
        Ok(Holdings { trusted, ours })
    }

    pub(super) fn apply(&self, change: &Change) -> Result<(), StoreError> {
        for held in &change.added {
            let file = written(held)?;
            let add = |whose: &[&str]| {
                let mut command = Command::new(self.certutil);
                run(command.args(whose).args(["-f", "-addstore", "Root"]).arg(file.path()))
            };
            // Without elevation the machine's is refused; Windows asks the user about his own.
            add(MACHINE).or_else(|_refused| add(USER))?;
        }
        for held in &change.removed {
            let delete = |whose: &[&str]| {
                let mut command = Command::new(self.certutil);
                run(command.args(whose).args(["-delstore", "Root", &held.serial()]))
            };
            // It may be in either, or in both.
            let (machine, user) = (delete(MACHINE), delete(USER));
            machine.or(user)?;
        }
        Ok(())
    }
}
