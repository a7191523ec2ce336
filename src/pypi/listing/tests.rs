//! Pages in the shape of PyPI's: what is counted, what is kept, what is refused; and markup that tries to hide a link.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::pypi::site::default_sites;
use crate::pypi::testing::Hiding;

fn read_at(url: &str, html: &str) -> Result<Listing, Malformed> {
    let sites = default_sites().collect();
    read(html.as_bytes(), &url.parse().unwrap(), &sites, &mut Hiding::names(&["acme"]))
}

fn at_home(html: &str) -> Result<Listing, Malformed> {
    read_at("https://pypi.org/search/?q=tools", html)
}

fn removed(html: &str) -> u64 {
    at_home(html).unwrap().removed
}

fn kept(listing: &Listing) -> Vec<&str> {
    listing.kept.iter().map(ProjectName::as_str).collect()
}

/// A page with everything around that PyPI's have.
fn page(content: &str) -> String {
    format!(
        r##"<!DOCTYPE html><html lang="en" dir="ltr"><head><meta charset="utf-8"><meta http-equiv="X-UA-Compatible" content="IE=edge">
        <meta name="viewport" content="width=device-width, initial-scale=1"><title>Results &middot; PyPI</title>
        <link rel="stylesheet" href="/static/css/warehouse-ltr.0a1b.css"><link rel="icon" href="/static/images/favicon.35549fe8.ico">
        <link rel="search" type="application/opensearchdescription+xml" title="PyPI" href="/opensearch.xml">
        <script async src="/static/js/warehouse.b6.js"></script><script>if (1 < 2 && "</b>") document.title += "x/y";</script>
        <noscript><link rel="stylesheet" href="/static/css/noscript.css"></noscript></head><body data-controller="viewport-toggle">
        <a href="#content" class="skip-to-content">Skip to main content</a><div data-html-include="/_includes/flash-messages/"></div>
        <form action="/search/" role="search"><input name="q" value="tools"></form>
        <nav><ul><li><a href="/help/">Help</a></li><li><a href="https://docs.pypi.org/">Docs</a></li></ul></nav>
        <main id="content">{content}</main><footer><a href="https://status.python.org/" target="_blank">Status</a>
        <img src="https://pypi-camo.freetls.fastly.net/00/68747470733a2f2f61636d65" alt=""></footer></body></html>"##
    )
}

fn result(name: &str) -> String {
    let folded = ProjectName::parse(name).unwrap();
    format!(
        r#"<li><a class="package-snippet" href="/project/{folded}/"><h3 class="package-snippet__title">
        <span class="package-snippet__name">{name}</span> <span class="package-snippet__created"><time datetime="2026-01-02">Jan 2</time></span>
        </h3><p class="package-snippet__description">Tools / helpers &lt;3</p></a></li>"#
    )
}

#[test]
fn search_results() {
    let clean = page(&format!("<ul>{}{}</ul>", result("Six"), result("zope.interface")));
    let listing = at_home(&clean).unwrap();
    assert_eq!((listing.removed, kept(&listing)), (0, vec!["six", "zope-interface"]));
    let results = ["Six", "ACME", "hidden_one", "six", "Tools"].map(result).concat();
    let listing = at_home(&page(&format!("<ul>{results}</ul>"))).unwrap();
    assert_eq!((listing.removed, kept(&listing)), (2, vec!["six", "tools"]));
}

#[test]
fn a_profile_names_projects_beside_badges() {
    let snippet = |name: &str| {
        format!(
            "<a class=package-snippet><h3 class=package-snippet__title>\n {name}\n <span class='badge'>Archived</span></h3></a>"
        )
    };
    let url = "https://pypi.org/user/ann/";
    assert_eq!(read_at(url, &page(&snippet("six"))).unwrap(), Listing::default());
    assert_eq!(read_at(url, &page(&snippet("Acme"))).unwrap().removed, 1);
}

#[test]
fn the_statistics_have_no_links() {
    let row = |name: &str| format!("<tr><th scope=\"row\">{name}</th><td>1.5 GB</td></tr>");
    let table = |rows: &[&str]| {
        let rows = rows.iter().map(|name| row(name)).collect::<String>();
        page(&format!(
            "<table><thead><tr><th scope=col>Project name</th><th scope=col>Size</th></tr></thead>{rows}</table>"
        ))
    };
    let listing = read_at("https://pypi.org/stats/", &table(&["All of PyPI", "TensorFlow", "Acme", "six"])).unwrap();
    assert_eq!((listing.removed, kept(&listing)), (1, vec!["tensorflow", "six"]));
    assert_eq!(read_at("https://pypi.org/stats/", &table(&["All of PyPI", "six"])).unwrap().removed, 0);
}

#[test]
fn whatever_leads_to_a_hidden_project_counts() {
    for html in [
        "<a href=/project/acme/>",
        "<a href=/project/acme/1.0/#files>",
        "<a href='/project/%61cme'>",
        "<a href=\"&#47;project&sol;ac&#x6D;e/\">",
        "<a href=' ../../project/./x/../acme\n'>",
        "<a href='/pro\tject/acme'>",
        "<a href=\\project\\acme>",
        "<a href=//PyPI.org./p/Acme>",
        "<a href=http://user@www.pypi.org:80/pypi/acme/json>",
        "<a href=https://files.pythonhosted.org/packages/aa/acme-1.0-py3-none-any.whl>",
        "<a href=?q=acme>",
        "<a href=/a/route/of/tomorrow/acme>",
        "<a href=/project/six/ href=/project/acme/>",
        "<a href=/project/acme/ href=/project/six/>",
        "<area href=/project/acme/><link href=/project/six/>",
        "<link rel=canonical href=/project/acme/>",
        "<form action=/project/acme/><button formaction=/x>",
        "<iframe src=/project/acme/></iframe>",
        "<img src=/project/acme/x.png>",
        "<img srcset='x.png 1x,/project/acme/x.png 2x'>",
        "<object data=/project/acme/>",
        "<svg><a xlink:href=/project/acme/></svg>",
        "<div data-html-include=/_includes/authed/edit-project-button/acme>",
        "<div data-href=acme>",
        "<div onclick=\"location='/project/acme/'\">",
        "<div style='background:url(/project/acme/x)'>",
        "<iframe srcdoc='<a href=&quot;&amp;#47;project/acme/&quot;>'>",
        "<meta http-equiv=refresh content='0;url=/project/acme/'>",
        "<meta http-equiv=refresh content=\"3; URL = 'acme'\">",
        "<meta property=og:url content=https://pypi.org/project/acme/>",
        "<base href=https://pypi.org/project/><a href=acme>",
        "<a href=acme/><base href=/project/>",
        "<base href=https://other.example/><a href=/project/acme/>",
        "<base href=https://other.example/><base href=/project/><a href=acme/>",
        "<base href=data:x><a href=/project/acme/>",
        "<template><a href=/project/acme/></template>",
        "<noscript><a href=/project/acme/></noscript>",
        "<textarea><a href=&#x2f;project/acme/></textarea>",
        "<!-- <a href=/project/acme/> -->",
        "<!-- --!><a href=/project/acme/>",
        "<!--><a href=/project/acme/>-->",
        "<![CDATA[<a href=/project/acme/>]]>",
        "<script>x = '<a href=\"&#x2f;project/acme/\">'</script>",
        "<script type=application/ld+json>{\"item\":\"https:\\/\\/pypi.org\\/project\\/acme\\/\"}</script>",
        "<plaintext><a href=/project/acme/>",
        "&lt;a href=/project/acme/&gt;",
        "<p>See https://pypi.org/project/acme.</p>",
        "<a x='<a href='/project/acme/'>",
        "<a href=/project/six/><a href=/project/acme/></a></a>",
        "<a href=/project/acme%0A/>",
        "<a href=/project/%ff/>",
    ] {
        assert_eq!(removed(html), 1, "{html}");
        assert!(removed(&page(html)) >= 1, "{html}");
    }
}

#[test]
fn what_names_a_hidden_project_counts() {
    for html in [
        "<h1>acme</h1>",
        "<H6> \n Acme&nbsp;</h6>",
        "<h2>a<b>cm</b>e</h2>",
        "<h2>ac<!-- x -->me</h2>",
        "<li>ac&#109;e",
        "<ul><li>six<li>acme<li>six</ul>",
        "<li>acme<ul><li>x</li></ul></li>",
        "<table><tr><td>ACME<td>1",
        "<th scope=row>hidden.x</th>",
        "<span class='x package-snippet__name'>acme</span>",
        "<span class=package-snippet__name><span>x</span>acme</span>",
        "<li></h1></td>acme</li>",
        "<script><li>acme</li></script>",
    ] {
        assert_eq!(removed(html), 1, "{html}");
    }
}

#[test]
fn the_rest_does_not() {
    for html in [
        "",
        "<p>acme</p><b>acme</b><li></li>acme",
        "<span>acme</span>",
        "<li>acme tools</li>",
        "<a href=https://acme.example/acme/>",
        "<a href=https://github.com/acme/acme>acme</a>",
        "<a href=mailto:acme@acme.example><a href=acme:acme>",
        "<a name=acme title=acme class=acme id=acme>",
        "<a href='https://['>",
        "<a href>",
        "</a href=acme>",
        "and/or acme",
        "<base href=https://other.example/><a href=six>",
        "<script>if (a<b) { x = a/acme }</script>",
    ] {
        assert_eq!(removed(html), 0, "{html}");
    }
    let elsewhere = read_at("https://other.example/", "<a href=/project/acme/>").unwrap();
    assert_eq!(elsewhere, Listing::default(), "nobody says what that page's links mean");
}

#[test]
fn each_name_is_asked_for_once() {
    let mut judge = Hiding::names(&["acme"]);
    let html = "<a href=/project/acme/>acme</a><li>ACME<li>six</li><a href=/project/Six/>six</a>";
    let url = "https://pypi.org/".parse().unwrap();
    let listing = read(html.as_bytes(), &url, &default_sites().collect(), &mut judge).unwrap();
    assert_eq!((listing.removed, kept(&listing), judge.asked), (1, vec!["six"], 2));
}

#[test]
fn only_links_to_projects_are_kept() {
    let html = "<a href=/help/>x</a><a href=/user/ann/>x</a><a href=/project/b/>x</a><a href=/project/a/1.0/>x</a>\
        <a href=/pypi/c/json>x</a><a href=/simple/d/>x</a><a href=/p/b/>x</a><link href=/project/e/><!--<a href=/project/f/>-->\
        <a href='/pypi/?name=g'>x</a><a href=/project/acme/>x</a><a href=/project/-x/>x</a><a href=https://h/project/y/>x</a>";
    assert_eq!(kept(&at_home(html).unwrap()), ["b", "a", "c", "d"]);
}

#[test]
fn what_is_refused() {
    for bytes in [&b"\xff"[..], b"<\0l\0i\0", b"<meta charset=utf-16>", b"<a href=/project/acme/", b"<a title='"] {
        let url = "https://pypi.org/".parse().unwrap();
        let listing = read(bytes, &url, &default_sites().collect(), &mut Hiding::default());
        assert!(listing.is_err(), "{}", bytes.escape_ascii());
    }
    let bases = "<base href=/x/>".repeat(5);
    assert!(matches!(at_home(&bases), Err(Malformed::Limit(_))));
    let onion = (0..10).fold("<b>".to_owned(), |inner, _| {
        format!("<b title=\"{}\">", inner.replace('&', "&amp;").replace('"', "&quot;"))
    });
    assert!(matches!(at_home(&onion), Err(Malformed::Limit(_))));
}

#[test]
fn the_page_in_its_place() {
    let listing = at_home(&page(&["acme", "six", "Flask"].map(result).concat())).unwrap();
    insta::assert_snapshot!(String::from_utf8(listing.render()).unwrap(), @r#"
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>1 name is hidden here</title>
      </head>
      <body>
        <h1>1 name is hidden here</h1>
        <p>The page of the public index lists projects that namewall hides here, so it is not shown as it is.</p>
        <p>The other projects on it:</p>
        <ul>
          <li><a href="/project/six/">six</a></li>
          <li><a href="/project/flask/">flask</a></li>
        </ul>
      </body>
    </html>
    "#);
    let none = Listing { removed: 2, kept: vec![] }.render();
    assert!(!String::from_utf8(none).unwrap().contains("<ul>"));
}

/// Text that may stand anywhere and means nothing good.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "<a ",
        "<a href=",
        "'",
        "\"",
        ">",
        "</a>",
        "<!--",
        "-->",
        "--!>",
        "<![CDATA[",
        "]]>",
        "<script>",
        "</script>",
        "<template>",
        "<textarea>",
        "</textarea>",
        "<plaintext>",
        "<li>",
        "<svg>",
        "=",
        " ",
        "x",
        "<",
        "&",
        "&#",
        "/>",
        "<?",
        "</",
        "<title>",
    ];
    proptest::collection::vec(select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

/// `text` with some characters as references.
fn encoded(text: &str, how: &[u8]) -> String {
    let mut how = how.iter().cycle();
    text.chars()
        .map(|c| match how.next() {
            Some(0) => format!("&#{};", u32::from(c)),
            Some(1) => format!("&#x{:X};", u32::from(c)),
            Some(2) => format!("&#x0{:x};", u32::from(c)),
            _ => c.to_string(),
        })
        .collect()
}

const TARGETS: [&str; 6] = [
    "/project/acme/",
    "//pypi.org/p/Acme",
    "https://pypi.org/simple/aCME/",
    "../project/acme",
    "https://files.pythonhosted.org/packages/aa/acme-1.0.tar.gz",
    "/project/hidden-x/1.0/",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_link_to_a_hidden_project_is_seen_in_any_soup(
        before in soup(), after in soup(), target in select(&TARGETS[..]), quote in select(vec!["", "'", "\""]),
        tag in select(vec!["<a href=", "<A\nHREF = ", "<img src=", "<a/href=", "<a href=/x/ href=", "<form x y=z action=", "<div data-x="]),
    ) {
        let html = format!("{before}{tag}{quote}{target}{quote}>{after}");
        let listing = at_home(&html);
        prop_assert!(listing.as_ref().map_or(true, |listing| listing.removed > 0), "{} {:?}", html, listing);
    }

    #[test]
    fn a_link_is_seen_however_it_is_written(
        how in proptest::collection::vec(0..6_u8, 1..9), target in select(&TARGETS[..]), quote in select(vec!["", "'", "\""]),
        tag in select(vec!["<a href=", "<AREA  HREF = ", "<link rel=x href=", "<form\taction=", "<iframe src=", "<div data-url=", "<a href=/x/ HREF="]),
        around in select(vec![
            ("", ""), ("<!--", "-->"), ("<!-- x>", "-->"), ("<script>'", "'</script>"), ("<template>", "</template>"),
            ("<noscript>", "</noscript>"), ("<textarea>", "</textarea>"), ("<svg><title>", "</title></svg>"), ("<a href=/project/six/>", "</a>"),
            ("<a href=/project/six/><!--", "--></a>"), ("<b title='&lt;'>", "</b>"), ("<plaintext>", ""), ("<xmp><!--", "--></xmp>"),
        ]),
        twice in any::<bool>(),
    ) {
        let link = format!("{tag}{quote}{}{quote}>x</a>", encoded(target, &how));
        // Where references are read, a quote in an attribute would end it.
        let twice = twice && !around.0.contains("textarea") && !around.0.contains("title>");
        let link = if twice { format!("<p title=\"{}\">", link.replace('&', "&amp;").replace('"', "&quot;")) } else { link };
        let html = page(&format!("{}{link}{}", around.0, around.1));
        let listing = at_home(&html);
        prop_assert!(listing.as_ref().is_ok_and(|listing| listing.removed > 0), "{} {:?}", link, listing);
    }

    #[test]
    fn what_is_kept_is_never_hidden(names in proptest::collection::vec("(acme|hidden-)?[a-zA-Z.]{1,6}", 0..6), before in soup()) {
        let links: String = names.iter().map(|name| format!("<a href=/project/{name}/>{name}</a>")).collect();
        if let Ok(listing) = at_home(&format!("{links}{before}")) {
            let judge = Hiding::names(&["acme"]);
            prop_assert!(listing.kept.iter().all(|name| !judge.is_hidden(name.as_name())));
            let page = String::from_utf8(listing.render()).unwrap();
            prop_assert!(!page.contains("hidden-") && !page.contains("/acme/"), "{}", page);
            let again = at_home(&page).unwrap();
            prop_assert_eq!(again, Listing { removed: 0, kept: listing.kept });
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,100}", soup in soup()) {
        let url: Url = "https://pypi.org/".parse().unwrap();
        let _read = read(&bytes, &url, &default_sites().collect(), &mut Hiding::default());
        let _read = (at_home(&text), at_home(&soup));
    }
}
