//! What the tests of this room share: authorities in temporary folders, and handshakes in memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::authority::CertificateAuthority;
use super::provider;
use crate::name::HostName;

pub(super) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(super) fn hosts() -> Vec<HostName> {
    vec![host("pypi.org"), host("files.pythonhosted.org")]
}

pub(super) fn authority() -> (TempDir, Arc<CertificateAuthority>) {
    let dir = TempDir::new().unwrap();
    let authority = CertificateAuthority::load_or_create(dir.path(), &hosts()).unwrap();
    (dir, Arc::new(authority))
}

/// The names in a folder, sorted.
pub(super) fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A client that trusts `root` and nothing else.
pub(super) fn client_trusting(root: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A server with a certificate of `params`, signed by force: what a thief of the authority's key could do.
pub(super) fn forged(authority: &CertificateAuthority, params: &rcgen::CertificateParams) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut chain = vec![authority.sign(params, &key).unwrap()];
    chain.extend(authority.chain().cloned());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

/// A handshake in memory; the client's connection, or why it refused.
pub(super) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<ClientConnection, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(client)
}

/// Runs the ignored test `name` of this binary as a process of its own, in `dir`: the one way to have another
/// environment, or to be killed. [`is_child`] tells it from a run by hand.
pub(super) fn child(name: &str, dir: &Path) -> Command {
    fs::write(dir.join(CHILD), "").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored"]).current_dir(dir);
    command
}

pub(super) fn is_child() -> bool {
    Path::new(CHILD).exists()
}

const CHILD: &str = "child-of-a-test";

/// Fails with what the process said, if it failed.
pub(super) fn assert_success(output: &Output) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}
