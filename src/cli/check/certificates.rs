//! Whether the listeners could speak TLS with what is in their files on this machine.

use crate::config::{Lint, LintKind, Settings};
use crate::tls::listener::ListenerIdentity;

/// What is odd about the certificates of the listeners. Rules are often checked where no key is, so that it makes no error
/// of the config.
pub(super) fn odd(settings: &Settings) -> Vec<Lint> {
    let mut files: Vec<_> = settings.listeners.iter().filter_map(|listener| listener.tls.as_ref()).collect();
    files.dedup(); // A table has one for all its addresses.
    let odd = |message: String| {
        let help = "`serve` needs a valid certificate and its key, both PEM; where it runs, they may be others";
        Lint::of_config(LintKind::ListenerCertificate, message, help)
    };
    let lint = |files| match ListenerIdentity::examine(files) {
        Ok(out_of_date) => out_of_date.map(|why| odd(format!("`{}`: {why}", files.cert.display()))),
        Err(error) => Some(odd(error.to_string())),
    };
    files.into_iter().filter_map(lint).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::config::Overrides;

    #[test]
    fn certificates_are_missing_broken_or_old() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("namewall.toml");
        let listener = "addr = [\"127.0.0.1:0\", \"[::1]:0\"]\ncert = \"proxy.pem\"\nkey = \"proxy.key\"\n";
        fs::write(&config, format!("[[listener]]\n{listener}")).unwrap();
        let said = || {
            let overrides = Overrides { config: Some(config.clone()), ..Overrides::default() };
            let lints = odd(&Settings::load(&overrides).unwrap());
            lints.into_iter().map(|lint| lint.message).collect::<Vec<_>>()
        };
        let missing = said();
        assert!(missing.len() == 1 && missing[0].contains("the certificate can't be read"), "{missing:?}");
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("proxy.key"), key.serialize_pem()).unwrap();
        let write = |end| {
            let mut params = CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), end);
            fs::write(folder.path().join("proxy.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        };
        write(date_time_ymd(2020, 2, 1));
        let old = said();
        assert!(old.len() == 1 && old[0].contains("isn't valid today"), "{old:?}");
        write(date_time_ymd(2100, 1, 1));
        assert_eq!(said(), [""; 0]);
    }
}
