//! The single values of the config: each is parsed from its text, or refused with what would be right.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use pep440_rs::{Version, VersionSpecifiers, VersionSpecifiersParseError};
use time::Date;
use time::macros::format_description;
use url::Url;

use super::listener::{INHERITED, Place};
use super::raw::{RawDate, RawSize};
use super::schema::nearest;
use super::snippet::Wrong;
use crate::name::destinations::unmapped;
use crate::name::{Authority, HostName, ProjectName};
use crate::policy::audience::USER;
use crate::policy::{Somebody, Who};

/// The longest rule id.
const LONGEST_ID: usize = 64;

/// An IP address and a port; port 0 is a free one.
pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let meant = SocketAddr::new(ip, 3128);
        return Err(Wrong::new(format!("`{text}` has no port"), format!("write `{meant}`")));
    }
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(3128);
    Err(Wrong::new(
        format!("`{text}` is not an IP address with a port"),
        format!(
            "write `127.0.0.1:{port}`, `[::1]:{port}` or, for every interface, `0.0.0.0:{port}`; \
             names are not looked up"
        ),
    ))
}

/// Where something listens.
pub(super) fn place(text: &str) -> Result<Place, Wrong> {
    match text.strip_prefix(INHERITED) {
        Some(name) if is_socket_name(name) => Ok(Place::Inherited(name.to_owned())),
        Some(_) => Err(Wrong::new(
            format!("`{text}` names no socket"),
            "write the name that the socket unit gives to it: `FileDescriptorName=proxy` there, `systemd:proxy` here",
        )),
        None => address(text).map(Place::Address),
    }
}

/// What systemd takes for the name of a socket, and fits into a list.
fn is_socket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b':' && byte != b',';
    (1..=255).contains(&name.len()) && name.bytes().all(plain)
}

/// A network in CIDR form.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(network) = text.parse::<IpNet>() {
        if let Some(older) = unmapped(&network) {
            // Clients of the older family are known by its addresses, wherever they come in.
            let message = format!("`{text}` is a network of IPv4, written as one of IPv6");
            return Err(Wrong::new(message, format!("write `{older}`")));
        }
        let meant = network.trunc();
        let wrong = || {
            Wrong::new(
                format!("`{text}` has an address of the network, not the network itself"),
                format!("write `{meant}`"),
            )
        };
        return if network == meant { Ok(network) } else { Err(wrong()) };
    }
    let (message, help) = match text.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) => (format!("`{text}` is an address, not a network"), format!("write `{}`", IpNet::from(ip))),
        Err(_) => (
            format!("`{text}` is not a network"),
            "write an address and the length of its prefix: `10.0.0.0/8`, `192.168.1.7/32` or `fd00::/8`".to_owned(),
        ),
    };
    Err(Wrong::new(message, help))
}

/// A network, or a user.
pub(super) fn who(text: &str) -> Result<Who, Wrong> {
    if let Some(name) = text.strip_prefix(USER) {
        return user(name).map(Who::User);
    }
    network(text).map(Who::Network).map_err(|wrong| {
        // Somebody's name, most likely.
        let is_name =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
        if is_name { Wrong::new(wrong.message().to_owned(), format!("write `{USER}{text}` for a user")) } else { wrong }
    })
}

/// Somebody: a user on this machine, or an address.
pub(super) fn asker(text: &str) -> Result<Somebody, Wrong> {
    if let Some(name) = text.strip_prefix(USER) {
        return one_user(name).map(|name| Somebody { user: Some(name), ..Somebody::default() });
    }
    let help = "write a user (`user:ci`) or an address (`10.1.2.3`)";
    let client: IpAddr = text.parse().map_err(|_unhelpful| Wrong::new(format!("`{text}` is nobody"), help))?;
    Ok(Somebody { client: client.to_canonical(), ..Somebody::default() })
}

/// The name of one user.
pub(super) fn one_user(name: &str) -> Result<String, Wrong> {
    if name.contains('*') {
        return Err(Wrong::new(format!("`{USER}{name}` is not one user"), "write the whole name: `user:ci`"));
    }
    user(name)
}

fn user(name: &str) -> Result<String, Wrong> {
    if name.is_empty() || name.contains(':') || name.trim() != name || name.chars().any(char::is_control) {
        let help = "write the name as in the users file, with `*` for any part of it: `user:deploy-*`";
        return Err(Wrong::new(format!("`{USER}{name}` names no user"), help));
    }
    Ok(name.to_owned())
}

/// A whole number and its unit.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let milliseconds = match unit.trim_start() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let amount = digits.parse::<u64>().ok();
    amount.zip(milliseconds).and_then(|(amount, unit)| amount.checked_mul(unit)).map(Duration::from_millis).ok_or_else(
        || {
            let help = "write a whole number and its unit, `ms`, `s`, `m` or `h`: `30s`";
            Wrong::new(format!("`{text}` is not a length of time"), help)
        },
    )
}

/// A number of bytes, with its unit or without.
pub(super) fn size(raw: &RawSize) -> Result<u64, Wrong> {
    const HELP: &str = "write a whole number and its unit, `KB`, `MB` or `GB`: `64MB`; or `0`";
    let text = match raw {
        RawSize::Bytes(number) => {
            return u64::try_from(*number).map_err(|_negative| Wrong::new(format!("`{number}` is not a size"), HELP));
        }
        RawSize::Text(text) => text,
    };
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    // As memory is counted: in powers of two, whichever way the unit is written.
    let shift = match unit.trim_start() {
        "" | "B" => Some(0),
        "KB" | "KiB" => Some(10),
        "MB" | "MiB" => Some(20),
        "GB" | "GiB" => Some(30),
        _ => None,
    };
    let amount = digits.parse::<u64>().ok();
    let bytes = amount.zip(shift).and_then(|(amount, shift)| amount.checked_mul(1 << shift));
    bytes.ok_or_else(|| Wrong::new(format!("`{text}` is not a size"), HELP))
}

/// A day.
pub(super) fn date(raw: &RawDate) -> Result<Date, Wrong> {
    const HELP: &str = "write the last day on which the rule is in force as year-month-day: `expires = 2027-06-30`";
    match raw {
        RawDate::Text(text) => Date::parse(text, format_description!("[year]-[month]-[day]"))
            .map_err(|_unhelpful| Wrong::new(format!("`{text}` is not a day"), HELP)),
        RawDate::Toml(whole) => {
            let day = whole.date.filter(|_| whole.time.is_none());
            let day = day.ok_or_else(|| Wrong::new(format!("`{whole}` is not just a day"), HELP))?;
            let month = time::Month::try_from(day.month);
            month
                .and_then(|month| Date::from_calendar_date(i32::from(day.year), month, day.day))
                .map_err(|_unhelpful| Wrong::new(format!("`{whole}` is not in the calendar"), HELP))
        }
    }
}

/// Which releases: comparisons of versions, as requirements have them (PEP 440).
pub(super) fn versions(text: &str) -> Result<VersionSpecifiers, Wrong> {
    const HELP: &str = "write comparisons as in a requirement, with commas between them: `versions = \">=2.0, <3\"`";
    if text.trim().is_empty() {
        return Err(Wrong::new("no version is compared with", HELP));
    }
    if let Ok(version) = text.parse::<Version>() {
        let message = format!("`{text}` says no comparison");
        return Err(Wrong::new(
            message,
            format!("write `=={version}` for this release alone, `>={version}` from it on"),
        ));
    }
    text.parse().map_err(|error: VersionSpecifiersParseError| {
        // Below the first line it draws the text once more, as we do.
        let error = error.to_string();
        let complaint = error.lines().next().unwrap_or_default();
        let complaint = complaint.trim_start_matches("Failed to parse version: ").trim_end_matches(':');
        Wrong::new(format!("`{text}` compares no versions: {complaint}"), HELP)
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(what: &str, text: &str, choices: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words = || choices.iter().map(|(word, _)| *word);
    let list = words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let meant = nearest(text, words()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(Wrong::new(format!("`{text}` is not a {what}"), format!("{meant}it is one of {list}")))
}

/// A host name or an IP address, without a port.
pub(super) fn host(text: &str) -> Result<HostName, Wrong> {
    let help = match Url::parse(text)
        .ok()
        .as_ref()
        .and_then(Url::host_str)
        .or_else(|| text.rsplit_once(':').map(|(host, _)| host))
    {
        Some(bare) if bare.parse::<HostName>().is_ok() => {
            format!("write the name alone, without scheme, port and path: `{bare}`")
        }
        _ => "write the name alone, without scheme, port and path: `mirror.corp.example`".to_owned(),
    };
    text.parse().map_err(|_unhelpful| Wrong::new(format!("`{text}` is not a host name"), help))
}

/// A host and its port.
pub(super) fn authority(text: &str) -> Result<Authority, Wrong> {
    if let Ok(authority) = text.parse() {
        return Ok(authority);
    }
    if let Ok(meant) = Authority::parse_or(text, 443) {
        return Err(Wrong::new(format!("`{text}` has no port"), format!("write the port behind it: `{meant}`")));
    }
    let of_url =
        Url::parse(text).ok().and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    let examples = || "pypi.org:443`, `127.0.0.1:8443` or `[::1]:8443".to_owned();
    let help = format!("write host and port alone, without scheme and path: `{}`", of_url.unwrap_or_else(examples));
    Err(Wrong::new(format!("`{text}` is not a host with a port"), help))
}

/// A rule's id: it stands in headers, log lines and metrics.
pub(super) fn id(text: &str) -> Result<String, Wrong> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (1..=LONGEST_ID).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let message = if text.is_empty() { "the id is empty".to_owned() } else { format!("`{text}` can't be an id") };
    let help = format!(
        "an id has 1 to {LONGEST_ID} printable ASCII characters and no space, for it is shown in headers, \
         log lines and metrics: `acme`"
    );
    Err(Wrong::new(message, help))
}

/// A project's name, as somebody may write it.
pub(super) fn project(text: &str) -> Result<String, Wrong> {
    let help = "an assertion names one project, not a pattern: `acme-core`";
    ProjectName::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| Wrong::new(format!("`{text}` is not a project name: {error}"), help))
}

/// The address of an index, which everybody who is refused gets to see.
pub(super) fn public_url(text: &str) -> Result<String, Wrong> {
    let help = "write the whole address: `https://pypi.acme.example/simple/`";
    let Ok(url) = Url::parse(text) else { return Err(Wrong::new(format!("`{text}` is not a URL"), help)) };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Wrong::new(format!("`{text}` is not an http or https URL"), help));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = "the URL holds credentials, and everybody who is refused would see them";
        return Err(Wrong::new(message, "write it without the part before `@`"));
    }
    Ok(text.to_owned())
}

/// A path; a relative one starts from `folder`.
pub(super) fn path(text: &str, folder: &Path) -> Result<PathBuf, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new(
            "the path is empty",
            "write a path, absolute or from the config file's folder, or leave the key out",
        ));
    }
    Ok(folder.join(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("1 h", 3_600_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5s", "30 sec", "30S", "18446744073709551615h", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let text = |text: &str| size(&RawSize::Text(text.to_owned()));
        for (written, bytes) in
            [("0", 0), ("64MB", 64 << 20), ("64 MiB", 64 << 20), ("512KB", 512 << 10), ("1GB", 1 << 30)]
        {
            assert_eq!(text(written), Ok(bytes), "{written}");
        }
        for wrong in ["", "MB", "-1MB", "1.5GB", "64 mb", "64M", "18446744073709551615GB"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size(&RawSize::Bytes(1000)), Ok(1000));
        assert!(size(&RawSize::Bytes(-1)).is_err());
    }

    #[test]
    fn days() {
        let text = |text: &str| date(&RawDate::Text(text.to_owned()));
        assert_eq!(text("2027-06-30"), Ok(time::macros::date!(2027 - 06 - 30)));
        for wrong in ["", "2027-6-30", "30.06.2027", "2027-02-29", "2027-06-30T00:00:00Z", "tomorrow"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_and_addresses() {
        assert!(network("10.0.0.0/8").is_ok() && network("::/0").is_ok() && network("192.0.2.7/32").is_ok());
        for wrong in ["", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.*", "localhost"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
        assert!(address("127.0.0.1:0").is_ok() && address("[::1]:3128").is_ok());
        for wrong in ["", "127.0.0.1", "::1", "[::1]", ":3128", "3128", "localhost:3128", "127.0.0.1:65536"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_fit_into_a_header() {
        assert!(id("acme").is_ok() && id("corp/Acme.core_2").is_ok() && id(&"a".repeat(LONGEST_ID)).is_ok());
        for wrong in ["", "acme core", "acme\n", "\u{e4}", &"a".repeat(LONGEST_ID + 1)] {
            assert!(id(wrong).is_err(), "{wrong:?}");
        }
    }
}
