//! The bundle that clients are given: the roots that this environment trusts, and our authority.
//!
//! One file with both, because `SSL_CERT_FILE` and its kin replace the roots of uv, older pips and others: with our
//! certificate alone they could reach nothing but the intercepted hosts.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use x509_parser::x509::X509Name;

use super::authority::CertificateAuthority;
use super::certificate::encode_pem;
use super::error::CaError;
use super::profile::ORGANISATION;
use crate::config::environment::Environment;
use crate::files::{self, Readers};

/// The bundle as PEM: the system's roots, less those that no client could read and earlier authorities of namewall, and
/// `ours`. What `SSL_CERT_FILE` names is one shell's affair, and this file is every shell's: see [`bundle_for`].
///
/// # Errors
/// [`CaError::NoRoots`] when there is no root but ours.
pub fn bundle_pem(ours: &CertificateAuthority) -> Result<String, CaError> {
    merge(&SystemRoots::load().system, ours)
}

/// The roots of this machine: some hundred files, read once for all who need them.
#[derive(Debug)]
pub struct SystemRoots {
    /// The system's. Where it keeps them in no file that we know, what OpenSSL would take goes for them.
    system: Vec<CertificateDer<'static>>,
    /// What `SSL_CERT_FILE` or `SSL_CERT_DIR` names in their place.
    named: Vec<CertificateDer<'static>>,
}

impl SystemRoots {
    /// Reads them.
    #[must_use]
    pub fn load() -> Self {
        // Errors are of single files or entries: what could be read is what OpenSSL would have got too.
        let native = || rustls_native_certs::load_native_certs().certs;
        let Some(bundle) = system_bundle() else { return Self { system: native(), named: Vec::new() } };
        let environment = Environment::from_process();
        let is_named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .any(|name| environment.var(name).is_some_and(|named| !is_systems(Path::new(&named))));
        let folders = SYSTEM_FOLDERS.iter().map(PathBuf::from).filter(|folder| folder.is_dir());
        let mut seen = HashSet::new();
        let system =
            roots_in(std::iter::once(bundle).chain(folders)).filter(|root| seen.insert(root.clone())).collect();
        Self { system, named: if is_named { native() } else { Vec::new() } }
    }

    /// All of them: who is told by `SSL_CERT_FILE` whom to trust knows no less than the system does.
    pub(super) fn all(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.system.iter().chain(&self.named)
    }
}

/// Whether this is a file or folder whose roots are the system's anyway.
fn is_systems(path: &Path) -> bool {
    system_bundle().is_some_and(|bundle| bundle == path)
        || SYSTEM_FOLDERS.iter().any(|folder| Path::new(folder) == path)
}

/// Writes `bundle.pem` (the system's roots, and `ours`) to `path`, atomically, if it differs.
///
/// # Errors
/// [`CaError`] when it can't be written, or there is no root but ours.
pub fn write_bundle(path: &Path, ours: &CertificateAuthority) -> Result<(), CaError> {
    replace_if_it_differs(path, &bundle_pem(ours)?)
}

/// Where Linux systems keep all their roots in one file, the usual places first.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Where they keep each in a file of its own, besides.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The system's roots, whatever `SSL_CERT_FILE` says; nothing where the system keeps them otherwise.
#[must_use]
pub fn system_bundle() -> Option<PathBuf> {
    SYSTEM.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// Writes the bundle for clients whose user has named roots of his `own`, files or folders, and gives its path. That is
/// `path` unless those are more than the system's; then it lies beside it and is called by its contents, so that
/// environments with different roots leave each other's alone.
///
/// # Errors
/// As [`write_bundle`].
pub fn bundle_for(
    path: &Path,
    ours: &CertificateAuthority,
    system: &SystemRoots,
    own: &[PathBuf],
) -> Result<PathBuf, CaError> {
    let own: Vec<_> = roots_in(own.iter().filter(|own| !is_systems(own))).collect();
    if own.is_empty() {
        return replace_if_it_differs(path, &merge(&system.system, ours)?).map(|()| path.to_owned());
    }
    let (usual, all) = (merge(&system.system, ours), merge(system.system.iter().chain(&own), ours)?);
    if usual.is_ok_and(|usual| usual == all) {
        return replace_if_it_differs(path, &all).map(|()| path.to_owned());
    }
    write_named(files::folder_of(path), &all)
}

/// A bundle for somebody who may read the one at `public` and not change it: the same and his `own` roots, in his `folder`;
/// `public` itself if that has them all.
///
/// # Errors
/// [`CaError::Unwritable`].
pub fn bundle_beside(public: &Path, own: &[PathBuf], folder: &Path) -> Result<PathBuf, CaError> {
    let present = rustls_native_certs::load_certs_from_paths(Some(public), None).certs;
    let mut seen: HashSet<_> = present.iter().cloned().collect();
    let added: Vec<_> = roots_in(own).filter(is_foreign_root).filter(|root| seen.insert(root.clone())).collect();
    if added.is_empty() {
        return Ok(public.to_owned());
    }
    fs::create_dir_all(folder).map_err(|reason| CaError::Unwritable { dir: folder.to_owned(), reason })?;
    write_named(folder, &added.iter().chain(&present).map(encode_pem).collect::<String>())
}

/// Writes `bundle` into `folder`, called by its contents.
fn write_named(folder: &Path, bundle: &str) -> Result<PathBuf, CaError> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bundle.as_bytes());
    let name: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(format!("bundle-{name}.pem"));
    replace_if_it_differs(&path, bundle)?;
    Ok(path)
}

/// Writes the bundle for clients whose user has named roots of his `own` to `path` again, since `ours` has changed.
///
/// # Errors
/// As [`write_bundle`].
pub fn rewrite_bundle(path: &Path, ours: &CertificateAuthority, own: &[PathBuf]) -> Result<(), CaError> {
    let own: Vec<_> = roots_in(own).collect();
    replace_if_it_differs(path, &merge(SystemRoots::load().system.iter().chain(&own), ours)?)
}

/// All certificates in these files and folders.
fn roots_in(own: impl IntoIterator<Item: AsRef<Path>>) -> impl Iterator<Item = CertificateDer<'static>> {
    own.into_iter().flat_map(|own| {
        let own = own.as_ref();
        let (file, folder) = if own.is_dir() { (None, Some(own)) } else { (Some(own), None) };
        rustls_native_certs::load_certs_from_paths(file, folder).certs
    })
}

fn replace_if_it_differs(path: &Path, bundle: &str) -> Result<(), CaError> {
    if fs::read(path).is_ok_and(|present| present == bundle.as_bytes()) {
        return Ok(());
    }
    files::replace(path, bundle.as_bytes(), Readers::All)
        .map_err(|reason| CaError::Unwritable { dir: files::folder_of(path).to_owned(), reason })
}

fn merge<'r>(
    roots: impl IntoIterator<Item = &'r CertificateDer<'static>>,
    ours: &CertificateAuthority,
) -> Result<String, CaError> {
    let mut seen: HashSet<_> = ours.trusted().iter().collect();
    let others: Vec<_> =
        roots.into_iter().filter(|root| is_foreign_root(root)).filter(|root| seen.insert(*root)).collect();
    if others.is_empty() {
        return Err(CaError::NoRoots);
    }
    Ok(others.into_iter().chain(ours.trusted()).map(encode_pem).collect())
}

/// Whether clients can read it (OpenSSL gives up a whole file over one that it can't), and it isn't an authority that
/// namewall made earlier: with `SSL_CERT_FILE` set to the bundle, each renewal would leave one behind.
fn is_foreign_root(der: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(der).is_ok_and(|(_, root)| !is_namewalls(root.subject()))
}

/// Whether an authority with this subject is one that namewall made, here or elsewhere.
pub(super) fn is_namewalls(subject: &X509Name<'_>) -> bool {
    subject.iter_organization().any(|name| name.as_str().is_ok_and(|name| name == ORGANISATION))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;
    use tempfile::TempDir;

    use super::*;
    use crate::tls::testing::{assert_success, authority, child, hosts, is_child};

    /// Roots that aren't namewall's.
    fn root(name: &str) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().into()
    }

    fn parse(bundle: &str) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(bundle.as_bytes()).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn the_roots_once_each_and_ours_last() {
        let (_dir, ours) = authority();
        let (_older_dir, older) = authority();
        let (one, two) = (root("One"), root("Two"));
        let garbage = CertificateDer::from(vec![0x30, 3, 2, 1, 1]);
        let older = older.certificate_der().clone();
        let roots = vec![one.clone(), garbage, older, two.clone(), one.clone(), ours.certificate_der().clone()];
        assert_eq!(parse(&merge(&roots, &ours).unwrap()), [one, two, ours.certificate_der().clone()]);
    }

    #[test]
    fn ours_alone_is_no_bundle() {
        let (_dir, ours) = authority();
        let message = merge([ours.certificate_der()], &ours).unwrap_err().to_string();
        assert!(message.contains("ca-certificates") && message.contains("SSL_CERT_FILE"), "{message}");
    }

    #[test]
    fn written_from_the_systems_roots_whatever_one_shell_names_and_only_if_it_differs() {
        let dir = TempDir::new().unwrap();
        let roots = format!("{}{}", encode_pem(&root("One")), encode_pem(&root("Two")));
        fs::write(dir.path().join("roots.pem"), roots).unwrap();
        let run = |cert_file: &str| {
            let mut command = child("tls::bundle::tests::child_writes_a_bundle", dir.path());
            assert_success(&command.env("SSL_CERT_FILE", cert_file).env_remove("SSL_CERT_DIR").output().unwrap());
            let path = dir.path().join("bundle.pem");
            (parse(&fs::read_to_string(&path).unwrap()), fs::metadata(path).unwrap())
        };
        let (written, before) = run("roots.pem");
        assert_eq!(written.len() == 3, system_bundle().is_none());
        assert!(!before.permissions().readonly());
        // SSL_CERT_FILE may be the bundle itself, as `namewall env` sets it.
        let (again, after) = run("bundle.pem");
        assert_eq!(again, written);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            assert_eq!(before.mode() & 0o777, 0o644);
            assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
        }
    }

    #[test]
    fn who_may_not_change_the_bundle_has_one_of_his_own_with_his_roots() {
        let (dir, ours) = authority();
        let (public, corp, home) =
            (dir.path().join("bundle.pem"), dir.path().join("corp.pem"), dir.path().join("home"));
        write_bundle(&public, &ours).unwrap();
        fs::write(&corp, encode_pem(&root("Corp"))).unwrap();
        let count = |path: &Path| parse(&fs::read_to_string(path).unwrap()).len();
        let mine = bundle_beside(&public, &[corp], &home).unwrap();
        assert!(mine.starts_with(&home) && count(&mine) == count(&public) + 1);
        assert_eq!(bundle_beside(&public, std::slice::from_ref(&public), &home).unwrap(), public);
    }

    #[test]
    #[ignore = "run by another test, with SSL_CERT_FILE set"]
    fn child_writes_a_bundle() {
        if is_child() {
            let ours = CertificateAuthority::load_or_create(Path::new("ca"), &hosts()).unwrap();
            write_bundle(Path::new("bundle.pem"), &ours).unwrap();
        }
    }

    #[test]
    fn roots_of_the_users_own_have_a_bundle_of_their_own() {
        let (dir, ours) = authority();
        let path = dir.path().join("bundle.pem");
        let corp = dir.path().join("corp.pem");
        fs::write(&corp, encode_pem(&root("Corp"))).unwrap();
        write_bundle(&path, &ours).unwrap();
        let usual = fs::read(&path).unwrap();
        let with = bundle_for(&path, &ours, &SystemRoots::load(), std::slice::from_ref(&corp)).unwrap();
        assert_ne!(with, path);
        assert_eq!(with, bundle_for(&path, &ours, &SystemRoots::load(), &[corp.clone(), corp, path.clone()]).unwrap());
        assert_eq!(fs::read(&path).unwrap(), usual, "others' stays as it is");
        let count = |path: &Path| parse(&fs::read_to_string(path).unwrap()).len();
        assert_eq!(count(&with), count(&path) + 1);
        assert_eq!(bundle_for(&path, &ours, &SystemRoots::load(), std::slice::from_ref(&path)).unwrap(), path);
        assert_eq!(bundle_for(&path, &ours, &SystemRoots::load(), &[]).unwrap(), path);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let (dir, ours) = authority();
        let path = dir.path().join("missing").join("bundle.pem");
        let result = files::replace(&path, b"", Readers::All);
        assert!(result.is_err());
        let Err(error) = write_bundle(&path, &ours) else { panic!("written") };
        assert!(matches!(error, CaError::NoRoots) || error.to_string().contains("missing`: "), "{error}");
    }
}
