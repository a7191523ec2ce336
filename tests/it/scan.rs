//! `namewall scan` over lock files that real tools wrote: what it says, in each format, and how it ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own with the rules in it, and fixtures.
struct Tree {
    folder: TempDir,
}

impl Tree {
    fn new(fixtures: &[&str]) -> Self {
        let tree = Self { folder: tempfile::tempdir().unwrap() };
        tree.write(
            "namewall.toml",
            "[[protect]]\nid = \"acme\"\nnames = [\"acme\", \"acme-*\"]\nreason = \"Internal\"\n\
             private-index = \"https://pypi.acme.example/simple/\"\n",
        );
        for name in fixtures {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scan").join(name);
            copy(&from, &tree.path().join(name));
        }
        tree
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.arg("scan").args(arguments).current_dir(self.path()).env("HOME", self.path()).stdin(Stdio::null());
        for name in ["NAMEWALL_CONFIG", "XDG_CACHE_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR"] {
            command.env_remove(name);
        }
        command
    }

    fn scan(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.scan(&[&["--format", "json"], arguments].concat());
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn people_read_where_what_and_what_to_do() {
    let tree = Tree::new(&["taken"]);
    let output = tree.scan(&["taken"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "", "nothing but findings, and no progress in a pipe");
    insta::assert_snapshot!(text(&output.stdout), @r"
    taken/Pipfile.lock:17: error: acme-core 1.16.0
      from    https://pypi.org/simple
      rule    acme
      reason  Internal
      remedy  pipenv upgrade acme-core
    taken/env/lib/python3.11/site-packages/acme_core-1.16.0.dist-info: warning: acme-core 1.16.0
      from    origin unknown: nothing says which index it was installed from
      rule    acme
      reason  Internal
      remedy  pip install --force-reinstall --no-deps --no-cache-dir --index-url https://pypi.acme.example/simple/ acme-core
    taken/env/lib/python3.11/site-packages/acme_data-3.10.dist-info: error: acme-data 3.10
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  uv pip install --reinstall-package acme-data --refresh-package acme-data --default-index https://pypi.acme.example/simple/ acme-data
    taken/pdm.lock:14: error: acme-data 3.10
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  write `acme-data` in place of the URL in pyproject.toml, then pdm update --no-sync acme-data
    taken/pdm.lock:25: warning: acme-core 1.16.0
      from    a lock that names no index
      rule    acme
      reason  Internal
      remedy  pdm update --no-sync acme-core
    taken/poetry.lock:4: error: acme-core 1.16.0
      from    https://pypi.org/simple/
      rule    acme
      reason  Internal
      remedy  poetry update --lock acme-core
    taken/pylock.toml:5: error: acme-core 1.16.0
      from    https://files.pythonhosted.org/packages/d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/acme_core-1.16.0-py2.py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  pip lock --index-url https://pypi.acme.example/simple/ -r requirements.txt -o pylock.toml
    taken/pyproject.toml:5: error: acme-data
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  write `acme-data` without its URL
    taken/requirements.txt:3: error: acme-data
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  write `acme-data` in place of the URL where this was compiled from, then uv lock --upgrade-package acme-data, then uv export again
    taken/requirements.txt:6: error: acme-core 1.16.0
      from    https://pypi.org/simple
      rule    acme
      reason  Internal
      remedy  uv lock --upgrade-package acme-core, then uv export again
    taken/static/pdm.lock:14: error: acme-data 3.10
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  write `acme-data` in place of the URL in pyproject.toml, then pdm update --no-sync acme-data
    taken/static/pdm.lock:25: error: acme-core 1.16.0
      from    https://files.pythonhosted.org/packages/71/39/171f1c67cd00715f190ba0b100d606d440a28c93c7714febeca8b79af85e/acme_core-1.16.0.tar.gz
      rule    acme
      reason  Internal
      remedy  pdm update --no-sync acme-core
    taken/uv.lock:15: error: acme-data 3.10
      from    https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl
      rule    acme
      reason  Internal
      remedy  write `acme-data` in place of the URL in pyproject.toml, then uv lock --upgrade-package acme-data
    taken/uv.lock:23: error: acme-core 1.16.0
      from    https://pypi.org/simple
      rule    acme
      reason  Internal
      remedy  uv lock --upgrade-package acme-core
    some: 12 from the public index, 2 of unknown origin, 0 from elsewhere; 10 sources read, 0 not
    ");
}

#[test]
fn what_came_from_the_private_index_is_fine() {
    let tree = Tree::new(&["ours"]);
    let (code, report) = tree.json(&["ours"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["findings"], Value::Array(vec![]), "{report:#}");
    assert!(report["counts"]["elsewhere"].as_u64().unwrap() >= 12, "{report:#}");
}

#[test]
fn json_has_keys_that_stay() {
    let tree = Tree::new(&["taken"]);
    let (code, report) = tree.json(&["taken/uv.lock"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(format!("{report:#}"), @r#"
    {
      "version": 1,
      "findings": [
        {
          "level": "error",
          "tool": "uv",
          "path": "taken/uv.lock",
          "line": 15,
          "project": "acme-data",
          "version": "3.10",
          "file": null,
          "from": "https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/acme_data-3.10-py3-none-any.whl",
          "rule": "acme",
          "pattern": "acme-*",
          "reason": "Internal",
          "remedy": "write `acme-data` in place of the URL in pyproject.toml, then uv lock --upgrade-package acme-data"
        },
        {
          "level": "error",
          "tool": "uv",
          "path": "taken/uv.lock",
          "line": 23,
          "project": "acme-core",
          "version": "1.16.0",
          "file": null,
          "from": "https://pypi.org/simple",
          "rule": "acme",
          "pattern": "acme-*",
          "reason": "Internal",
          "remedy": "uv lock --upgrade-package acme-core"
        }
      ],
      "unread": [],
      "counts": {
        "sources": 1,
        "errors": 2,
        "warnings": 0,
        "elsewhere": 0,
        "unread": 0
      }
    }
    "#);
}

#[test]
fn sarif_points_at_lines() {
    let tree = Tree::new(&["taken"]);
    let output = tree.scan(&["taken/poetry.lock", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "namewall");
    let result = &run["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"taken/poetry.lock".into(), &4.into())
    );
    assert_eq!((&result["ruleId"], &result["level"]), (&"protected-from-public-index".into(), &"error".into()));
    assert_eq!(run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
}

#[test]
fn warnings_count_when_strict() {
    let tree = Tree::new(&["taken"]);
    let site = "taken/env/lib/python3.11/site-packages/acme_core-1.16.0.dist-info";
    assert_eq!(tree.scan(&[site]).status.code(), Some(0));
    assert_eq!(tree.scan(&["--strict", site]).status.code(), Some(1));
    tree.write(
        "six/uv.lock",
        "version = 1\n[[package]]\nname = \"six\"\nsource = { registry = \"https://pypi.org/simple\" }\n",
    );
    assert_eq!(tree.scan(&["--strict", "six"]).status.code(), Some(0));
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_read() {
    let tree = Tree::new(&["taken"]);
    tree.write("taken/a/uv.lock", "[[package]\nname");
    tree.write("taken/b/Pipfile.lock", format!("{{\"default\":{}", "[".repeat(200_000)));
    tree.write("taken/c/poetry.lock", b"\xff\xfe");
    tree.write("taken/d/pylock.toml", format!("a = {}", "[".repeat(200_000)));
    std::fs::File::create(tree.path().join("taken/pylock.big.toml")).unwrap().set_len(1 << 40).unwrap();
    let (code, report) = tree.json(&["taken"]);
    assert_eq!(code, Some(1), "there are findings");
    assert_eq!(tree.scan(&["taken/a"]).status.code(), Some(4), "there is none, as far as could be read");
    let unread: Vec<&str> =
        report["unread"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    let broken = [
        "taken/a/uv.lock",
        "taken/b/Pipfile.lock",
        "taken/c/poetry.lock",
        "taken/d/pylock.toml",
        "taken/pylock.big.toml",
    ];
    assert_eq!(unread, broken);
    assert!(report["counts"]["errors"].as_u64().unwrap() > 5, "{report:#}");
    let stderr = text(&tree.scan(&["taken"]).stderr);
    assert!(stderr.contains("taken/a/uv.lock was not read: line 1"), "{stderr}");
}

#[test]
fn requirement_files_are_read_in_the_encodings_that_pip_reads() {
    let tree = Tree::new(&[]);
    let text = "acme-core==1.0 --hash=sha256:00\r\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff_u16).chain(text.encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
    };
    tree.write("a/requirements.txt", utf16(u16::to_le_bytes));
    tree.write("b/requirements.txt", utf16(u16::to_be_bytes));
    tree.write("c/requirements.txt", format!("\u{feff}{text}"));
    tree.write("d/requirements.txt", [b"# coding: latin-1 \xe9\n", text.as_bytes()].concat());
    let (code, report) = tree.json(&["."]);
    assert_eq!((code, &report["counts"]["errors"], &report["counts"]["unread"]), (Some(1), &4.into(), &0.into()));
}

#[test]
fn remedies_go_to_the_root() {
    let tree = Tree::new(&[]);
    let file = "https://files.pythonhosted.org/packages/a/b/c/acme_core-1.0-py3-none-any.whl";
    tree.write("requirements.txt", format!("acme-core @ {file}\nurllib3==1.26.5 --hash=sha256:00\n"));
    tree.write(
        "uv.lock",
        format!("version = 1\n[[package]]\nname = \"acme-core\"\nversion = \"1.0\"\nsource = {{ url = \"{file}\" }}\n"),
    );
    tree.write(
        "pylock.dev.toml",
        "lock-version = \"1.0\"\n[[packages]]\nname = \"acme-core\"\nindex = \"https://pypi.org/simple\"\n",
    );
    tree.write(
        "Pipfile.lock",
        format!("{{\"default\": {{}},\n\"develop\": {{\"acme-core\": {{\"file\": \"{file}\"}}}}}}"),
    );
    tree.write("bad.toml", "[[protect]]\nid = \"bad\"\nnames = [\"urllib3\"]\nversions = \"<2\"\n");
    let (code, report) = tree.json(&["--rules", "bad.toml", "."]);
    assert_eq!(code, Some(1));
    let told =
        |it: &Value| format!("{}:{} {}", it["path"].as_str().unwrap(), it["line"], it["remedy"].as_str().unwrap());
    let told: Vec<String> = report["findings"].as_array().unwrap().iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    ./Pipfile.lock:2 write `acme-core` in place of the URL in the Pipfile, then pipenv upgrade acme-core
    ./pylock.dev.toml:3 pip lock --index-url https://pypi.acme.example/simple/ -r requirements.txt -o pylock.dev.toml
    ./requirements.txt:1 remove the URL: write `acme-core==` and your version, and install with --index-url https://pypi.acme.example/simple/
    ./requirements.txt:2 write `urllib3>=2`, then compile its hashes anew
    ./uv.lock:3 write `acme-core` in place of the URL in pyproject.toml, then uv lock --upgrade-package acme-core
    ");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&["taken"]);
    std::fs::create_dir_all(tree.path().join("tree/sub")).unwrap();
    symlink("..", tree.path().join("tree/sub/loop")).unwrap();
    symlink(tree.path().join("taken"), tree.path().join("tree/outside")).unwrap();
    assert_eq!(tree.scan(&["tree"]).status.code(), Some(0));
    symlink(tree.path().join("taken/uv.lock"), tree.path().join("tree/uv.lock")).unwrap();
    tree.write("tree/requirements.txt", "-r ../taken/requirements.txt\n-r https://x.example/requirements.txt\n");
    assert!(Command::new("mkfifo").arg(tree.path().join("tree/pdm.lock")).status().unwrap().success());
    let (code, report) = tree.json(&["tree"]);
    assert_eq!(code, Some(4));
    assert_eq!(
        (report["unread"].as_array().unwrap().len(), &report["findings"]),
        (3, &Value::Array(vec![])),
        "{report:#}"
    );
    tree.write("tree/sub/dev.txt", "-r ../requirements.in\n");
    tree.write("tree/requirements.in", "acme-core==1 --hash=sha256:00\n");
    assert_eq!(tree.scan(&["tree/sub/dev.txt"]).status.code(), Some(1), "it is in the folder where the user stands");
    // The path itself may be a link: its user means what is behind it.
    assert_eq!(tree.scan(&["tree/uv.lock"]).status.code(), Some(1));
}

#[test]
fn caches_are_found_where_their_owners_put_them() {
    let tree = Tree::new(&[]);
    tree.write("uv/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    tree.write("uv/simple-v28/pypi/acme-core.rkyv", "");
    tree.write("uv/wheels-v8/pypi/six/1.16.0-py2.py3-none-any.msgpack", "");
    let mut head = b"cc=4,".to_vec();
    for text in ["x-pypi-file-project", "acme-data"] {
        head.push(0xa0 | u8::try_from(text.len()).unwrap());
        head.extend(text.bytes());
    }
    tree.write("pip/http-v2/a/b/c/d/e/abcde", head);
    let mut command = tree.command(&["--caches", "--format", "json"]);
    let output = command.env("UV_CACHE_DIR", tree.path().join("uv")).env("PIP_CACHE_DIR", tree.path().join("pip"));
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let remedies: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|it| it["remedy"].as_str().unwrap()).collect();
    assert_eq!(remedies, ["pip cache purge", "uv cache clean acme-core"]);
    assert_eq!(tree.json(&["uv", "pip"]).1["findings"].as_array().unwrap().len(), 2);
    assert_eq!(tree.scan(&["--caches"]).status.code(), Some(0), "there are none");
}

#[test]
fn usage() {
    let tree = Tree::new(&[]);
    assert_eq!(tree.scan(&[]).status.code(), Some(2));
    assert_eq!(tree.scan(&["no-such-path"]).status.code(), Some(2));
    assert_eq!(tree.scan(&[".", "--format", "xml"]).status.code(), Some(2));
    assert_eq!(tree.scan(&["."]).status.code(), Some(0));
}
