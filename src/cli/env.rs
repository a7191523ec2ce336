//! `namewall env`: the variables which point every client at a running proxy.

use super::output::Console;
use super::{Common, Failure, Outcome};
use crate::clients::env::{Format, for_environment, print};
use crate::config::environment::Environment;
use crate::tls::bundle::write_bundle;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which reader
    #[arg(long, value_name = "FORMAT", default_value = "sh")]
    format: Format,
    /// The proxy's URL [default: http:// and the config's first address]
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let proxy = match (&arguments.proxy, settings.listen.first()) {
        (Some(proxy), _) => checked(proxy)?,
        (None, Some(address)) if address.ip().is_unspecified() => {
            let hint =
                format!("the proxy listens on all addresses ({address}): say which one clients use with --proxy");
            return Err(Failure::Usage(hint));
        }
        (None, Some(address)) => format!("http://{address}"),
        (None, None) => return Err(Failure::Usage("the config has no listen address; name one with --proxy".into())),
    };
    let hosts = settings.hosts();
    let authority = settings.ca.authority(&hosts)?;
    let (ca, bundle) = settings.ca.public_files();
    // The variables name these files, so they have to be there.
    write_bundle(&bundle, &authority)?;
    let environment = Environment::from_process();
    let (variables, dropped) = for_environment(&environment, &hosts, &proxy, &bundle, &ca);
    super::tell_of_dropped(&dropped, console);
    console.text(&print(&variables, arguments.format))?;
    Ok(Outcome::Fine)
}

/// A proxy URL that every client understands.
fn checked(proxy: &str) -> Result<String, Failure> {
    let usage = || Failure::Usage(format!("--proxy `{proxy}` is no proxy URL; write it as http://127.0.0.1:3128"));
    let url = url::Url::parse(proxy).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(usage)?;
    if url.host_str().is_none() { Err(usage()) } else { Ok(proxy.trim_end_matches('/').to_owned()) }
}
