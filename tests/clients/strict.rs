//! Python with `VERIFY_X509_STRICT`, which 3.13 sets of itself: RFC 5280 to the letter.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use crate::install::{client, client_on};
use crate::pins;
use crate::python::Python;
use crate::world::World;

/// Asks for each URL, strictly unless told otherwise.
const SCRIPT: &str = "
import ssl, sys, urllib.request
context = ssl.create_default_context()
if sys.argv[1] == 'strict':
    context.verify_flags |= ssl.VERIFY_X509_STRICT
else:
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
for url in sys.argv[2:]:
    with opener.open(url, timeout=60) as answer:
        assert answer.status == 200 and answer.read(), url
";

/// The Python of that folder, asking for these URLs and verifying strictly. Proxy and roots come from its environment.
pub(crate) fn strictly(bin: &Path, urls: &[&str]) -> Command {
    asking("strict", bin, urls)
}

fn asking(how: &str, bin: &Path, urls: &[&str]) -> Command {
    let mut command = Command::new(bin.join("python"));
    command.args(["-c", SCRIPT, how]).args(urls);
    command
}

/// requests, by which poetry and twine ask, is as strict as its Python; tried where there is a 3.13.
#[tokio::test]
async fn requests_on_python_3_13_trusts_both_hosts() {
    let Some(python) = Python::find("3.13") else {
        println!("not tried: there is no Python 3.13 here");
        return;
    };
    let world = World::protecting().await;
    let folder = tempfile::tempdir().unwrap();
    let file = world.pypi.url_of("paint", "paint-3.0-py3-none-any.whl").unwrap();
    let mut command = Command::new(client_on(&python, pins::TWINE).join("python"));
    command.args(["-c", "import requests, sys\nfor url in sys.argv[1:]: requests.get(url).raise_for_status()"]);
    command.args(["https://pypi.org/simple/paint/", &file]);
    let (success, said) = world.run(command, folder.path()).await;
    assert!(success, "{said}");
    assert_eq!(world.pypi.mentions("paint").len(), 2, "it was asked by another way");
}

/// So the strict case can fail: a certificate without an authority key identifier is good enough for OpenSSL, and was for
/// Python until 3.13.
#[tokio::test]
async fn strict_python_refuses_what_others_let_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = folder.path().join("root.pem");
    std::fs::write(&root, params.self_signed(&key).unwrap().pem()).unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    assert!(!leaf.use_authority_key_identifier_extension);
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).unwrap();

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into();
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            let _written = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            let _closed = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
        }
    });

    for (how, accepted) in [("as before", true), ("strict", false)] {
        let mut python = asking(how, &client(pins::NEWEST_PIP), &[&url]);
        let output = python.env("SSL_CERT_FILE", &root).env("no_proxy", "*").output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), accepted, "{how}: {said}");
        assert!(accepted || said.contains("Missing Authority Key Identifier"), "{said}");
    }
}
