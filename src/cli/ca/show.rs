//! `namewall ca show`: what the authority is, and the one that follows it.

use super::moment;
use crate::cli::output::Console;
use crate::cli::{Failure, Outcome};
use crate::config::Settings;
use crate::tls::CertificateAuthority;

pub(super) fn show(
    authority: &CertificateAuthority,
    settings: &Settings,
    console: &Console,
) -> Result<Outcome, Failure> {
    let (certificate, bundle) = settings.ca.public_files();
    console.line(format_args!("certificate  {}", certificate.display()))?;
    console.line(format_args!("bundle       {}", bundle.display()))?;
    describe(authority, console)?;
    if let Some(successor) = authority.successor() {
        console.line("")?;
        console.line(format_args!(
            "next         signs from {} on; certificate and bundle hold both",
            moment(successor.from)
        ))?;
        describe(&successor.authority, console)?;
    }
    if let Some(next) = authority.announced() {
        console.line("")?;
        console
            .line("next         signs from a moment on that only who may read the keys is told; both are handed out")?;
        describe(next, console)?;
    }
    Ok(Outcome::Fine)
}

fn describe(authority: &CertificateAuthority, console: &Console) -> Result<(), Failure> {
    console.line(format_args!("subject      {}", authority.subject()))?;
    console.line(format_args!("sha-256      {}", authority.fingerprint()))?;
    console.line(format_args!("valid        {} to {}", authority.not_before().date(), authority.not_after().date()))?;
    if authority.is_confined() {
        console.line(format_args!("may sign for {}", authority.permitted_hosts().join(", ")))?;
        console.line("             (and their sub-domains; for no other name, and for no IP address)")?;
    } else {
        console.line(
            "may sign for ANY HOST: its certificate doesn't confine it; whoever gets its key can pose as any of them",
        )?;
    }
    Ok(())
}
