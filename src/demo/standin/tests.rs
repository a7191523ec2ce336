//! The stand-in, asked over TLS by an independent client.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::demo::Wheel;

const JSON: &str = "application/vnd.pypi.simple.v1+json";

async fn pypi() -> StandIn {
    let wheel = Artifact::wheel(&Wheel::new("Acme.Core", "99.0")).unwrap();
    StandIn::builder().project(Project::new("Acme.Core").file(wheel)).start().await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test dials by itself")]
async fn dial(standin: &StandIn, host: &str, alpn: &str) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(standin.root_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = tokio::net::TcpStream::connect(standin.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(host.to_owned().try_into().unwrap(), stream).await
}

async fn ask(standin: &StandIn, method: Method, url: &str, headers: &[(&str, &str)]) -> (Response<()>, Bytes) {
    let (host, path) = url.split_once('/').unwrap();
    let stream = TokioIo::new(dial(standin, host, "http/1.1").await.unwrap());
    let (mut sender, connection) = http1::handshake(stream).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("/{path}")).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap().into_parts();
    (Response::from_parts(head, ()), body.collect().await.unwrap().to_bytes())
}

async fn get(standin: &StandIn, url: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
    let (response, body) = ask(standin, Method::GET, url, headers).await;
    (response.status(), response.headers().clone(), body)
}

#[tokio::test]
async fn a_page_has_the_headers_of_pypi_and_an_honest_304() {
    let standin = pypi().await;
    let (status, headers, plain) = get(&standin, "pypi.org/simple/acme-core/", &[("accept", JSON)]).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &JSON.parse().unwrap()));
    assert_eq!(headers["cache-control"], "max-age=600, public");
    assert_eq!(headers["vary"], "Accept, Accept-Encoding");
    assert_eq!(headers["x-pypi-last-serial"], "29000001");
    let page: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    let url = standin.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap();
    assert_eq!(page["files"][0]["url"], url.as_str());

    let gzip = [("accept", JSON), ("accept-encoding", "gzip, deflate")];
    let (_, zipped_headers, zipped) = get(&standin, "pypi.org/simple/acme-core/", &gzip).await;
    assert_eq!(zipped_headers["content-encoding"], "gzip");
    assert!(zipped.starts_with(&[0x1f, 0x8b]));
    assert_ne!(zipped_headers["etag"], headers["etag"]);

    let tag = headers["etag"].to_str().unwrap();
    let (status, _, body) =
        get(&standin, "pypi.org/simple/acme-core/", &[("accept", JSON), ("if-none-match", tag)]).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, ..) = get(&standin, "pypi.org/simple/acme-core/", &[("if-none-match", tag)]).await;
    assert_eq!(status, StatusCode::OK, "the HTML page has another tag");
}

#[tokio::test]
async fn every_surface_answers_as_its_own() {
    let standin = pypi().await;
    let file = standin.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap();
    let file = file.strip_prefix("https://").unwrap();
    let metadata = format!("{file}.metadata");
    for (url, status, content) in [
        ("pypi.org/simple/", 200, "<a href=\"/simple/acme-core/\">Acme.Core</a>"),
        ("pypi.org/simple/Acme.Core/", 301, ""),
        ("pypi.org/simple/anything", 301, ""),
        ("pypi.org/simple/missing/", 404, "404 Not Found"),
        ("pypi.org/%73imple%2facme-core%2f", 200, "acme_core-99.0"),
        ("pypi.org/simple/acme-core/%0A", 200, "acme_core-99.0"),
        ("pypi.org/pypi/acme-core/json", 200, "\"releases\":{\"99.0\""),
        ("pypi.org/pypi/acme-core/99.0/json", 200, "\"last_serial\":29000001,\"urls\""),
        ("pypi.org/pypi/acme-core/1.0/json", 404, "{\"message\":\"Not Found\"}"),
        ("pypi.org/packages/source/a/acme-core/x.whl", 301, ""),
        ("pypi.python.org/simple/acme-core/", 301, ""),
        ("files.pythonhosted.org/packages/py3/a/acme-core/acme_core-99.0-py3-none-any.whl", 302, ""),
        ("files.pythonhosted.org/packages/py3/a/acme-core/other.whl", 404, "404"),
        (metadata.as_str(), 200, "Name: Acme.Core"),
        ("upload.pypi.org/legacy/", 405, ""),
    ] {
        let (found, _, body) = get(&standin, url, &[]).await;
        assert_eq!(found.as_u16(), status, "{url}");
        assert!(String::from_utf8_lossy(&body).contains(content), "{url}: {body:?}");
    }
}

#[tokio::test]
async fn files_name_their_owner_and_serve_ranges() {
    let standin = pypi().await;
    let url = standin.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap();
    let url = url.strip_prefix("https://").unwrap();
    let (status, headers, whole) = get(&standin, url, &[]).await;
    assert_eq!((status, &headers["x-pypi-file-project"]), (StatusCode::OK, &"acme-core".parse().unwrap()));
    assert_eq!(headers["cache-control"], "max-age=365000000, immutable, public");
    let (status, headers, part) = get(&standin, url, &[("range", "bytes=-4")]).await;
    assert_eq!((status, &part[..]), (StatusCode::PARTIAL_CONTENT, &whole[whole.len() - 4..]));
    assert!(headers.contains_key("content-range") && headers["x-pypi-file-project"] == "acme-core");
    let (head, body) = ask(&standin, Method::HEAD, url, &[]).await;
    assert_eq!((head.headers()["content-length"].to_str().unwrap(), body.len()), (&*whole.len().to_string(), 0));
}

#[tokio::test]
async fn http2_is_spoken_and_the_log_tells_it() {
    let standin = pypi().await;
    let stream = dial(&standin, "pypi.org", "h2").await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let request = Request::get("https://pypi.org/simple/acme-core/?format=x").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), StatusCode::OK);
    let asked = &standin.log()[0];
    assert_eq!((asked.version, asked.host.as_str()), (Version::HTTP_2, "pypi.org"));
    assert_eq!((asked.target.as_str(), asked.sni.as_deref()), ("/simple/acme-core/?format=x", Some("pypi.org")));
    let handshake = Handshake { sni: Some("pypi.org".to_owned()), alpn: Some("h2".to_owned()) };
    assert_eq!(standin.handshakes(), [handshake]);
    assert_eq!(standin.mentions("ACME").len(), 1);
    standin.forget();
    assert!(standin.log().is_empty() && standin.handshakes().is_empty());
}

#[tokio::test]
async fn a_responder_goes_before_the_routes() {
    let standin = StandIn::builder()
        .project(Project::new("ordinary"))
        .responder(|asked| {
            (asked.path() == "/simple/teapot/")
                .then(|| Response::builder().status(418).body(body::full("short")).unwrap())
        })
        .start()
        .await
        .unwrap();
    assert_eq!(get(&standin, "pypi.org/simple/teapot/", &[]).await.0, StatusCode::IM_A_TEAPOT);
    assert_eq!(get(&standin, "pypi.org/simple/ordinary/", &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_raw_answer_is_written_as_it_stands() {
    let answer = "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok";
    let standin = StandIn::builder().raw(answer).start().await.unwrap();
    let (status, _, body) = get(&standin, "pypi.org/", &[]).await;
    assert_eq!((status.as_u16(), &body[..]), (299, &b"ok"[..]));
}

#[tokio::test]
async fn an_expired_certificate_and_a_foreign_host_are_not_trusted() {
    let expired = StandIn::builder().expired().start().await.unwrap();
    assert!(dial(&expired, "pypi.org", "h2").await.is_err());
    let elsewhere = StandIn::builder().hosts(["mirror.example"]).start().await.unwrap();
    assert!(dial(&elsewhere, "pypi.org", "h2").await.is_err());
    assert!(dial(&elsewhere, "mirror.example", "h2").await.is_ok());
    assert_eq!(elsewhere.connect_to().len(), 1);
}
