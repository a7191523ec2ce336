//! An authority from the organisation's own PKI: the request for it, and what becomes of the answer.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair, PublicKeyData as _};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;

use super::authority::{CertificateAuthority, certificates, is_self_issued, parse_key};
use super::certificate::{CaCertificate, encode_pem, fingerprint};
use super::error::{CaError, Remedy};
use super::origin::{Files, Unconfined};
use super::store::{Pair, Store};
use super::{clock, profile, provider, renewal};
use crate::files::{self, Readers};
use crate::name::HostName;

/// What is sent to the people of the organisation's PKI.
#[derive(Debug)]
pub struct Request {
    /// The certificate signing request (PEM).
    pub csr: PathBuf,
    /// What `openssl x509 -req` takes as `-extfile`.
    pub extensions: PathBuf,
}

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// What is in force now.
    pub authority: CertificateAuthority,
    /// Who issued the last certificate that came with it, if that isn't a root: whom clients have to know already.
    pub open_end: Option<String>,
}

/// Makes a key and a request for a certificate of an authority for `hosts`. Asked again, it keeps the key: the request may
/// have been sent.
///
/// # Errors
/// [`CaError`].
pub fn request(dir: &Path, hosts: &[HostName]) -> Result<Request, CaError> {
    let store = Store::new(dir);
    let locked = store.lock()?;
    let key = match store.read_request_key()? {
        Some(pem) => parse_key(&pem)
            .ok_or_else(|| CaError::NotAKey { path: store.request_key.clone(), remedy: Remedy::Renew })?,
        None => {
            let key = KeyPair::generate()?;
            locked.keep_request_key(&key.serialize_pem())?;
            key
        }
    };
    let request = Request { csr: dir.join("ca-request.csr"), extensions: dir.join("ca-request.ext") };
    let write = |path: &Path, contents: &str| {
        files::replace(path, contents.as_bytes(), Readers::All)
            .map_err(|reason| CaError::Unwritable { dir: dir.to_owned(), reason })
    };
    let hosts = covering(hosts);
    write(&request.csr, &csr(&hosts, &key)?)?;
    write(&request.extensions, &profile::openssl_extensions(&hosts)?)?;
    Ok(request)
}

/// Puts what was issued in force in `dir`, at once: clients trust its root already. With `unconfined`, also what could sign
/// for other hosts.
///
/// # Errors
/// [`CaError`]: it can't be used, or it could sign for more than `hosts` and that was not allowed.
pub fn import(dir: &Path, path: &Path, hosts: &[HostName], unconfined: bool) -> Result<Imported, CaError> {
    let store = Store::new(dir);
    let (remedy, now) = (Remedy::Reissue, clock::now());
    let none = || CaError::NotACertificate { path: path.to_owned(), remedy };
    let bytes = fs::read(path).map_err(|reason| CaError::Unreadable { path: path.to_owned(), reason })?;
    let issued = certificates(&String::from_utf8_lossy(&bytes)).filter(|issued| !issued.is_empty()).ok_or_else(none)?;
    let (key, own) = belonging(&store, &issued)?
        .ok_or_else(|| CaError::NotRequested { path: path.to_owned(), dir: dir.to_owned() })?;
    let answered = store.read_request_key()?.is_some_and(|asked| asked == key);
    let chain = chain(own, &issued);
    CaCertificate::read(own, path, remedy, unconfined.then_some(hosts))?.check(hosts, now, path, remedy)?;
    check_confinement(own, path, unconfined)?;
    let broken = |reason| CaError::Chain { path: path.to_owned(), reason };
    check_path_lengths(&chain).map_err(broken)?;
    check_in_date(&chain, now).map_err(broken)?;

    let pair = Pair { cert: chain.iter().map(encode_pem).collect(), key };
    let files = Files { cert: path, key: &store.request_key, remedy, unconfined: Unconfined::of(unconfined) };
    let candidate = CertificateAuthority::from_pair(&pair, &files, hosts, now)?;
    check_as_clients_do(&candidate, &chain, hosts, now).map_err(broken)?;
    if unconfined {
        store.lock()?.accept_unconfined(&fingerprint(own))?;
    }
    renewal::put_in_force(&store, pair)?;
    // One that was asked for since is still to come.
    if answered {
        store.lock()?.forget_request_key()?;
        for made in ["ca-request.csr", "ca-request.ext"] {
            let _gone = fs::remove_file(dir.join(made));
        }
    }
    let open_end = chain.last().filter(|last| !is_self_issued(last)).and_then(|last| {
        let (_, last) = x509_parser::parse_x509_certificate(last).ok()?;
        Some(last.issuer().to_string())
    });
    Ok(Imported { authority: CertificateAuthority::load(dir, hosts)?, open_end })
}

/// Without those that are sub-domains of others, which the others stand for: people will read this.
fn covering(hosts: &[HostName]) -> Vec<HostName> {
    hosts
        .iter()
        .filter(|host| !host.with_parents().skip(1).any(|parent| hosts.iter().any(|other| other.as_str() == parent)))
        .cloned()
        .collect()
}

/// The request asks for the extensions of an authority of our own; rcgen writes no name constraints into one, so they are
/// taken from such a certificate.
fn csr(hosts: &[HostName], key: &KeyPair) -> Result<String, CaError> {
    let mut params = profile::authority(hosts, clock::now())?;
    let model = params.self_signed(key)?;
    params.serial_number = None;
    params.name_constraints = None;
    if let Ok((_, model)) = x509_parser::parse_x509_certificate(model.der())
        && let Ok(Some(constraints)) = model.get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS)
    {
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], constraints.value.to_vec());
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    }
    Ok(params.serialize_request(key)?.pem()?)
}

/// The key that was asked for, or one in force or to come (its certificate was issued anew, or comes with a longer chain),
/// and the certificate that it is of.
fn belonging<'c>(
    store: &Store,
    issued: &'c [CertificateDer<'static>],
) -> Result<Option<(String, &'c CertificateDer<'static>)>, CaError> {
    // Just imported, it lies beside the one from before for a while.
    let next = store.read_next().ok().flatten().map(|next| next.pair.key);
    let present = store.read().ok().map(|pair| pair.key);
    for key in store.read_request_key()?.into_iter().chain(next).chain(present) {
        let Some(parsed) = parse_key(&key) else { continue };
        let own =
            issued.iter().find(|certificate| public_key(certificate).is_some_and(|key| key == parsed.der_bytes()));
        if let Some(own) = own {
            return Ok(Some((key, own)));
        }
    }
    Ok(None)
}

fn public_key<'c>(certificate: &'c CertificateDer<'_>) -> Option<&'c [u8]> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    match certificate.tbs_certificate.subject_pki.subject_public_key.data {
        Cow::Borrowed(bits) => Some(bits),
        Cow::Owned(_) => None,
    }
}

/// `own` and those above it, in the order in which they sign each other; what has no part in it is left out.
fn chain(own: &CertificateDer<'static>, issued: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![own.clone()];
    while let Some(last) = chain.last().filter(|last| !is_self_issued(last)) {
        let named: Vec<_> = issued.iter().filter(|above| !chain.contains(above) && is_named(above, last)).collect();
        // A root that was made anew often has the name of the old one, and a root is better than a link to an older one.
        let mut signed: Vec<_> = named.iter().filter(|above| has_signed(above, last)).collect();
        signed.sort_by_key(|above| !is_self_issued(above));
        // Without one, clients say what is wrong.
        let Some(above) = signed.first().copied().or_else(|| named.first()) else { break };
        let above = CertificateDer::clone(above);
        chain.push(above);
    }
    chain
}

/// Whether `below` says that `above` has issued it.
fn is_named(above: &CertificateDer<'_>, below: &CertificateDer<'_>) -> bool {
    let parse = |der| x509_parser::parse_x509_certificate(der).map(|(_, parsed)| parsed);
    let (Ok(above), Ok(below)) = (parse(above), parse(below)) else { return false };
    above.subject().as_raw() == below.issuer().as_raw()
}

/// Whether the key of `above` has signed `below`, by any algorithm that clients know.
fn has_signed(above: &CertificateDer<'_>, below: &CertificateDer<'_>) -> bool {
    let parsed = x509_parser::parse_x509_certificate(below);
    let (Some(key), Ok((_, below))) = (public_key(above), parsed) else { return false };
    let (message, signature) = (below.tbs_certificate.as_ref(), &below.signature_value.data);
    let algorithms = provider().signature_verification_algorithms;
    algorithms.all.iter().any(|algorithm| algorithm.verify_signature(key, message, signature).is_ok())
}

/// Beyond name constraints: what may sign further authorities has heirs whose keys nobody here keeps.
fn check_confinement(own: &CertificateDer<'_>, path: &Path, unconfined: bool) -> Result<(), CaError> {
    let parsed = x509_parser::parse_x509_certificate(own).map(|(_, parsed)| parsed);
    let length = parsed.ok().and_then(|parsed| path_length(&parsed));
    if unconfined || length == Some(0) {
        return Ok(());
    }
    Err(CaError::Unconstrained {
        path: path.to_owned(),
        defect: "no `pathlen:0` in its basic constraints, so that it could make other CAs",
        remedy: Remedy::Reissue,
    })
}

fn path_length(certificate: &X509Certificate<'_>) -> Option<u32> {
    certificate.basic_constraints().ok()??.value.path_len_constraint
}

/// Each one above allows as many authorities below it as there are. (Not every client looks at a root's.)
fn check_path_lengths(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    for (below, certificate) in chain.iter().enumerate().skip(1) {
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else { continue };
        if let Some(length) = path_length(&certificate)
            && (length as usize) < below
        {
            let subject = certificate.subject();
            return Err(format!(
                "`{subject}` has `pathlen:{length}`, and {below} CA(s) below it: another one has to sign"
            ));
        }
    }
    Ok(())
}

fn check_in_date(chain: &[CertificateDer<'_>], now: OffsetDateTime) -> Result<(), String> {
    for certificate in chain.iter().skip(1) {
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else { continue };
        let validity = certificate.validity();
        if now < validity.not_before.to_datetime() || validity.not_after.to_datetime() < now {
            let (subject, from, to) = (certificate.subject(), validity.not_before, validity.not_after);
            return Err(format!("`{subject}` above it is valid from {from} to {to} only"));
        }
    }
    Ok(())
}

/// A leaf for each host, and a client that trusts the last certificate: signatures, constraints and usages in between.
fn check_as_clients_do(
    candidate: &CertificateAuthority,
    chain: &[CertificateDer<'static>],
    hosts: &[HostName],
    now: OffsetDateTime,
) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let mut roots = RootCertStore::empty();
    if let Some(last) = chain.last() {
        roots.add(last.clone()).map_err(|error| said(&error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = verifier.map_err(|error| said(&error))?;
    for host in hosts {
        let leaf = probe(candidate, host, now).map_err(|error| said(&error))?;
        let name = ServerName::try_from(host.as_str()).map_err(|error| said(&error))?;
        verifier
            .verify_server_cert(&leaf, chain, &name, &[], UnixTime::now())
            .map_err(|error| format!("a leaf for {host} is refused ({error})"))?;
    }
    Ok(())
}

fn probe(
    candidate: &CertificateAuthority,
    host: &HostName,
    now: OffsetDateTime,
) -> Result<CertificateDer<'static>, CaError> {
    let params: CertificateParams = profile::leaf(host, now, candidate.not_before(), candidate.not_after())?;
    candidate.sign(&params, &KeyPair::generate()?)
}
