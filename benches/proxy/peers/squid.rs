//! squid with ssl-bump: it opens the same connections and rewrites nothing.

use std::fs;
use std::process::Command;

use super::{Plan, Result, Stage, tools, version};
use crate::origin::authority;
use crate::sandbox::{self, OTHER, run};

pub(super) const NAME: &str = "squid";

const PORT: u16 = 3141;

/// Whom Debian's squid runs as.
const USER: &str = "proxy";

pub(super) fn plan(stage: &Stage) -> Result<Plan> {
    let (program, certgen) = (tools::squid()?, tools::certgen()?);
    if !sandbox::is_root() {
        return Err("its helpers need root".into());
    }
    let folder = stage.folder.join(NAME);
    fs::create_dir_all(&folder)?;
    let (_, pem) = authority(&folder, "ca", "squid's authority")?;
    fs::write(folder.join("pair.pem"), pem + &fs::read_to_string(folder.join("ca.key"))?)?;
    let leaves = folder.join("leaves");
    run(Command::new(&certgen).args(["-c", "-s"]).arg(&leaves).args(["-M", "4MB"]))?;
    run(Command::new("chown").args(["-R", USER]).arg(&folder))?;
    let config = folder.join("squid.conf");
    fs::write(
        &config,
        format!(
            "http_port 127.0.0.1:{PORT} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=4MB \
             tls-cert={folder}/pair.pem\n\
             sslcrtd_program {certgen} -s {leaves} -M 4MB\n\
             sslcrtd_children 4 startup=1 idle=1\n\
             tls_outgoing_options cafile={origin_ca}\n\
             acl other ssl::server_name {OTHER}\n\
             acl first at_step SslBump1\n\
             ssl_bump peek first\nssl_bump splice other\nssl_bump bump all\n\
             http_access allow all\ncache deny all\naccess_log none\ncache_log {folder}/cache.log\n\
             pid_filename none\nshutdown_lifetime 0 seconds\nvisible_hostname localhost\n\
             coredump_dir {folder}\nnetdb_filename none\npinger_enable off\n",
            folder = folder.display(),
            certgen = certgen.display(),
            leaves = leaves.display(),
            origin_ca = stage.origin_ca.display(),
        ),
    )?;
    let mut command = Command::new(&program);
    command.arg("-N").arg("-f").arg(config);
    Ok(Plan {
        name: NAME,
        version: version(Command::new(&program).arg("-v"))?.replace("Squid Cache: Version ", ""),
        note: "opens the connections, hides nothing",
        hides: false,
        command,
        address: ([127, 0, 0, 1], PORT).into(),
        ca: folder.join("ca.pem"),
    })
}
