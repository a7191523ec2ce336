//! `namewall doctor`: a good shell, and each way in which one can be broken, with what it says to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use namewall::clients::env::variables;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::world::{Ask, RULES, World, pypi};

/// A machine with a namewall, and a shell on it.
struct Shell {
    world: World,
    home: TempDir,
    config: String,
    variables: BTreeMap<String, String>,
}

impl Shell {
    /// A shell as `namewall env` sets it up, with a `uv` on its `PATH` that behaves.
    async fn good() -> Self {
        Self::before(World::new().await).await
    }

    async fn before(world: World) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("bin")).unwrap();
        // Nobody is at port 1, so that PyPI can't be reached directly.
        let config = format!(
            "[listen]\naddr = \"{}\"\n[ca]\ndir = {:?}\n[upstream]\nproxy = \"direct\"\nconnect-to = {{ \"pypi.org:443\" = \"127.0.0.1:1\" }}\n{RULES}",
            world.address(),
            world.proxy.ca().parent().unwrap(),
        );
        let url = format!("http://{}", world.address());
        let set = variables(&url, world.proxy.bundle(), world.proxy.ca(), None);
        let mut variables: BTreeMap<String, String> =
            set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.insert("PATH".into(), home.path().join("bin").display().to_string());
        variables.insert("HOME".into(), home.path().display().to_string());
        variables.insert("LANG".into(), "C.UTF-8".into());
        let shell = Self { world, home, config, variables };
        shell.program(
            "uv",
            "case \"$*\" in --version) echo 'uv 0.13.9 (linux)';; *acme*) echo 'acme is protected by namewall rule acme';; *) echo 'this is namewall 0.1.0';; esac",
        );
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Every variable that names a bundle names this one.
    fn set_bundle(&mut self, path: &Path) {
        let bundle = self.world.proxy.bundle().display().to_string();
        self.variables
            .values_mut()
            .filter(|value| **value == bundle)
            .for_each(|value| *value = path.display().to_string());
    }

    fn unset(&mut self, names: &[&str]) {
        names.iter().for_each(|name| drop(self.variables.remove(*name)));
    }

    async fn doctor(&self, arguments: &[&str]) -> Output {
        let config = self.path("namewall.toml");
        std::fs::write(&config, &self.config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.arg("doctor").arg("--config").arg(config).args(arguments).current_dir(self.home.path());
        command.env_clear().envs(&self.variables).stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.unwrap()
    }

    /// What is not as it should be, without what differs from run to run; the exit code has to be `code`.
    async fn trouble(&self, code: i32) -> String {
        let output = self.doctor(&["-q"]).await;
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        self.steady(&text(&output))
    }

    fn steady(&self, text: &str) -> String {
        let mut steady = text.to_owned();
        let address = self.world.address().to_string();
        for (value, word) in [
            (address.as_str(), "PROXY"),
            (&self.home.path().display().to_string(), "HOME"),
            (&self.world.proxy.ca().parent().unwrap().display().to_string(), "CA"),
            (&self.world.proxy.fingerprint(), "POLICY"),
            (env!("CARGO_PKG_VERSION"), "VERSION"),
        ] {
            steady = steady.replace(value, word);
        }
        for (pattern, word) in [
            (r"\d+ public roots", "N public roots"),
            (r"valid to \d+-\d+-\d+", "valid to DAY"),
            (r"127\.0\.0\.1:\d{4,}", "ADDRESS"),
        ] {
            steady = regex::Regex::new(pattern).unwrap().replace_all(&steady, word).into_owned();
        }
        // That list grows with the clients that are known; which of them are set is told by the check of `env`.
        regex::Regex::new(r"\([A-Z_]+, [A-Z_, ]+\)").unwrap().replace_all(&steady, "(VARIABLES)").into_owned()
    }
}

fn text(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A proxy that is none of ours: it tunnels whatever it is asked to `server`.
async fn plain_proxy(server: std::net::SocketAddr) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                assert!(head.starts_with(b"CONNECT "), "{}", String::from_utf8_lossy(&head));
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                let _end = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// What doctor knows a namewall by: an answer on PyPI's own hosts for which nobody else is asked.
#[tokio::test]
async fn namewall_says_that_it_is_there() {
    let world = World::new().await;
    let wheel = "/.well-known/namewall/namewall_doctor-0-py3-none-any.whl";
    for (host, target) in [
        ("pypi.org", "/.well-known/namewall"),
        ("pypi.org", wheel),
        ("files.pythonhosted.org", "/.well-known/namewall"),
        ("files.pythonhosted.org", wheel),
    ] {
        for ask in [Ask::get(host, target), Ask::get(host, target).h2()] {
            let over_http1 = !ask.h2;
            let answer = world.ask(ask).await;
            assert_eq!(answer.status, 403);
            let title = format!("this is namewall {}", env!("CARGO_PKG_VERSION"));
            let json = answer.json();
            assert_eq!((&json["title"], &json["policy"]), (&title.clone().into(), &world.proxy.fingerprint().into()));
            if over_http1 {
                assert_eq!(answer.reason, Some(format!("Forbidden: {title}")), "which pip shows");
            }
        }
    }
    let named =
        world.ask(Ask::get("files.pythonhosted.org", "/.well-known/namewall/acme_core-0-py3-none-any.whl")).await;
    assert_eq!((named.status.as_u16(), named.header("namewall-rule")), (403, "acme"));
    assert!(world.standin.log().is_empty(), "{:?}", world.standin.log());
    world.get("/.well-known/namewallet").await;
    assert_eq!(world.standin.log().len(), 1, "which is somebody else's");
}

#[tokio::test]
async fn a_good_shell_is_right_in_all() {
    let shell = Shell::good().await;
    let output = shell.doctor(&["--strict"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    insta::assert_snapshot!("good", shell.steady(&text(&output)));
    assert!(shell.world.leaked().is_empty(), "{:?}", shell.world.leaked());
}

#[tokio::test]
async fn json_is_for_programs() {
    let mut shell = Shell::good().await;
    shell.set("NO_PROXY", "pypi.org").set("no_proxy", "pypi.org");
    let output = shell.doctor(&["--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(json["version"], 1);
    let checks = json["checks"].as_array().unwrap();
    let mut ids = std::collections::HashSet::new();
    for check in checks {
        let object = check.as_object().unwrap();
        let keys: Vec<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(keys, ["id", "group", "status", "message", "remedy"]);
        let (id, status) = (check["id"].as_str().unwrap(), check["status"].as_str().unwrap());
        assert!(ids.insert(id), "{id} twice");
        assert!(id.starts_with(&format!("{}.", check["group"].as_str().unwrap())), "{id}");
        assert!(["ok", "warn", "fail", "skipped"].contains(&status), "{status}");
        assert_eq!(check["remedy"].is_string(), ["warn", "fail"].contains(&status), "{check}");
    }
    let failed: Vec<_> = checks.iter().filter(|check| check["status"] == "fail").map(|check| &check["id"]).collect();
    assert_eq!(failed, ["shell.no-proxy", "shell.no-proxy.2"]);
}

#[tokio::test]
async fn no_proxy_is_set() {
    let mut shell = Shell::good().await;
    shell.unset(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
    insta::assert_snapshot!("no_proxy_is_set", shell.trouble(1).await);
}

#[tokio::test]
async fn nobody_is_at_the_proxy() {
    let mut shell = Shell::good().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    shell.set("HTTPS_PROXY", format!("http://{gone}")).set("https_proxy", format!("http://{gone}"));
    insta::assert_snapshot!("nobody_is_at_the_proxy", shell.trouble(1).await);
}

#[tokio::test]
async fn another_proxy_is_asked_for_no_protected_name() {
    let mut shell = Shell::good().await;
    let other = plain_proxy(shell.world.standin.address()).await;
    shell.set("HTTPS_PROXY", format!("http://ann:s3cret@{other}"));
    shell.set("https_proxy", format!("http://ann:s3cret@{other}"));
    // The stand-in's certificate is as good here as PyPI's own is elsewhere.
    let roots = std::fs::read_to_string(shell.world.proxy.bundle()).unwrap() + shell.world.standin.root_pem();
    std::fs::write(shell.path("roots.pem"), roots).unwrap();
    let roots = shell.path("roots.pem");
    shell.set_bundle(&roots);
    let trouble = shell.trouble(1).await;
    insta::assert_snapshot!("another_proxy", trouble);
    assert!(!trouble.contains("s3cret") && !trouble.contains("ann"), "{trouble}");
    assert!(!shell.world.standin.log().is_empty(), "it was asked who it is");
    assert!(shell.world.leaked().is_empty(), "{:?}", shell.world.leaked());
}

#[tokio::test]
async fn a_proxy_that_shows_a_strangers_certificate() {
    let mut shell = Shell::good().await;
    let other = plain_proxy(shell.world.standin.address()).await;
    shell.set("HTTPS_PROXY", format!("http://{other}")).set("https_proxy", format!("http://{other}"));
    insta::assert_snapshot!("a_strangers_certificate", shell.trouble(1).await);
}

#[tokio::test]
async fn entries_of_no_proxy_lead_past() {
    let mut shell = Shell::good().await;
    shell.set("NO_PROXY", "localhost, .pythonhosted.org,corp.example").set("no_proxy", "*");
    insta::assert_snapshot!("no_proxy_leads_past", shell.trouble(1).await);
}

#[tokio::test]
async fn entries_of_no_proxy_are_split_as_the_widest_client_does() {
    let mut shell = Shell::good().await;
    shell.set("NO_PROXY", "corp.example pypi.org").set("no_proxy", "localhost\n.pythonhosted.org\tcorp.example");
    let trouble = shell.trouble(1).await;
    for part in [
        "✗ NO_PROXY leads past the proxy to PyPI's hosts: pypi.org\n      export NO_PROXY='corp.example'\n",
        "hosts: .pythonhosted.org\n      export no_proxy='localhost,corp.example'\n",
    ] {
        assert!(trouble.contains(part), "{part}: {trouble}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_no_proxy_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let shell = Shell::good().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
    command.args(["doctor", "--offline"]).current_dir(shell.home.path()).env_clear().envs(&shell.variables);
    command.env("NO_PROXY", std::ffi::OsStr::from_bytes(b"pypi.org,\xff")).kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(text(&output).contains("! NO_PROXY is not UTF-8"), "{}", text(&output));
}

/// uv prefers what its files say to all variables, wherever they are.
#[tokio::test]
async fn a_proxy_of_uvs_own() {
    let mut shell = Shell::good().await;
    let proxy = format!("http://{}", shell.world.address());
    std::fs::create_dir_all(shell.path(".config/uv")).unwrap();
    let (users, projects, pyproject) =
        (shell.path(".config/uv/uv.toml"), shell.path("uv.toml"), shell.path("pyproject.toml"));
    for (file, table) in [(&users, ""), (&projects, ""), (&pyproject, "[tool.uv]\n")] {
        std::fs::write(file, format!("{table}https-proxy = \"http://ann:s3cret@127.0.0.1:1\"\n")).unwrap();
        let trouble = shell.trouble(1).await;
        let line = "✗ uv has a proxy of its own, which it prefers to the shell's: http://127.0.0.1:1 (";
        assert!(trouble.contains(line) && trouble.contains("UV_NO_CONFIG=1"), "{trouble}");
        assert!(!trouble.contains("s3cret"), "{trouble}");
        shell.set("UV_NO_CONFIG", "1");
        assert!(!shell.trouble(0).await.contains("of its own"));
        shell.unset(&["UV_NO_CONFIG"]);
        std::fs::write(file, format!("{table}http-proxy = {proxy:?}\n")).unwrap();
        let trouble = shell.trouble(1).await;
        assert!(
            trouble.contains("✗ uv has a proxy of its own for http://, and with it asks PyPI without"),
            "{trouble}"
        );
        std::fs::write(file, format!("{table}http-proxy = {proxy:?}\nhttps-proxy = {proxy:?}\n")).unwrap();
        shell.trouble(0).await;
        // Without a proxy beside it, it says nothing; with one, it leads past that.
        std::fs::write(file, format!("{table}no-proxy = [\"pypi.org\"]\n")).unwrap();
        shell.trouble(0).await;
        std::fs::write(file, format!("{table}no-proxy = [\"pypi.org\"]\nhttps-proxy = {proxy:?}\n")).unwrap();
        assert!(shell.trouble(1).await.contains("uv is led past the proxy to PyPI's hosts by pypi.org"));
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn the_two_cases_differ() {
    let mut shell = Shell::good().await;
    let other = plain_proxy(shell.world.standin.address()).await;
    shell.set("https_proxy", format!("http://{other}")).set("PIP_PROXY", "socks5://127.0.0.1:1080");
    insta::assert_snapshot!("the_two_cases_differ", shell.trouble(1).await);
}

#[tokio::test]
async fn bundles_that_are_no_good() {
    let mut shell = Shell::good().await;
    let other = shell.world.standin.write_root(shell.home.path()).unwrap();
    let ours = shell.path("ours.pem");
    std::fs::copy(shell.world.proxy.ca(), &ours).unwrap();
    shell.set("SSL_CERT_FILE", "/gone/bundle.pem");
    shell.set("REQUESTS_CA_BUNDLE", other.display().to_string());
    shell.set("PIP_CERT", ours.display().to_string());
    shell.set("NODE_EXTRA_CA_CERTS", other.display().to_string());
    insta::assert_snapshot!("bundles_that_are_no_good", shell.trouble(1).await);
    shell.unset(&["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"]);
    insta::assert_snapshot!("bundles_that_are_not_set", shell.trouble(1).await);
}

/// The bundle is of another machine's namewall, or of this one's before its CA was renewed.
#[tokio::test]
async fn the_bundle_of_another_namewall() {
    let mut shell = Shell::good().await;
    let other = World::new().await;
    let bundle = other.proxy.bundle().to_owned();
    shell.set_bundle(&bundle);
    shell.unset(&["NODE_EXTRA_CA_CERTS"]);
    shell.config = shell.config.replace(
        &shell.world.proxy.ca().parent().unwrap().display().to_string(),
        &other.proxy.ca().parent().unwrap().display().to_string(),
    );
    let trouble = shell.trouble(1).await;
    assert!(trouble.contains("a namewall is at http://PROXY, with a certificate authority that nothing here trusts"));
}

#[tokio::test]
async fn an_authority_that_has_expired() {
    let mut shell = Shell::good().await;
    let folder = shell.path("ca");
    std::fs::create_dir(&folder).unwrap();
    expired_authority(&folder);
    shell.config = shell
        .config
        .replace(&shell.world.proxy.ca().parent().unwrap().display().to_string(), &folder.display().to_string());
    insta::assert_snapshot!("an_expired_authority", shell.trouble(1).await);
}

/// An ordinary user beside the service of the machine: what it shows is believed, and its key is none of the user's.
#[cfg(unix)]
#[tokio::test]
async fn the_key_is_the_services() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::good().await;
    let folder = shell.world.proxy.ca().parent().unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder.join("ca-key.pem"), if is_root { 0o600 } else { 0o000 });
    [folder, folder.parent().unwrap(), shell.home.path()].iter().for_each(|folder| mode(folder, 0o755));
    let config = shell.path("namewall.toml");
    std::fs::write(&config, &shell.config).unwrap();
    let binary = shell.path("namewall");
    std::fs::copy(env!("CARGO_BIN_EXE_namewall"), &binary).unwrap();
    let mut command = Command::new(&binary);
    if is_root {
        command.uid(65534).gid(65534);
    }
    command.args(["doctor", "--config"]).arg(&config).current_dir(shell.home.path()).env_clear();
    let output = command.envs(&shell.variables).stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for part in ["– this machine's CA was not looked at: its key is the service's", "✓ acme is stopped there"] {
        assert!(text(&output).contains(part), "{}", text(&output));
    }
}

fn expired_authority(folder: &Path) {
    use rcgen::{
        BasicConstraints, CertificateParams, CidrSubnet, DnType, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "namewall");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("pypi.org".into())],
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join("ca-key.pem"), key.serialize_pem()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join("ca-key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The proxy has other rules than the config here: it would carry the name to PyPI, so it is not asked for the page.
#[tokio::test]
async fn a_protected_name_is_not_stopped() {
    let world =
        World::with(pypi(), &RULES.replace("\"acme\", ", "\"other\", ").replace("\"acme-*\"", "\"other-*\"")).await;
    let shell = Shell::before(world).await;
    insta::assert_snapshot!("a_protected_name_is_not_stopped", shell.trouble(1).await);
    assert!(shell.world.leaked().is_empty(), "{:?}", shell.world.leaked());
}

/// Rules that hide files or releases of the name, and leave its page to PyPI.
#[tokio::test]
async fn a_name_that_is_hidden_in_part_is_not_carried_to_pypi() {
    for rules in [
        "[[protect]]\nid = \"acme\"\nfiles = [\"re:acme_.*[.]whl\"]\n",
        "[[protect]]\nid = \"acme\"\nnames = [\"acme-*\"]\nversions = \"<5\"\n",
    ] {
        let mut shell = Shell::before(World::with(pypi(), rules).await).await;
        shell.config = shell.config.replace(RULES, "[[protect]]\nid = \"acme\"\nnames = [\"acme-two\"]\n");
        let output = shell.doctor(&["-q"]).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("acme-two is not protected there: no rule of the proxy hides the project"), "{said}");
        let log = format!("{:?}", shell.world.standin.log());
        assert!(log.contains("robots.txt") && !log.contains("acme"), "{log}");
    }
}

/// A rule that is as wide as the name of the file that clients ask for.
#[tokio::test]
async fn a_rule_that_refuses_what_clients_ask_for() {
    let rules = format!("{RULES}[[protect]]\nid = \"wide\"\nfiles = [\"*-0-py3-none-any.whl\"]\n");
    let world = World::with(pypi(), &rules).await;
    let wheel = "/.well-known/namewall/namewall_doctor-0-py3-none-any.whl";
    for host in ["pypi.org", "files.pythonhosted.org"] {
        let answer = world.ask(Ask::get(host, wheel)).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-rule")), (403, "wide"), "{host}");
        let reason = answer.reason.unwrap_or_default();
        assert!(reason.contains("is protected by namewall rule wide"), "which pip shows: {reason}");
    }
    let mut shell = Shell::before(world).await;
    shell.config = shell.config.replace(RULES, &rules);
    shell.program(
        "uv",
        "case \"$*\" in --version) echo 'uv 0.13.9 (linux)';; *) echo 'it is protected by namewall rule wide';; esac",
    );
    let output = shell.doctor(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(shell.world.leaked().is_empty(), "{:?}", shell.world.leaked());
}

/// Whatever rules are in force, the greeting itself is given, and of a project it is said whether it is hidden.
#[tokio::test]
async fn the_greeting_tells_of_projects() {
    let world = World::with(pypi(), "[[protect]]\nid = \"all\"\nnames = [\"namewall\", \"acme\"]\n").await;
    for (path, rule) in [("", ""), ("/project/acme", "all"), ("/project/other", ""), ("/project/acme-0.zip", "")] {
        let answer = world.ask(Ask::get("pypi.org", format!("/.well-known/namewall{path}"))).await;
        let told = answer.headers.get("namewall-rule").map_or("", |rule| rule.to_str().unwrap());
        assert_eq!((answer.status.as_u16(), told), (403, rule), "{path}");
    }
    assert!(world.standin.log().is_empty(), "{:?}", world.standin.log());
}

#[tokio::test]
async fn pypi_is_not_reached_through_it() {
    let world = World::adjusted(pypi(), RULES, |settings| {
        let nobody = "127.0.0.1:1".parse().unwrap();
        settings.connect_to.insert("files.pythonhosted.org:443".parse().unwrap(), nobody);
    })
    .await;
    let shell = Shell::before(world).await;
    insta::assert_snapshot!("pypi_is_not_reached", shell.trouble(1).await);
}

#[tokio::test]
async fn a_broken_config_is_a_check_like_others() {
    let mut shell = Shell::good().await;
    shell.config = "[listen]\nadr = \"127.0.0.1:3128\"\n".to_owned();
    let trouble = shell.trouble(1).await;
    for part in ["namewall.toml:2:1", "`addr`", "namewall check", "no protected name was tried"] {
        assert!(trouble.contains(part), "{part}: {trouble}");
    }
    shell.config = format!("{RULES}[[assert]]\nallowed = [\"acme-core\"]\n[listen]\naddr = \"127.0.0.1:1\"\n");
    let trouble = shell.trouble(1).await;
    assert!(trouble.contains("`acme-core` is asserted to be allowed"), "{trouble}");
}

#[tokio::test]
async fn a_way_past_is_worth_a_look() {
    let mut shell = Shell::good().await;
    shell.config = shell.config.replace("127.0.0.1:1\"", &format!("{}\"", shell.world.standin.address()));
    let trouble = shell.trouble(0).await;
    assert!(trouble.contains("pypi.org can be reached directly"), "{trouble}");
    assert_eq!(shell.doctor(&["--strict"]).await.status.code(), Some(1));
    assert_eq!(shell.doctor(&["--strict", "--offline"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn offline_opens_no_connection() {
    let shell = Shell::good().await;
    shell.world.standin.forget();
    let output = shell.doctor(&["--offline"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("– not asked who answers at the proxy: --offline"), "{}", text(&output));
    assert!(shell.world.standin.handshakes().is_empty());
}

#[tokio::test]
async fn clients_go_their_own_ways() {
    let mut shell = Shell::good().await;
    shell.program(
        "curl",
        "case $1 in --version) echo curl 8.0;; *) echo 'curl: (60) SSL certificate problem' >&2; exit 60;; esac",
    );
    shell.program("hatch", "echo 'Hatch, version 1.18.2'");
    shell.program("pixi", "echo broken >&2; exit 3");
    // A shim of a version manager for a program that isn't there.
    shell.program("twine", "exit 127");
    // Found by two names, and one all the same.
    let pip = "case \"$*\" in *--version) echo 'pip 26.3 from /x (python 3.12)';; \
               *'config list') echo \"global.proxy='http://ann:s3cret@proxy.corp.example:8080'\"; \
               echo \"global.index-url='https://tok3n@mirrors.aliyun.com/pypi/simple/'\"; \
               echo \"global.trusted-host='pypi.org'\"; echo \"global.cert='/gone.pem'\";; \
               *) echo '404 Client Error: Not Found for url';; esac";
    shell.program("python3", pip);
    shell.program("pip", pip);
    shell.unset(&["PIP_CERT"]);
    shell.set("UV_INDEX", "ours=https://ann:s3cret@mirror.baidu.com/pypi/simple");
    std::fs::write(shell.path(".netrc"), "default login ann password s3cret\n").unwrap();
    std::fs::write(
        shell.path("pyproject.toml"),
        "[[tool.uv.index]]\nurl = \"https://ann:s3cret@mirrors.cloud.tencent.com/pypi/simple/\"\n",
    )
    .unwrap();
    let trouble = shell.trouble(1).await;
    insta::assert_snapshot!("clients_go_their_own_ways", trouble);
    for secret in ["s3cret", "tok3n", "ann"] {
        assert!(!trouble.contains(secret), "{secret}: {trouble}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_hangs_is_left() {
    let shell = Shell::good().await;
    shell.program("poetry", "exec /bin/sleep 1000");
    let output = shell.doctor(&["--timeout", "3"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let line = "! poetry: `poetry --version` said nothing within 3 s, and was stopped\n      poetry --version";
    assert!(text(&output).contains(line), "{}", text(&output));
}

/// The Python of these tests, as whatever name they give it.
#[cfg(unix)]
async fn python() -> String {
    let mut python = Command::new("python3");
    let output = python.args(["-c", "import sys; print(sys.executable)"]).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `python3 -m` looks for modules where it stands: not in the folder of somebody's project.
#[cfg(unix)]
#[tokio::test]
async fn nothing_of_the_current_folder_is_run() {
    let shell = Shell::good().await;
    let python = python().await;
    let marker = shell.path("marker");
    let evil = format!("open({marker:?}, 'w').close()\nprint('pip 99.0 from /evil (python 3.99)')\n");
    for module in ["pip.py", "venv.py", "ensurepip.py"] {
        std::fs::write(shell.path(module), &evil).unwrap();
    }
    shell.program("python3", &format!("exec {python} \"$@\""));
    let output = shell.doctor(&[]).await;
    assert!(!text(&output).contains("/evil") && !text(&output).contains("99.0"), "{}", text(&output));
    assert!(!marker.exists(), "doctor ran a file of the current folder");
    // It ends where the Python has told what it can import.
    shell.program("python3", &format!("exec {python} -c \"$2; sys.exit(1)\""));
    let mut demo = Command::new(env!("CARGO_BIN_EXE_namewall"));
    demo.arg("demo").current_dir(shell.home.path()).env_clear().envs(&shell.variables).kill_on_drop(true);
    let output = demo.stdin(Stdio::null()).output().await.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("python3"), "{output:?}");
    assert!(!marker.exists(), "the demo ran a file of the current folder");
}

/// A daemon that a client starts keeps the pipe open that it was born with.
#[cfg(unix)]
#[tokio::test]
async fn what_a_program_leaves_behind_is_ended() {
    let shell = Shell::good().await;
    let pid = shell.path("pid");
    shell.program("hatch", &format!("/bin/sleep 300 & echo $! > {}; echo 'Hatch, version 1.18.2'", pid.display()));
    let output = shell.doctor(&["--timeout", "20"]).await;
    assert!(text(&output).contains("hatch 1.18.2: not asked"), "{}", text(&output));
    let pid = std::fs::read_to_string(pid).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[tokio::test]
async fn what_a_cache_still_holds() {
    let shell = Shell::good().await;
    let folder = shell.path(".cache/uv/simple-v28/pypi");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(shell.path(".cache/uv/CACHEDIR.TAG"), "").unwrap();
    std::fs::write(folder.join("acme-core.rkyv"), "").unwrap();
    insta::assert_snapshot!("what_a_cache_still_holds", shell.trouble(1).await);
}

#[tokio::test]
async fn where_the_terminal_has_ascii_alone() {
    let mut shell = Shell::good().await;
    shell.set("LANG", "C").set("NO_PROXY", "*");
    let output = shell.doctor(&[]).await;
    let said = text(&output);
    assert!(said.is_ascii() && said.contains("\n  + ") && said.contains("\n  x "), "{said}");
}
