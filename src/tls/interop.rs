//! What other implementations make of our certificates: Python's `ssl` in its strict mode, and `openssl`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, Stream};
use tempfile::TempDir;

use super::authority::CertificateAuthority;
use super::leaf::Leaves;
use super::request;
use super::store::Store;
use super::testing::{assert_success, authority, files, host, hosts};
use crate::name::HostName;
use crate::pypi::site;

/// `ssl.create_default_context` of Python 3.13 has both flags; older ones are made as strict.
const PYTHON_CLIENT: &str = "
import socket, ssl, sys
port, roots, host = sys.argv[1:]
context = ssl.create_default_context(cafile=roots)
context.verify_flags |= ssl.VERIFY_X509_STRICT | getattr(ssl, 'VERIFY_X509_PARTIAL_CHAIN', 0)
context.set_alpn_protocols(['h2'])
with socket.create_connection(('127.0.0.1', int(port)), 20) as plain:
    with context.wrap_socket(plain, server_hostname=host) as tls:
        assert tls.recv(2) == b'ok'
        print(tls.selected_alpn_protocol())
";

#[test]
fn strict_python_accepts_a_handshake() {
    let (dir, authority) = authority();
    let leaves = Leaves::new(authority, &hosts()).unwrap();
    for name in ["pypi.org", "files.pythonhosted.org", "deep.sub.pypi.org", &long_name()] {
        let output = python(&leaves.server_config(&host(name)).unwrap(), &dir.path().join("ca.pem"), name);
        assert_success(&output);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "h2");
    }
}

#[test]
fn strict_python_refuses_another_machines_authority() {
    let (_dir, ours) = authority();
    let (other, _) = authority();
    let leaves = Leaves::new(ours, &hosts()).unwrap();
    let config = leaves.server_config(&host("pypi.org")).unwrap();
    let output = python(&config, &other.path().join("ca.pem"), "pypi.org");
    assert!(String::from_utf8_lossy(&output.stderr).contains("CERTIFICATE_VERIFY_FAILED"), "{output:?}");
}

#[test]
fn strict_openssl_verifies_a_leaf() {
    if !has_openssl() {
        return;
    }
    let (dir, authority) = authority();
    let leaf = super::leaf::tests::leaf_der(&authority, "pypi.org");
    std::fs::write(dir.path().join("leaf.pem"), super::certificate::encode_pem(&leaf)).unwrap();
    let script = "openssl verify -x509_strict -verify_hostname pypi.org -CAfile ca.pem leaf.pem";
    assert_success(&shell(script, dir.path()));
    let printed = shell("openssl x509 -in ca.pem -noout -fingerprint -sha256", dir.path());
    assert!(String::from_utf8_lossy(&printed.stdout).contains(&authority.fingerprint()));
}

/// A root of the organisation's, `request` signed as certs/README.md says, and the chain of both.
fn issued(dir: &Path, hosts: &[HostName]) -> PathBuf {
    let root = "openssl req -x509 -newkey rsa:2048 -nodes -keyout root-key.pem -out root.pem -days 9 -subj /O=Corp/CN=Root \
         -addext keyUsage=critical,keyCertSign";
    assert_success(&shell(root, dir));
    request::request(dir, hosts).unwrap();
    assert_success(&shell(readme_block("openssl x509 -req"), dir));
    dir.join("namewall-chain.pem")
}

fn readme_block(start: &str) -> &'static str {
    let readme = include_str!("../../certs/README.md");
    let block =
        readme.split("```").find(|block| block.trim_start_matches("sh\n").trim_start().starts_with(start)).unwrap();
    block.trim_start_matches("sh\n").trim_start()
}

#[test]
fn the_commands_of_the_readme_make_an_intermediate_that_works() {
    if !has_openssl() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let sites: Vec<_> = site::default_sites().map(|(host, _)| host).collect();
    let chain = issued(dir.path(), &sites);
    assert_eq!(std::fs::read_to_string(dir.path().join("ca-request.ext")).unwrap(), readme_block("basicConstraints"));
    let key = std::fs::read(dir.path().join("ca-request-key.pem")).unwrap();
    // What was asked for is what they were told to give, whichever of the two they heed.
    let asked = shell("openssl req -in ca-request.csr -noout -text -verify", dir.path());
    let asked = String::from_utf8_lossy(&asked.stdout).into_owned();
    for part in
        ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Name Constraints: critical", "DNS:pypi.org", "Excluded:"]
    {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    let imported = request::import(dir.path(), &chain, &sites, false).unwrap();
    assert_eq!((imported.authority.trusted().len(), imported.authority.chain().count()), (2, 1));
    assert!(imported.open_end.is_none() && imported.authority.is_confined());
    assert_eq!(std::fs::read(dir.path().join("ca-key.pem")).unwrap(), key);
    assert_eq!(files(dir.path()).iter().filter(|name| name.starts_with("ca-request")).count(), 0);
    let leaves = Leaves::new(Arc::new(imported.authority), &sites).unwrap();
    let config = leaves.server_config(&host("pypi.org")).unwrap();
    assert_success(&python(&config, &dir.path().join("root.pem"), "pypi.org"));
    // A pair that the config names is loaded by the same rules.
    let pair =
        CertificateAuthority::load_pair(&dir.path().join("ca.pem"), &dir.path().join("ca-key.pem"), &sites).unwrap();
    assert_eq!(pair.chain().count(), 1);
}

#[test]
fn a_request_that_may_have_been_sent_keeps_its_key() {
    let dir = TempDir::new().unwrap();
    let key = || std::fs::read(dir.path().join("ca-request-key.pem")).unwrap();
    request::request(dir.path(), &hosts()).unwrap();
    let first = key();
    request::request(dir.path(), &[host("mirror.example.com")]).unwrap();
    assert_eq!(key(), first);
}

#[test]
fn what_does_not_fit_the_request_is_not_imported() {
    if !has_openssl() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let chain = issued(dir.path(), &hosts());
    let import = |path: &Path, unconfined| {
        request::import(dir.path(), path, &hosts(), unconfined).map(drop).map_err(|error| error.to_string())
    };
    let says = |path: &Path, said: &str| {
        let message = import(path, false).unwrap_err();
        assert!(message.contains(said), "{message}");
    };
    let sign = |name: &str, ca: &str, extensions: &str| {
        std::fs::write(dir.path().join("other.ext"), extensions).unwrap();
        let script = format!(
            "openssl x509 -req -in ca-request.csr -CA {ca}.pem -CAkey {ca}-key.pem -set_serial 7 -days 9 \
             -extfile other.ext -out {name}-own.pem 2>/dev/null; cat {name}-own.pem {ca}.pem root.pem > {name}.pem"
        );
        assert_success(&shell(&script, dir.path()));
        dir.path().join(format!("{name}.pem"))
    };
    let good = std::fs::read_to_string(dir.path().join("ca-request.ext")).unwrap();
    says(&dir.path().join("root.pem"), "belongs to the key of the request");
    says(&dir.path().join("root-key.pem"), "holds no certificate in PEM");
    says(&sign("leaf", "root", "basicConstraints=critical,CA:FALSE"), "no critical basic constraints");
    says(&sign("long", "root", &good.replace(", pathlen:0", "")), "no `pathlen:0`");
    says(&sign("narrow", "root", &good.replace("pypi.org", "example.org")), "may not sign for pypi.org");
    // Confined, but to the whole web.
    let wide =
        sign("wide", "root", &format!("{good}permitted;DNS.90=com\npermitted;DNS.91=org\npermitted;email.1=com\n"));
    says(&wide, "hosts that are not intercepted (com, org): have one issued");
    says(&wide, "--unconstrained");
    says(&sign("addresses", "root", &format!("{good}permitted;IP.9=10.0.0.0/255.0.0.0\n")), "(IP addresses)");
    // An issuer that may sign leaves only.
    let issuing = "openssl req -new -newkey rsa:2048 -nodes -keyout issuing-key.pem -out i.csr -subj /CN=Issuing
        printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n' > i.ext
        openssl x509 -req -in i.csr -CA root.pem -CAkey root-key.pem -set_serial 5 -days 9 -extfile i.ext -out issuing.pem";
    assert_success(&shell(issuing, dir.path()));
    says(&sign("below", "issuing", &good), "`CN=Issuing` has `pathlen:0`");
    // A root of the same name that signed something else.
    assert_success(&shell(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout x-key.pem -out x.pem -days 9 -subj /O=Corp/CN=Root
         cat namewall.pem x.pem > forged.pem",
        dir.path(),
    ));
    says(&dir.path().join("forged.pem"), "is refused");

    let open = sign(
        "open",
        "root",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid",
    );
    says(&open, "no name constraints");
    assert!(!dir.path().join("ca.pem").exists());
    import(&open, true).unwrap();
    let loaded = CertificateAuthority::load(dir.path(), &hosts()).unwrap();
    assert!(!loaded.is_confined() && loaded.permits(&host("www.pypi.org")) && !loaded.permits(&host("example.com")));
    // What is taken all the same is confined by us, and said to be wide.
    import(&wide, true).unwrap();
    let loaded = CertificateAuthority::load(dir.path(), &hosts()).unwrap();
    assert!(!loaded.is_confined() && loaded.permits(&host("www.pypi.org")) && !loaded.permits(&host("example.com")));
    // The same key, issued anew and confined: no request is needed.
    import(&chain, false).unwrap();
    assert!(CertificateAuthority::load(dir.path(), &hosts()).unwrap().is_confined());
}

#[test]
fn what_was_imported_without_its_root_can_be_imported_with_it() {
    if !has_openssl() {
        return;
    }
    // With an authority of our own in force, what is imported waits beside it for a while.
    let (dir, own) = authority();
    let chain = issued(dir.path(), &hosts());
    let import = |path: &Path| request::import(dir.path(), path, &hosts(), false).unwrap();
    let first = import(&dir.path().join("namewall.pem"));
    assert_eq!(first.open_end.as_deref(), Some("O=Corp, CN=Root"));
    // Another request in between is not answered by it.
    request::request(dir.path(), &hosts()).unwrap();
    for _again in 0..2 {
        let whole = import(&chain);
        assert!(whole.open_end.is_none() && whole.authority.fingerprint() == first.authority.fingerprint());
        let trusted = whole.authority.trusted_pem();
        assert!(trusted.contains(std::fs::read_to_string(dir.path().join("root.pem")).unwrap().trim()), "{trusted}");
        assert!(trusted.contains(own.certificate_pem()));
    }
    assert!(dir.path().join("ca-request-key.pem").exists());
    let store = Store::new(dir.path());
    super::renewal::settle(&store, super::clock::now() + time::Duration::minutes(2));
    assert_eq!(import(&chain).authority.fingerprint(), first.authority.fingerprint());
}

#[test]
fn of_two_roots_with_one_name_the_one_that_signed_is_taken() {
    if !has_openssl() {
        return;
    }
    for order in ["other.pem root.pem", "root.pem other.pem"] {
        let dir = TempDir::new().unwrap();
        issued(dir.path(), &hosts());
        let script = format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout other-key.pem -out other.pem -days 9 -subj /O=Corp/CN=Root \
             -addext keyUsage=critical,keyCertSign
             cat namewall.pem {order} > both.pem"
        );
        assert_success(&shell(&script, dir.path()));
        let imported = request::import(dir.path(), &dir.path().join("both.pem"), &hosts(), false).unwrap();
        let root = std::fs::read_to_string(dir.path().join("root.pem")).unwrap();
        assert!(imported.authority.trusted_pem().ends_with(&root) && imported.open_end.is_none());
        assert_eq!(imported.authority.trusted().len(), 2);
    }
}

#[test]
fn what_openssl_makes_with_a_defect_is_refused_by_name() {
    if !has_openssl() {
        return;
    }
    let constrained = "nameConstraints=critical,permitted;DNS:pypi.org,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::";
    let (ca, usage) = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign");
    for (extensions, subject, said) in [
        (vec![ca, usage], "/CN=x", "no name constraints"),
        (vec![ca, usage, "nameConstraints=permitted;DNS:pypi.org"], "/CN=x", "not critical"),
        (vec![ca, usage, "nameConstraints=critical,permitted;DNS:pypi.org"], "/CN=x", "no excluded IP"),
        (vec![ca, usage, "nameConstraints=critical,excluded;DNS:example.com"], "/CN=x", "no permitted DNS names"),
        (vec![ca, constrained], "/CN=x", "no key usage"),
        (vec!["basicConstraints=critical,CA:FALSE", usage, constrained], "/CN=x", "no critical basic constraints"),
        (vec!["basicConstraints=CA:TRUE", usage, constrained], "/CN=x", "no critical basic constraints"),
        (vec![ca, usage, constrained, "subjectKeyIdentifier=none"], "/CN=x", "no subject key identifier"),
        (vec![ca, usage, constrained], "/DC=com/DC=example/CN=x", "an attribute occurs twice"),
        (vec![ca, usage, constrained], "/", "an empty subject"),
    ] {
        let message = load_from_openssl(&extensions, subject).expect_err(said);
        assert!(message.contains(said) && message.contains("certs/README.md"), "{message}");
    }
    assert_eq!(load_from_openssl(&[ca, usage, constrained], "/CN=x"), Ok(()));
}

/// Loads a self-signed authority with the given extensions, whose key is in the oldest format, behind its parameters.
fn load_from_openssl(extensions: &[&str], subject: &str) -> Result<(), String> {
    let dir = TempDir::new().unwrap();
    let extensions = extensions.join("\n");
    let script = format!(
        "umask 077
        openssl ecparam -name prime256v1 -genkey -out key.pem
        printf '[req]\\ndistinguished_name=dn\\n[dn]\\n[ext]\\n%s\\n' '{extensions}' > ext
        openssl req -x509 -new -key key.pem -out cert.pem -days 9 -subj '{subject}' -config ext -extensions ext"
    );
    assert_success(&shell(&script, dir.path()));
    let loaded =
        CertificateAuthority::load_pair(&dir.path().join("cert.pem"), &dir.path().join("key.pem"), &[host("pypi.org")]);
    loaded.map(|_| ()).map_err(|error| error.to_string())
}

/// A name too long for a common name.
fn long_name() -> String {
    format!("{}.{}.pypi.org", "a".repeat(60), "b".repeat(60))
}

/// One connection to a server with `config`, from Python.
fn python(config: &Arc<ServerConfig>, roots: &Path, name: &str) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let config = config.clone();
    let server = thread::spawn(move || {
        let mut plain = listener.accept().unwrap().0;
        let mut tls = ServerConnection::new(config).unwrap();
        let mut stream = Stream::new(&mut tls, &mut plain);
        // A client that refuses us resets the connection: that is its test's business.
        stream.write_all(b"ok").and_then(|()| stream.read(&mut [0; 1])).ok();
    });
    let mut python = Command::new("python3");
    let client = python.args(["-c", PYTHON_CLIENT, &port]).arg(roots).arg(name).output();
    let output = client.expect("python3 has to be on the PATH for this test");
    server.join().unwrap();
    output
}

fn shell(script: &str, dir: &Path) -> Output {
    Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap()
}

fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: openssl is not on the PATH");
    }
    found
}
