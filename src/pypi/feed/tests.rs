use proptest::prelude::*;

use super::*;
use crate::pypi::testing::Hiding;

/// A feed as PyPI writes it, of `(title, link)`.
fn updates(items: &[(&str, &str)]) -> String {
    let item = |(title, link): &(&str, &str)| {
        format!(
            "\n    <item>\n      <title>{title}</title>\n      <link>{link}</link>\n      <description>See acme &amp; \
             co.</description>\n      <pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>\n    </item>"
        )
    };
    rss(&items.iter().map(item).collect::<String>())
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\">\n  <channel>\n    <title>PyPI recent \
         updates</title>\n    <link>https://pypi.org/</link>\n    <description>Recent updates</description>\n    \
         <language>en</language>{items}\n  </channel>\n</rss>"
    )
}

fn sitemap(locations: &[&str]) -> String {
    let url = |location: &&str| format!("\n  <url>\n    <loc>{location}</loc>\n  </url>\n  ");
    let urls: String = locations.iter().map(url).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n  \
         {urls}\n</urlset>"
    )
}

fn pruned(source: &str) -> (String, u64) {
    let pruned = prune(source.as_bytes(), &mut Hiding::names(&["acme"])).unwrap();
    assert_eq!(matches!(pruned.body, Cow::Borrowed(_)), pruned.removed == 0);
    (String::from_utf8(pruned.body.into_owned()).unwrap(), pruned.removed)
}

/// Whether a feed's only item goes.
fn goes(item: &str) -> bool {
    let source = rss(item);
    let (body, removed) = pruned(&source);
    assert_eq!(body == source, removed == 0);
    removed == 1
}

#[test]
fn a_hidden_release_is_not_announced() {
    let kept = [("other 1.0", "https://pypi.org/project/other/1.0/"), ("x 2", "https://pypi.org/project/x/2/")];
    let hidden = [
        ("acme 1.0", "https://pypi.org/project/acme/1.0/"),
        ("Acme 1.0", "https://pypi.org/project/acme/1.0/"),
        ("hidden.y 1.0", "https://pypi.org/project/hidden-y/1.0/"),
    ];
    let all = [hidden[0], kept[0], hidden[1], hidden[2], kept[1], hidden[0]];
    assert_eq!(pruned(&updates(&all)), (updates(&kept), 4));
    assert_eq!(pruned(&updates(&kept)), (updates(&kept), 0));
    assert_eq!(pruned(&updates(&hidden)), (updates(&[]), 3));
}

#[test]
fn any_name_of_an_item_hides_it() {
    let link = "<link>https://pypi.org/project/other/</link>";
    for item in [
        format!("<item><title>acme added to PyPI</title>{link}</item>"),
        format!("<item><title>\n a&#99;me\n1.0</title>{link}</item>"),
        format!("<item><title>ac<![CDATA[me]]></title>{link}</item>"),
        format!("<item><title>ac<!-- -->me</title>{link}</item>"),
        format!("<item>{link}<guid>https://pypi.org/project/acme/</guid></item>"),
        format!("<item>{link}<guid isPermaLink='false'>acme</guid></item>"),
        format!("<item>{link}<guid isPermaLink='false'>acme-1.0.tar.gz</guid></item>"),
        format!("<item>{link}<link>https://pypi.org/project/acme/</link></item>"),
        format!("<item>{link}<comments>https://pypi.org/project/acme/</comments></item>"),
        format!("<item>{link}<enclosure url='https://f.example/acme-1.0.tar.gz'/></item>"),
        format!("<item>{link}<x:y xmlns:x='u'><x:z href='//pypi.org/p/acme/'/></x:y></item>"),
        "<item><link>https://pypi.org/project/acme/1.0/</link></item>".to_owned(),
        "<item><link>\n  https://pypi.org/project/%41cme/\n</link></item>".to_owned(),
        "<item><link>HTTP://mirror.example:8080/pypi/acme/json</link></item>".to_owned(),
        "<item><link>https://pypi.org/x?name=acme</link></item>".to_owned(),
        "<item><link>https://pypi.org/search/?x=1&amp;q=acme</link></item>".to_owned(),
        "<item><link>/project/acme/</link></item>".to_owned(),
        "<item><link>//pypi.org/project/acme/</link></item>".to_owned(),
        "<ITEM><LINK>https://pypi.org/project/acme/</LINK></ITEM>".to_owned(),
        "<x:item xmlns:x='u'><x:link>https://pypi.org/project/acme/</x:link></x:item>".to_owned(),
    ] {
        assert!(goes(&item), "{item}");
        assert!(
            !goes(
                &item
                    .replace("acme", "bolt")
                    .replace("a&#99;me", "bolt")
                    .replace("ac<", "bolt<")
                    .replace("%41cme", "bolt")
            ),
            "{item}"
        );
    }
}

#[test]
fn what_bears_no_name_is_kept() {
    for item in [
        "<item><title>1!2.0+local</title><link>https://pypi.org/project/other/2.0/</link></item>",
        "<item><title>other 1.0 acme</title><link>https://pypi.org/project/other/</link></item>",
        "<item><link>https://acme.example/project/other/</link></item>",
        "<item><link>https://pypi.org/project/other/</link><description>https://pypi.org/p/acme/</description></item>",
        "<item><link>https://pypi.org/project/other/</link><author>x@acme.example</author></item>",
        "<item><guid>https://pypi.org/project/other/</guid></item>",
        "<item><link rel='x'/><link>https://pypi.org</link></item>",
    ] {
        assert!(!goes(item), "{item}");
    }
}

#[test]
fn an_item_without_a_readable_link_goes() {
    for item in [
        "<item/>",
        "<item><title>other 1.0</title></item>",
        "<item><title>other 1.0</title><link/></item>",
        "<item><link>project/other/</link></item>",
        "<item><link>pypi.org/project/other/</link></item>",
        "<item><link>mailto:other@example.org</link></item>",
        "<item><link>https:///project/other/</link></item>",
        "<item><link>https://pypi.org\\project\\other</link></item>",
        "<item><link>https://pypi.org/project/ot her/</link></item>",
        "<item><link>https://pypi.org/project/ot\nher/</link></item>",
        "<item><link>https://pypi.org/project/other%0A/</link></item>",
        "<item><link>https://pypi.org/project/%E2%84%AAeras/</link></item>",
        "<item><link>https://pypi.org/project/other/</link><link>x</link></item>",
        "<item><link>https://pypi.org/project/other/</link><guid>https://pypi.org/%ff</guid></item>",
    ] {
        assert!(goes(item), "{item}");
    }
}

#[test]
fn a_sitemap_loses_hidden_projects() {
    let kept = ["https://pypi.org/project/other/", "https://pypi.org/user/someone/"];
    let all = [kept[0], "https://pypi.org/project/acme/", "https://pypi.org/project/hidden-z/", kept[1]];
    let (body, removed) = pruned(&sitemap(&all));
    assert_eq!(removed, 2);
    assert!(!body.contains("acme") && !body.contains("hidden"));
    assert!(kept.iter().all(|location| body.contains(location)));
    assert_eq!(pruned(&sitemap(&kept)), (sitemap(&kept), 0));
    let image = "<urlset xmlns:i='u'><url><loc>https://pypi.org/</loc><i:image><i:loc>https://x/acme.png</i:loc>\
                 </i:image></url></urlset>";
    assert_eq!(pruned(image), ("<urlset xmlns:i='u'></urlset>".to_owned(), 1));
}

#[test]
fn a_sitemap_index_is_one_too() {
    let index = |locations: &[&str]| {
        let sitemap =
            |location: &&str| format!("<sitemap><loc>{location}</loc><lastmod>2026-01-01</lastmod></sitemap>");
        format!("<sitemapindex>{}</sitemapindex>", locations.iter().map(sitemap).collect::<String>())
    };
    let (bucket, acme) = ("https://pypi.org/0.sitemap.xml", "https://pypi.org/project/acme/");
    assert_eq!(pruned(&index(&[bucket])), (index(&[bucket]), 0));
    assert_eq!(pruned(&index(&[acme, bucket])), (index(&[bucket]), 1));
}

#[test]
fn what_is_neither_feed_nor_sitemap_is_malformed() {
    let item = "<item><link>https://pypi.org/project/other/</link></item>";
    for source in [
        "<html/>".to_owned(),
        "<feed><entry/></feed>".to_owned(),
        "<item/>".to_owned(),
        format!("<rss>{item}</rss>"),
        format!("<rss><channel/>{item}</rss>"),
        format!("<rss><channel><x>{item}</x></channel></rss>"),
        format!("<rss><x>{item}</x></rss>"),
        format!("<rss><channel><item>{item}</item></channel></rss>"),
        format!("<rss><channel><item><x>{item}</x></item></channel></rss>"),
        rss("<entry/>"),
        rss("<item><x:Entry/></item>"),
        "<urlset><sitemap/></urlset>".to_owned(),
        "<urlset><x><url/></x></urlset>".to_owned(),
        "<sitemapindex><url/></sitemapindex>".to_owned(),
    ] {
        let refused = prune(source.as_bytes(), &mut Hiding::default());
        assert!(matches!(refused, Err(Malformed::Shape(_))), "{source} {refused:?}");
    }
    for (source, reason) in [
        ("", "page-truncated"),
        ("<rss><channel>", "page-truncated"),
        ("<rss><channel></rss>", "page-syntax"),
        ("<!DOCTYPE rss><rss/>", "page-syntax"),
        ("{}", "page-syntax"),
    ] {
        assert_eq!(prune(source.as_bytes(), &mut Hiding::default()).unwrap_err().reason(), reason);
    }
}

#[test]
fn a_comment_goes_with_the_entry_behind_it() {
    let (kept, gone) = ("<item><link>/p/other/</link></item>", "<item><link>/p/acme/</link></item>");
    let source = rss(&format!("<!-- 1 -->{kept}<!-- acme -->\n<!-- 2 -->{gone}<!-- 3 -->"));
    assert_eq!(pruned(&source), (rss(&format!("<!-- 1 -->{kept}<!-- acme --><!-- 3 -->")), 1));
}

#[test]
fn each_name_is_asked_for_once() {
    let url = "https://pypi.org/project/other/";
    let source = rss(&format!("<item><title>Other added to PyPI</title><link>{url}</link><guid>{url}</guid></item>"));
    let mut judge = Hiding::default();
    assert_eq!(prune(source.as_bytes(), &mut judge).unwrap().removed, 0);
    assert_eq!(judge.asked, 1);
}

/// The links of what a reader finds.
fn links(source: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(source);
    let mut links = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(tag) if ["link", "loc"].contains(&tag.name().as_ref()) => {
                let text = reader.read_text(tag.name()).unwrap();
                links.push(quick_xml::escape::unescape(&text).unwrap().trim().to_owned());
            }
            quick_xml::events::Event::Eof => return links,
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn no_hidden_name_survives_and_no_other_is_lost(
        names in proptest::collection::vec(
            prop_oneof![Just("acme"), Just("Acme"), Just("hidden_x"), Just("hidden-y"), Just("acme-x"), Just("a"), Just("b.c")],
            0..8,
        ),
        spaces in proptest::collection::vec("[ \n\t]{0,3}", 8),
        escaped in proptest::collection::vec(any::<bool>(), 8),
        is_feed: bool,
    ) {
        let is_hidden = |name: &str| name.eq_ignore_ascii_case("acme") || name.starts_with("hidden");
        let entry = |((name, space), escaped): ((&&str, &String), &bool)| {
            let written = if *escaped { name.chars().map(|c| format!("&#{};", u32::from(c))).collect() } else { (*name).to_owned() };
            let link = format!("{space}https://pypi.org/project/{written}/1.0/{space}");
            if is_feed {
                format!("{space}<item>{space}<title>{written} 1.0</title><link>{link}</link></item>")
            } else {
                format!("{space}<url{space}><loc{space}>{link}</loc>{space}</url{space}>")
            }
        };
        let entries: String = names.iter().zip(&spaces).zip(&escaped).map(entry).collect();
        let source = if is_feed { rss(&entries) } else { format!("<urlset>{entries}</urlset>") };
        let (body, removed) = pruned(&source);
        let link = |name: &&&str| format!("https://pypi.org/project/{name}/1.0/");
        let mut expected: Vec<String> = names.iter().filter(|name| !is_hidden(name)).map(|name| link(&name)).collect();
        if is_feed {
            expected.insert(0, "https://pypi.org/".to_owned());
        }
        prop_assert_eq!(links(&body), expected);
        prop_assert_eq!(removed, names.iter().filter(|name| is_hidden(name)).count() as u64);
        prop_assert_eq!(pruned(&body), (body, 0));
    }

    #[test]
    fn any_entry_is_pruned_without_a_panic(entry in "[<>/a-z&;:'=\" ]{0,60}") {
        for source in [rss(&entry), format!("<urlset><url>{entry}</url></urlset>")] {
            let _pruned = prune(source.as_bytes(), &mut Hiding::names(&["a"]));
        }
    }
}
