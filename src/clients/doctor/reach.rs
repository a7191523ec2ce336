//! Whether a client itself gets through to both hosts and is stopped at a protected name: with its own code, settings
//! and trust. It asks only where namewall answers by itself, and for the protected name last, when it is known to be
//! heard there: nothing of this ever goes on to PyPI.

use std::time::Duration;

use super::installed::{Client, Stack, interpreter};
use super::program::{self, Ran};
use super::report::{Check, Group};
use super::shell::EXPORT;
use super::sighting::{FILES, INDEX};
use crate::config::environment::Environment;
use crate::name::ProjectName;
use crate::proxy::GREETING;

const CLIENTS: Group = Group::Clients;

/// A name that is nobody's.
const CANARY: &str = "namewall-doctor";

/// Asks with a library for each address, and prints what came of it; what it raises may name a proxy's password, and is
/// only searched here.
const SCRIPT: &str = "\
import importlib, sys
try:
    get = importlib.import_module(sys.argv[1]).get
except ImportError:
    sys.exit(9)
for url in sys.argv[2:]:
    try:
        print(get(url, timeout=10).text)
    except Exception as error:
        print(type(error).__name__, str(error).replace('\\n', ' '))
";

/// What a client said to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It was greeted by namewall.
    Greeted,
    /// It was refused by a rule.
    Stopped,
    /// Somebody else answered.
    PassedBy,
    /// It does not believe who answered.
    Untrusted,
    /// It got no answer that it would show.
    Nothing,
    /// It was stopped by us.
    Hung,
    /// It can't be asked.
    Mute,
}

/// Asks `client`.
pub(super) async fn reach(
    client: &Client,
    name: Option<&ProjectName>,
    environment: &Environment,
    patience: Duration,
) -> Check {
    let shown = &client.shown;
    if let Stack::None(why) = client.stack {
        return CLIENTS.skipped(client.name, format!("{shown}: not asked, {why}"));
    }
    for host in [INDEX, FILES] {
        let said = ask(client, host, CANARY, environment, patience).await;
        // Stopped by a rule for whatever is called so, it was namewall that answered, too.
        if !matches!(said, Said::Greeted | Said::Stopped) {
            return trouble(client, host, said, patience);
        }
    }
    let Some(name) = name else {
        return CLIENTS.ok(client.name, format!("{shown} reaches both hosts through namewall"));
    };
    match ask(client, FILES, name.as_str(), environment, patience).await {
        Said::Stopped => {
            CLIENTS.ok(client.name, format!("{shown} reaches both hosts through namewall, and is stopped at {name}"))
        }
        Said::Greeted => {
            let message = format!("{shown} reaches both hosts through namewall, and is not stopped at {name}");
            CLIENTS.fail(client.name, message, format!("namewall explain {name}   # then give the proxy that config"))
        }
        said => trouble(client, FILES, said, patience),
    }
}

fn trouble(client: &Client, host: &str, said: Said, patience: Duration) -> Check {
    let (name, shown) = (client.name, &client.shown);
    match said {
        Said::PassedBy => {
            let message = format!("{shown} goes past namewall: somebody else answers it for {host}");
            CLIENTS.fail(name, message, settings_of(client))
        }
        Said::Untrusted => {
            let message = format!("{shown} does not trust the certificate that it is shown for {host}");
            CLIENTS.fail(name, message, EXPORT)
        }
        Said::Hung => {
            let message = format!("{shown} had no answer of {host} within {} s, and was stopped", patience.as_secs());
            CLIENTS.warn(name, message, settings_of(client))
        }
        Said::Mute => CLIENTS.skipped(name, format!("{shown}: not asked, the Python that it runs in was not found")),
        Said::Greeted | Said::Stopped | Said::Nothing => {
            let message = format!("{shown} does not get through to {host}");
            CLIENTS.fail(name, message, settings_of(client))
        }
    }
}

/// Where the settings of a client show, by which it goes its own way.
fn settings_of(client: &Client) -> String {
    match client.stack {
        Stack::Pip => format!("{} config debug", client.typed),
        Stack::Uv => "env | grep -i -e ^UV_ -e proxy   # and look into uv.toml".to_owned(),
        Stack::Curl => format!("curl -v https://{INDEX}{GREETING}   # and look into ~/.curlrc"),
        Stack::Python(_) | Stack::None(_) => format!("env | grep -i proxy; {} --version", client.typed),
    }
}

/// Lets `client` ask for a wheel of `name` below the greeting of `host`.
async fn ask(client: &Client, host: &str, name: &str, environment: &Environment, patience: Duration) -> Said {
    let url = format!("https://{host}{GREETING}/{}-0-py3-none-any.whl", name.replace('-', "_"));
    let Ok(folder) = tempfile::tempdir() else { return Said::Nothing };
    let aside = folder.path().display().to_string();
    let owned = |arguments: &[&str]| arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
    let command = match client.stack {
        Stack::Pip => {
            let arguments =
                ["download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--retries", "0"];
            let rest = ["--timeout", "10", "--dest", &aside, &url];
            client.command(&[owned(&arguments), owned(&rest)].concat(), environment)
        }
        Stack::Uv => {
            let mut arguments = owned(&["pip", "install", "--no-deps", "--no-cache", "--target", &aside]);
            let python = ["python3", "python"].into_iter().find_map(|name| program::find(name, environment));
            arguments.extend(python.iter().flat_map(|path| ["--python".to_owned(), path.display().to_string()]));
            arguments.push(format!("{name} @ {url}"));
            let mut command = client.command(&arguments, environment);
            command.env("UV_HTTP_RETRIES", "0").env("UV_HTTP_TIMEOUT", "10").env("UV_PYTHON_DOWNLOADS", "never");
            command
        }
        Stack::Curl => client.command(&owned(&["-sS", "-m", "10", &url]), environment),
        Stack::Python(library) => {
            let Some(python) = interpreter(&client.program) else { return Said::Mute };
            program::command(&python, &["-c", SCRIPT, library, &url], environment)
        }
        Stack::None(_) => return Said::Mute,
    };
    let mut command = command;
    // Where no project is: the client's own settings count here, not those of whatever folder the user stands in.
    command.current_dir(folder.path());
    match program::run(command, patience).await {
        Ran::Ended { code: Some(9), .. } if matches!(client.stack, Stack::Python(_)) => Said::Mute,
        Ran::Ended { stdout, stderr, .. } => read(&[stdout, stderr].concat()),
        Ran::Hung => Said::Hung,
        Ran::Failed(_) => Said::Nothing,
    }
}

/// What a client wrote, by the words that its kind shows of every answer.
fn read(text: &str) -> Said {
    // Clients break lines where the terminal ends.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_ascii_lowercase();
    if text.contains("is protected by namewall rule") {
        Said::Stopped
    } else if text.contains("this is namewall") {
        Said::Greeted
    } else if ["certificate", "unknownissuer", "unknown issuer"].iter().any(|word| lower.contains(word)) {
        Said::Untrusted
    } else if lower.contains("404") || lower.contains("not found") {
        Said::PassedBy
    } else {
        Said::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say() {
        for (text, said) in [
            (
                "ERROR: HTTP error 403 while getting https://…: 403 Client Error: Forbidden: this is\nnamewall 0.1.0",
                Said::Greeted,
            ),
            ("{\"title\":\"acme-core is protected by namewall rule acme\"}", Said::Stopped),
            ("curl: (60) SSL certificate problem: unable to get local issuer certificate", Said::Untrusted),
            ("invalid peer certificate: UnknownIssuer", Said::Untrusted),
            ("ERROR: 404 Client Error: Not Found for url: https://pypi.org/", Said::PassedBy),
            ("curl: (7) Failed to connect to 127.0.0.1 port 3128", Said::Nothing),
        ] {
            assert_eq!(read(text), said, "{text}");
        }
    }
}
