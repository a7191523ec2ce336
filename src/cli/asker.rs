//! For whom a question is asked: `--as-user` and `--as-client`.

use std::net::IpAddr;

use crate::policy::{Policy, Somebody};

#[derive(Debug, Default, clap::Args)]
pub(super) struct As {
    /// Judge as for this user, where rules are `for` some [default: nobody with a name]
    #[arg(long, value_name = "NAME")]
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

    /// Whether somebody is named.
    pub(super) const fn is_given(&self) -> bool {
        self.as_user.is_some() || self.as_client.is_some()
    }
}
