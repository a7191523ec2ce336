//! `namewall ca init --from-organisation` and `ca import`: an authority below the organisation's own root.

use std::path::PathBuf;

use super::{own_folder, show};
use crate::cli::output::{Console, Style};
use crate::cli::{Failure, Outcome};
use crate::config::Settings;
use crate::tls::bundle::write_bundle;
use crate::tls::request;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    /// The issued certificate (PEM), best with those above it, the root last
    #[arg(value_name = "CERT_OR_CHAIN")]
    path: PathBuf,
    /// Take one that may sign for any host, too: whoever gets its key can pose as any of them
    #[arg(long)]
    unconstrained: bool,
}

pub(super) fn request(settings: &Settings, console: &Console) -> Result<Outcome, Failure> {
    let request = request::request(own_folder(settings)?, &settings.hosts())?;
    let (csr, extensions) = (request.csr.display(), request.extensions.display());
    console.line(format_args!(
        "Send these two files to the people of your PKI (the key stays here):\n\
        \n  {csr}\n  {extensions}\n\
        \nThey sign it with the extensions of the second file, which confine it to the hosts that namewall opens:\n\
        \n  openssl x509 -req -in ca-request.csr -CA root.pem -CAkey root-key.pem -set_serial \"0x$(openssl rand -hex 16)\" \\\
        \n      -days 825 -sha256 -extfile ca-request.ext -out namewall.pem\n\
        \nPut what they send you into one file, namewall's certificate first and the root last, and take it:\n\
        \n  namewall ca import namewall-chain.pem"
    ))?;
    Ok(Outcome::Fine)
}

pub(super) fn import(import: &Import, settings: &Settings, console: &Console) -> Result<Outcome, Failure> {
    let dir = own_folder(settings)?;
    let imported = request::import(dir, &import.path, &settings.hosts(), import.unconstrained)?;
    if !imported.authority.is_confined() {
        console.error(console.paint(
            Style::Red,
            "WARNING: this CA may sign for any host. Whoever reads its key can pose as your bank to everyone who trusts your root.",
        ));
    }
    write_bundle(&settings.ca.public_files().1, &imported.authority)?;
    if let Some(issuer) = &imported.open_end {
        console.error(format_args!(
            "warning: the file ends below its root `{issuer}`: clients that don't trust that already can't use the bundle; \
             import a file with the root at its end"
        ));
    }
    show::show(&imported.authority, settings, console)
}
