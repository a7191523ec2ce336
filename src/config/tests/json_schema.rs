//! `config/namewall.schema.json`: made here, of a mirror of the raw structs and the comments of the annotated default.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::annotated::switched_on;
use super::*;
use crate::policy::Mode;
use crate::pypi::site::SiteKind;

/// `namewall.toml`; what is no `Option` must be written.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Config {
    include: Option<Vec<String>>,
    protect: Option<Vec<Protect>>,
    assert: Option<Vec<Assert>>,
    inventory: Option<Vec<Inventory>>,
    claimed: Option<Claimed>,
    claimed_every: Option<String>,
    listen: Option<Listen>,
    listener: Option<Vec<Listener>>,
    ca: Option<Ca>,
    upstream: Option<Upstream>,
    tunnel: Option<Tunnel>,
    limits: Option<Limits>,
    cache: Option<Cache>,
    intercept: Option<Vec<Intercept>>,
    log: Option<Log>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Protect {
    id: String,
    names: Option<Vec<String>>,
    except: Option<Vec<String>>,
    files: Option<Vec<String>>,
    versions: Option<String>,
    lookalikes: Option<bool>,
    reason: Option<String>,
    owner: Option<String>,
    private_index: Option<String>,
    #[schemars(extend("format" = "date"))]
    expires: Option<String>,
    mode: Option<RuleMode>,
    everything: Option<bool>,
    r#for: Option<Vec<String>>,
    except_for: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape counts")]
enum RuleMode {
    Enforce,
    Audit,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Assert {
    protected: Option<Vec<String>>,
    allowed: Option<Vec<String>>,
    r#for: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Inventory {
    id: String,
    url: String,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    refresh: Option<String>,
    on_missing: Option<OnMissing>,
    except: Option<Vec<String>>,
    user: Option<String>,
    password_file: Option<String>,
    token_file: Option<String>,
    netrc: Option<String>,
    r#for: Option<Vec<String>>,
    except_for: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape counts")]
enum OnMissing {
    Refuse,
    Ignore,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Claimed {
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    every: Option<String>,
    webhook: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Listen {
    addr: Option<OneOrMany>,
    admin: Option<String>,
    admin_hosts: Option<Vec<String>>,
    allow: Option<Vec<String>>,
    users: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    drain: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    drain_notice: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Listener {
    addr: OneOrMany,
    allow: Option<Vec<String>>,
    cert: Option<String>,
    key: Option<String>,
    proxy_protocol: Option<Vec<String>>,
    transparent: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its shape counts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Ca {
    dir: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Upstream {
    proxy: Option<String>,
    proxy_password_file: Option<String>,
    no_proxy: Option<OneOrMany>,
    route: Option<Vec<Route>>,
    extra_roots: Option<Vec<String>>,
    connect_to: Option<BTreeMap<String, String>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Route {
    to: OneOrMany,
    proxy: String,
    proxy_password_file: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Tunnel {
    allow: Option<OneOrMany>,
    deny: Option<OneOrMany>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Limits {
    connections: Option<u32>,
    connections_per_client: Option<u32>,
    tunnels: Option<u32>,
    requests_per_connection: Option<u32>,
    head_size: Option<Size>,
    streams: Option<u32>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    opening: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    idle: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    tunnel_idle: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|h)$"))]
    tunnel_lifetime: Option<String>,
    bytes_per_client: Option<Size>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Cache {
    size: Option<Size>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its shape counts")]
enum Size {
    Bytes(u32),
    Text(#[schemars(regex(pattern = r"^[0-9]+ *([KMG]i?)?B?$"))] String),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Intercept {
    host: String,
    kind: Kind,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape counts")]
enum Kind {
    Index,
    Files,
    Upload,
    Mirror,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape counts")]
struct Log {
    format: Option<Format>,
    decisions: Option<String>,
    access: Option<String>,
    access_format: Option<AccessFormat>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape counts")]
enum AccessFormat {
    Json,
    Common,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape counts")]
enum Format {
    Text,
    Json,
}

fn made() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    without_null(&mut schema);
    let descriptions = descriptions();
    schema["title"] = "namewall.toml".into();
    schema["description"] = "The config of namewall; `namewall check` says more than a schema can.".into();
    describe(&mut schema, "", &descriptions);
    schema
}

/// TOML has no null: what may be left out is left out.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type")
        && let Some(list) = types.as_array()
        && let [only, _null] = list.as_slice()
    {
        *types = only.clone();
    }
    if let Some(list) = schema.get("anyOf").and_then(Value::as_array)
        && let [only, null] = list.as_slice()
        && null == &json!({ "type": "null" })
    {
        *schema = only.clone();
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(without_null),
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The properties of `table`, whether it is one table or a list of them.
fn properties<'s>(schema: &'s mut Value, table: &str) -> &'s mut Map<String, Value> {
    let inner = table.split('.').filter(|name| !name.is_empty()).fold(schema, |schema, name| {
        let schema = &mut schema["properties"][name];
        if schema["type"] == "array" { &mut schema["items"] } else { schema }
    });
    inner["properties"].as_object_mut().unwrap()
}

fn describe(schema: &mut Value, table: &str, descriptions: &BTreeMap<(String, String), String>) {
    let names: Vec<String> = properties(schema, table).keys().cloned().collect();
    for name in names {
        if let Some(text) = descriptions.get(&(table.to_owned(), name.clone())) {
            properties(schema, table)[&name]["description"] = text.as_str().into();
        }
        let below = if table.is_empty() { name } else { format!("{table}.{name}") };
        if schema::KEYS.iter().any(|key| key.table == below) {
            describe(schema, &below, descriptions);
        }
    }
}

/// What the annotated default says above each key and table; of keys below one comment, each gets it.
fn descriptions() -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let (mut comment, mut last, mut table) = (Vec::new(), String::new(), String::new());
    for line in discover::BUILT_IN.lines() {
        let Some(text) = line.strip_prefix('#') else {
            comment.clear();
            last.clear();
            continue;
        };
        let name = text.trim_matches(['[', ']']).split(" =").next().unwrap();
        let is_table = text.starts_with('[');
        if text.starts_with(|c: char| c.is_ascii_lowercase()) || is_table {
            if !comment.is_empty() {
                // What ends with a colon leads to a list that is too long for a hint.
                let words = comment.iter().take_while(|line: &&&str| !line.ends_with(':'));
                last = words.copied().collect::<Vec<_>>().join(" ");
                comment.clear();
            }
            if is_table {
                name.clone_into(&mut table);
            }
            let (above, own) = if is_table { name.rsplit_once('.').unwrap_or(("", name)) } else { (&*table, name) };
            let key = (above.to_owned(), own.to_owned());
            found.insert(key, last.clone());
        } else {
            comment.push(text.trim_start_matches(' '));
        }
    }
    found
}

/// What is wrong with `value` under `schema`. Knows the keywords that ours uses, and fails at others.
fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |right: bool| found.extend((!right).then(|| format!("{at}: {schema}")));
    for (keyword, wanted) in schema.as_object().unwrap() {
        match keyword.as_str() {
            // The type says as much of a number as there is to say.
            "minimum" if wanted == 0 => {}
            "$schema" | "title" | "description" | "format" | "properties" | "items" | "additionalProperties" => {}
            "type" => expect(match wanted.as_str().unwrap() {
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                "boolean" => value.is_boolean(),
                "array" => value.is_array(),
                "object" => value.is_object(),
                other => panic!("{other}"),
            }),
            "enum" => expect(wanted.as_array().unwrap().contains(value)),
            "required" => {
                expect(wanted.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()));
            }
            "pattern" => expect(
                regex::Regex::new(wanted.as_str().unwrap()).unwrap().is_match(value.as_str().unwrap_or_default()),
            ),
            "anyOf" => expect(wanted.as_array().unwrap().iter().any(|one| wrong(one, value, at).is_empty())),
            other => panic!("{other}"),
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{at} is unknown")),
            (Value::Null, Value::Null) => {}
            (Value::Null, others) => found.extend(wrong(others, value, &at)),
            (known, _) => found.extend(wrong(known, value, &at)),
        }
    }
    for value in value.as_array().into_iter().flatten().filter(|_| schema.get("items").is_some()) {
        found.extend(wrong(&schema["items"], value, at));
    }
    found
}

fn judged(text: &str) -> Vec<String> {
    // serde_json takes a TOML date for a map.
    let text = text.replace("2027-06-30", "\"2027-06-30\"");
    wrong(&made(), &toml::from_str(&text).unwrap(), "")
}

#[test]
fn the_committed_schema_is_the_one_that_is_made() {
    let made = format!("{:#}\n", made());
    if made != discover::SCHEMA {
        let path = std::env::temp_dir().join("namewall.schema.json");
        fs::write(&path, made).unwrap();
        panic!("the keys or their comments have changed: copy {} to config/", path.display());
    }
}

#[test]
fn every_key_is_in_it_and_nothing_else() {
    let mut schema = made();
    let mut tables = BTreeSet::from([""]);
    tables.extend(schema::KEYS.iter().map(|key| key.table));
    for table in tables {
        let shown: BTreeSet<String> = properties(&mut schema, table).keys().cloned().collect();
        let known = schema::KEYS.iter().filter(|key| key.table == table).map(|key| key.name.to_owned()).collect();
        assert_eq!(shown, known, "mirror the keys of `{table}` in this file");
        let closed = table.split('.').filter(|name| !name.is_empty()).fold(&schema, |schema, name| {
            let schema = &schema["properties"][name];
            if schema["type"] == "array" { &schema["items"] } else { schema }
        });
        assert_eq!(closed["additionalProperties"], false, "{table}");
    }
}

#[test]
fn every_key_that_is_supported_is_described() {
    let mut schema = made();
    for key in schema::KEYS {
        let text = properties(&mut schema, key.table)[key.name]["description"].as_str().unwrap_or_default().to_owned();
        assert!(text.len() > 10 && !text.ends_with(':'), "{} {}: {text}", key.table, key.name);
    }
}

#[test]
fn words_are_those_that_are_read() {
    let mut schema = made();
    let mut words = |table: &str, key: &str| properties(&mut schema, table)[key]["enum"].clone();
    assert_eq!(words("protect", "mode"), json!([Mode::Enforce.as_str(), Mode::Audit.as_str()]));
    let kinds = [SiteKind::Index, SiteKind::Files, SiteKind::Upload, SiteKind::Mirror].map(SiteKind::as_str);
    assert_eq!(words("intercept", "kind"), json!(kinds));
    let formats: Vec<_> = LogFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
    let formats: Vec<_> = formats.iter().map(|value| value.get_name()).collect();
    assert_eq!(words("log", "format"), json!(formats));
}

#[test]
fn it_takes_what_is_right_and_refuses_what_is_wrong() {
    assert_eq!(judged(discover::BUILT_IN), Vec::<String>::new());
    assert_eq!(judged(&switched_on(|_| true)), Vec::<String>::new());
    assert_eq!(judged(EXAMPLE), Vec::<String>::new());
    for text in [
        "zzz = 1",
        "include = \"a.toml\"",
        "[listen]\nadress = \"127.0.0.1:1\"",
        "[listen]\naddr = 3128",
        "[listen]\ndrain = \"30\"",
        "[[protect]]\nnames = [\"acme\"]",
        "[[protect]]\nid = \"acme\"\nnames = [1]",
        "[[protect]]\nid = \"acme\"\nmode = \"warn\"",
        "[protect]\nid = \"acme\"",
        "[[intercept]]\nhost = \"a\"\nkind = \"mirorr\"",
        "[[intercept]]\nhost = \"a\"",
        "[log]\nformat = \"xml\"",
        "[cache]\nsize = \"64 megabytes\"",
        "[upstream]\nconnect-to = { \"a:1\" = 2 }",
        "[upstream]\nno-proxy = 5",
        "[[upstream.route]]\nproxy = \"direct\"",
    ] {
        assert_eq!(judged(text).len(), 1, "{text}: {:?}", judged(text));
        assert!(load(text).is_err(), "{text}");
    }
}
