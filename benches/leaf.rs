//! How long it takes to mint the leaf certificate of a host, and to find one again. Wanted: less than a millisecond.

#![allow(clippy::expect_used, reason = "what fails ends the bench")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use namewall::name::HostName;
use namewall::tls::{CertificateAuthority, Leaves};

fn main() {
    divan::main();
}

/// A key of its own, a certificate signed with the authority's, and a configuration for the server's side.
#[divan::bench]
fn mint(bencher: Bencher<'_, '_>) {
    let (authority, hosts) = authority();
    bencher.bench(|| Leaves::new(authority.clone(), black_box(&hosts)).expect("a leaf"));
}

/// What each connection does.
#[divan::bench]
fn find(bencher: Bencher<'_, '_>) {
    let (authority, hosts) = authority();
    let leaves = Leaves::new(authority, &hosts).expect("a leaf");
    bencher.bench(|| hosts.iter().filter(|host| leaves.server_config(black_box(host)).is_ok()).count());
}

fn authority() -> (Arc<CertificateAuthority>, [HostName; 1]) {
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = ["pypi.org".parse().expect("a host")];
    (Arc::new(CertificateAuthority::load_or_create(folder.path(), &hosts).expect("an authority")), hosts)
}
