//! `namewall ca renew`: another authority follows, after a while, now, or in the place of one whose key is known.

use time::Duration;

use super::{own_folder, show};
use crate::cli::output::Console;
use crate::cli::{Failure, Outcome};
use crate::config::Settings;
use crate::tls::CertificateAuthority;
use crate::tls::bundle::write_bundle;
use crate::tls::renewal::{Overlap, renew as renew_in};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Renew {
    /// How many days clients have to get the new certificate, before it is needed [default: 14]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=365))]
    overlap: Option<u16>,
    /// Let the new one sign at once: that which waits, if one does
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
    /// Somebody may have read the key: a new pair at once, and none of those from before
    #[arg(long, conflicts_with_all = ["overlap", "now"])]
    compromised: bool,
}

pub(super) fn renew(renew: &Renew, settings: &Settings, console: &Console) -> Result<Outcome, Failure> {
    let (dir, hosts) = (own_folder(settings)?, settings.hosts());
    let before = settings.ca.existing().ok();
    let authority = if renew.compromised {
        if before.as_ref().is_some_and(|before| !before.is_self_issued()) {
            let message = "this CA was issued by your organisation: have it revoked there; `namewall ca init --from-organisation` and `namewall ca import` replace it";
            return Err(Failure::Usage(message.to_owned()));
        }
        CertificateAuthority::renew(dir, &hosts)?
    } else {
        let overlap = match (renew.now, renew.overlap) {
            (true, _) => Overlap::None,
            (_, Some(days)) => Overlap::For(Duration::days(days.into())),
            _ => Overlap::Usual,
        };
        renew_in(dir, &hosts, overlap)?
    };
    write_bundle(&settings.ca.public_files().1, &authority)?;
    let outcome = show::show(&authority, settings, console)?;
    console.line("")?;
    console.line(advice(&authority, before.as_ref(), renew.compromised))?;
    Ok(outcome)
}

/// What is left to do, and for whom.
fn advice(authority: &CertificateAuthority, before: Option<&CertificateAuthority>, compromised: bool) -> &'static str {
    let replaced = before.is_some_and(|before| before.certificate_der() != authority.certificate_der());
    if authority.successor().is_some() {
        "Until then the old one signs. Clients that use the bundle or `namewall run` need nothing; give those that were\n\
         handed ca.pem the new one (it holds both now), and run `namewall ca install` again where that was done."
    } else if compromised {
        "The old one signs no more. Proxies that run take the new one up within seconds. Clients that were handed ca.pem\n\
         need the new one now, and must forget the old one: until they do, its thief can pose as PyPI to them. Where\n\
         `namewall ca install` was run, run it again: it takes the old one away."
    } else if replaced {
        "It signs from now on; proxies that run take it up within seconds. Clients that were handed ca.pem need the new\n\
         one. Where `namewall ca install` was run, run it again in a minute, when the old one is gone."
    } else {
        "It signs from now on."
    }
}
