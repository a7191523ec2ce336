//! `namewall ca`: the certificate authority's life.

use super::output::Console;
use super::{Common, Failure, Outcome};
use crate::config::{CaSource, Settings};
use crate::tls::CertificateAuthority;
use crate::tls::bundle::{bundle_pem, write_bundle};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make the authority, unless it is there
    Init,
    /// Show what it is and what it may sign for
    Show,
    /// Print its certificate (never its key)
    Export {
        /// Print the bundle that clients are given: the system's roots and this one
        #[arg(long)]
        bundle: bool,
    },
    /// Replace it by a new one, for the hosts that the config names now
    Renew,
}

pub(super) fn run(action: &Action, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let hosts = settings.hosts();
    let authority = match (action, &settings.ca) {
        (Action::Renew, CaSource::Dir(dir)) => CertificateAuthority::renew(dir, &hosts)?,
        (Action::Renew, CaSource::Pair { cert, .. }) => {
            let cert = cert.display();
            return Err(Failure::Usage(format!("{cert} was issued by your organisation: ask there for a new one")));
        }
        (Action::Init, source) => source.authority(&hosts)?,
        // Showing an authority that doesn't cover a new host must still be possible.
        (Action::Show | Action::Export { .. }, source) => source.existing()?,
    };
    match action {
        Action::Export { bundle: false } => console.text(authority.certificate_pem())?,
        Action::Export { bundle: true } => console.text(&bundle_pem(&authority)?)?,
        Action::Init | Action::Renew => {
            write_bundle(&settings.ca.public_files().1, &authority)?;
            show(&authority, &settings, console)?;
        }
        Action::Show => show(&authority, &settings, console)?,
    }
    Ok(Outcome::Fine)
}

fn show(authority: &CertificateAuthority, settings: &Settings, console: &Console) -> Result<(), Failure> {
    let (certificate, bundle) = settings.ca.public_files();
    let hosts: Vec<String> = authority.permitted_hosts().to_vec();
    console.line(format_args!("certificate  {}", certificate.display()))?;
    console.line(format_args!("bundle       {}", bundle.display()))?;
    console.line(format_args!("subject      {}", authority.subject()))?;
    console.line(format_args!("sha-256      {}", authority.fingerprint()))?;
    console.line(format_args!("valid        {} to {}", authority.not_before().date(), authority.not_after().date()))?;
    console.line(format_args!("may sign for {}", hosts.join(", ")))?;
    console.line("             (and their sub-domains; for no other name, and for no IP address)")?;
    Ok(())
}
