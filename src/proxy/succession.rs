//! Keeps the authority of a running proxy in step with its files: a renewal is taken up without a restart, and without a
//! request that is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use super::Shared;
use super::followed::{Followed, pause};
use crate::config::CaSource;
use crate::config::reload::Look;
use crate::name::HostName;
use crate::telemetry::standing::Source;
use crate::tls::bundle::rewrite_bundle;
use crate::tls::{CaError, CertificateAuthority, renewal};

/// Follows the files of the authority, which were `seen` before they were read. The pace is much less than what a renewal
/// leaves between the last leaf of the old authority and the end of trust in it.
pub(super) fn start(shared: &Arc<Shared>, seen: Look, bundle: PathBuf) {
    if !shared.authority.get().is_confined() {
        warn!(
            subject = shared.authority.get().subject(),
            "THE CA IS NOT CONFINED TO PYPI'S HOSTS: whoever gets its key can pose as any host to those who trust it"
        );
    }
    let following = follow(Arc::clone(shared), Followed::new(Source::Authority, seen), bundle);
    shared.tasks.spawn_until_abort(following);
}

async fn follow(shared: Arc<Shared>, mut followed: Followed, bundle: PathBuf) {
    let mut signing = shared.authority.get();
    let mut asked = shared.asked.subscribe();
    loop {
        let is_asked = pause(&mut asked, followed.is_restless()).await;
        let (source, hosts, path) = (shared.settings.ca.clone(), shared.settings.hosts(), bundle.clone());
        let own = shared.settings.client_roots.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let due = followed.is_due(Look::at(source.files()), is_asked);
            let loaded = due.then(|| load(&source, &hosts, &path, &own));
            if let CaSource::Dir(dir) = &source {
                renewal::settle_in(dir);
            }
            (followed, loaded)
        });
        // It only ends so when it panicked: what is in force stays.
        let Ok((looking, loaded)) = looked.await else { return };
        followed = looking;
        match loaded {
            Some(Ok(authority)) => {
                let is_same = authority.certificate_der() == signing.certificate_der();
                take_up(&shared, authority);
                // The first look finds what the start has made.
                if !is_same || followed.is_refused() {
                    followed.accepted(&shared);
                }
            }
            Some(Err(error)) => followed.refused(&shared, error.to_string()),
            None => {}
        }
        let now = shared.authority.get();
        if now.certificate_der() != signing.certificate_der() {
            info!(subject = now.subject(), sha256 = now.fingerprint(), "another CA signs from now on");
            signing = now;
        }
    }
}

fn take_up(shared: &Shared, authority: CertificateAuthority) {
    if let Some(successor) = authority.successor() {
        info!(subject = successor.authority.subject(), from = %successor.from, "another CA has been made, and waits");
    }
    shared.authority.replace(Arc::new(authority));
}

/// First what clients trust, then what signs: none may be shown what it can't know yet.
fn load(
    source: &CaSource,
    hosts: &[HostName],
    bundle: &Path,
    own: &[PathBuf],
) -> Result<CertificateAuthority, CaError> {
    let authority = source.present(hosts)?;
    rewrite_bundle(bundle, &authority, own)?;
    Ok(authority)
}
