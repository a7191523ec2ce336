//! `namewall ca`: the certificate authority's life.

mod organisation;
mod renew;
mod show;
mod store;

use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::output::Console;
use super::{Common, Failure, Outcome};
use crate::config::{CaSource, Settings};
use crate::tls::bundle::{bundle_pem, write_bundle};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make the authority, unless it is there
    Init {
        /// Make a key and a request for your organisation's PKI instead, and say what to do with it
        #[arg(long)]
        from_organisation: bool,
    },
    /// Take what your organisation issued for that request, and put it in force
    Import(organisation::Import),
    /// Show what it is and what it may sign for
    Show,
    /// Print its certificate (never its key)
    Export {
        /// Print the bundle that clients are given: the system's roots and this one
        #[arg(long)]
        bundle: bool,
    },
    /// Let a new one follow it, for the hosts that the config names now
    Renew(renew::Renew),
    /// Put its certificate in the system's trust store (never its key)
    Install(store::Install),
    /// Take it out of there
    Uninstall(store::Which),
    /// Say whether the store holds it, which others, and when it ends
    Status(store::Status),
}

pub(super) fn run(action: &Action, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    match action {
        Action::Install(install) => store::install(install, common, console),
        Action::Uninstall(which) => store::uninstall(which, common, console),
        Action::Status(status) => store::status(status, common, console),
        Action::Init { from_organisation: true } => organisation::request(&common.settings()?, console),
        Action::Import(import) => organisation::import(import, &common.settings()?, console),
        Action::Renew(renew) => renew::renew(renew, &common.settings()?, console),
        Action::Init { from_organisation: false } => {
            let settings = common.settings()?;
            let authority = settings.ca.authority(&settings.hosts())?;
            write_bundle(&settings.ca.public_files().1, &authority)?;
            show::show(&authority, &settings, console)
        }
        // Showing an authority that doesn't cover a new host must still be possible.
        Action::Show => {
            let settings = common.settings()?;
            show::show(&settings.ca.shown()?, &settings, console)
        }
        Action::Export { bundle: false } => {
            Ok(console.text(&common.settings()?.ca.shown()?.trusted_pem()).map(|()| Outcome::Fine)?)
        }
        Action::Export { bundle: true } => {
            Ok(console.text(&bundle_pem(&common.settings()?.ca.shown()?)?).map(|()| Outcome::Fine)?)
        }
    }
}

/// The folder of an authority that namewall keeps itself.
fn own_folder(settings: &Settings) -> Result<&Path, Failure> {
    match &settings.ca {
        CaSource::Dir(dir) => Ok(dir),
        CaSource::Pair { cert, .. } => {
            let cert = cert.display();
            let usage = format!(
                "the config names the pair itself ({cert}), so whoever put it there replaces it; to let namewall keep one, name a folder: `dir` in `[ca]`"
            );
            Err(Failure::Usage(usage))
        }
    }
}

/// As logs and programs have it.
fn moment(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
