//! Where a page is run: a home folder, PyPI and a private index behind a proxy's config, and one bash for all commands.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use namewall::demo::simple::{self, Form};
use namewall::demo::standin::{Asked, Body, body};
use namewall::demo::{Artifact, Catalog, Project, StandIn, Wheel};
use tempfile::TempDir;
use tokio::process::Command;

use super::page::{File, Page, Step};

/// No page takes longer.
const LIMIT: Duration = Duration::from_secs(400);

/// Stands before each command's output; nothing that is run prints it.
const APART: char = '\u{1e}';

/// Stands around each command's exit code, since what runs in the background may print behind it.
const CODE: char = '\u{1f}';

/// The private index of all pages.
const PRIVATE: &str = "pypi.acme.example";

/// Files that nearly every reader has, and that pages need not show.
const EVERYWHERE: [(&str, &str); 2] = [
    ("requirements.txt", "--extra-index-url https://pypi.acme.example/simple/\nacme-core\ngreetings\n"),
    ("names.txt", "acme-core\nacme-sdk\nrequests\n"),
];

/// What a page is run in.
pub(crate) struct House {
    folder: TempDir,
    pypi: StandIn,
    private: StandIn,
    /// What the pages call `127.0.0.1:3128` and `:3129`: free ports, since others may use this machine, too.
    ports: [u16; 2],
}

impl House {
    pub(crate) async fn open() -> Self {
        let pypi = StandIn::builder()
            .project(project(&acme("99.0")))
            .project(project(&Wheel::new("greetings", "2.1")))
            .project(project(&Wheel::new("requests", "2.34.2")))
            .start();
        let shelf: Catalog = [project(&acme("1.0"))].into_iter().collect();
        let private =
            StandIn::builder().hosts([PRIVATE]).responder(move |asked| Some(private_index(&shelf, asked))).start();
        let (pypi, private) = (pypi.await.unwrap(), private.await.unwrap());
        let house = Self { folder: tempfile::tempdir().unwrap(), pypi, private, ports: free_ports() };
        house.furnish();
        house
    }

    /// Runs all of `page`, with `programs` before the system's on the `PATH`. Panics where the page is wrong.
    pub(crate) async fn run(&self, page: &Page, programs: &[PathBuf]) {
        let output = self.bash(page, programs).await;
        let said = self.as_written(&String::from_utf8_lossy(&output.stdout));
        let ran: Vec<(Option<i32>, &str)> = said.split(APART).skip(1).map(ended).collect();
        for (number, step) in page.steps.iter().enumerate() {
            let place = format!("{}:{}: {}", page.path, step.line, step.typed);
            let (code, said) = ran.get(number).unwrap_or_else(|| panic!("{place}\nwas never reached:\n{said}"));
            assert_eq!(*code, Some(step.code), "{place}\nended otherwise, and said:\n{said}");
            assert_shown(&place, step, said);
        }
    }

    /// Where the commands run.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Around that: the home folder.
    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    fn furnish(&self) {
        fs::create_dir_all(self.project()).unwrap();
        let roots = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
        let roots = format!("{roots}\n{}{}", self.pypi.root_pem(), self.private.root_pem());
        fs::write(self.roots(), roots).unwrap();
        for (name, text) in EVERYWHERE {
            fs::write(self.project().join(name), text).unwrap();
        }
        // For pages that have no config of their own.
        let user = self.folder.path().join(".config/namewall");
        fs::create_dir_all(&user).unwrap();
        fs::write(user.join("namewall.toml"), self.upstream()).unwrap();
    }

    /// What the machine trusts.
    fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// What makes namewall take the stand-ins for the real hosts.
    fn upstream(&self) -> String {
        let private = format!("\"{PRIVATE}:443\" = \"{}\"\n", self.private.address());
        self.pypi.upstream_table(&self.roots()) + &private
    }

    /// The commands that put a file where it belongs, from a copy that is there beforehand.
    fn put(&self, number: usize, file: &File) -> String {
        let upstream = if file.path.ends_with("namewall.toml") { self.upstream() } else { String::new() };
        let copy = self.folder.path().join(format!("file-{number}"));
        fs::write(&copy, format!("{}\n{upstream}", self.as_run(&file.text))).unwrap();
        let at = self.project().join(&file.path);
        format!("mkdir -p '{}' && cp '{}' '{}'\n", at.parent().unwrap().display(), copy.display(), at.display())
    }

    async fn bash(&self, page: &Page, programs: &[PathBuf]) -> Output {
        let home = self.folder.path();
        let mut script = String::from("exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
        for (number, step) in page.steps.iter().enumerate() {
            for (id, file) in page.files.iter().enumerate().filter(|(_, file)| file.behind == number) {
                script += &self.put(id, file);
            }
            let typed = self.as_run(&step.typed).replace('\'', r"'\''");
            script += &format!("printf '{APART}'\neval '{typed}'\nprintf '{CODE}%d{CODE}' $?\n");
        }
        let path = home.join("page.bash");
        fs::write(&path, script).unwrap();
        let mut bash = Command::new("bash");
        bash.arg(&path).current_dir(self.project()).stdin(Stdio::null()).env_clear();
        let own = Path::new(env!("CARGO_BIN_EXE_namewall")).parent().unwrap();
        let system = std::env::var_os("PATH").unwrap_or_default();
        let folders = programs.iter().cloned().chain([own.to_owned()]).chain(std::env::split_paths(&system));
        bash.env("PATH", std::env::join_paths(folders).unwrap()).env("HOME", home).env("TMPDIR", home);
        bash.env("SSL_CERT_FILE", self.roots()).env("NAMEWALL_LISTEN", format!("127.0.0.1:{}", self.ports[0]));
        bash.env("PIP_CONFIG_FILE", "/dev/null").env("NO_COLOR", "1").env("LANG", "C.UTF-8").env("TERM", "dumb");
        bash.env("POETRY_KEYRING_ENABLED", "false");
        bash.kill_on_drop(true).process_group(0).stdout(Stdio::piped());
        let child = bash.spawn().unwrap();
        let group = Group(i32::try_from(child.id().unwrap()).unwrap());
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        drop(group);
        output.unwrap_or_else(|_| panic!("the page had not ended after {LIMIT:?}")).unwrap()
    }

    fn as_run(&self, text: &str) -> String {
        let [proxy, admin] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        text.replace("127.0.0.1:3128", &proxy).replace("127.0.0.1:3129", &admin)
    }

    fn as_written(&self, text: &str) -> String {
        let [proxy, admin] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let home = self.folder.path().to_str().unwrap();
        text.replace(&proxy, "127.0.0.1:3128").replace(&admin, "127.0.0.1:3129").replace(home, "~")
    }
}

/// All that a page has started; it goes with the page.
struct Group(i32);

impl Drop for Group {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // It may all have ended.
        let _killed = Pid::from_raw(self.0).map(|leader| kill_process_group(leader, Signal::KILL));
    }
}

/// The output of one command, and its exit code.
fn ended(said: &str) -> (Option<i32>, &str) {
    let mut parts = said.split(CODE);
    let said = parts.next().unwrap_or_default();
    (parts.next().and_then(|code| code.parse().ok()), said)
}

fn assert_shown(place: &str, step: &Step, said: &str) {
    let mut lines = said.lines();
    for wanted in step.shows.iter().filter(|line| !["", "…"].contains(&line.trim())) {
        assert!(
            lines.any(|line| is_like(wanted, line)),
            "{place}\ndid not show\n  {wanted}\nin its place, but:\n{said}"
        );
    }
}

/// Whether a line is as written: spaces count once, and `…` stands for anything.
fn is_like(wanted: &str, line: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (wanted, line) = (squeeze(wanted), squeeze(line));
    let mut pieces = wanted.split('…').map(str::trim);
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut open = false;
    for piece in pieces {
        open = piece.is_empty();
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    open || rest.is_empty()
}

fn private_index(shelf: &Catalog, asked: &Asked) -> Response<Body> {
    let form = Form::choose(asked.header("accept"), asked.query());
    let page = |text: String| answer(form.content_type(), text);
    match asked.path().split('/').collect::<Vec<_>>().as_slice() {
        ["", "simple", ""] => page(simple::root(shelf, form)),
        ["", "simple", name, ""] if shelf.project(name).is_some() => {
            page(simple::detail(shelf.project(name).unwrap(), form, |file| format!("/packages/{}", file.file_name)))
        }
        ["", "packages", name] => match shelf.files().find_map(|(_, file)| part(file, name)) {
            Some(bytes) => answer("application/octet-stream", bytes),
            None => missing(),
        },
        _ => missing(),
    }
}

/// The file, or its metadata (PEP 658).
fn part(file: &Artifact, name: &str) -> Option<Bytes> {
    match name.strip_prefix(file.file_name.as_str())? {
        "" => Some(file.bytes.clone()),
        ".metadata" => file.metadata.clone(),
        _ => None,
    }
}

fn answer(content_type: &str, bytes: impl Into<Bytes>) -> Response<Body> {
    Response::builder().header(header::CONTENT_TYPE, content_type).body(body::full(bytes)).unwrap()
}

fn missing() -> Response<Body> {
    Response::builder().status(404).body(body::full("404 Not Found")).unwrap()
}

fn acme(version: &str) -> Wheel {
    let module = format!("print('I am acme-core {version}')\n");
    Wheel::new("acme-core", version).module(&module).requires("greetings")
}

fn project(wheel: &Wheel) -> Project {
    Project::new(wheel.name()).file(Artifact::wheel(wheel).unwrap())
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
