//! Compiles a [`Document`], the environment's variables and the command line's overrides into [`Settings`], reporting every mistake on the way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::environment::Environment;
use super::include::Gathered;
use super::raw::{RawCa, RawIntercept, RawLog, RawUpstream, Text};
use super::settings::{AccessFormat, AccessTo, CaSource, LogFormat, Overrides, Settings};
use super::snippet::{ConfigError, Mistakes, Wrong};
use super::structure::{self, Document};
use super::variables::Variables;
use super::{claimed, exits, inventory, limits, listen, parents, rules, schema, users, value};
use crate::name::{Authority, HostName};
use crate::pypi::site::{self, SiteKind, Sites};

const DEFAULT_DRAIN: Duration = Duration::from_secs(30);
/// Some thousand pages.
const DEFAULT_CACHE: u64 = 64 * 1024 * 1024;

/// Reads, checks and compiles what was gathered.
pub(super) fn compile(
    gathered: &Gathered,
    variables: &Variables,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Settings, ConfigError> {
    let mut mistakes = Mistakes::new(&gathered.sources);
    gathered.report(&mut mistakes);
    variables.report(&mut mistakes);
    let document = structure::read(&mut mistakes);
    let rules = rules::rules(&document, &variables.protect, &overrides.protect, &mut mistakes);
    let assertions = rules::assertions(&document, &mut mistakes);
    if !document.readable {
        return Err(mistakes.into_error());
    }
    rules::report_strangers(&document, &mut mistakes);
    let table = document.raw.listen.as_ref().map(Spanned::get_ref);
    let log = &document.raw.log;
    let sites = sites(&document, &mut mistakes);
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = |text: &str| value::choice("log format", text, &formats);
    let of_file = checked(log.format.as_ref(), &mut mistakes, format);
    let of_environment = checked(variables.log_format.as_ref(), &mut mistakes, format);
    let ca = ca(&document, environment, &mut mistakes);
    let ca_of_environment = path(variables.ca_dir.as_ref(), &mut mistakes).map(CaSource::Dir);
    let (allow, admin_allow) = listen::allow(table, variables, &mut mistakes);
    let listeners = listen::listeners(&document, variables, overrides, &allow, &mut mistakes);
    let admin = listen::admin(table, variables, overrides, &mut mistakes);
    if let Some((written, place)) = table.and_then(|listen| listen.admin.as_ref()).zip(admin.as_ref())
        && listeners.iter().any(|listener| listener.place.is_taken_by(place))
    {
        let help = "choose another port for one of the two";
        mistakes.report(&written.span(), Wrong::new(format!("the proxy itself listens on `{place}`"), help));
    }
    let settings = Settings {
        source: gathered.sources.config().path.clone(),
        listeners,
        admin,
        admin_hosts: listen::admin_hosts(table, &mut mistakes),
        allow,
        admin_allow,
        users: users::users(table.and_then(|listen| listen.users.as_ref()), &mut mistakes),
        drain: table
            .and_then(|listen| checked(listen.drain.as_ref(), &mut mistakes, value::duration))
            .unwrap_or(DEFAULT_DRAIN),
        drain_notice: table
            .and_then(|listen| checked(listen.drain_notice.as_ref(), &mut mistakes, value::duration))
            .unwrap_or_default(),
        limits: limits::limits(&document.raw.limits, &mut mistakes),
        ca: ca_of_environment.unwrap_or(ca),
        state: environment.state_folder(),
        extra_roots: extra_roots(&document.raw.upstream, &mut mistakes),
        parents: parents::parents(&document, &variables.proxies, &mut mistakes),
        connect_to: connect_to(&document.raw.upstream, &mut mistakes),
        exits: Arc::new(exits::exits(&document, &mut mistakes)),
        cache: cache(&document, &mut mistakes),
        rules,
        assertions,
        inventories: inventory::inventories(&document, &sites, environment, &mut mistakes),
        claimed: claimed::claimed(&document, &mut mistakes),
        client_roots: Vec::new(),
        sites,
        log_format: overrides.log_format.or(of_environment).or(of_file).unwrap_or_default(),
        decisions: path(log.decisions.as_ref(), &mut mistakes),
        access: access(log, &mut mistakes),
        access_format: access_format(log, &mut mistakes),
        files: gathered.files(),
        watched: gathered.watched.clone(),
        folders: gathered.folders.clone(),
        blank: gathered.blank(),
    };
    mistakes.or(settings)
}

/// How much of what was filtered is kept in memory.
fn cache(document: &Document, mistakes: &mut Mistakes<'_>) -> u64 {
    let size = document.raw.cache.size.as_ref();
    let size = size.and_then(|size| mistakes.keep(&size.span(), value::size(size.get_ref())));
    size.unwrap_or(DEFAULT_CACHE)
}

/// Where the access log goes.
fn access(log: &RawLog, mistakes: &mut Mistakes<'_>) -> Option<AccessTo> {
    match &log.access {
        Some(text) if text.get_ref() == "-" => Some(AccessTo::Log),
        text => path(text.as_ref(), mistakes).map(AccessTo::File),
    }
}

fn access_format(log: &RawLog, mistakes: &mut Mistakes<'_>) -> AccessFormat {
    let formats = [("json", AccessFormat::Json), ("common", AccessFormat::Common)];
    let format = |text: &str| value::choice("access log format", text, &formats);
    checked(log.access_format.as_ref(), mistakes, format).unwrap_or_default()
}

/// The value that `parse` makes of `text`; nothing if it is not written, or wrong and reported.
fn checked<T>(
    text: Option<&Text>,
    mistakes: &mut Mistakes<'_>,
    parse: impl FnOnce(&str) -> Result<T, Wrong>,
) -> Option<T> {
    text.and_then(|text| mistakes.keep(&text.span(), parse(text.get_ref())))
}

pub(super) fn path(text: Option<&Text>, mistakes: &mut Mistakes<'_>) -> Option<PathBuf> {
    let sources = mistakes.source();
    let folder = text.map(|text| sources.folder(text.span().start)).unwrap_or_else(|| Path::new(""));
    checked(text, mistakes, |text| value::path(text, folder))
}

/// Where the CA is: in a folder of its own, or in the organisation's two files.
fn ca(document: &Document, environment: &Environment, mistakes: &mut Mistakes<'_>) -> CaSource {
    let default = || CaSource::Dir(environment.state_folder());
    let Some(table) = document.raw.ca.as_ref() else { return default() };
    let RawCa { dir, cert, key } = table.get_ref();
    if let (Some(dir), Some(_)) = (dir, cert.as_ref().or(key.as_ref())) {
        let help = "keep `dir` for a CA that namewall makes, or `cert` and `key` for one of your organisation";
        mistakes.report(&dir.span(), Wrong::new("`dir` and `cert` with `key` exclude each other", help));
    }
    pair("ca", ("cert", cert.as_ref()), ("key", key.as_ref()), document.is_whole(table), mistakes);
    let (dir, cert, key) = (path(dir.as_ref(), mistakes), path(cert.as_ref(), mistakes), path(key.as_ref(), mistakes));
    match (dir, cert, key) {
        (_, Some(cert), Some(key)) => CaSource::Pair { cert, key },
        (Some(dir), _, _) => CaSource::Dir(dir),
        _ => default(),
    }
}

/// Reports the half of a pair of keys that stands without the other, unless that may have been taken out of the table.
pub(super) fn pair(
    table: &str,
    one: (&str, Option<&Text>),
    other: (&str, Option<&Text>),
    is_whole: bool,
    mistakes: &mut Mistakes<'_>,
) {
    let lonely = match (one.1, other.1) {
        (Some(text), None) => Some((text, one.0, other.0)),
        (None, Some(text)) => Some((text, other.0, one.0)),
        _ => None,
    };
    if let Some((text, present, missing)) = lonely.filter(|_| is_whole) {
        let example = schema::example(table, missing).unwrap_or(missing);
        let instead = if table == "ca" { ", or use `dir` for a CA that namewall makes" } else { "" };
        let help = format!("add the other half, such as `{example}`{instead}");
        mistakes.report(&text.span(), Wrong::new(format!("`{present}` stands without `{missing}`"), help));
    }
}

/// The files with further roots, each of which must be there: a root that is missing shows only much later, as a 502.
fn extra_roots(upstream: &RawUpstream, mistakes: &mut Mistakes<'_>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for text in &upstream.extra_roots {
        let Some(file) = path(Some(text), mistakes) else { continue };
        if file.is_file() {
            files.push(file);
            continue;
        }
        let message = format!("there is no file `{}`", file.display());
        let help = "write the path of a PEM file, absolute or from the config file's folder";
        mistakes.report(&text.span(), Wrong::new(message, help));
    }
    files
}

fn connect_to(upstream: &RawUpstream, mistakes: &mut Mistakes<'_>) -> HashMap<Authority, Authority> {
    let mut elsewhere = HashMap::new();
    let mut in_order: Vec<_> = upstream.connect_to.iter().collect();
    in_order.sort_by_key(|(named, _)| named.span().start);
    for (named, dialled) in in_order {
        let named_at = mistakes.keep(&named.span(), value::authority(named.get_ref()));
        let dialled_at = mistakes.keep(&dialled.span(), value::authority(dialled.get_ref()));
        let Some((from, to)) = named_at.zip(dialled_at) else { continue };
        if elsewhere.insert(from.clone(), to).is_some() {
            let message = format!("`{from}` is listed twice");
            mistakes
                .report(&named.span(), Wrong::new(message, "remove one of the two; hosts are the same in any case"));
        }
    }
    elsewhere
}

/// The intercepted hosts: the default ones and the config's.
fn sites(document: &Document, mistakes: &mut Mistakes<'_>) -> Sites {
    let mut sites: Sites = site::default_sites().collect();
    for table in &document.raw.intercept {
        let RawIntercept { host, kind } = table.get_ref();
        if (host.is_none() || kind.is_none()) && document.is_whole(table) {
            let missing = if host.is_none() { "host" } else { "kind" };
            let help =
                "an intercepted host is written like this: `host = \"mirror.corp.example\"`, `kind = \"mirror\"`";
            mistakes.report(&table.span(), Wrong::new(format!("this `[[intercept]]` has no `{missing}`"), help));
        }
        let kinds =
            [SiteKind::Index, SiteKind::Files, SiteKind::Upload, SiteKind::Mirror].map(|kind| (kind.as_str(), kind));
        let kind = checked(kind.as_ref(), mistakes, |text| value::choice("kind of host", text, &kinds));
        let name = checked(host.as_ref(), mistakes, |text| site_name(text, &sites));
        sites.extend(name.zip(kind));
    }
    sites
}

/// A host that the CA can sign for, and that isn't intercepted yet.
fn site_name(text: &str, sites: &Sites) -> Result<HostName, Wrong> {
    let name = value::host(text)?;
    if name.ip().is_some() {
        let help = "write the name under which clients reach it; the CA of namewall signs for names alone";
        return Err(Wrong::new(format!("`{text}` is an IP address"), help));
    }
    match sites.get(&name) {
        Some(kind) => {
            let message = format!("`{name}` is intercepted already, as `{}`", kind.as_str());
            Err(Wrong::new(message, "remove this `[[intercept]]`: each host is listed once, and PyPI's own always are"))
        }
        None => Ok(name),
    }
}
