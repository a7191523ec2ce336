//! PyPI on loopback: its pages and files, written once, and nginx in front of them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use namewall::demo::simple::{self, Form};
use namewall::demo::{Catalog, Project};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::sandbox::{HOSTS, pinned};
use crate::{Result, peers, support};

/// The projects, by the number of their files. Of each there is one with files that bear protected names, and one
/// (`small-clean`) with none.
pub(crate) const PROJECTS: [(&str, usize); 3] = [("small", 20), ("mid", 500), ("big", 8_000)];

/// Further sizes, for the growth.
pub(crate) const SIZES: [usize; 5] = [20, 100, 500, 2_000, 8_000];

/// A file of 50 MiB on every host.
pub(crate) const FILE: &str = "/packages/4f/0e/8a6c1d2b3e5f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7/sample_project-1.0.0-py3-none-any.whl";

const FILE_BYTES: usize = 50 << 20;

/// About as many as PyPI has.
const ALL_PROJECTS: usize = 880_000;

/// Writes everything that is served below `www`, unless it is there.
pub(crate) fn generate(www: &Path) -> Result<()> {
    let done = www.join("done");
    if done.exists() {
        return Ok(());
    }
    println!("writing PyPI's pages to {} (once)", www.display());
    for (name, files) in PROJECTS {
        project(www, name, files, true)?;
        project(www, &format!("{name}-clean"), files, false)?;
    }
    for files in SIZES {
        project(www, &format!("size-{files}"), files, true)?;
    }
    let catalog: Catalog =
        (0..ALL_PROJECTS).map(|number| Project::new(&name(number)).at_serial(serial(number))).collect();
    page(&www.join("simple/index.json"), &simple::root(&catalog, Form::Json))?;
    page(&www.join("simple/index.html"), &simple::root(&catalog, Form::LegacyHtml))?;
    // Nothing that could be compressed, as in a wheel.
    let mut state = 1_u64;
    let noise: Vec<u8> =
        std::iter::repeat_with(|| next(&mut state)).take(FILE_BYTES / 8).flat_map(u64::to_le_bytes).collect();
    write(&www.join(&FILE[1..]), &noise)?;
    write(&done, b"")
}

fn project(www: &Path, name: &str, files: usize, protected: bool) -> Result<()> {
    for (form, end) in [(Form::Json, "json"), (Form::LegacyHtml, "html")] {
        let text = support::page(form, files, protected);
        let text = text.replace("sample-project", name).replace("sample_project", &name.replace('-', "_"));
        page(&www.join("simple").join(name).join(format!("index.{end}")), &text)?;
    }
    Ok(())
}

/// A name such as people give: one to three words, some with a number, in each of the ways to write it.
fn name(number: usize) -> String {
    const FIRST: [&str; 20] = [
        "py",
        "django",
        "flask",
        "aws",
        "data",
        "ml",
        "fast",
        "async",
        "open",
        "my",
        "auto",
        "simple",
        "deep",
        "easy",
        "micro",
        "graph",
        "odoo14-addon",
        "pytest",
        "types",
        "llama-index",
    ];
    const LAST: [&str; 20] = [
        "client", "utils", "sdk", "tools", "api", "core", "parser", "cli", "bot", "lib", "kit", "server", "toolbox",
        "sync", "cache", "model", "Helper", "auth", "storage", "wrapper",
    ];
    if number % 5_000 == 7 {
        return format!("acme-{}-{number}", LAST[number / 5_000 % 20].to_lowercase());
    }
    let mut state = number as u64 + 1;
    let middle: String = (0..4 + number % 5).map(|_| char::from(b'a' + (next(&mut state) % 26) as u8)).collect();
    let (first, last) = (FIRST[(next(&mut state) % 20) as usize], LAST[(next(&mut state) % 20) as usize]);
    match number % 7 {
        0 | 1 => format!("{first}-{middle}-{last}"),
        2 | 3 => format!("{middle}{last}"),
        4 => format!("{first}_{middle}_{last}"),
        5 => format!("{first}.{middle}{}", number % 100),
        _ => format!("{middle}{number}"),
    }
}

fn serial(number: usize) -> u64 {
    12_000_000 + (number as u64 * 7_919) % 20_000_000
}

/// xorshift: the same bytes on every machine.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    *state ^= *state >> 29;
    *state
}

/// A page and its gzip copy, as PyPI's edge keeps one.
fn page(path: &Path, text: &str) -> Result<()> {
    write(path, text.as_bytes())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(text.as_bytes())?;
    write(&path.with_extension(format!("{}.gz", extension(path))), &gzip.finish()?)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|end| end.to_str()).unwrap_or_default()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().ok_or("a path without a folder")?)?;
    Ok(fs::write(path, bytes)?)
}

/// Running nginx; its authority is `ca.pem` (and `ca.key`) in the folder it was started with.
#[derive(Debug)]
pub(crate) struct Origin {
    child: Child,
}

impl Origin {
    pub(crate) fn start(folder: &Path, www: &Path) -> Result<Self> {
        certificates(folder)?;
        fs::write(folder.join("nginx.conf"), config(folder, www))?;
        let mut command = pinned(0, "nginx");
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        let log = File::create(folder.join("nginx.log"))?;
        let mut origin = Self { child: command.stdout(Stdio::null()).stderr(log).spawn()? };
        for (_, address) in HOSTS {
            peers::wait_for(format!("{address}:443").parse()?, &mut origin.child).map_err(|error| {
                format!("nginx: {error}: {}", fs::read_to_string(folder.join("nginx.log")).unwrap_or_default())
            })?;
        }
        Ok(origin)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        peers::end(&mut self.child);
    }
}

/// An authority for nginx, and its leaf for all hosts.
fn certificates(folder: &Path) -> Result<()> {
    let (issuer, pem) = authority(folder, "ca", "PyPI on loopback")?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(HOSTS.map(|(host, _)| host.to_owned()))?;
    leaf.use_authority_key_identifier_extension = true;
    fs::write(folder.join("leaf.pem"), leaf.signed_by(&key, &issuer)?.pem() + &pem)?;
    Ok(fs::write(folder.join("leaf.key"), key.serialize_pem())?)
}

/// A new P-256 authority: `NAME.pem` and `NAME.key`.
pub(crate) fn authority(folder: &Path, name: &str, subject: &str) -> Result<(Issuer<'static, KeyPair>, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = params.self_signed(&key)?.pem();
    fs::write(folder.join(name).with_extension("pem"), &pem)?;
    fs::write(folder.join(name).with_extension("key"), key.serialize_pem())?;
    Ok((Issuer::new(params, key), pem))
}

/// One worker. A map chooses by `Accept`, with named captures, since its expressions would reset `$1`; and
/// `gzip_proxied any`, since squid and others add `Via`, for which nginx wouldn't send gzip.
fn config(folder: &Path, www: &Path) -> String {
    let (folder, www) = (folder.display(), www.display());
    format!(
        r#"daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-1;
    proxy_temp_path {folder}/nginx-2;
    fastcgi_temp_path {folder}/nginx-3;
    uwsgi_temp_path {folder}/nginx-4;
    scgi_temp_path {folder}/nginx-5;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    open_file_cache max=200 inactive=600s;
    gzip_static on;
    gzip_proxied any;
    types {{
        application/vnd.pypi.simple.v1+json json;
        "text/html; charset=UTF-8" html;
        application/octet-stream whl;
    }}
    map $http_accept $form {{
        default html;
        "~vnd\.pypi\.simple\.v1\+json" json;
    }}
    ssl_certificate {folder}/leaf.pem;
    ssl_certificate_key {folder}/leaf.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen 127.0.0.10:443 ssl http2;
        listen 127.0.0.11:443 ssl http2;
        root {www};
        location = /simple/ {{
            try_files /simple/index.$form =404;
            add_header Cache-Control "max-age=600, public";
            add_header Vary "Accept, Accept-Encoding";
            add_header X-PyPI-Last-Serial 31999999;
        }}
        location ~ ^/simple/(?<project>[^/]+)/$ {{
            try_files /simple/$project/index.$form =404;
            add_header Cache-Control "max-age=600, public";
            add_header Vary "Accept, Accept-Encoding";
            add_header X-PyPI-Last-Serial 31999999;
        }}
        location /packages/ {{
            add_header Cache-Control "max-age=365000000, immutable, public";
        }}
    }}
}}
"#
    )
}
