//! For whom a question is asked: `--as-user` and `--as-client`.

use std::net::IpAddr;

use super::output::Console;
use crate::config::{Settings, one_user};
use crate::policy::{Policy, Somebody};

#[derive(Debug, Default, clap::Args)]
pub(super) struct As {
    /// Judge as for this user, where rules are `for` some [default: nobody with a name]
    #[arg(long, value_name = "NAME", value_parser = one_user)]
    as_user: Option<String>,
    /// Judge as for a client with this address [default: one on this machine]
    #[arg(long, value_name = "ADDR")]
    as_client: Option<IpAddr>,
}

impl As {
    /// Who asks.
    pub(super) fn somebody(&self) -> Somebody {
        let client = self.as_client.map_or_else(|| Somebody::default().client, |client| client.to_canonical());
        Somebody { client, user: self.as_user.clone() }
    }

    /// `policy` as they have it, if that is less than all.
    pub(super) fn narrowed(&self, policy: &Policy) -> Option<Policy> {
        policy.narrowed_to(&self.somebody().asks())
    }

    /// Says when the user is none: an answer for nobody is no answer for whom was meant.
    pub(super) fn tell_of_stranger(&self, settings: &Settings, console: &Console) {
        let Some(name) = &self.as_user else { return };
        let Some(file) = &settings.users else {
            let help = "say below `[listen]` who the users are: `users = \"/etc/namewall/users\"`";
            console.error(format_args!(
                "namewall: --as-user: no client is asked for its name, so nobody is `{name}`: {help}"
            ));
            return;
        };
        if file.users.as_ref().is_ok_and(|users| !users.names().any(|known| known == name)) {
            let shown = file.path.display();
            console.error(format_args!("namewall: --as-user: no user is called `{name}`; write it as in `{shown}`"));
        }
    }

    /// Whether somebody is named.
    pub(super) const fn is_given(&self) -> bool {
        self.as_user.is_some() || self.as_client.is_some()
    }
}
