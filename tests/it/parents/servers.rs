//! The parent proxies of the tests: squid and danted as Debian has them, and some that are made by hand.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A port at which nobody is: a free one may be another test's the next moment.
pub const GONE: u16 = 1;

/// A proxy that runs until it is dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub folder: TempDir,
}

impl Server {
    /// Squid, with these lines in its config.
    pub fn squid(lines: &str) -> Self {
        Self::squid_in(open_folder(), lines)
    }

    /// Squid for the user `ann` with this password alone.
    pub fn squid_for_ann(password: &str) -> Self {
        let helper = "/usr/lib/squid/basic_ncsa_auth";
        assert!(Path::new(helper).exists(), "this test needs {helper}: apt-get install squid-openssl");
        let hash = Command::new("openssl").args(["passwd", "-apr1", password]).output().unwrap();
        let (folder, hash) = (open_folder(), String::from_utf8(hash.stdout).unwrap());
        let users = folder.path().join("users");
        std::fs::write(&users, format!("ann:{hash}")).unwrap();
        let helper = format!("auth_param basic program {helper} {}\n", users.display());
        Self::squid_in(folder, &format!("{helper}acl known proxy_auth REQUIRED\nhttp_access deny !known\n"))
    }

    fn squid_in(folder: TempDir, lines: &str) -> Self {
        let program = program("squid", "squid-openssl");
        let (port, shown) = (free_port(), folder.path().display());
        let config = format!(
            "http_port 127.0.0.1:{port}\n{lines}http_access allow all\ncache deny all\npinger_enable off\n\
             access_log stdio:{shown}/access.log\ncache_log {shown}/cache.log\npid_filename {shown}/pid\n\
             coredump_dir {shown}\nnetdb_filename none\nshutdown_lifetime 0 seconds\nvisible_hostname parent.example\n",
        );
        let path = folder.path().join("squid.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(program);
        command.arg("-N").arg("-f").arg(&path);
        Self::started(command, port, folder, "cache.log")
    }

    /// Dante's server, as SOCKS 5 for everybody.
    pub fn danted() -> Self {
        let program = program("danted", "dante-server");
        let (port, folder) = (free_port(), open_folder());
        let config = format!(
            "logoutput: {}\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nclientmethod: none\n\
             socksmethod: none\nclient pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n\
             socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }}\n",
            folder.path().join("log").display()
        );
        let path = folder.path().join("danted.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(program);
        command.arg("-f").arg(&path).arg("-p").arg(folder.path().join("pid"));
        Self::started(command, port, folder, "log")
    }

    fn started(mut command: Command, port: u16, folder: TempDir, log: &str) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{command:?} does not serve ({ended:?}): {}",
                server.log(log)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The log, once it says `what`: it is written behind the answer.
    pub fn logged(&self, name: &str, what: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.log(name).contains(what) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = self.log(name);
        assert!(log.contains(what), "{what}: {log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not killed: dante's children end with it when it is told to end.
        let _told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ended = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Debian keeps servers where a user's `PATH` may not lead.
fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("this test needs `{name}`: apt-get install {package}"))
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One in which a server may write that has become another user.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A proxy that answers each connection with `answers`, one after each that it reads, and says what it has read.
pub async fn puppet(answers: &'static [&'static [u8]]) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            for answer in answers {
                read_some(&mut tcp, &hearing).await;
                let _sent = tcp.write_all(answer).await;
            }
            while read_some(&mut tcp, &hearing).await > 0 {}
        }
    });
    (port, heard)
}

async fn read_some(tcp: &mut TcpStream, heard: &Mutex<Vec<u8>>) -> usize {
    let mut bytes = vec![0; 4096];
    let length = tcp.read(&mut bytes).await.unwrap_or_default();
    heard.lock().unwrap().extend_from_slice(&bytes[..length]);
    length
}
