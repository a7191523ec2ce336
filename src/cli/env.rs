//! `namewall env`: the variables which point every client at a running proxy, and what takes them back.

use std::net::SocketAddr;
use std::path::Path;

use super::output::Console;
use super::{Common, Failure, Outcome, tell_of_own};
use crate::clients::env::{Format, Own, Target, prepare, print, print_undone, remembered, undone};
use crate::config::Settings;
use crate::config::environment::Environment;
use crate::files::folder_of;
use crate::shown::without_secrets;
use crate::tls::CaError;
use crate::tls::bundle::{SystemRoots, bundle_beside, bundle_for};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which reader
    #[arg(long, value_name = "FORMAT", default_value = "sh")]
    format: Format,
    /// The proxy's URL [default: the config's first address that clients use themselves]
    #[arg(long, value_name = "URL", conflicts_with = "unset")]
    proxy: Option<String>,
    /// Print what puts everything back as it was before: eval "$(namewall env --unset)"
    #[arg(long)]
    unset: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let environment = Environment::from_process();
    if arguments.unset {
        if !arguments.format.can_unset() {
            let hint = "this format can't take a variable away; it is for one job, whose variables end with it: use \
                        --format sh, fish, powershell, cmd or json";
            return Err(Failure::Usage(hint.into()));
        }
        let undone = undone(&environment);
        if undone.is_empty() {
            console.error("namewall: nothing to undo: `namewall env` has set nothing in this shell");
        }
        console.text(&print_undone(&undone, arguments.format))?;
        return Ok(Outcome::Fine);
    }
    let settings = common.settings()?;
    let proxy = match &arguments.proxy {
        Some(proxy) => checked(proxy)?,
        None => configured(&settings, console)?,
    };
    if settings.users.is_some() && !proxy.contains('@') {
        console.error(
            "namewall: the proxy asks for a name and a password: say them with --proxy http://NAME:PASSWORD@HOST:PORT",
        );
    }
    let hosts = settings.hosts();
    let (ca, usual) = settings.ca.public_files();
    let own = Own::of(&environment, folder_of(&usual));
    // The variables name these files, so they have to be there.
    let bundle = match settings
        .ca
        .authority(&hosts)
        .and_then(|ours| bundle_for(&usual, &ours, &SystemRoots::load(), &own.roots))
    {
        Ok(bundle) => bundle,
        // Beside a service, whose key and folder are not everybody's: its clients need what everybody may read.
        Err(CaError::Unreadable { .. } | CaError::Unwritable { .. }) if is_readable(&ca) && is_readable(&usual) => {
            bundle_beside(&usual, &own.roots, &environment.state_folder())?
        }
        Err(error) => return Err(error.into()),
    };
    let mut prepared = prepare(&environment, &own, &hosts, Target { proxy: &proxy, bundle: &bundle, ca: &ca });
    tell_of_own(&own, &prepared, console);
    if arguments.format.can_unset() && arguments.format != Format::Json {
        prepared.variables.push(remembered(&environment, &prepared.variables));
    }
    if let Some((name, value)) = prepared.variables.iter().find(|(_, value)| value.contains(['\n', '\r'])) {
        return Err(Failure::Usage(format!(
            "{name} would have a line break in it, which no file of variables can hold: {value:?}"
        )));
    }
    console.text(&print(&prepared.variables, arguments.format))?;
    Ok(Outcome::Fine)
}

/// The URL of a listener that clients can use as they are, one in the clear first: not every client speaks TLS to a proxy.
fn configured(settings: &Settings, console: &Console) -> Result<String, Failure> {
    let is_one = |address: &SocketAddr| !address.ip().is_unspecified();
    if let Some(address) = settings.proxies().find(is_one) {
        return Ok(format!("http://{address}"));
    }
    if let Some(address) = settings.tls_proxies().find(is_one) {
        console.error(format_args!(
            "namewall: the proxy speaks TLS: its certificate has to be valid for {}; otherwise say a name that it is valid \
             for, with --proxy https://HOST:{}",
            address.ip(),
            address.port()
        ));
        return Ok(format!("https://{address}"));
    }
    let hint = match (settings.proxies().next(), settings.tls_proxies().next()) {
        (Some(address), _) => {
            format!("the proxy listens on all addresses ({address}): say which one clients use with --proxy")
        }
        (None, Some(address)) => format!(
            "the proxy listens on all addresses ({address}), with TLS: say by which name of its certificate clients find it, \
             with --proxy https://HOST:{}",
            address.port()
        ),
        (None, None) => "no listener of the config has an address that clients use themselves: they come by a load balancer \
                         (`proxy-protocol`), by a firewall (`transparent`), or by a socket of systemd's; say what they are to \
                         use with --proxy http://HOST:PORT"
            .to_owned(),
    };
    Err(Failure::Usage(hint))
}

fn is_readable(path: &Path) -> bool {
    std::fs::File::open(path).is_ok()
}

/// A proxy URL that every client understands.
fn checked(proxy: &str) -> Result<String, Failure> {
    let cut = proxy.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?', '#']));
    if cut.is_some_and(|(_, behind)| behind.contains('@')) {
        let hint = "--proxy: in a user's name or password, write `/` as %2F, `?` as %3F and `#` as %23";
        return Err(Failure::Usage(hint.into()));
    }
    let shown = without_secrets(proxy);
    let usage = || Failure::Usage(format!("--proxy `{shown}` is no proxy URL; write it as http://127.0.0.1:3128"));
    let url = url::Url::parse(proxy).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(usage)?;
    // A line break would end a line of the variables, and begin another.
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
    if url.host_str().is_none() || proxy.contains(is_odd) {
        Err(usage())
    } else {
        Ok(encoded(&url, proxy.trim_end_matches('/')))
    }
}

/// `proxy` with its user and password such as each client reads them: some take the first `@` for the end of them. What
/// is behind them stays as it is, for clients differ in which port they take where none is written.
fn encoded(url: &url::Url, proxy: &str) -> String {
    let host = proxy.rsplit_once('@').map(|(_, host)| host);
    match (host, url.username(), url.password()) {
        (None, ..) | (_, "", None) => proxy.to_owned(),
        (Some(host), name, None) => format!("{}://{name}@{host}", url.scheme()),
        (Some(host), name, Some(password)) => format!("{}://{name}:{password}@{host}", url.scheme()),
    }
}
