//! A client that is installed, and what comes of a project that is given to it.

use std::fs;
use std::path::{Path, PathBuf};

use namewall::demo::Artifact;
use tempfile::TempDir;
use tokio::process::Command;

use super::family::{Family, Layout, Lock, Made};
use crate::world::{PLANTED, Way, World};

/// A client in a world.
pub(crate) struct Client<'w> {
    pub(crate) family: &'static Family,
    /// Where its programs are.
    pub(crate) bin: PathBuf,
    pub(crate) world: &'w World,
}

/// What a client is to do.
#[derive(Clone, Copy)]
pub(crate) struct Job<'j> {
    pub(crate) way: Way,
    pub(crate) layout: &'static Layout,
    /// The projects that are wanted, with a URL where there is one.
    pub(crate) wanted: &'j [(&'j str, Option<&'j str>)],
}

/// What came of it.
pub(crate) struct Done {
    /// Whether the client was content.
    pub(crate) success: bool,
    /// All that it printed.
    pub(crate) said: String,
    project: TempDir,
}

impl Client<'_> {
    /// Installs into a new project, with a home of its own unless one is given.
    pub(crate) async fn install(&self, job: Job<'_>, home: Option<&Path>) -> Done {
        self.run(job, home, self.family.install, &[]).await
    }

    /// The text of the lock of a new project.
    pub(crate) async fn lock(&self, job: Job<'_>, lock: &Lock) -> String {
        let text = match lock.made {
            Made::Written(template) => self.fill(template, job),
            Made::By(command) => {
                let made = self.run(job, None, &[command], &[]).await;
                assert!(made.success, "{command}: {}", made.said);
                fs::read_to_string(made.project.path().join(lock.file)).unwrap()
            }
        };
        assert!(text.contains("acme") && text.contains("99.0"), "not what a stranger would have locked: {text}");
        text
    }

    /// Installs from a lock with that text, on another machine so to say.
    pub(crate) async fn install_locked(&self, job: Job<'_>, lock: &Lock, text: &str) -> Done {
        self.run(job, None, &[lock.install], &[(lock.file, text)]).await
    }

    /// Writes a project and runs these commands in it, until one fails.
    async fn run(&self, job: Job<'_>, home: Option<&Path>, commands: &[&str], more: &[(&str, &str)]) -> Done {
        let project = tempfile::tempdir().unwrap();
        for (path, template) in self.family.files.iter().chain(more) {
            fs::write(project.path().join(path), self.fill(template, job)).unwrap();
        }
        let nobodys = tempfile::tempdir().unwrap();
        let home = home.unwrap_or_else(|| nobodys.path());
        let mut done = Done { success: true, said: String::new(), project };
        for command in commands {
            let mut words = command.split_whitespace();
            let mut command = Command::new(self.bin.join(words.next().unwrap()));
            command.args(words);
            command.envs(self.family.env.iter().map(|(name, value)| (name, self.fill(value, job))));
            let (success, said) = self.world.run_by(job.way, command, home, done.project.path()).await;
            done.said.push_str(&said);
            done.success &= success;
            if !success {
                break;
            }
        }
        done
    }

    fn fill(&self, template: &str, job: Job<'_>) -> String {
        let wanted: String = job.wanted.iter().map(|(name, url)| (self.family.want)(name, *url)).collect();
        let mut text = template.replace("{layout}", job.layout.text).replace("{wanted}", &wanted);
        for (name, file_name) in [("acme", PLANTED), ("greetings", "greetings-2.1-py3-none-any.whl")] {
            let (project, file) = self.stored(file_name);
            let url = self.world.pypi.url_of(project, file_name).unwrap();
            text = text.replace(&format!("{{{name}-url}}"), &url);
            text = text.replace(&format!("{{{name}-sha256}}"), &file.sha256());
        }
        text.replace("{private}", &self.world.private.url())
            .replace("{python}", &self.bin.join("python").display().to_string())
    }

    fn stored(&self, file_name: &str) -> (&str, &Artifact) {
        let mut files = self.world.pypi.catalog().files();
        files.find(|(_, file)| file.file_name == file_name).map(|(project, file)| (project.name(), file)).unwrap()
    }
}

impl Done {
    /// The version of `project` that is installed, wherever below the project's folder the client has its packages.
    pub(crate) fn version(&self, project: &str) -> Option<String> {
        let prefix = format!("{}-", project.replace('-', "_"));
        find(self.project.path(), &|name| Some(name.strip_prefix(&prefix)?.strip_suffix(".dist-info")?.to_owned()))
    }
}

fn find(folder: &Path, version: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let site = folder.file_name().is_some_and(|name| name == "site-packages");
    fs::read_dir(folder).ok()?.filter_map(Result::ok).find_map(|entry| {
        if site {
            version(entry.file_name().to_str()?)
        } else {
            // Not through a link: `lib64` is one, and leads to the same again.
            entry.file_type().ok()?.is_dir().then(|| find(&entry.path(), version))?
        }
    })
}
