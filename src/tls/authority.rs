//! The certificate authority: one a machine, able to sign for the intercepted hosts and nothing else.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

use super::certificate::{CaCertificate, encode_pem};
use super::clock;
use super::error::{CaError, Remedy};
use super::origin::{Files, Unconfined};
use super::profile;
use super::renewal;
use super::store::{self, Pair, Store};
use crate::name::HostName;

/// The authority's certificate and key.
pub struct CertificateAuthority {
    certificate: CaCertificate,
    /// What follows a leaf in the handshake.
    chain: Vec<CertificateDer<'static>>,
    /// Every certificate of the file: an organisation's has the intermediates above ours, and perhaps the root. During a
    /// renewal, those of the other authority, too.
    file: Vec<CertificateDer<'static>>,
    /// `None`: the key is for others' eyes.
    issuer: Option<Issuer<'static, KeyPair>>,
    successor: Option<Successor>,
    /// What follows, where nobody tells us when.
    announced: Option<Box<Self>>,
}

/// The authority that comes after another.
#[derive(Clone, Debug)]
pub struct Successor {
    /// What it is.
    pub authority: Arc<CertificateAuthority>,
    /// From when on it signs.
    pub from: OffsetDateTime,
}

impl CertificateAuthority {
    /// Loads the authority in `dir`, or makes one that can sign for `hosts` (each with its sub-domains) and nothing else.
    /// Several processes may do so at once: all end with the same one. An existing one is never signed anew.
    ///
    /// # Errors
    /// [`CaError`]: the folder can't be written, the pair there is damaged or foreign, or it doesn't cover `hosts`.
    pub fn load_or_create(dir: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        let store = Store::new(dir);
        let now = clock::now();
        match Self::load_at(&store, hosts, now) {
            Err(CaError::Absent { .. }) => {}
            done => {
                renewal::settle(&store, now);
                return done;
            }
        }
        let locked = store.lock()?;
        // Whoever had the lock before us has made one.
        match Self::read(&store, hosts, now) {
            Err(CaError::Absent { .. }) => {}
            done => return done,
        }
        let pair = generate(hosts, now)?;
        locked.publish(&pair)?;
        Self::from_pair(&pair, &Files::of(&store), hosts, now)
    }

    /// Loads the authority in `dir`, and makes none.
    ///
    /// # Errors
    /// As [`CertificateAuthority::load_or_create`], and [`CaError::Absent`].
    pub fn load(dir: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        Self::load_at(&Store::new(dir), hosts, clock::now())
    }

    /// Loads a pair that the organisation issued. The file of `cert` may go on with the certificates above it: they are
    /// sent to clients behind each leaf.
    ///
    /// # Errors
    /// As [`CertificateAuthority::load_or_create`].
    pub fn load_pair(cert: &Path, key: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        let pair = store::read_pair(cert, key)?;
        let files = Files { cert, key, remedy: Remedy::Reissue, unconfined: Unconfined::Refused };
        Self::from_pair(&pair, &files, hosts, clock::now())
    }

    /// Loads what anybody may know of the authority in `dir`: it signs nothing, and when another follows isn't told.
    ///
    /// # Errors
    /// [`CaError`]: the certificate can't be read, or is none that could be used.
    pub fn load_public(dir: &Path) -> Result<Self, CaError> {
        let store = Store::new(dir);
        Self::public(&Files::of(&store), clock::now())
    }

    /// Loads what anybody may know of a pair that the organisation issued: it signs nothing.
    ///
    /// # Errors
    /// As [`CertificateAuthority::load_public`].
    pub fn load_public_pair(cert: &Path) -> Result<Self, CaError> {
        // The key stands for itself in no message.
        let files = Files { cert, key: cert, remedy: Remedy::Reissue, unconfined: Unconfined::Refused };
        Self::public(&files, clock::now())
    }

    /// Makes a new authority for `hosts` in the place of the one in `dir`, at once, whatever its state, or where there is
    /// none. Neither the old key is kept nor one that was to come next: certificates that clients still trust can then
    /// sign nothing any more.
    ///
    /// # Errors
    /// [`CaError`]: the folder can't be written, or `hosts` can't be signed for.
    pub fn renew(dir: &Path, hosts: &[HostName]) -> Result<Self, CaError> {
        let store = Store::new(dir);
        let now = clock::now();
        let pair = generate(hosts, now)?;
        store.lock()?.publish(&pair)?;
        Self::from_pair(&pair, &Files::of(&store), hosts, now)
    }

    /// The authority that comes after this one, if a renewal is under way.
    #[must_use]
    pub const fn successor(&self) -> Option<&Successor> {
        self.successor.as_ref()
    }

    /// The authority that comes after this one, of which only the certificate could be read.
    #[must_use]
    pub fn announced(&self) -> Option<&Self> {
        self.announced.as_deref()
    }

    /// The authority that signs at `now`: the successor from its moment on.
    #[must_use]
    pub fn at(self: &Arc<Self>, now: OffsetDateTime) -> Arc<Self> {
        match &self.successor {
            Some(successor) if successor.from <= now => Arc::clone(&successor.authority),
            _ => Arc::clone(self),
        }
    }

    /// Whether it was made here, and not issued by an organisation.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        is_self_issued(&self.certificate.der)
    }

    /// Whether its certificate confines it. One that doesn't is used only because somebody said so.
    #[must_use]
    pub const fn is_confined(&self) -> bool {
        self.certificate.constraints.is_written()
    }

    /// What clients are to trust, as PEM: the certificate, those above it, and during a renewal those of the other one.
    #[must_use]
    pub fn trusted_pem(&self) -> String {
        self.file.iter().map(encode_pem).collect()
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate.pem
    }

    /// The certificate as DER.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate.der
    }

    /// The certificate's subject, as text.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.certificate.subject
    }

    /// The serial number in hexadecimal, with colons.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.certificate.serial
    }

    /// The certificate's SHA-256 fingerprint in hexadecimal, with colons, as `openssl x509 -fingerprint -sha256` has it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.certificate.fingerprint()
    }

    /// The first second of its validity.
    #[must_use]
    pub fn not_before(&self) -> OffsetDateTime {
        self.certificate.not_before
    }

    /// The last second of its validity.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.certificate.not_after
    }

    /// The hosts in the certificate's name constraints, as written there; each stands for its sub-domains too.
    #[must_use]
    pub fn permitted_hosts(&self) -> &[String] {
        self.certificate.constraints.permitted()
    }

    /// Whether clients would accept a leaf for `host`.
    #[must_use]
    pub fn permits(&self, host: &HostName) -> bool {
        self.certificate.constraints.permit(host)
    }

    /// What clients have to be given to trust: the certificate, and those above it that stand in its file.
    pub(super) fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.file
    }

    /// What follows a leaf in the handshake: nothing for a self-signed authority, which clients hold themselves.
    pub(super) fn chain(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.chain.iter()
    }

    /// Whether what it signs, or its successor, says that this is its issuer.
    pub(super) fn signs_as(&self, issuer: &[u8]) -> bool {
        self.raw_subject() == issuer
            || self.successor().is_some_and(|successor| successor.authority.raw_subject() == issuer)
    }

    /// The encoding of the subject, which is the issuer of each leaf, byte for byte.
    fn raw_subject(&self) -> &[u8] {
        &self.certificate.raw_subject
    }

    /// Signs whatever it is given: [`super::leaf`] decides what that may be.
    pub(super) fn sign(&self, params: &CertificateParams, key: &KeyPair) -> Result<CertificateDer<'static>, CaError> {
        let issuer = self.issuer.as_ref().ok_or(CaError::NoKey)?;
        Ok(params.signed_by(key, issuer)?.into())
    }

    pub(super) fn load_at(store: &Store, hosts: &[HostName], now: OffsetDateTime) -> Result<Self, CaError> {
        let read = Self::read(store, hosts, now);
        let torn = matches!(read, Err(CaError::HalfMissing { .. } | CaError::KeyMismatch { .. }));
        if !torn && !store.is_pending() {
            return read;
        }
        // Perhaps a writer is at work, or was killed; where we may not write, none of ours ever was.
        match store.lock() {
            Ok(_locked) => Self::read(store, hosts, now),
            Err(_) => read,
        }
    }

    /// What is in force by the files and the clock.
    fn read(store: &Store, hosts: &[HostName], now: OffsetDateTime) -> Result<Self, CaError> {
        let next = store.read_next()?;
        let pair = store.read()?;
        let Some(next) = next else { return Self::from_pair(&pair, &Files::of(store), hosts, now) };
        let mut successor = Self::from_pair(&next.pair, &Files::of_next(store), hosts, now)?;
        if next.from <= now {
            // Processes that don't know of it yet sign with the one from before.
            successor.trust_also(&certificates(&pair.cert).unwrap_or_default());
            return Ok(successor);
        }
        let mut current = Self::from_pair(&pair, &Files::of(store), hosts, now)?;
        current.trust_also(&successor.file);
        successor.trust_also(&current.file);
        if successor.certificate.der != current.certificate.der {
            current.successor = Some(Successor { authority: Arc::new(successor), from: next.from });
        }
        Ok(current)
    }

    /// The pair alone, without what comes next.
    pub(super) fn current(store: &Store, hosts: &[HostName], now: OffsetDateTime) -> Result<Self, CaError> {
        Self::from_pair(&store.read()?, &Files::of(store), hosts, now)
    }

    fn trust_also(&mut self, others: &[CertificateDer<'static>]) {
        for other in others {
            if !self.file.contains(other) {
                self.file.push(other.clone());
            }
        }
    }

    pub(super) fn from_pair(
        pair: &Pair,
        files: &Files<'_>,
        hosts: &[HostName],
        now: OffsetDateTime,
    ) -> Result<Self, CaError> {
        let Files { cert, key, remedy, unconfined } = *files;
        let file = files.certificates(&pair.cert)?;
        let first = file.first().ok_or_else(|| files.not_a_certificate())?;
        let taken = unconfined.takes(first);
        let certificate = CaCertificate::read(first, cert, remedy, taken.then_some(hosts))?;
        let signing_key = parse_key(&pair.key).ok_or_else(|| CaError::NotAKey { path: key.to_owned(), remedy })?;
        if signing_key.der_bytes() != certificate.public_key {
            return Err(CaError::KeyMismatch { cert: cert.to_owned(), key: key.to_owned(), remedy });
        }
        certificate.check(hosts, now, cert, remedy)?;
        // What was made here was confined to the hosts of its day. Without hosts it is only to be shown.
        let made_here = matches!(unconfined, Unconfined::IfAccepted(_)) && is_self_issued(first);
        if !taken && !made_here && !hosts.is_empty() {
            certificate.check_within(hosts, cert, NARROWER)?;
        }
        let unusual = || CaError::NotACa { path: cert.to_owned(), defect: UNUSUAL_SUBJECT, remedy };
        let issuer = Issuer::from_ca_cert_der(&certificate.der, signing_key).ok().ok_or_else(unusual)?;
        if !names_itself_exactly(&issuer, &certificate.raw_subject)? {
            return Err(unusual());
        }
        Ok(Self::of(certificate, file, Some(issuer)))
    }

    fn of(
        certificate: CaCertificate,
        file: Vec<CertificateDer<'static>>,
        issuer: Option<Issuer<'static, KeyPair>>,
    ) -> Self {
        // Behind a self-signed one stands only what is to follow it.
        let chain = if is_self_issued(&certificate.der) { Vec::new() } else { without_roots(&file) };
        Self { certificate, chain, file, issuer, successor: None, announced: None }
    }

    fn public(files: &Files<'_>, now: OffsetDateTime) -> Result<Self, CaError> {
        let Files { cert, remedy, unconfined, .. } = *files;
        let file = files.certificates(&store::read_certificate(cert)?)?;
        let read = |der: &CertificateDer<'static>| -> Result<Self, CaError> {
            let certificate = CaCertificate::read(der, cert, remedy, unconfined.takes(der).then_some(&[]))?;
            Ok(Self::of(certificate, file.clone(), None))
        };
        let first = file.first().ok_or_else(|| files.not_a_certificate())?;
        let mut authority = read(first)?;
        authority.certificate.check(&[], now, cert, remedy)?;
        if is_self_issued(first) {
            authority.announced = file.get(1).and_then(|next| read(next).ok()).map(Box::new);
        }
        Ok(authority)
    }
}

/// rcgen reads the subject and encodes it again as the issuer of leaves. For some it can't do so byte for byte (an
/// attribute that occurs twice, as `DC=` does), and no client would find the authority of such a leaf.
fn names_itself_exactly(issuer: &Issuer<'static, KeyPair>, raw_subject: &[u8]) -> Result<bool, CaError> {
    let probe = CertificateParams::default().signed_by(issuer.key(), issuer)?;
    Ok(issuer_of(probe.der()).is_some_and(|issuer| issuer == raw_subject))
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("CertificateAuthority")
            .field("subject", &self.subject())
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

const NARROWER: &str = "have one issued for the intercepted hosts alone, as certs/README.md shows; only \
    `namewall ca import --unconstrained` takes such a one";

const UNUSUAL_SUBJECT: &str = "a subject in which an attribute occurs twice, or in an old encoding";

/// The first key in `pem`: `openssl ecparam` puts its parameters before it.
pub(super) fn parse_key(pem: &str) -> Option<KeyPair> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    KeyPair::try_from(&key).ok()
}

/// The encoding of a certificate's issuer; `None` for what is no certificate.
fn issuer_of<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.tbs_certificate.issuer.as_raw())
}

/// The certificates in `pem`; `None` if one of them can't be read.
pub(super) fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()
}

fn without_roots(file: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    file.iter().filter(|certificate| !is_self_issued(certificate)).cloned().collect()
}

pub(super) fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate)
        .is_ok_and(|(_, certificate)| certificate.subject().as_raw() == certificate.issuer().as_raw())
}

pub(super) fn generate(hosts: &[HostName], now: OffsetDateTime) -> Result<Pair, CaError> {
    let key = KeyPair::generate()?;
    let certificate = profile::authority(hosts, now)?.self_signed(&key)?;
    Ok(Pair { cert: certificate.pem(), key: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;
    use time::Duration;

    use super::*;
    use crate::tls::testing::{authority, files, host, hosts};

    fn load(dir: &TempDir) -> Result<CertificateAuthority, CaError> {
        CertificateAuthority::load(dir.path(), &hosts())
    }

    fn refusal(dir: &TempDir) -> String {
        let error = CertificateAuthority::load_or_create(dir.path(), &hosts()).unwrap_err();
        let also = load(dir).unwrap_err();
        assert_eq!(also.to_string(), error.to_string());
        error.to_string()
    }

    #[test]
    fn made_once_and_then_loaded_as_it_is() {
        let dir = TempDir::new().unwrap();
        let inner = dir.path().join("state/namewall");
        assert!(matches!(CertificateAuthority::load(&inner, &hosts()), Err(CaError::Absent { .. })));
        assert!(!inner.exists());
        let made = CertificateAuthority::load_or_create(&inner, &hosts()).unwrap();
        let bytes = fs::read(inner.join("ca.pem")).unwrap();
        let loaded = CertificateAuthority::load_or_create(&inner, &hosts()).unwrap();
        assert_eq!((made.fingerprint(), made.serial()), (loaded.fingerprint(), loaded.serial()));
        assert_eq!(made.certificate_pem().as_bytes(), bytes);
        assert_eq!(fs::read(inner.join("ca.pem")).unwrap(), bytes);
        assert_eq!(files(&inner), ["ca-key.pem", "ca.lock", "ca.pem"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(inner.join("ca-key.pem")), 0o600);
            assert_eq!(mode(inner.join("ca.pem")), 0o644);
            assert_eq!(mode(inner), 0o700);
        }
    }

    #[test]
    fn what_is_shown_of_it() {
        let (_dir, ca) = authority();
        assert_eq!(ca.permitted_hosts(), ["files.pythonhosted.org", "pypi.org"]);
        assert_eq!(ca.fingerprint().len(), 32 * 3 - 1);
        assert_eq!(ca.not_after() - ca.not_before(), Duration::days(825));
        assert!(ca.permits(&host("www.pypi.org")) && !ca.permits(&host("example.com")));
        let shown = format!("{ca:?}");
        assert!(shown.contains("namewall CA") && !shown.to_lowercase().contains("key"), "{shown}");
    }

    #[test]
    fn what_anybody_may_know_needs_no_key_and_signs_nothing() {
        let (dir, made) = authority();
        let whole = renewal::renew(dir.path(), &hosts(), renewal::Overlap::Usual).unwrap();
        for key in ["ca-key.pem", "ca-next.pem"] {
            fs::remove_file(dir.path().join(key)).unwrap();
        }
        let public = CertificateAuthority::load_public(dir.path()).unwrap();
        assert_eq!((public.fingerprint(), public.permitted_hosts()), (made.fingerprint(), made.permitted_hosts()));
        assert_eq!(public.trusted_pem(), whole.trusted_pem());
        let next = whole.successor().unwrap();
        assert_eq!(public.announced().unwrap().fingerprint(), next.authority.fingerprint());
        let signed = public.sign(&CertificateParams::default(), &KeyPair::generate().unwrap());
        assert!(matches!(signed, Err(CaError::NoKey)));
        let named = CertificateAuthority::load_public_pair(&dir.path().join("ca.pem")).unwrap();
        assert_eq!(named.fingerprint(), made.fingerprint());
    }

    #[test]
    fn hosts_that_were_intercepted_once_are_no_fault_of_ours_but_one_of_a_named_pair() {
        let (dir, made) = authority();
        let fewer = [host("pypi.org")];
        assert_eq!(CertificateAuthority::load(dir.path(), &fewer).unwrap().fingerprint(), made.fingerprint());
        let (cert, key) = (dir.path().join("ca.pem"), dir.path().join("ca-key.pem"));
        let refused = CertificateAuthority::load_pair(&cert, &key, &fewer).unwrap_err().to_string();
        assert!(refused.contains("not intercepted (files.pythonhosted.org): have one issued"), "{refused}");
        // To be shown, it need not fit.
        assert!(CertificateAuthority::load_pair(&cert, &key, &[]).is_ok());
    }

    #[test]
    fn renewal_covers_the_hosts_of_today_and_keeps_no_old_key() {
        let (dir, old) = authority();
        let more = [hosts(), vec![host("mirror.example.com")]].concat();
        let error = CertificateAuthority::load_or_create(dir.path(), &more).unwrap_err().to_string();
        assert!(error.contains("may not sign for mirror.example.com (only for files.python"), "{error}");
        assert!(error.contains("namewall ca renew"), "{error}");
        let new = CertificateAuthority::renew(dir.path(), &more).unwrap();
        assert!(new.subject() != old.subject() && new.serial() != old.serial());
        let loaded = CertificateAuthority::load_or_create(dir.path(), &more).unwrap();
        assert_eq!(loaded.fingerprint(), new.fingerprint());
        assert_eq!(files(dir.path()), ["ca-key.pem", "ca.lock", "ca.pem"]);
    }

    #[test]
    fn renewal_mends_whatever_is_there() {
        let (dir, _) = authority();
        fs::write(dir.path().join("ca.pem"), "damaged").unwrap();
        fs::remove_file(dir.path().join("ca-key.pem")).unwrap();
        CertificateAuthority::renew(dir.path(), &hosts()).unwrap();
        assert!(load(&dir).is_ok());
    }

    #[test]
    fn damaged_and_foreign_pairs_are_refused() {
        let (dir, _) = authority();
        let (other, _) = authority();
        let (cert, key) = (dir.path().join("ca.pem"), dir.path().join("ca-key.pem"));
        let (good_cert, good_key) = (fs::read(&cert).unwrap(), fs::read(&key).unwrap());
        let other_cert = fs::read(other.path().join("ca.pem")).unwrap();

        for damage in [&b"no PEM"[..], b"", &good_cert[..good_cert.len() / 2], b"\xff\xfe", &good_key] {
            fs::write(&cert, damage).unwrap();
            assert!(refusal(&dir).contains("ca.pem` holds no certificate in PEM"), "{}", refusal(&dir));
        }
        fs::write(&cert, other_cert).unwrap();
        assert!(refusal(&dir).contains("is not that of the certificate"), "{}", refusal(&dir));
        fs::write(&cert, &good_cert).unwrap();
        for damage in [&b"no PEM"[..], b"", &good_key[..good_key.len() / 2], &good_cert] {
            fs::write(&key, damage).unwrap();
            assert!(refusal(&dir).contains("ca-key.pem` holds no unencrypted private key"), "{}", refusal(&dir));
        }
        fs::remove_file(&key).unwrap();
        assert!(refusal(&dir).contains("ca-key.pem` is not: put it back"), "{}", refusal(&dir));
        fs::write(&key, &good_key).unwrap();
        fs::remove_file(&cert).unwrap();
        assert!(refusal(&dir).contains("ca.pem` is not: put it back"), "{}", refusal(&dir));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, _) = authority();
        let key = dir.path().join("ca-key.pem");
        for mode in [0o640, 0o604, 0o660, 0o644, 0o602] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = refusal(&dir);
            assert!(refusal.contains(&format!("chmod 600 {}", key.display())), "{refusal}");
            assert!(refusal.contains(&format!("{mode:04o}")), "{refusal}");
            // The usual renewal would let the key sign for two weeks more.
            assert!(refusal.ends_with("`namewall ca renew --compromised`"), "{refusal}");
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load(&dir).is_ok());
    }

    #[test]
    fn valid_within_its_time_only() {
        let (dir, ca) = authority();
        let at = |now| CertificateAuthority::load_at(&Store::new(dir.path()), &hosts(), now);
        let message = |now| at(now).unwrap_err().to_string();
        assert!(at(ca.not_before()).is_ok() && at(ca.not_after()).is_ok());
        let expired = message(ca.not_after() + Duration::SECOND);
        assert!(expired.contains("expired on 20") && expired.contains("namewall ca renew"), "{expired}");
        let early = message(ca.not_before() - Duration::SECOND);
        assert!(early.contains("valid from 20") && early.contains("clock"), "{early}");
    }

    #[test]
    fn addresses_and_no_hosts_at_all_are_refused() {
        let dir = TempDir::new().unwrap();
        assert!(matches!(CertificateAuthority::load_or_create(dir.path(), &[]), Err(CaError::NoHosts)));
        assert!(!dir.path().join("ca.pem").exists());
        let (dir, _) = authority();
        let address = CertificateAuthority::load_or_create(dir.path(), &[host("10.0.0.1")]);
        assert!(matches!(address, Err(CaError::IpAddress { .. })));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = TempDir::new().unwrap();
        // A file in the way stops root too, whom permissions don't.
        let blocked = dir.path().join("file");
        fs::write(&blocked, "").unwrap();
        let renewed = CertificateAuthority::renew(&blocked, &hosts()).unwrap_err().to_string();
        assert!(renewed.contains("file`: ") && renewed.contains("`dir` in `[ca]`"), "{renewed}");
        assert!(CertificateAuthority::load_or_create(&blocked.join("below"), &hosts()).is_err());
    }

    #[test]
    fn an_organisations_pair_is_refused_with_the_organisations_remedy() {
        let (dir, _) = authority();
        let (cert, key) = (dir.path().join("ca.pem"), dir.path().join("ca-key.pem"));
        let load = |hosts: &[HostName]| CertificateAuthority::load_pair(&cert, &key, hosts);
        assert!(load(&hosts()).is_ok());
        let uncovered = load(&[host("example.com")]).unwrap_err().to_string();
        assert!(uncovered.contains("certs/README.md") && !uncovered.contains("ca renew"), "{uncovered}");
        let missing = CertificateAuthority::load_pair(&dir.path().join("none.pem"), &key, &hosts()).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read"), "{missing}");
    }
}
