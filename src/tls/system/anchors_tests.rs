//! Other systems' layouts, with tools that do what theirs do: make one bundle of a folder.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::tls::system::{Kind, Source, SystemStore};
use crate::tls::testing::{authority, files as names, hosts};
use crate::tls::{CertificateAuthority, renewal};

/// A root with the folders of `layout` and `tool`, which notes how it was called.
fn system(layout: &Layout, tool: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    let (anchors, bundle) = (root.path().join(layout.anchors), root.path().join(layout.bundle));
    for folder in [&anchors, &root.path().join(layout.sign), &root.path().join("usr/bin"), files::folder_of(&bundle)] {
        fs::create_dir_all(folder).unwrap();
    }
    let (bin, calls) = (root.path().join("usr/bin").join(tool), root.path().join("calls"));
    let script = format!("#!/bin/sh\necho \"$@\" >> {calls:?}\ncat {anchors:?}/* > {bundle:?} 2>/dev/null\nexit 0\n");
    fs::write(&bin, script).unwrap();
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
    root
}

fn store(root: &TempDir) -> SystemStore {
    SystemStore(Kind::Anchors(Anchors::under(root.path()).unwrap()))
}

fn calls(root: &TempDir) -> Vec<String> {
    fs::read_to_string(root.path().join("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn each_layout_is_recognised_by_its_folder_and_tool() {
    for (layout, tool, call) in [
        (&LAYOUTS[0], "update-ca-trust", ""),
        (&LAYOUTS[1], "update-ca-trust", ""),
        (&LAYOUTS[1], "trust", "extract-compat"),
        (&LAYOUTS[2], "update-ca-certificates", ""),
        (&LAYOUTS[3], "update-ca-certificates", ""),
    ] {
        let (dir, _) = authority();
        let root = system(layout, tool);
        let store = store(&root);
        assert!(store.name().starts_with(layout.name), "{}", store.name());
        let source = Source::read(&dir.path().join("ca.pem")).unwrap();
        store.install(&source).unwrap();
        assert!(store.holdings(source.path()).unwrap().trusts(&source.certificates()[0]));
        assert_eq!(names(&root.path().join(layout.anchors)).len(), 1);
        assert!(store.install(&source).unwrap().is_none());
        assert_eq!(calls(&root), [call], "nothing to do the second time");
        store.uninstall(source.path()).unwrap();
        assert_eq!(names(&root.path().join(layout.anchors)).len(), 0);
    }
}

#[test]
fn an_earlier_one_is_replaced_and_others_are_let_be() {
    let (dir, _) = authority();
    let (gateway, _) = authority();
    let root = system(&LAYOUTS[3], "update-ca-certificates");
    let (store, folder) = (store(&root), root.path().join(LAYOUTS[3].anchors));
    let read = |dir: &TempDir| Source::read(&dir.path().join("ca.pem")).unwrap();
    store.install(&read(&gateway)).unwrap();
    let old = read(&dir);
    store.install(&old).unwrap();
    // By our name, and not what the name says: nobody's to remove but who wrote it.
    let lookalike = folder.join(file_name(old.path(), &old.certificates()[0]).replace(".crt", "0.crt"));
    fs::write(&lookalike, old.certificates()[0].pem()).unwrap();

    // During a renewal both are wanted.
    renewal::renew(dir.path(), &hosts(), renewal::Overlap::Usual).unwrap();
    let change = store.install(&read(&dir)).unwrap();
    assert_eq!((change.added.len(), change.removed.len()), (1, 0));
    CertificateAuthority::renew(dir.path(), &hosts()).unwrap();
    fs::remove_file(&lookalike).unwrap();
    let holdings = store.holdings(read(&dir).path()).unwrap();
    assert_eq!(holdings.others(read(&dir).certificates()).filter(|(_, ours)| *ours).count(), 2);
    let change = store.install(&read(&dir)).unwrap();
    assert_eq!((change.added.len(), change.removed.len()), (1, 2));
    assert_eq!(names(&folder).len(), 2);
    assert_eq!(calls(&root).last().unwrap(), "--fresh");

    let path = read(&dir).path().to_owned();
    drop(dir);
    assert_eq!(store.uninstall(&path).unwrap().removed.len(), 1, "though its file is gone");
    let left = store.holdings(&path).unwrap();
    assert!(left.trusts(&read(&gateway).certificates()[0]));
    for name in names(&folder) {
        assert!(!fs::read_to_string(folder.join(name)).unwrap().contains("PRIVATE"));
    }
}

#[test]
fn what_is_missing_is_named() {
    let root = TempDir::new().unwrap();
    let none = Anchors::under(root.path()).unwrap_err().to_string();
    assert!(none.contains("update-ca-certificates, update-ca-trust") && none.contains("`ca-certificates`"), "{none}");
    let root = system(&LAYOUTS[1], "something");
    let half = Anchors::under(root.path()).unwrap_err().to_string();
    assert!(half.contains("`update-ca-trust` is not: install the package `ca-certificates-utils`"), "{half}");
}

#[test]
fn a_tool_that_fails_or_takes_nothing_is_believed_in_neither() {
    let (dir, _) = authority();
    let source = Source::read(&dir.path().join("ca.pem")).unwrap();
    let root = system(&LAYOUTS[0], "update-ca-trust");
    let tool = root.path().join("usr/bin/update-ca-trust");
    fs::write(&tool, "#!/bin/sh\necho 'p11-kit: no' >&2; exit 3\n").unwrap();
    let failed = store(&root).install(&source).unwrap_err().to_string();
    assert!(failed.contains("update-ca-trust` failed: p11-kit: no (exit status: 3)"), "{failed}");
    fs::write(&tool, "#!/bin/sh\n").unwrap();
    let nothing = store(&root).install(&source).unwrap_err().to_string();
    assert!(nothing.contains("does not hold `O=namewall"), "{nothing}");
}
