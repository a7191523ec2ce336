//! The stand-in's throw-away root and the certificate that it signs for PyPI's hosts. Neither outlives the process.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::StandInError;

/// A root, and one leaf for all hosts.
pub(super) struct Throwaway {
    root: Certificate,
    leaf: Certificate,
    leaf_key: KeyPair,
}

impl Throwaway {
    pub(super) fn mint(hosts: &[String], expired: bool) -> Result<Self, rcgen::Error> {
        let root_key = KeyPair::generate()?;
        let root_params = root_params();
        let root = root_params.self_signed(&root_key)?;
        let leaf_key = KeyPair::generate()?;
        let leaf = leaf_params(hosts, expired)?.signed_by(&leaf_key, &Issuer::new(root_params, root_key))?;
        Ok(Self { root, leaf, leaf_key })
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(super) fn server_config(&self, alpn: Vec<Vec<u8>>) -> Result<Arc<ServerConfig>, StandInError> {
        let key = PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.leaf.der().clone()], key.into())?;
        config.alpn_protocols = alpn;
        Ok(Arc::new(config))
    }
}

fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "throw-away root of the namewall demo");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(hosts: &[String], expired: bool) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "stand-in for PyPI");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if expired {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    Ok(params)
}
