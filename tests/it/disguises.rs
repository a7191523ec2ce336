//! Every way that is known of asking for a protected name without seeming to: none gets an answer, and none is passed on.
//!
//! A table of rows, numbered. A row holds attempts; whatever the attempt, PyPI never hears the name, the client never
//! sees the planted file, and the status is one of those that the row expects.

use std::fmt;
use std::time::Duration;

use http::{Method, Response};
use namewall::demo::StandIn;
use namewall::demo::standin::Builder;
use namewall::demo::standin::body::full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Ask, HTML, JSON, RULES, World, pypi};

const INDEX: &str = "pypi.org";
const FILES: &str = "files.pythonhosted.org";
/// What no client may ever be shown.
const PLANTED: &str = "acme_core-99.0";

/// One thing to try.
enum Attempt {
    /// A request that a library would write.
    Ask(Ask),
    /// Bytes inside the TLS connection, one by one as they stand.
    Bytes(Vec<u8>),
    /// Bytes on the proxy port.
    Port(Vec<u8>),
    /// What CONNECT names, and what the TLS handshake does (`None`: it names nothing).
    Connect(&'static str, Option<&'static str>),
    /// An upstream that answers the page of `six` so.
    Upstream(&'static [(&'static str, &'static str)], Vec<u8>),
}

use Attempt::{Bytes, Connect, Port, Upstream};

/// What an attempt may come to.
#[derive(Clone, Copy)]
enum Outcome {
    /// One of these statuses.
    Status(&'static [u16]),
    /// The page, without what is protected.
    Filtered,
    /// Refused in whatever way, or served clean: what counts is that nothing leaks.
    Harmless,
}

use Outcome::{Filtered, Harmless, Status};

struct Row {
    number: u8,
    what: &'static str,
    outcome: Outcome,
    attempts: Vec<Attempt>,
}

fn row(number: u8, what: &'static str, outcome: Outcome, attempts: Vec<Attempt>) -> Row {
    Row { number, what, outcome, attempts }
}

fn get(target: &str) -> Attempt {
    Attempt::Ask(Ask::get(INDEX, target).header("accept", JSON))
}

fn gets(targets: &[&str]) -> Vec<Attempt> {
    targets.iter().map(|target| get(target)).collect()
}

fn file(target: impl Into<String>) -> Attempt {
    Attempt::Ask(Ask::get(FILES, target))
}

fn with(fields: &[(&'static str, &str)]) -> Attempt {
    let ask = Ask::get(INDEX, "/simple/acme-core/");
    Attempt::Ask(fields.iter().fold(ask, |ask, (name, value)| ask.header(name, *value)))
}

fn method(name: &str, target: &str) -> Attempt {
    Attempt::Ask(Ask::get(INDEX, target).method(Method::from_bytes(name.as_bytes()).unwrap()))
}

/// A request as bytes: lines, then an empty one, then `rest`.
fn bytes(lines: &[&str], rest: &str) -> Attempt {
    Bytes(format!("{}\r\n\r\n{rest}", lines.join("\r\n")).into_bytes())
}

const SECOND: &str = "GET /simple/acme-core/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n";

/// A page of `six` with one more entry.
fn page_with(entry: &str) -> Vec<u8> {
    format!(
        r#"{{"meta":{{"api-version":"1.4"}},"name":"six","files":[{{"filename":"six-1.0.tar.gz","url":"https://{FILES}/six-1.0.tar.gz","hashes":{{}}}},{entry}],"versions":["1.0","99.0"]}}"#
    )
    .into_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const AS_JSON: &[(&str, &str)] = &[("content-type", JSON)];
const AS_HTML: &[(&str, &str)] = &[("content-type", "text/html")];

fn table() -> Vec<Row> {
    let not_found = Status(&[404]);
    let digest = "0".repeat(60);
    let hashed = |name: &str| format!("/packages/aa/bb/{digest}/{name}");
    let entry = |filename: &str, url: &str| format!(r#"{{"filename":"{filename}","url":"{url}","hashes":{{}}}}"#);
    let anchor = |html: &str| {
        format!("<html><body><a href=\"six-1.0.tar.gz\">six-1.0.tar.gz</a>{html}</body></html>").into_bytes()
    };
    vec![
        // Path.
        row(1, "percent-encoding anywhere", not_found, gets(&["/%73imple/acme-core/", "/simple/%61cme-core/", "/simple/acme%2Dcore/", "/s%69mple/%61%63%6d%65%2d%63ore%2f"])),
        row(2, "%2F separates", not_found, gets(&["/simple%2Facme-core%2F", "/pypi%2Facme-core%2Fjson", "/simple/%2Facme-core"])),
        row(3, "a trailing newline, and other controls", Status(&[400]), gets(&["/simple/acme-core/%0A", "/pypi/acme-core/json%0A", "/simple/acme-core%00/", "/simple/acme-core%0D%0A/", "/%7f/simple/acme-core/"])),
        row(4, "encoded twice", not_found, gets(&["/simple/%2561cme-core/", "/project/%2561cme-core/", "/tomorrow/%2561cme-core"])),
        row(5, "case and runs of separators", not_found, gets(&["/simple/ACME__Core/", "/pypi/Acme.Core/json", "/simple/acme-._-core/", "/project/aCmE_cOrE/"])),
        row(5, "case and separators in old file URLs", Status(&[403]), vec![file("/packages/source/A/ACME.core/x-1.0.tar.gz")]),
        row(6, "dot segments, empty ones, backslashes, parameters", not_found, gets(&["/simple/x/../acme-core/", "/simple//acme-core/", "/./simple/./acme-core/", "/simple\\acme-core\\", "/simple/acme-core;x=1/", "/x/..%2Fsimple/acme-core/", "/simple/acme-core/../six/"])),
        row(6, "dots that conveyor would join", Status(&[403]), vec![file("/packages/source/x/x%2F..%2Facme-core/acme-core-1.0.tar.gz")]),
        row(7, "slashes, queries and fragments", not_found, gets(&["/simple/acme-core", "/simple/acme-core//", "/pypi/acme-core/json/", "/pypi/acme-core/1.0/json/", "/simple/acme-core/?x=y", "/pypi?:action=display&name=acme-core", "/pypi?name=Acme_Core&:action=files", "/search/?q=acme-core", "/search/?term=%22acme-core%22", "/tomorrow?package=acme-core"])),
        row(7, "a fragment on the wire", Harmless, vec![bytes(&["GET /simple/acme-core/#x HTTP/1.1", "Host: pypi.org"], "")]),
        row(8, "spellings of a file", Status(&[403]), vec![
            file(hashed("acme_core-99.0-py3-none-any.whl")),
            file(hashed("%61cme_core-99.0-py3-none-any.whl")),
            file(hashed("acme_core-99.0-py3-none-any.whl/")),
            file(hashed("acme_core-99.0-py3-none-any.whl.metadata")),
            file(hashed("acme_core-99.0.tar.gz.asc")),
            file(hashed("ACME_CORE-99.0.TAR.GZ")),
            file(hashed("acme_core-99.0%2Blocal-py3-none-any.whl")),
            file(hashed("acme_core-99.0+local-py3-none-any.whl")),
            file(hashed("acme_core-99.0-py3-none-any.whl?x")),
            file(hashed("acme-core-1.0.win-amd64-py3.8.exe")),
            file(hashed("acme_core-1.0-py2.7.egg")),
        ]),
        row(9, "letters that fold to ASCII, wrong and endless ones", Status(&[400, 404]), {
            let mut long = gets(&["/simple/%E2%84%AAacme-core/", "/simple/acme%C4%B0/", "/simple/%EF%BD%81cme/", "/simple/%ff%fe/", "/project/%E2%84%AAeras/"]);
            long.push(get(&format!("/simple/{}/", "a".repeat(9000))));
            long.push(get(&format!("/simple/{}/", "a".repeat(300))));
            long
        }),
        // Method, fields, body.
        row(10, "any method", Status(&[404]), vec![method("HEAD", "/simple/acme-core/"), method("OPTIONS", "/simple/acme-core/"), method("POST", "/simple/acme-core/"), method("PUT", "/pypi/acme-core/json"), method("get", "/simple/acme-core/"), method("PROPFIND", "/project/acme-core/"), method("DELETE", "/simple/acme-core/")]),
        row(10, "a method override", not_found, vec![with(&[("x-http-method-override", "PUT")]), with(&[("x-http-method", "GET"), ("x-original-url", "/simple/six/")])]),
        row(10, "XML-RPC in any spelling", Status(&[200]), vec![
            bytes(&["POST /pypi HTTP/1.1", "Host: pypi.org", "Content-Type: text/xml;x", "Content-Length: 62"], "<methodCall><methodName>x</methodName></methodCall><!--acme-->"),
            method("post", "/pypi/"),
            method("POST", "/RPC2"),
            method("POST", "/%70ypi"),
        ]),
        row(11, "?format= and Accept", not_found, vec![get("/simple/acme-core/?format=application/vnd.pypi.simple.v1+json"), with(&[("accept", "*/*")]), with(&[("accept", "application/vnd.pypi.simple.latest+html")]), with(&[("accept", "x/y;q=0")]), with(&[])]),
        row(12, "a range of a page", Harmless, vec![Attempt::Ask(Ask::get(INDEX, "/simple/mixed/").header("accept", JSON).header("range", "bytes=0-400"))]),
        row(13, "conditions", not_found, vec![with(&[("if-none-match", "*")]), with(&[("if-none-match", "\"x\""), ("if-modified-since", "Mon, 23 Nov 2026 00:00:00 GMT")]), with(&[("if-match", "*")]), with(&[("if-range", "\"x\""), ("range", "bytes=0-1")])]),
        row(14, "codings that nobody asked for", Status(&[502]), vec![
            Upstream(&[("content-type", JSON), ("content-encoding", "gzip, gzip")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
            Upstream(&[("content-type", JSON), ("content-encoding", "aes128gcm")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
            Upstream(&[("content-type", JSON), ("content-encoding", "br")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
            Upstream(&[("content-type", JSON), ("content-encoding", "deflate")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
        ]),
        row(15, "charsets", Status(&[502]), vec![
            Upstream(&[("content-type", "text/html; charset=utf-16")], utf16("<a href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(AS_HTML, utf16("<a href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(AS_HTML, anchor("<meta charset=utf-7><a href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(AS_JSON, utf16(r#"{"name":"six","files":[{"filename":"acme_core-99.0.tar.gz","url":"x"}]}"#)),
            Upstream(AS_JSON, [b"\xef\xbb\xbf", &page_with(&entry("six-2.tar.gz", "six-2.tar.gz"))[..]].concat()),
            Upstream(&[("content-type", "application/vnd.pypi.simple.v1+json; charset=utf-32")], page_with("{}")),
        ]),
        row(16, "HTML that parsers read in two ways", Harmless, vec![
            Upstream(AS_HTML, anchor("<a href=\"&#97;cme_core-99.0.tar.gz\">x</a>")),
            Upstream(AS_HTML, anchor("<a href=six-2.0.tar.gz href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(AS_HTML, anchor("<a href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(AS_HTML, anchor("<!--><a href=acme_core-99.0.tar.gz>x</a>-->")),
            Upstream(AS_HTML, anchor("<base href=https://example.com/acme_core-99.0.tar.gz><a href=''>x</a>")),
            Upstream(AS_HTML, anchor("<script><a href=acme_core-99.0.tar.gz>x</a></script>")),
            Upstream(AS_HTML, anchor("<textarea><a href=acme_core-99.0.tar.gz>x</a></textarea>")),
            Upstream(AS_HTML, anchor("<![CDATA[<a href=acme_core-99.0.tar.gz>x</a>]]>")),
        ]),
        row(17, "JSON that readers read in two ways", Status(&[502]), vec![
            Upstream(AS_JSON, br#"{"name":"six","files":[],"files":[{"filename":"acme_core-99.0.tar.gz","url":"x"}]}"#.to_vec()),
            Upstream(AS_JSON, br#"{"name":"six","files":[],"\u0066iles":[{"filename":"acme_core-99.0.tar.gz","url":"x"}]}"#.to_vec()),
            Upstream(AS_JSON, br#"{"name":"six","files":[NaN]}"#.to_vec()),
            Upstream(AS_JSON, format!(r#"{{"name":"six","files":{}{}}}"#, "[".repeat(100), "]".repeat(100)).into_bytes()),
            Upstream(AS_JSON, [&page_with("{\"filename\":\"a-1.zip\",\"url\":\"a-1.zip\"}")[..], b"{}"].concat()),
        ]),
        row(17, "escapes in JSON", Filtered, vec![Upstream(AS_JSON, page_with(&entry("\\u0061cme_core-99.0.tar.gz", "x/\\u0061cme_core-99.0.tar.gz")))]),
        row(18, "names that differ in one entry", Filtered, vec![
            Upstream(AS_JSON, page_with(&entry("six-9.0.tar.gz", "https://h/acme_core-99.0.tar.gz"))),
            Upstream(AS_JSON, page_with(&entry("acme_core-99.0.tar.gz", "https://h/six-9.0.tar.gz"))),
            Upstream(AS_JSON, page_with(&entry("six-9.0.tar.gz", "https://h/six-9.0.tar.gz#egg=acme_core-99.0"))),
            Upstream(AS_JSON, page_with(r#"{"filename":"six-9.0.tar.gz","url":"six-9.0.tar.gz","hashes":{},"provenance":"https://pypi.org/integrity/acme-core/99.0/acme_core-99.0.tar.gz/provenance"}"#)),
        ]),
        row(19, "types that only some client knows", Status(&[502]), vec![
            Upstream(&[("content-type", "application/vnd.pyx.simple.v1+msgpack")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
            Upstream(&[("content-type", "application/vnd.pyx.simple.v1+json")], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
            Upstream(&[("content-type", "application/xhtml+xml")], anchor("<a href=acme_core-99.0.tar.gz>x</a>")),
            Upstream(&[], page_with(&entry("acme_core-99.0.tar.gz", "x"))),
        ]),
        row(21, "fields by which a client would speak for the edge", Harmless, vec![
            Attempt::Ask(Ask::get(INDEX, "/simple/six/").header("x-forwarded-host", "acme-core.example").header("forwarded", "host=acme-core").header("warehouse-token", "acme-core").header("fastly-ff", "acme-core").header("x-rewrite-url", "/simple/acme-core/")),
        ]),
        // Connection.
        row(22, "CONNECT, SNI and Host disagree", Status(&[421]), vec![
            Connect("pypi.org:443", Some("files.pythonhosted.org")),
            Connect("pypi.org:443", Some("test.pypi.org")),
            with(&[("host", "files.pythonhosted.org")]),
            with(&[("host", "example.com")]),
            with(&[("host", "pypi.org.evil.example")]),
        ]),
        row(23, "an address, or the shared edge, with our name", not_found, vec![
            Connect("151.101.0.223:443", Some("pypi.org")),
            Connect("dualstack.python.map.fastly.net:443", Some("pypi.org")),
            Connect("[2a04:4e42::223]:443", Some("pypi.org")),
        ]),
        row(23, "an address of the edge without any name", Status(&[]), vec![Connect("151.101.0.223:443", None), Connect("dualstack.python.map.fastly.net:443", None)]),
        row(24, "spellings of the host", not_found, vec![
            Connect("pypi.org.:443", Some("pypi.org")),
            Connect("PyPI.ORG:443", Some("pypi.org")),
            with(&[("host", "PYPI.org:443")]),
            with(&[("host", "pypi.org.")]),
        ]),
        row(24, "userinfo and other ports", Status(&[421]), vec![with(&[("host", "x@pypi.org")]), with(&[("host", "pypi.org:80")]), with(&[("host", "pypi.org:8443")])]),
        row(25, "absolute form, on the proxy port", not_found, vec![
            Port(b"GET http://pypi.org/simple/acme-core/ HTTP/1.1\r\nHost: pypi.org\r\nConnection: close\r\n\r\n".to_vec()),
            Port(b"GET https://pypi.org/simple/acme-core/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n".to_vec()),
            Port(b"GET http://PyPI.org.:80/simple/%61cme-core HTTP/1.0\r\n\r\n".to_vec()),
            Port(b"OPTIONS http://pypi.org/simple/acme-core/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec()),
        ]),
        row(25, "absolute form inside the tunnel", Status(&[404, 421]), vec![
            bytes(&["GET https://pypi.org/simple/acme-core/ HTTP/1.1", "Host: pypi.org"], ""),
            bytes(&["GET https://example.com/simple/acme-core/ HTTP/1.1", "Host: pypi.org"], ""),
            bytes(&["GET https://pypi.org/simple/acme-core/ HTTP/1.1", "Host: example.com"], ""),
        ]),
        row(26, "smuggling", Harmless, vec![
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Content-Length: 6", "Transfer-Encoding: chunked"], &format!("0\r\n\r\n{SECOND}")),
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Transfer-Encoding: chunked", "Content-Length: 80"], &format!("0\r\n\r\n{SECOND}")),
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Transfer-Encoding: xchunked"], &format!("0\r\n\r\n{SECOND}")),
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Transfer-Encoding: chunked, identity"], &format!("0\r\n\r\n{SECOND}")),
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Content-Length: 0", "Content-Length: 55"], SECOND),
            bytes(&["POST /simple/six/ HTTP/1.1", "Host: pypi.org", "Content-Length: +0"], SECOND),
            bytes(&["POST /help/ HTTP/1.1", "Host: pypi.org", "Transfer-Encoding : chunked", "Content-Length: 0"], SECOND),
            bytes(&["GET /simple/six/ HTTP/1.1", "Host: pypi.org", "X-Folded: a", " GET /simple/acme-core/ HTTP/1.1"], ""),
            bytes(&["GET /simple/acme-core/ HTTP/1.1", "Host: pypi.org", "Host: example.com"], ""),
            bytes(&["GET /simple/acme-core/ HTTP/1.1"], ""),
            Bytes(b"GET /simple/acme-core/ HTTP/1.1\nHost: pypi.org\n\n".to_vec()),
            Bytes(b"GET /simple/six/ HTTP/1.1\r\nHost: pypi.org\r\nX: a\nGET /simple/acme-core/ HTTP/1.1\r\n\r\n".to_vec()),
            Bytes(b"GET /simple/six/\x20/simple/acme-core/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n".to_vec()),
            Bytes(b"GET\x0b/simple/acme-core/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n".to_vec()),
            Bytes(b"GET /simple/acme-core/\r\n\r\n".to_vec()),
            Bytes(b"GET simple/acme-core/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n".to_vec()),
        ]),
        row(26, "upgrades, and a CONNECT inside", Harmless, vec![
            bytes(&["GET /simple/six/ HTTP/1.1", "Host: pypi.org", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], SECOND),
            bytes(&["GET /help/ HTTP/1.1", "Host: pypi.org", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"], SECOND),
            bytes(&["CONNECT pypi.org:443 HTTP/1.1", "Host: pypi.org"], SECOND),
            bytes(&["CONNECT acme-core.example:443 HTTP/1.1", "Host: pypi.org"], SECOND),
            Bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ]),
        row(26, "HTTP/2", Status(&[404, 421]), vec![
            Attempt::Ask(Ask::get(INDEX, "/simple/acme-core/").h2()),
            Attempt::Ask(Ask::get(INDEX, "/%73imple%2facme-core/").h2()),
            Attempt::Ask(Ask::get(INDEX, "/simple/acme-core/").h2().header("host", "example.com")),
            Attempt::Ask(Ask::get(INDEX, "/simple/acme-core/").h2().method(Method::OPTIONS)),
        ]),
        row(27, "pipelining", Harmless, vec![bytes(&["GET /simple/six/ HTTP/1.1", "Host: pypi.org"], SECOND), bytes(&["GET /simple/six/ HTTP/1.1", "Host: pypi.org"], &SECOND.repeat(3))]),
        // Indirection.
        row(31, "files on another project's page", Filtered, vec![Upstream(AS_JSON, page_with(&entry("acme_core-99.0.tar.gz", "https://files.pythonhosted.org/acme_core-99.0.tar.gz")))]),
        row(32, "a URL in somebody's metadata", Status(&[403]), vec![file(hashed("acme_core-99.0-py3-none-any.whl#sha256=00")), file("/acme_core-99.0.tar.gz")]),
        row(33, "other repositories (PEP 708)", Filtered, vec![Upstream(AS_JSON, br#"{"meta":{"api-version":"1.2","tracks":["https://h/simple/acme_core-99.0/"]},"alternate-locations":["https://h/acme_core-99.0/"],"name":"six","files":[],"versions":[]}"#.to_vec())]),
        row(34, "an old setuptools asks", not_found, vec![with(&[("accept", "text/html, *; q=.2, */*; q=.2"), ("user-agent", "setuptools/40.8.0 Python-urllib/3.8")]), with(&[("accept", "text/html"), ("user-agent", "pip/9.0.1")])]),
    ]
}

/// The rows that no request of a client's can show, and where they are.
const ELSEWHERE: [(u8, &str); 5] = [
    (20, "fields of an answer: `leads`, below"),
    (28, "HTTP/3: `nothing_invites_past_the_proxy`, below; direct connections are for a firewall"),
    (29, "mirrors: `mirrors` in this folder"),
    (30, "front ends of others: tunnelled, as every host that nobody named; what they fetch, they fetch elsewhere"),
    (35, "a change of the rules in the middle: `one_answer_one_policy`, below"),
];

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => write!(f, "{} {} {:?} h2={}", ask.method, ask.target, ask.headers, ask.h2),
            Self::Bytes(bytes) | Self::Port(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Self::Connect(to, sni) => write!(f, "CONNECT {to}, SNI {sni:?}"),
            Self::Upstream(fields, body) => write!(f, "{fields:?} {:?}", String::from_utf8_lossy(body)),
        }
    }
}

/// A PyPI with the edge's addresses before it.
async fn world(pypi: Builder) -> World {
    let edges = ["151.101.0.223:443", "dualstack.python.map.fastly.net:443", "[2a04:4e42::223]:443"];
    World::reaching(pypi, RULES, &edges).await
}

/// Status (0 when there is none), and all that came back.
async fn try_it(world: &World, attempt: &Attempt) -> (u16, String) {
    match attempt {
        Attempt::Ask(ask) => {
            let answer = world.ask(ask.clone()).await;
            (answer.status.as_u16(), format!("{answer:?}"))
        }
        Bytes(bytes) => {
            let tcp = world.connect("pypi.org:443").await.unwrap();
            let mut tls = world.tls(tcp, "pypi.org", false).await.unwrap();
            tls.write_all(bytes).await.unwrap();
            said(&read_for_a_while(&mut tls).await)
        }
        Port(bytes) => said(&world.raw(bytes).await),
        Connect(to, sni) => {
            let Ok(tcp) = world.connect(to).await else { return (0, String::new()) };
            let Ok(tls) = (match sni {
                Some(name) => world.tls(tcp, name, false).await,
                // A name that is an address is not sent (RFC 6066 section 3).
                None => world.tls(tcp, "127.0.0.1", false).await,
            }) else {
                return (0, String::new());
            };
            let ask = Ask::get("pypi.org", "/simple/acme-core/").header("accept", JSON);
            let answer = crate::world::exchange(tls, &ask).await;
            (answer.status.as_u16(), format!("{answer:?}"))
        }
        Upstream(..) => {
            let answer = world.ask(Ask::get(INDEX, "/simple/six/").header("accept", JSON)).await;
            let html = world.ask(Ask::get(INDEX, "/simple/six/").header("accept", HTML)).await;
            assert_eq!(answer.status, html.status);
            (answer.status.as_u16(), format!("{answer:?} {html:?}"))
        }
    }
}

async fn read_for_a_while(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _silence = tokio::time::timeout(Duration::from_millis(300), stream.read_to_end(&mut all)).await;
    String::from_utf8_lossy(&all).into_owned()
}

fn said(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.to_owned())
}

#[tokio::test]
async fn no_disguise_gets_through() {
    let ordinary = world(pypi()).await;
    let table = table();
    let mut attempts = 0;
    for Row { number, what, outcome, attempts: of_row } in &table {
        for attempt in of_row {
            attempts += 1;
            let special = match attempt {
                Upstream(fields, body) => {
                    let (fields, body) = (*fields, body.clone());
                    let pypi = StandIn::builder().responder(move |_| {
                        let response =
                            fields.iter().fold(Response::builder(), |r, (name, value)| r.header(*name, *value));
                        response.body(full(body.clone())).ok()
                    });
                    Some(world(pypi).await)
                }
                _ => None,
            };
            let world = special.as_ref().unwrap_or(&ordinary);
            let (status, answer) = try_it(world, attempt).await;
            let context = || format!("{number}. {what}: {attempt:?}\n{answer}");
            assert!(!answer.contains(PLANTED), "{}", context());
            assert!(world.leaked().is_empty(), "{}\nPyPI was asked: {:?}", context(), world.leaked());
            match outcome {
                Status([]) => assert_eq!(status, 0, "{}", context()),
                Status(expected) => assert!(expected.contains(&status), "{}", context()),
                Filtered => assert_eq!(status, 200, "{}", context()),
                Harmless => assert!(status != 101, "{}", context()),
            }
        }
    }
    let numbers = || table.iter().map(|row| row.number).chain(ELSEWHERE.iter().map(|(number, _)| *number));
    let missing: Vec<u8> = (1..=35).filter(|number| !numbers().any(|n| n == *number)).collect();
    assert!(missing.is_empty(), "disguises without a row: {missing:?}");
    println!("{} rows, {attempts} attempts", table.len());
    assert_eq!(ordinary.get("/simple/innocent/").await.status, 200, "and the proxy serves on");
}

/// The vectors of the field guide: refused, or passed.
#[tokio::test]
async fn what_must_be_refused_and_what_must_pass() {
    let rules = "[[protect]]\nid = \"acme\"\nnames = [\"acme\", \"acme-*\"]\n";
    let world = World::with(pypi(), rules).await;
    for target in [
        "/simple/acme/",
        "/simple/ACME/",
        "/simple/acme",
        "/simple/%61cme/",
        "/%73imple/acme/",
        "/simple%2Facme%2F",
        "/simple/acme/%0A",
        "/simple/acme-core/?format=application/vnd.pypi.simple.v1+json",
        "/simple/Acme._-Core/",
        "/pypi/acme/json",
        "/pypi/acme/json/",
        "/pypi/acme/1.0/json",
        "/pypi/acme/",
        "/p/acme/1.0/",
        "/project/acme/",
        "/integrity/acme/1.0/acme-1.0.tar.gz/provenance",
        "/rss/project/acme/releases.xml",
        "/pypi?:action=display&name=acme",
    ] {
        let status = world.get(target).await.status.as_u16();
        assert!([404, 400].contains(&status), "{target}: {status}");
    }
    let digest = "0".repeat(60);
    for target in [
        "/packages/source/a/acme/acme-1.0.tar.gz",
        "/packages/py3/A/Acme/acme-1.0-py3-none-any.whl",
        "/packages/source/x/x%2F..%2Facme/acme-1.0.tar.gz",
        "acme_core-1.0-py3-none-any.whl",
        "acme_core-1.0-py3-none-any.whl.metadata",
        "acme-1.0.tar.gz.asc",
        "%61cme-1.0.zip",
        "acme-1.0-1.tar.gz",
        "acme-1.0.win-amd64-py3.8.exe",
        "acme_core-1.0-py2.7.egg",
    ] {
        let target =
            if target.starts_with('/') { target.to_owned() } else { format!("/packages/aa/bb/{digest}/{target}") };
        assert_eq!(world.ask(Ask::get(FILES, target.clone())).await.status, 403, "{target}");
    }
    assert!(world.leaked().is_empty(), "{:?}", world.leaked());
    for target in ["/simple/acmecorp/", "/simple/not-acme/", "/simple/pacme/"] {
        let answer = world.get(target).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("namewall-decision")),
            (404, ""),
            "{target}: PyPI's own answer"
        );
    }
    for name in ["my_acme-1.0-py3-none-any.whl", "acmetool-1.0.tar.gz"] {
        let answer = world.ask(Ask::get(FILES, format!("/packages/aa/bb/{digest}/{name}"))).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("namewall-decision")),
            (404, ""),
            "{name}: PyPI's own answer"
        );
    }
    assert_eq!(world.leaked().len(), 5);
}

/// Row 20: what the fields of an answer lead to.
#[tokio::test]
async fn leads() {
    let answering = |fields: &'static [(&'static str, &'static str)]| {
        StandIn::builder().responder(move |_| {
            let response = fields.iter().fold(Response::builder(), |r, (name, value)| r.header(*name, *value));
            response.body(full("body")).ok()
        })
    };
    let digest = "0".repeat(60);
    let harmless = format!("/packages/aa/bb/{digest}/six-1.0.tar.gz");
    for disposition in [
        "attachment; filename=acme_core-99.0.tar.gz",
        "attachment; filename=\"x.zip\"; filename*=UTF-8''%61cme_core-99.0.tar.gz",
    ] {
        let fields: &'static [_] = vec![("content-disposition", disposition)].leak();
        let world = World::with(answering(fields), RULES).await;
        assert_eq!(world.ask(Ask::get(FILES, harmless.clone())).await.status, 403, "{disposition}");
    }
    let fields: &'static [_] = &[
        ("link", "</simple/acme-core/>; rel=next"),
        ("refresh", "0; url=https://pypi.org/project/acme-core/"),
        ("content-location", "/simple/acme-core/"),
        ("content-disposition", "attachment; filename=../../x"),
        ("x-other", "stays"),
    ];
    let world = World::with(answering(fields), RULES).await;
    let answer = world.ask(Ask::get(FILES, harmless)).await;
    for name in ["link", "refresh", "content-location", "content-disposition"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_eq!((answer.status.as_u16(), answer.header("x-other"), answer.text().as_str()), (200, "stays", "body"));
    // What can't be read leads nowhere that anybody has judged.
    let fields: &'static [_] = &[
        ("link", "</simple/acme-core/>; title=\"\u{e9}\""),
        ("refresh", "0; /project/acme-core/"),
        ("content-location", "/simple/acme-core/\u{e9}"),
    ];
    let world = World::with(answering(fields), RULES).await;
    let answer = world.ask(Ask::get(INDEX, "/help/")).await;
    for name in ["link", "refresh", "content-location"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    let innocent: &'static [_] =
        &[("link", "</static/x.css>; rel=preload"), ("content-disposition", "inline; filename=six-1.0.tar.gz")];
    let world = World::with(answering(innocent), RULES).await;
    let answer = world.ask(Ask::get(INDEX, "/help/")).await;
    assert!(!answer.header("link").is_empty() && !answer.header("content-disposition").is_empty());
}

/// Row 28: an origin server that offers HTTP/3 would have clients go past us.
#[tokio::test]
async fn nothing_invites_past_the_proxy() {
    let pypi = StandIn::builder().responder(|asked| {
        let page = if asked.path() == "/simple/six/" {
            String::from_utf8(page_with("{\"filename\":\"six-2.zip\",\"url\":\"six-2.zip\"}")).unwrap()
        } else {
            String::new()
        };
        Response::builder()
            .header("content-type", JSON)
            .header("alt-svc", "h3=\":443\"; ma=86400")
            .body(full(page))
            .ok()
    });
    let world = World::with(pypi, RULES).await;
    for (host, target) in [(INDEX, "/simple/six/"), (INDEX, "/help/"), (FILES, "/packages/aa/bb/cc/six-1.0.zip")] {
        let answer = world.ask(Ask::get(host, target)).await;
        assert_eq!((answer.status.as_u16(), answer.header("alt-svc")), (200, ""), "{target}");
    }
}

/// Row 35: an answer that has begun goes on under the rules under which it began.
#[tokio::test]
async fn one_answer_one_policy() {
    let list = r#"{"meta":{},"projects":["#.to_owned()
        + &(0..4000).map(|n| format!(r#"{{"name":"acme-{n}"}},{{"name":"six-{n}"}}"#)).collect::<Vec<_>>().join(",")
        + "]}";
    let pieces: Vec<String> = list.as_bytes().chunks(40_000).map(|p| String::from_utf8(p.to_vec()).unwrap()).collect();
    let pypi = StandIn::builder().responder(move |_| {
        let body = namewall::demo::standin::body::pieces(pieces.clone(), Duration::from_millis(100));
        Response::builder().header("content-type", JSON).body(body).ok()
    });
    let world = World::with(pypi, RULES).await;
    let changing = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let nothing = namewall::policy::Policy::compile(Vec::new(), time::OffsetDateTime::now_utc().date()).unwrap();
        world.proxy.set_policy(nothing).unwrap();
    };
    let (answer, ()) = tokio::join!(world.get("/simple/"), changing);
    assert_eq!(answer.json()["projects"].as_array().unwrap().len(), 4000);
    assert_eq!(
        world.get("/simple/").await.json()["projects"].as_array().unwrap().len(),
        8000,
        "the next is under the new ones"
    );
}
