//! What becomes of the authority when several processes start at once, renew while others read, or are killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::authority::CertificateAuthority;
use super::renewal::{self, Overlap};
use super::store::Store;
use super::testing::{assert_success, authority, child, files, hosts, is_child};

#[test]
fn threads_that_start_at_once_have_one_authority() {
    let dir = TempDir::new().unwrap();
    let prints: Vec<_> = thread::scope(|scope| {
        let start = || CertificateAuthority::load_or_create(dir.path(), &hosts()).unwrap().fingerprint();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(prints.iter().all(|print| *print == prints[0]));
    assert_eq!(CertificateAuthority::load(dir.path(), &hosts()).unwrap().fingerprint(), prints[0]);
}

#[test]
fn processes_that_start_at_once_have_one_authority() {
    let dir = TempDir::new().unwrap();
    let mut command = child("tls::races::child_starts", dir.path());
    let children: Vec<_> = (0..8).map(|_| command.stdout(Stdio::piped()).spawn().unwrap()).collect();
    for child in children {
        assert_success(&child.wait_with_output().unwrap());
    }
    let fingerprint = CertificateAuthority::load(&dir.path().join("ca"), &hosts()).unwrap().fingerprint();
    let seen: Vec<_> = files(dir.path()).into_iter().filter(|name| name.starts_with("made-")).collect();
    assert_eq!(seen, [format!("made-{}", fingerprint.replace(':', ""))]);
}

#[test]
#[ignore = "run by another test, eight times at once"]
fn child_starts() {
    if is_child() {
        let ca = CertificateAuthority::load_or_create(Path::new("ca"), &hosts()).unwrap();
        fs::write(format!("made-{}", ca.fingerprint().replace(':', "")), "").unwrap();
    }
}

#[test]
fn readers_see_whole_pairs_while_it_is_renewed() {
    let (dir, _) = authority();
    thread::scope(|scope| {
        let renewing = scope.spawn(|| {
            for _ in 0..40 {
                CertificateAuthority::renew(dir.path(), &hosts()).unwrap();
            }
        });
        while !renewing.is_finished() {
            CertificateAuthority::load(dir.path(), &hosts()).unwrap();
        }
    });
}

#[test]
fn readers_see_whole_pairs_while_one_follows_the_other() {
    let (dir, _) = authority();
    thread::scope(|scope| {
        let renewing = scope.spawn(|| {
            for _ in 0..20 {
                follow_up(dir.path());
            }
        });
        while !renewing.is_finished() {
            let loaded = CertificateAuthority::load(dir.path(), &hosts()).unwrap();
            if let Some(successor) = loaded.successor() {
                assert!(loaded.trusted().contains(successor.authority.certificate_der()));
            }
        }
    });
}

/// A whole renewal: the next one is shown, called in, and made the pair.
fn follow_up(dir: &Path) {
    renewal::renew(dir, &hosts(), Overlap::Usual).unwrap();
    renewal::renew(dir, &hosts(), Overlap::None).unwrap();
    renewal::settle(&Store::new(dir), super::clock::now() + time::Duration::minutes(2));
}

#[test]
fn whoever_is_killed_leaves_a_whole_pair() {
    killed_again_and_again("tls::races::child_renews_for_ever");
}

#[test]
fn whoever_is_killed_while_one_follows_the_other_leaves_a_whole_pair() {
    killed_again_and_again("tls::races::child_follows_up_for_ever");
}

fn killed_again_and_again(name: &str) {
    let dir = TempDir::new().unwrap();
    let ca = dir.path().join("ca");
    CertificateAuthority::load_or_create(&ca, &hosts()).unwrap();
    for round in 0..12 {
        let mut command = child(name, dir.path());
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let before = fs::read(ca.join("ca.pem")).unwrap();
        while fs::read(ca.join("ca.pem")).unwrap() == before {
            assert_eq!(child.try_wait().unwrap(), None);
        }
        thread::sleep(Duration::from_micros(round * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        CertificateAuthority::load_or_create(&ca, &hosts()).unwrap();
    }
    CertificateAuthority::renew(&ca, &hosts()).unwrap();
    assert_eq!(files(&ca), ["ca-key.pem", "ca.lock", "ca.pem"]);
}

#[test]
#[ignore = "run and killed by another test"]
fn child_follows_up_for_ever() {
    while is_child() {
        follow_up(Path::new("ca"));
    }
}

#[test]
#[ignore = "run and killed by another test"]
fn child_renews_for_ever() {
    while is_child() {
        CertificateAuthority::renew(Path::new("ca"), &hosts()).unwrap();
    }
}
