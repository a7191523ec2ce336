//! The config as it is written: every key of the file by its name, nothing checked but the shape.
//!
//! Values that can be wrong in themselves keep their span, so that a later check can point at them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use toml::value::Datetime;

/// A string and where it stands.
pub(super) type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    pub(super) include: Vec<Text>,
    pub(super) listen: Option<Spanned<RawListen>>,
    pub(super) listener: Vec<Spanned<RawListener>>,
    pub(super) ca: Option<Spanned<RawCa>>,
    pub(super) upstream: RawUpstream,
    pub(super) tunnel: RawTunnel,
    pub(super) limits: RawLimits,
    pub(super) cache: RawCache,
    pub(super) protect: Vec<Spanned<RawProtect>>,
    pub(super) inventory: Vec<Spanned<RawInventory>>,
    pub(super) claimed: Option<Spanned<RawClaimed>>,
    /// Short for `every` in `[claimed]`.
    pub(super) claimed_every: Option<Text>,
    pub(super) assert: Vec<Spanned<RawAssert>>,
    pub(super) intercept: Vec<Spanned<RawIntercept>>,
    pub(super) log: RawLog,
}

/// `[listen]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawListen {
    pub(super) addr: Option<Spanned<OneOrMany>>,
    pub(super) admin: Option<Text>,
    pub(super) admin_hosts: Vec<Text>,
    pub(super) allow: Option<Spanned<Vec<Text>>>,
    pub(super) users: Option<Text>,
    pub(super) drain: Option<Text>,
    pub(super) drain_notice: Option<Text>,
}

/// `[[listener]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawListener {
    pub(super) addr: Option<Spanned<OneOrMany>>,
    pub(super) allow: Option<Spanned<Vec<Text>>>,
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) proxy_protocol: Option<Spanned<Vec<Text>>>,
    pub(super) transparent: Option<Spanned<bool>>,
}

/// `[ca]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCa {
    pub(super) dir: Option<Text>,
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
}

/// `[upstream]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUpstream {
    pub(super) proxy: Option<Text>,
    pub(super) proxy_password_file: Option<Text>,
    pub(super) no_proxy: Option<Spanned<OneOrMany>>,
    pub(super) route: Vec<Spanned<RawRoute>>,
    pub(super) extra_roots: Vec<Text>,
    pub(super) connect_to: BTreeMap<Text, Text>,
}

/// `[[upstream.route]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRoute {
    pub(super) to: Option<Spanned<OneOrMany>>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_password_file: Option<Text>,
}

/// `[tunnel]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTunnel {
    pub(super) allow: Option<Spanned<OneOrMany>>,
    pub(super) deny: Option<Spanned<OneOrMany>>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLimits {
    pub(super) connections: Option<Spanned<i64>>,
    pub(super) connections_per_client: Option<Spanned<i64>>,
    pub(super) tunnels: Option<Spanned<i64>>,
    pub(super) requests_per_connection: Option<Spanned<i64>>,
    pub(super) head_size: Option<Spanned<RawSize>>,
    pub(super) streams: Option<Spanned<i64>>,
    pub(super) opening: Option<Text>,
    pub(super) idle: Option<Text>,
    pub(super) tunnel_idle: Option<Text>,
    pub(super) tunnel_lifetime: Option<Text>,
    pub(super) bytes_per_client: Option<Spanned<RawSize>>,
}

/// `[cache]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCache {
    pub(super) size: Option<Spanned<RawSize>>,
}

/// `[[protect]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawProtect {
    pub(super) id: Option<Text>,
    pub(super) names: Vec<Text>,
    pub(super) except: Vec<Text>,
    pub(super) files: Vec<Text>,
    pub(super) versions: Option<Text>,
    pub(super) lookalikes: Option<Spanned<bool>>,
    pub(super) reason: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) private_index: Option<Text>,
    pub(super) expires: Option<Spanned<RawDate>>,
    pub(super) mode: Option<Text>,
    pub(super) everything: bool,
    #[serde(rename = "for")]
    pub(super) for_: Option<Spanned<Vec<Text>>>,
    pub(super) except_for: Vec<Text>,
}

/// `[[inventory]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawInventory {
    pub(super) id: Option<Text>,
    pub(super) url: Option<Text>,
    pub(super) refresh: Option<Text>,
    pub(super) on_missing: Option<Text>,
    pub(super) except: Vec<Text>,
    pub(super) user: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) token_file: Option<Text>,
    pub(super) netrc: Option<Text>,
    #[serde(rename = "for")]
    pub(super) for_: Option<Spanned<Vec<Text>>>,
    pub(super) except_for: Vec<Text>,
}

/// `[claimed]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawClaimed {
    pub(super) every: Option<Text>,
    pub(super) webhook: Option<Text>,
}

/// `[[assert]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAssert {
    pub(super) protected: Vec<Text>,
    pub(super) allowed: Vec<Text>,
    #[serde(rename = "for")]
    pub(super) for_: Option<Text>,
}

/// `[[intercept]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawIntercept {
    pub(super) host: Option<Text>,
    pub(super) kind: Option<Text>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLog {
    pub(super) format: Option<Text>,
    pub(super) decisions: Option<Text>,
    pub(super) access: Option<Text>,
    pub(super) access_format: Option<Text>,
}

/// A string, or a list of strings.
#[derive(Debug)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<Text>),
}

/// A TOML date, or a string that should be one.
#[derive(Debug)]
pub(super) enum RawDate {
    Toml(Datetime),
    Text(String),
}

/// A number of bytes, or a string that has a unit.
#[derive(Debug)]
pub(super) enum RawSize {
    Bytes(i64),
    Text(String),
}

// By hand, since serde's untagged enums forget the spans of what is in them.
impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RawDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RawSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// What a type makes of a string, and of the other thing that it may be.
trait Alternative: Sized {
    const EXPECTED: &'static str;
    fn of_string(text: &str) -> Self;

    fn of_integer<E: Error>(_: i64) -> Result<Self, E> {
        Err(E::custom(Self::EXPECTED))
    }

    fn of_list<'de, A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::custom(Self::EXPECTED))
    }

    fn of_map<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::custom(Self::EXPECTED))
    }
}

impl Alternative for OneOrMany {
    const EXPECTED: &'static str = "a string or a list of strings";

    fn of_string(text: &str) -> Self {
        Self::One(text.to_owned())
    }

    fn of_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Self::Many)
    }
}

impl Alternative for RawDate {
    const EXPECTED: &'static str = "a date";

    fn of_string(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    // The toml crate hands its dates over as a map with one private key.
    fn of_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let date = Datetime::deserialize(MapAccessDeserializer::new(map));
        // Of a table that is none of these, the whole is the mistake, not its first key.
        date.map(Self::Toml).map_err(|_misleading| A::Error::custom(Self::EXPECTED))
    }
}

impl Alternative for RawSize {
    const EXPECTED: &'static str = "a size";

    fn of_string(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn of_integer<E: Error>(bytes: i64) -> Result<Self, E> {
        Ok(Self::Bytes(bytes))
    }
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Alternative> Visitor<'de> for Either<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_string(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::of_integer(number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }
}
