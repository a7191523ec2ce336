//! Which parent proxies the config and the environment name, and what their mistakes look like.

use std::sync::Arc;

use super::*;

fn load_under(variables: &[(&str, &str)], text: &str) -> Result<Settings, ConfigError> {
    let cwd = TempDir::new().unwrap();
    fs::write(cwd.path().join("namewall.toml"), text).unwrap();
    fs::write(cwd.path().join("password"), "s3cret:\n").unwrap();
    Settings::load_from(&Overrides::default(), &Environment::from_pairs(variables.iter().copied()), cwd.path())
}

/// The default, the one for plain HTTP, and whether `a.example` is an exception.
fn ways(variables: &[(&str, &str)], text: &str) -> (String, String, bool) {
    let parents = load_under(variables, text).unwrap_or_else(|error| panic!("{error}")).parents;
    let shown = |parent: &Option<_>| {
        parent.as_ref().map_or_else(|| "direct".to_owned(), |parent: &Arc<Parent>| parent.to_string())
    };
    let excepted = parents.no_proxy.cover(&"a.example:443".parse().unwrap());
    (shown(&parents.default), shown(&parents.plain), excepted)
}

#[test]
fn the_environment_is_read_as_curl_reads_it() {
    for (variables, (default, plain, excepted)) in [
        (&[][..], ("direct", "direct", false)),
        (&[("HTTPS_PROXY", "http://p:1")], ("http://p:1", "direct", false)),
        (&[("https_proxy", "p:1"), ("NO_PROXY", "a.example")], ("http://p:1", "direct", true)),
        (&[("HTTP_PROXY", "http://p:1"), ("no_proxy", "*")], ("direct", "http://p:1", true)),
        (&[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")], ("direct", "direct", false)),
        (&[("http_proxy", "http://p:1"), ("REQUEST_METHOD", "GET")], ("direct", "http://p:1", false)),
        (&[("ALL_PROXY", "socks5h://s:1")], ("socks5h://s:1", "socks5h://s:1", false)),
        (&[("all_proxy", "socks5://s:1"), ("HTTPS_PROXY", "https://p")], ("https://p:443", "socks5://s:1", false)),
        // A desktop sets what nobody reads here.
        (
            &[("ALL_PROXY", "socks://s:1"), ("HTTPS_PROXY", "p:1"), ("HTTP_PROXY", "p:2")],
            ("http://p:1", "http://p:2", false),
        ),
        (&[("NO_PROXY", "<local>")], ("direct", "direct", false)),
        (&[("HTTPS_PROXY", "")], ("direct", "direct", false)),
    ] {
        assert_eq!(ways(variables, ""), (default.to_owned(), plain.to_owned(), excepted), "{variables:?}");
    }
}

#[test]
fn small_letters_win_and_that_is_told() {
    let notes = |variables: &[(&str, &str)]| load_under(variables, "").unwrap().parents.notes;
    let differing = [("https_proxy", "p:1"), ("HTTPS_PROXY", "p:2"), ("NO_PROXY", "a"), ("no_proxy", "b")];
    assert_eq!(ways(&differing, "").0, "http://p:1");
    let told = notes(&differing);
    assert!(told.len() == 2 && told[0].contains("`https_proxy` and `HTTPS_PROXY` differ"), "{told:?}");
    assert_eq!(notes(&[("https_proxy", "p:1"), ("HTTPS_PROXY", "p:1")]), [""; 0]);
}

#[test]
fn the_file_beats_the_environment() {
    let variables = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "a.example")];
    let direct = ("direct".to_owned(), "direct".to_owned(), false);
    assert_eq!(ways(&variables, "[upstream]\nproxy = \"direct\"\n"), direct);
    let other = ("http://q:2".to_owned(), "http://q:2".to_owned(), false);
    assert_eq!(ways(&variables, "[upstream]\nproxy = \"http://q:2\"\n"), other);
    // What it says beside it is added.
    let text = "[upstream]\nno-proxy = \"b.example\"\n";
    let parents = load_under(&variables, text).unwrap().parents;
    assert!(["a.example:1", "b.example:1"].iter().all(|to| parents.no_proxy.cover(&to.parse().unwrap())));
    // A mistake in what is not used is none.
    assert!(load_under(&[("HTTPS_PROXY", "ftp://p")], "[upstream]\nproxy = \"direct\"\n").is_ok());
}

#[test]
fn a_password_may_be_in_a_file() {
    let text = "[upstream]\nproxy = \"http://ann@p:1\"\nproxy-password-file = \"password\"\n\
                [[upstream.route]]\nto = \"a.example b.example\"\nproxy = \"socks5://bob@s:1\"\n\
                proxy-password-file = \"password\"\n[[upstream.route]]\nto = \"10.*\"\nproxy = \"direct\"\n";
    let parents = load_under(&[], text).unwrap().parents;
    let of = |parent: &Option<Arc<Parent>>| {
        let (user, password) = parent.as_ref().unwrap().credentials.clone().unwrap();
        format!("{user} {}", password.expose())
    };
    assert_eq!((of(&parents.default), of(&parents.routes[0].1)), ("ann s3cret:".to_owned(), "bob s3cret:".to_owned()));
    assert_eq!(parents.routes[1].1, None);
    assert_eq!(parents.all().count(), 2);
    assert!(!format!("{parents:?}").contains("s3cret"));
}

#[test]
fn mistakes_in_the_environment() {
    let mut shown = String::new();
    for variables in [
        &[("HTTPS_PROXY", "ftp://ann:hunter2@proxy.corp.example:21")][..],
        &[("ALL_PROXY", "socks://127.0.0.1:1080")],
        &[("https_proxy", "http://proxy.corp.example:99999")],
        &[("HTTP_PROXY", "http://ann:hun/ter2@proxy:8080")],
        &[("HTTPS_PROXY", "ann:hunter2@proxy:80800")],
        &[("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", "localhost,192.168.,*corp.example")],
    ] {
        let error = load_under(variables, "").expect_err("a mistake");
        assert!(!error.to_string().contains("hun"), "{error}");
        shown.push_str(&format!("## {}\n{error}\n\n", variables[0].0));
    }
    insta::assert_snapshot!(shown);
    assert!(load_under(&[("HTTPS_PROXY", " ")], "").is_err());
}
