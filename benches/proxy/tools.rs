//! The programs that the bench needs and the peers it compares with: found, or installed once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{is_root, run};
use crate::{Options, Result, work};

/// Installs what is missing and wanted. nginx is necessary; peers that can't be had are told of, and skipped.
pub(crate) fn provide(options: &Options) -> Result<()> {
    for (program, package) in
        [("unshare", "util-linux"), ("taskset", "util-linux"), ("setpriv", "util-linux"), ("ip", "iproute2")]
    {
        found(program).map_err(|error| format!("{error}: apt-get install {package}"))?;
    }
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("two cores are needed: one for nginx and the client, one for the proxy".into());
    }
    if found("nginx").is_err() {
        debian("nginx")?;
    }
    if options.wants_peer("squid") && certgen().is_err() {
        tell("squid", debian("squid-openssl"));
    }
    if options.wants_peer("mitmproxy") && mitmdump().is_err() {
        tell("mitmproxy", install_mitmproxy());
    }
    if options.wants_peer("safe-chain") && safe_chain().is_err() {
        tell("safe-chain", install_safe_chain());
    }
    Ok(())
}

pub(crate) fn squid() -> Result<PathBuf> {
    found("squid").map_err(|_missing| "not installed: apt-get install squid-openssl".into())
}

/// The helper that only squid with OpenSSL has.
pub(crate) fn certgen() -> Result<PathBuf> {
    let helper = PathBuf::from("/usr/lib/squid/security_file_certgen");
    if helper.exists() {
        Ok(helper)
    } else {
        Err("squid with OpenSSL is missing: apt-get install squid-openssl".into())
    }
}

pub(crate) fn mitmdump() -> Result<PathBuf> {
    at(work().join("mitmproxy/bin/mitmdump"))
}

pub(crate) fn safe_chain() -> Result<PathBuf> {
    at(work().join("safe-chain/node_modules/@aikidosec/safe-chain"))
}

fn at(path: PathBuf) -> Result<PathBuf> {
    if path.exists() { Ok(path) } else { Err("it could not be installed".into()) }
}

fn tell(name: &str, installed: Result<()>) {
    if let Err(error) = installed {
        eprintln!("{name} is skipped: {error}");
    }
}

fn debian(package: &str) -> Result<()> {
    let wanted = || format!("{package} is missing: apt-get install nginx squid-openssl");
    if !is_root() || found("apt-get").is_err() {
        return Err(wanted().into());
    }
    println!("installing {package}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "-qq"]))
        .and_then(|()| run(apt().args(["install", "-y", "-qq", package])))
        .map_err(|error| format!("{} ({error})", wanted()).into())
}

fn install_mitmproxy() -> Result<()> {
    let python = newest_python()?;
    println!("installing mitmproxy for {}", python.display());
    let folder = work().join("mitmproxy");
    run(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "mitmproxy"]))
}

fn install_safe_chain() -> Result<()> {
    let npm = found("npm")?;
    println!("installing safe-chain");
    let folder = work().join("safe-chain");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), "{}")?;
    let mut command = Command::new(npm);
    command.args(["install", "--no-audit", "--no-fund", "@aikidosec/safe-chain"]).current_dir(folder);
    run(&mut command)
}

/// The newest Python on the path or with pyenv, as long as it has a mitmproxy of these days.
fn newest_python() -> Result<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from).join("versions");
    let versions =
        fs::read_dir(pyenv).into_iter().flatten().flatten().map(|version| version.path().join("bin/python3"));
    let on_path = (12..20).map(|minor| found(&format!("python3.{minor}"))).chain([found("python3")]).flatten();
    let best = versions.chain(on_path).filter_map(|python| Some((version(&python)?, python))).max();
    match best {
        Some((version, python)) if version >= (3, 12) => Ok(python),
        _ => Err("it needs Python 3.12 or newer".into()),
    }
}

/// None of what only pretends to be one, as pyenv's shims do.
fn version(python: &Path) -> Option<(u32, u32)> {
    let print = "import sys, venv, ensurepip; print(*sys.version_info[:2])";
    let output = Command::new(python).args(["-c", print]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Where a program is.
pub(crate) fn found(program: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut candidates = folders.map(|folder| folder.join(program));
    candidates.find(|path| path.is_file()).ok_or_else(|| format!("{program} is missing").into())
}
