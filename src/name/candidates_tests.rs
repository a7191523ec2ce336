//! The tests of [`super`]: tables of real names of every kind of distribution, and properties.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn candidates(raw: &str) -> (Vec<String>, bool) {
    let found = FileName::parse(raw).unwrap().candidates();
    (found.projects.iter().map(ProjectName::to_string).collect(), found.certain)
}

#[test]
fn names_that_leave_no_choice() {
    for (raw, project) in [
        ("acme-1.0-py3-none-any.whl", "acme"),
        ("ACME_Core-1.0-1build-py3-none-any.WHL", "acme-core"),
        ("acme_core-1.0-py3-none-any-cu128.whl", "acme-core"),
        ("acme_core-1.0-1-cp312-cp312-manylinux_2_17_x86_64-x8664v3-cu128.whl", "acme-core"),
        ("acme.core-1.0-py3-none-any.whl.metadata", "acme-core"),
        ("acme_core-1.0-variants.json", "acme-core"),
        ("acme_core-1.0-py2.7.egg", "acme-core"),
        ("acme_core-1.0-py2.7-linux-x86_64.egg", "acme-core"),
        ("acme-1.0.tar.gz", "acme"),
        ("acme-core-utils-1.0.tar.gz", "acme-core-utils"),
        ("acme-core-v1.0.tar.gz", "acme-core"),
        ("acme-1.0rc1.ZIP", "acme"),
        ("acme-1!1.0.post1.dev2+local.7.tar.bz2", "acme"),
        ("acme-1.0.tar.gz.asc", "acme"),
        ("acme-1.0.tgz", "acme"),
        ("acme-1.0.tar.Z", "acme"),
        ("acme-1.0.tar.zst.provenance", "acme"),
        ("acme-99999999999999999999999.zip", "acme"),
        ("acme-latest.zip", "acme"),
        // What distutils made.
        ("acme-1.0.linux-x86_64.tar.gz", "acme"),
        ("acme-1.0.macosx-10.9-x86_64.tar.gz", "acme"),
        ("acme-1.0.win-amd64.zip", "acme"),
        ("acme-1.0.win32.zip", "acme"),
        ("acme-1.0.win-amd64-py3.8.exe", "acme"),
        ("acme-core-1.0.win32-py2.7.msi", "acme-core"),
        ("acme-1.0.win32.exe", "acme"),
        ("acme-1.0-py3.8.exe", "acme"),
        ("acme-1.0.macosx-10.9-x86_64.dmg", "acme"),
        ("acme-1.0-1.noarch.rpm", "acme"),
        ("acme-core-1.0-1.src.rpm", "acme-core"),
        ("acme_1.0-1_all.deb", "acme"),
        ("python3-acme_1.0-1_all.deb", "python3-acme"),
    ] {
        assert_eq!(candidates(raw), (vec![project.to_owned()], true), "{raw}");
    }
}

#[test]
fn names_that_clients_read_differently() {
    for (raw, projects) in [
        ("acme-1.0-1.tar.gz", &["acme", "acme-1-0"][..]),
        ("acme-1-2.tar.gz", &["acme", "acme-1"]),
        ("acme-1.0-py3.8.tar.gz", &["acme", "acme-1-0"]),
        ("acme-core-1.0-py3-none-any.whl", &["acme", "acme-core"]),
        ("acme-core-1.0-7-py3-none-any.whl", &["acme", "acme-core"]),
        ("acme-core-1.0.whl", &["acme", "acme-core"]),
        ("acme-1-core-1.0-py3-none-any.whl", &["acme", "acme-1-core"]),
        ("acme-1-99999999999999999999999.tar.gz", &["acme", "acme-1"]),
        ("acme-1.0-post-1.tar.gz", &["acme", "acme-1-0-post"]),
        ("acme-v1.0-1.tar.gz", &["acme", "acme-v1-0"]),
        ("acme-core-utils.zip", &["acme-core"]),
        ("acme-2.linux-1.0.tar.gz", &["acme", "acme-2-linux"]),
        ("acme_core_1.0_all.deb", &["acme", "acme-core"]),
    ] {
        let (found, certain) = candidates(raw);
        assert_eq!(found, projects, "{raw}");
        assert_eq!(certain, projects.len() == 1, "{raw}");
    }
    // The last dash leaves no valid name here: a `+` is in it.
    assert_eq!(candidates("acme-core-1.0+local-1.tar.gz"), (vec!["acme-core".to_owned()], true));
}

#[test]
fn a_platform_in_the_project_s_own_name() {
    assert_eq!(candidates("zope.linux-1.0.tar.gz").0, ["zope-linux"]);
    assert_eq!(candidates("my.win-acme-1.0.tar.gz").0, ["my-win-acme"]);
}

#[test]
fn unknown_forms_get_every_guess_and_no_certainty() {
    for (raw, projects) in [
        ("acme", &["acme"][..]),
        ("acme.tar.gz", &["acme", "acme-tar"]),
        ("acme.whl", &["acme"]),
        ("acme-core-1.0.conda", &["acme", "acme-core", "acme-core-1", "acme-core-1-0"]),
        ("acme_core.tar.gz.sig", &["acme-core", "acme-core-tar"]),
        ("-.-", &[]),
        ("---.whl", &[]),
        (".asc", &[]),
    ] {
        let (found, certain) = candidates(raw);
        assert_eq!(found, projects, "{raw}");
        assert!(!certain, "{raw}");
    }
}

#[test]
fn hostile_names_stay_cheap() {
    for raw in ["-".repeat(255), "a-".repeat(127), "1-".repeat(127), format!("{}.zip", "a-1".repeat(83))] {
        assert!(candidates(&raw).0.len() <= 130);
    }
    let many_versions = format!("a-1{}.tar.gz", "-1".repeat(120));
    assert!(candidates(&many_versions).0.len() < 4);
}

/// The expression in appendix B of PEP 440, which packaging (and so pip) uses to this day.
static PEP_440: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(
        r"(?xi)^\s*v?(?:(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*
        (?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?
        (?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?
        (?:[-_.]?dev[-_.]?[0-9]*)?)(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$",
    )
    .unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn versions_are_what_pip_takes_for_versions(
        text in " ?v?([0-9]!)?[0-9]{1,30}(\\.[0-9]{1,22})?[-_.]?(a|b|c|rc|alpha|pre|preview|post|rev|r|dev|x)?[-_.]?[0-9]?[-_.]?(dev|post)?[0-9]?([+]?[a-z0-9]?[-_.]?[a-z0-9]{1,3})? ?"
    ) {
        prop_assert_eq!(is_version(&text), PEP_440.is_match(&text), "{}", text);
    }

    #[test]
    fn the_owner_is_among_the_candidates(
        name in "[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?",
        version in "([0-9]!)?[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(a1|rc2)?(-1|[.]post2)?([.]dev3)?([+]local[.-]1)?",
        extension in proptest::sample::select(&["tar.gz", "zip", "TAR.BZ2", "tgz", "tar", "win-amd64.exe", "linux-x86_64.tar.gz"][..]),
        sibling in proptest::sample::select(&["", ".asc", ".metadata", ".PROVENANCE.asc"][..]),
    ) {
        let owner = ProjectName::parse(&name).unwrap();
        let sdist = FileName::parse(format!("{name}-{version}.{extension}{sibling}")).unwrap();
        prop_assert!(sdist.candidates().projects.contains(&owner), "{:?} {:?}", sdist, sdist.candidates());
        let (escaped, version) = (owner.as_str().replace('-', "_"), version.replace('-', "_"));
        let wheel = FileName::parse(format!("{escaped}-{version}-py3-none-any.whl{sibling}")).unwrap();
        prop_assert_eq!(wheel.candidates(), Candidates { projects: vec![owner], certain: true });
    }

    #[test]
    fn candidates_are_all_different(raw in "[a-c1.+_-]{1,30}(\\.zip|\\.deb|\\.rpm|\\.exe|\\.whl|\\.x)?") {
        if let Ok(file) = FileName::parse(&raw) {
            let projects = file.candidates().projects;
            let unique: std::collections::HashSet<_> = projects.iter().collect();
            prop_assert_eq!(unique.len(), projects.len(), "{:?}", projects);
        }
    }
}
