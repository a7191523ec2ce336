//! What is measured: the rows of the table, and what grows.

use namewall::demo::simple::Form;

use crate::client::{Order, Work};
use crate::origin::{FILE, PROJECTS, SIZES};
use crate::sandbox::OTHER;
use crate::{Options, Result};

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) host: &'static str,
    pub(crate) path: String,
    pub(crate) form: Form,
    pub(crate) gzip: bool,
    pub(crate) h2: bool,
    pub(crate) work: Work,
    /// While a root list and two files pass.
    pub(crate) busy: bool,
    /// Whether it bears names that are to be hidden.
    pub(crate) bears_hidden: bool,
    /// Whether the chart has it.
    pub(crate) charted: bool,
}

const CONNECTIONS: usize = 8;

/// How long a row of downloads lasts at most, in seconds, but for the last.
const DOWNLOADS: f64 = 5.0;

/// All rows, in their order.
pub(crate) fn all(options: &Options) -> Vec<Row> {
    let seconds = options.seconds();
    let load = Work::Load { connections: CONNECTIONS, seconds, most: None };
    let mut rows = Vec::new();
    for (project, files) in PROJECTS {
        for (form, gzip) in
            [(Form::Json, false), (Form::Json, true), (Form::LegacyHtml, false), (Form::LegacyHtml, true)]
        {
            let title = format!("{project} page ({files} files), {}", kind(form, gzip));
            let charted = form == Form::Json || !gzip;
            rows.push(Row { charted, ..page(project, form, gzip, load).titled(&title) });
        }
        let title = format!("{project} page, nothing to hide, {}", kind(Form::Json, true));
        let clean = page(&format!("{project}-clean"), Form::Json, true, load).titled(&title);
        rows.push(Row { bears_hidden: false, ..clean });
    }
    let small = page("small", Form::Json, false, load);
    rows.push(Row { h2: true, ..small.clone().named("small-h2", "small page, JSON, over HTTP/2") });
    for at_a_time in [1, 4] {
        let work = Work::Connect { at_a_time, seconds };
        let row =
            small.clone().named(&format!("connect-{at_a_time}"), &format!("new connections, {at_a_time} at a time"));
        rows.push(Row { work, charted: at_a_time == 1, ..row });
    }
    let times = if options.quick { 2 } else { 5 };
    for (form, gzip) in [(Form::Json, false), (Form::Json, true), (Form::LegacyHtml, false), (Form::LegacyHtml, true)] {
        let row = page("", form, gzip, Work::Download { times, seconds: DOWNLOADS });
        let id = format!("root-{}", short(form, gzip));
        rows.push(Row {
            path: "/simple/".to_owned(),
            charted: form == Form::Json || !gzip,
            ..row.named(&id, &format!("list of 880,000 projects, {}", kind(form, gzip)))
        });
    }
    for (id, title, host, h2) in [
        ("file-h1", "file of 50 MiB", "files.pythonhosted.org", false),
        ("file-h2", "file of 50 MiB over HTTP/2", "files.pythonhosted.org", true),
        ("tunnel", "50 MiB from another host", OTHER, false),
    ] {
        let work = Work::Download { times: times * 4, seconds: DOWNLOADS };
        let file = Row { host, path: FILE.to_owned(), h2, work, bears_hidden: false, charted: !h2, ..small.clone() };
        rows.push(file.named(id, title));
    }
    let one = Work::Load { connections: 1, seconds, most: None };
    rows.push(Row { work: one, ..small.clone().named("quiet", "small page on one connection, quiet") });
    rows.push(Row { work: one, busy: true, ..small.named("busy", "the same while a list and two files pass") });
    rows.into_iter().filter(|row| options.wants_row(&row.id)).collect()
}

/// What shows how a proxy that has run for a while looks: so many requests, if they don't take too long.
pub(crate) fn endurance(options: &Options) -> Option<Row> {
    let seconds = if options.quick { 3.0 } else { 12.0 };
    let work = Work::Load { connections: CONNECTIONS, seconds, most: Some(100_000) };
    options.wants_row("standing").then(|| page("small", Form::Json, false, work))
}

/// Rows that pass in the background.
pub(crate) fn background() -> [Row; 3] {
    let endless = Work::Download { times: u64::MAX, seconds: 60.0 };
    let root = Row { path: "/simple/".to_owned(), ..page("", Form::Json, false, endless) };
    let file = Row { host: "files.pythonhosted.org", path: FILE.to_owned(), ..root.clone() };
    [root, file.clone(), file]
}

/// By the files on a page.
pub(crate) fn by_size(options: &Options) -> Vec<(usize, Row)> {
    let load = Work::Load { connections: CONNECTIONS, seconds: options.seconds(), most: None };
    SIZES.map(|files| (files, page(&format!("size-{files}"), Form::Json, false, load))).to_vec()
}

/// By the names in the policy.
pub(crate) fn by_policy(options: &Options) -> Vec<(usize, Row)> {
    let load = Work::Load { connections: CONNECTIONS, seconds: options.seconds(), most: None };
    [0, 10, 1_000, 100_000].map(|names| (names, page("mid", Form::Json, false, load))).to_vec()
}

/// By the connections that are open.
pub(crate) fn by_connections(options: &Options) -> Vec<(usize, Row)> {
    let load = |connections| Work::Load { connections, seconds: options.seconds(), most: None };
    [1, 10, 100, 1_000].map(|connections| (connections, page("small", Form::Json, false, load(connections)))).to_vec()
}

fn page(project: &str, form: Form, gzip: bool, work: Work) -> Row {
    Row {
        id: format!("{project}-{}", short(form, gzip)),
        title: String::new(),
        host: "pypi.org",
        path: format!("/simple/{project}/"),
        form,
        gzip,
        h2: false,
        work,
        busy: false,
        bears_hidden: true,
        charted: false,
    }
}

impl Row {
    fn named(self, id: &str, title: &str) -> Self {
        Self { id: id.to_owned(), ..self.titled(title) }
    }

    fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }

    /// What the client is told.
    pub(crate) fn order(&self, between: crate::run::Between<'_>, origin_ca: &std::path::Path) -> Order {
        // What is tunnelled comes with nginx's own certificate.
        let ca = between.filter(|_| self.host != OTHER).map_or(origin_ca, |peer| &peer.plan.ca);
        Order {
            proxy: between.map(|peer| peer.plan.address),
            ca: ca.to_owned(),
            host: self.host.to_owned(),
            path: self.path.clone(),
            accept: self.form.content_type().to_owned(),
            gzip: self.gzip,
            h2: self.h2,
            pace: None,
            work: self.work,
        }
    }

    /// Fails unless a page shows the names that are to be hidden to those, and only those, who hide none.
    pub(crate) fn check(&self, body: &str, hides: bool) -> Result<()> {
        let shown = ["\"acme-", "\"acme_", ">acme-", ">acme_"].iter().any(|start| body.contains(start));
        match (self.bears_hidden, shown) {
            (true, shown) if shown == hides => {
                Err(if shown { "a hidden name is shown" } else { "names are gone" }.into())
            }
            (false, true) => Err("a name from nowhere".into()),
            _ => Ok(()),
        }
    }
}

fn short(form: Form, gzip: bool) -> String {
    let form = if form == Form::Json { "json" } else { "html" };
    if gzip { format!("{form}-gzip") } else { form.to_owned() }
}

fn kind(form: Form, gzip: bool) -> String {
    let form = if form == Form::Json { "JSON" } else { "HTML" };
    if gzip { format!("{form}, gzip") } else { form.to_owned() }
}
