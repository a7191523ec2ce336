//! Leaf certificates: minted for the intercepted hosts, renewed by age.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use time::OffsetDateTime;

use super::authority::CertificateAuthority;
use super::error::CaError;
use super::in_force::InForce;
use super::{profile, provider};
use crate::name::HostName;

/// How many sub-domains of intercepted hosts have a leaf at a time: more than any index uses, and no way for a client
/// that makes names up to fill our memory.
const SUB_DOMAINS: usize = 64;

/// The server side's TLS configurations, one an intercepted host.
///
/// A host keeps its configuration until its leaf is renewed, so that clients can resume their TLS sessions. Readers take
/// no lock; whoever finds a leaf missing or old mints it (a fifth of a millisecond) while others go on with what is there.
#[derive(Debug)]
pub struct Leaves {
    authority: InForce,
    known: HashSet<HostName>,
    minted: ArcSwap<HashMap<HostName, Arc<Leaf>>>,
    /// Held by whoever adds to `minted`, so that no two additions undo each other.
    minting: Mutex<()>,
}

#[derive(Debug)]
struct Leaf {
    config: Arc<ServerConfig>,
    /// Who signed it: not for long any more, perhaps.
    authority: Arc<CertificateAuthority>,
    minted: OffsetDateTime,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Leaves {
    /// Mints the leaves of `hosts` now.
    ///
    /// # Errors
    /// [`CaError`] when signing fails.
    pub fn new(authority: Arc<CertificateAuthority>, hosts: &[HostName]) -> Result<Self, CaError> {
        Self::signed_by(InForce::new(authority), hosts)
    }

    /// As [`Leaves::new`], by an authority that may change.
    ///
    /// # Errors
    /// As there.
    pub fn signed_by(authority: InForce, hosts: &[HostName]) -> Result<Self, CaError> {
        let (now, signing) = (authority.clock().now(), authority.get());
        let mint = |host: &HostName| Ok((host.clone(), Arc::new(Leaf::mint(&signing, host, now)?)));
        let minted = hosts.iter().map(mint).collect::<Result<HashMap<_, _>, CaError>>()?;
        let known = hosts.iter().cloned().collect();
        Ok(Self { authority, known, minted: ArcSwap::from_pointee(minted), minting: Mutex::new(()) })
    }

    /// The configuration with a fresh enough leaf for `host` (offering `h2` and `http/1.1`).
    ///
    /// # Errors
    /// [`CaError`] when `host` is none that the authority may sign for, or signing fails.
    pub fn server_config(&self, host: &HostName) -> Result<Arc<ServerConfig>, CaError> {
        let (now, authority) = (self.authority.clock().now(), self.authority.get());
        let fresh = |leaves: &HashMap<HostName, Arc<Leaf>>| {
            leaves.get(host).filter(|leaf| leaf.is_fresh(now, &authority)).map(|leaf| leaf.config.clone())
        };
        if let Some(config) = fresh(&self.minted.load()) {
            return Ok(config);
        }
        let _minting = self.minting.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the lock before us may have minted it.
        if let Some(config) = fresh(&self.minted.load()) {
            return Ok(config);
        }
        let leaf = Arc::new(Leaf::mint(&authority, host, now)?);
        let config = leaf.config.clone();
        self.minted.store(Arc::new(self.with_leaf(host, leaf)));
        Ok(config)
    }

    /// What there is and `leaf`, without the oldest sub-domain if that is one too many.
    fn with_leaf(&self, host: &HostName, leaf: Arc<Leaf>) -> HashMap<HostName, Arc<Leaf>> {
        let mut leaves = HashMap::clone(&self.minted.load());
        if !leaves.contains_key(host) && leaves.len() >= self.known.len() + SUB_DOMAINS {
            let sub_domains = leaves.iter().filter(|(host, _)| !self.known.contains(*host));
            if let Some(oldest) = sub_domains.min_by_key(|(_, leaf)| leaf.minted).map(|(host, _)| host.clone()) {
                leaves.remove(&oldest);
            }
        }
        leaves.insert(host.clone(), leaf);
        leaves
    }
}

impl Leaf {
    /// With a key of its own: a leaf that shares the authority's confuses Schannel.
    fn mint(authority: &Arc<CertificateAuthority>, host: &HostName, now: OffsetDateTime) -> Result<Self, CaError> {
        if !authority.permits(host) {
            return Err(CaError::NotIntercepted { host: host.clone() });
        }
        if now > authority.not_after() {
            return Err(CaError::Outlived { not_after: authority.not_after() });
        }
        let params = profile::leaf(host, now, authority.not_before(), authority.not_after())?;
        let key = KeyPair::generate()?;
        let mut chain = vec![authority.sign(&params, &key)?];
        chain.extend(authority.chain().cloned());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Theirs puts AES-256 first out of habit.
        config.ignore_client_order = true;
        // Clients keep their sessions themselves: of thousands, none is forgotten here before it is taken up again.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
            authority: Arc::clone(authority),
            minted: now,
            not_before: params.not_before,
            not_after: params.not_after,
        })
    }

    /// The authority in force signed it. A third of its life is left at least, or as much as the authority can give. A clock that was set back makes a
    /// leaf of the future, which is as bad as an old one.
    fn is_fresh(&self, now: OffsetDateTime, authority: &CertificateAuthority) -> bool {
        if self.authority.certificate_der() != authority.certificate_der() {
            return false;
        }
        let left = self.not_after - now;
        let aged = left * 3 < self.not_after - self.minted && self.not_after < authority.not_after();
        self.not_before <= now && now <= self.not_after && !aged
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::thread;

    use rcgen::SanType;
    use rustls::HandshakeKind;
    use rustls::pki_types::CertificateDer;
    use time::Duration;

    use super::*;
    use crate::tls::clock::Clock;
    use crate::tls::testing::{authority, client_trusting, forged, handshake, host, hosts};

    /// A leaf as it is served.
    pub(in crate::tls) fn leaf_der(authority: &Arc<CertificateAuthority>, name: &str) -> CertificateDer<'static> {
        let config = Leaves::new(authority.clone(), &[]).unwrap().server_config(&host(name)).unwrap();
        let client = handshake(&client_trusting(authority.certificate_der()), &config, name).unwrap();
        client.peer_certificates().unwrap()[0].clone()
    }

    /// Leaves, and the clock they go by, in seconds from now.
    fn aging(authority: &Arc<CertificateAuthority>, hosts: &[HostName]) -> (Leaves, Arc<AtomicI64>) {
        let turned = Arc::new(AtomicI64::new(0));
        let (now, offset) = (super::super::clock::now(), turned.clone());
        let clock = Clock::from_fn(move || now + Duration::seconds(offset.load(Ordering::SeqCst)));
        (Leaves::signed_by(InForce::with_clock(authority.clone(), clock), hosts).unwrap(), turned)
    }

    fn days(days: i64) -> i64 {
        days * 24 * 3600
    }

    #[test]
    fn rustls_accepts_the_known_hosts_and_their_sub_domains() {
        let (_dir, authority) = authority();
        let leaves = Leaves::new(authority.clone(), &hosts()).unwrap();
        let client = client_trusting(authority.certificate_der());
        for name in ["pypi.org", "files.pythonhosted.org", "www.pypi.org", "a.b.pypi.org"] {
            let config = leaves.server_config(&host(name)).unwrap();
            assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
            let done = handshake(&client, &config, name).unwrap();
            // A self-signed authority isn't sent: whoever would believe it has it.
            assert_eq!(done.peer_certificates().unwrap().len(), 1);
            assert!(handshake(&client, &config, "other.pypi.org").is_err(), "{name}");
        }
    }

    #[test]
    fn hosts_that_are_not_ours_are_refused() {
        let (_dir, authority) = authority();
        let leaves = Leaves::new(authority, &hosts()).unwrap();
        for name in ["example.com", "evilpypi.org", "org", "pypi.org.example.com", "127.0.0.1", "::1"] {
            let refused = leaves.server_config(&host(name));
            assert!(matches!(refused, Err(CaError::NotIntercepted { .. })), "{name}");
        }
    }

    /// The law: the authority can sign for the intercepted hosts and nothing else, even in a thief's hands.
    #[test]
    fn clients_refuse_what_a_thief_would_sign() {
        let (_dir, authority) = authority();
        let client = client_trusting(authority.certificate_der());
        let params = |host: &HostName| {
            profile::leaf(host, super::super::clock::now(), authority.not_before(), authority.not_after()).unwrap()
        };
        for name in ["example.com", "evilpypi.org", "pypi.org.example.com", "pythonhosted.org"] {
            let refused = handshake(&client, &forged(&authority, &params(&host(name))), name).unwrap_err();
            assert!(format!("{refused:?}").contains("NameConstraintViolation"), "{name}: {refused:?}");
        }
        let mut address = params(&host("pypi.org"));
        address.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        let refused = handshake(&client, &forged(&authority, &address), "127.0.0.1").unwrap_err();
        assert!(format!("{refused:?}").contains("NameConstraintViolation"), "{refused:?}");
        // And not because forging fails by itself.
        assert!(handshake(&client, &forged(&authority, &params(&host("pypi.org"))), "pypi.org").is_ok());
    }

    #[test]
    fn a_host_keeps_its_configuration_so_that_sessions_resume() {
        let (_dir, authority) = authority();
        let leaves = Leaves::new(authority.clone(), &hosts()).unwrap();
        let client = client_trusting(authority.certificate_der());
        let connect = || {
            let config = leaves.server_config(&host("pypi.org")).unwrap();
            handshake(&client, &config, "pypi.org").unwrap().handshake_kind()
        };
        assert_eq!(connect(), Some(HandshakeKind::Full));
        assert_eq!(connect(), Some(HandshakeKind::Resumed));
    }

    #[test]
    fn renewed_when_less_than_a_third_of_its_life_is_left() {
        let (_dir, authority) = authority();
        let (leaves, clock) = aging(&authority, &hosts());
        let config = || leaves.server_config(&host("pypi.org")).unwrap();
        let first = config();
        clock.store(days(20) - 60, Ordering::SeqCst);
        assert!(Arc::ptr_eq(&first, &config()));
        clock.store(days(20) + 60, Ordering::SeqCst);
        let second = config();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &config()));
        // A clock that was wrong when the leaf was minted, and then put right.
        clock.store(days(1), Ordering::SeqCst);
        assert!(!Arc::ptr_eq(&second, &config()));
    }

    #[test]
    fn near_the_authoritys_end_leaves_end_with_it_and_are_not_minted_again_and_again() {
        let (_dir, authority) = authority();
        let (leaves, clock) = aging(&authority, &hosts());
        let config = || leaves.server_config(&host("pypi.org"));
        clock.store(days(820), Ordering::SeqCst);
        let last = config().unwrap();
        clock.store(days(824) - 60, Ordering::SeqCst);
        assert!(Arc::ptr_eq(&last, &config().unwrap()));
        clock.store(days(824) + 60, Ordering::SeqCst);
        let over = config().unwrap_err().to_string();
        assert!(over.contains("expired on") && over.contains("namewall ca renew"), "{over}");
    }

    #[test]
    fn readers_go_on_while_leaves_are_renewed() {
        let (_dir, authority) = authority();
        let (leaves, clock) = aging(&authority, &hosts());
        let client = client_trusting(authority.certificate_der());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let config = leaves.server_config(&host("pypi.org")).unwrap();
                        leaves.server_config(&host("files.pythonhosted.org")).unwrap();
                        drop(config);
                    }
                });
            }
            for renewal in 1..30 {
                clock.store(days(21) * (renewal % 2) + renewal, Ordering::SeqCst);
                leaves.server_config(&host("www.pypi.org")).unwrap();
            }
            clock.store(0, Ordering::SeqCst);
        });
        assert!(handshake(&client, &leaves.server_config(&host("pypi.org")).unwrap(), "pypi.org").is_ok());
        assert_eq!(leaves.minted.load().len(), 3);
    }

    #[test]
    fn one_host_asked_for_at_once_is_minted_once() {
        let (_dir, authority) = authority();
        let leaves = Leaves::new(authority, &[]).unwrap();
        let configs: Vec<_> = thread::scope(|scope| {
            let ask = || leaves.server_config(&host("pypi.org")).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(configs.iter().all(|config| Arc::ptr_eq(config, &configs[0])));
    }

    #[test]
    fn sub_domains_are_bounded_and_never_displace_known_hosts() {
        let (_dir, authority) = authority();
        let (leaves, clock) = aging(&authority, &hosts());
        let known = leaves.server_config(&host("pypi.org")).unwrap();
        for at in 0..SUB_DOMAINS + 20 {
            clock.fetch_add(1, Ordering::SeqCst);
            leaves.server_config(&host(&format!("n{at}.pypi.org"))).unwrap();
        }
        let minted = leaves.minted.load();
        assert_eq!(minted.len(), hosts().len() + SUB_DOMAINS);
        assert!(!minted.contains_key(&host("n19.pypi.org")) && minted.contains_key(&host("n20.pypi.org")));
        assert!(Arc::ptr_eq(&known, &leaves.server_config(&host("pypi.org")).unwrap()));
    }

    #[test]
    fn usable_from_async_code() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Leaves>();
        shared::<CertificateAuthority>();
    }
}
