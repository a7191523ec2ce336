//! The tests of [`super`]: what real clients send, disguises, and properties.

use proptest::prelude::*;

use super::*;
use crate::pypi::testing::Hiding;

const BOUNDARY: &str = "0123456789abcdef0123456789abcdef";

/// What twine 7 and poetry send (requests-toolbelt): the name first, the file last.
const TWINE: &str = "\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"name\"\r\n\
    \r\n\
    sample\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"metadata_version\"\r\n\
    \r\n\
    2.4\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"version\"\r\n\
    \r\n\
    1.0\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"classifiers\"\r\n\
    \r\n\
    Programming Language :: Python :: 3\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"classifiers\"\r\n\
    \r\n\
    Topic :: Utilities\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"requires_dist\"\r\n\
    \r\n\
    hidden-dependency\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\":action\"\r\n\
    \r\n\
    file_upload\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"protocol_version\"\r\n\
    \r\n\
    1\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"content\"; filename=\"sample-1.0.tar.gz\"\r\n\
    Content-Type: application/octet-stream\r\n\
    \r\n\
    \x1f\r\n--0123\x08\r\n\
    --0123456789abcdef0123456789abcdef--\r\n";

/// What uv sends (reqwest): the name in the middle, no type for the file.
const UV: &str = "\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\":action\"\r\n\
    \r\n\
    file_upload\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"sha256_digest\"\r\n\
    \r\n\
    00\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"protocol_version\"\r\n\
    \r\n\
    1\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"metadata_version\"\r\n\
    \r\n\
    2.4\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"name\"\r\n\
    \r\n\
    sample\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"description\"\r\n\
    \r\n\
    \r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"content\"; filename=\"sample-1.0.tar.gz\"\r\n\
    \r\n\
    \x1f\r\n--0123\x08\r\n\
    --0123456789abcdef0123456789abcdef--\r\n";

/// What hatch sends (httpx), with a signature behind the file.
const HATCH: &str = "\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"name\"\r\n\
    \r\n\
    sample\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\":action\"\r\n\
    \r\n\
    file_upload\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"content\"; filename=\"sample-1.0.tar.gz\"\r\n\
    Content-Type: application/octet-stream\r\n\
    \r\n\
    \x1f\r\n--0123\x08\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"gpg_signature\"; filename=\"sample-1.0.tar.gz.asc\"\r\n\
    Content-Type: application/pgp-signature\r\n\
    \r\n\
    -----BEGIN PGP SIGNATURE-----\n\n--=\n-----END PGP SIGNATURE-----\n\r\n\
    --0123456789abcdef0123456789abcdef--\r\n";

/// What `setup.py upload` sent: a line end before the first boundary, the file among the fields.
const DISTUTILS: &str = "\
    \r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\":action\"\r\n\
    \r\n\
    file_upload\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"content\";filename=\"sample-1.0.tar.gz\"\r\n\
    \r\n\
    \x1f\r\n--0123\x08\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"name\"\r\n\
    \r\n\
    sample\r\n\
    --0123456789abcdef0123456789abcdef--\r\n";

fn upload() -> Upload {
    Upload::new(&format!("multipart/form-data; boundary={BOUNDARY}")).unwrap()
}

/// Reads a body in the pieces that `cuts` make of it, and checks at each what every caller relies on.
fn read_in(body: &[u8], cuts: impl IntoIterator<Item = usize>) -> Result<(), Rejected> {
    let mut upload = upload();
    let (mut pushed, mut released, mut progress) = (0, 0, Progress::Undecided);
    let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).chain([body.len()]).collect();
    cuts.sort_unstable();
    for cut in cuts {
        let now = match upload.push(&body[pushed..cut], &mut Hiding::names(&["acme"])) {
            Ok(now) => now,
            Err(error) => {
                assert_eq!((upload.releasable(), upload.finish()), (0, Err(error.clone())));
                return Err(error);
            }
        };
        pushed = cut;
        assert!(now >= progress && now == upload.progress());
        assert!(upload.releasable() >= released && (upload.releasable() < pushed as u64 || pushed == 0));
        assert!(now > Progress::Undecided || upload.releasable() == 0);
        (progress, released) = (now, upload.releasable());
    }
    let finished = upload.finish();
    assert_eq!(upload.releasable(), if finished.is_ok() { body.len() as u64 } else { 0 });
    finished
}

fn read(body: &[u8]) -> Result<(), Rejected> {
    read_in(body, [])
}

fn part(headers: &str, content: &str) -> String {
    format!("--{BOUNDARY}\r\n{headers}\r\n\r\n{content}\r\n")
}

fn field(name: &str, value: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
}

fn file(field: &str, name: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\""), "\x1f")
}

fn form(parts: &[String]) -> String {
    format!("{}--{BOUNDARY}--\r\n", parts.concat())
}

/// An upload of `sample` with one more part, at each place.
fn forms_with(part: &str) -> [String; 3] {
    let (name, content) = (field("name", "sample"), file("content", "sample-1.0.tar.gz"));
    [
        form(&[part.to_owned(), name.clone(), content.clone()]),
        form(&[name.clone(), part.to_owned(), content.clone()]),
        form(&[name, content, part.to_owned()]),
    ]
}

fn reason(body: &str) -> &'static str {
    read(body.as_bytes()).expect_err(body).reason()
}

#[test]
fn what_clients_send_passes() {
    for body in [TWINE, UV, HATCH, DISTUTILS] {
        read(body.as_bytes()).unwrap();
        read_in(body.as_bytes(), 0..body.len()).unwrap();
    }
}

#[test]
fn what_clients_send_is_refused_for_any_name_in_it() {
    let from_name = |body: &str| body.replacen("\r\n\r\nsample\r\n", "\r\n\r\nAcme\r\n", 1);
    let from_file = |body: &str| body.replacen("filename=\"sample-1.0.tar.gz\"", "filename=\"acme-1.0.tar.gz\"", 1);
    for body in [TWINE, UV, HATCH, DISTUTILS] {
        let project = Refusal::Protected(Protected::Project("acme".parse().unwrap()));
        assert_eq!(read(from_name(body).as_bytes()), Err(project.into()));
        assert_eq!(reason(&from_file(body)), "upload-protected");
    }
    assert_eq!(reason(&HATCH.replace("sample-1.0.tar.gz.asc", "acme-1.0.tar.gz.asc")), "upload-protected");
    assert_eq!(reason(&TWINE.replace("Topic :: Utilities", "Private :: Do Not Upload")), "upload-private");
}

#[test]
fn the_caller_learns_when_bytes_may_go() {
    let mut upload = upload();
    let judge = &mut Hiding::names(&["acme"]);
    let content = TWINE.find('\x1f').unwrap();
    let (before, after) = TWINE.as_bytes().split_at(content - 1);
    assert_eq!(upload.push(before, judge), Ok(Progress::Undecided));
    assert!(!upload.has_file());
    assert_eq!(upload.push(&after[..1], judge), Ok(Progress::Named));
    assert!(upload.has_file());
    let large = vec![b'\n'; 1 << 20];
    assert_eq!(upload.push(&large, judge), Ok(Progress::Named));
    assert_eq!(upload.releasable(), (content + large.len() - BOUNDARY.len() - 3) as u64);
    let end = format!("\r\n--{BOUNDARY}--");
    assert_eq!(upload.push(end.as_bytes(), judge), Ok(Progress::Complete));
    assert_eq!(upload.releasable(), (content + large.len()) as u64);
    assert_eq!(upload.finish(), Ok(()));
    assert_eq!(upload.releasable(), (content + large.len() + end.len()) as u64);
    assert_eq!(judge.asked, 2);
}

#[test]
fn a_late_name_keeps_its_part_back() {
    let judge = &mut Hiding::names(&["acme"]);
    let fit = [field("name", "sample"), file("content", "sample-1.0.tar.gz")].concat();
    let mut upload = upload();
    assert_eq!(upload.push(fit.as_bytes(), judge), Ok(Progress::Named));
    assert_eq!(upload.push(field("name", "acme").as_bytes(), judge), Ok(Progress::Named));
    assert_eq!(upload.releasable(), fit.len() as u64 - 2);
    assert!(upload.push(b"--", judge).is_ok());
    assert_eq!(upload.push(BOUNDARY.as_bytes(), judge).unwrap_err().reason(), "upload-protected");
    assert_eq!((upload.releasable(), upload.push(b"", judge).unwrap_err().reason()), (0, "upload-protected"));
}

#[test]
fn a_protected_name_is_refused_wherever_it_stands() {
    for part in [
        field("name", "acme"),
        field("Name", "ACME"),
        field(" name ", "Acme"),
        field("n%61me", "hidden-.-x"),
        part("Content-Disposition: form-data; name=name", "acme"),
        file("content", "acme-1.0-py3-none-any.whl"),
        file("gpg_signature", "acme-1.0.tar.gz.asc"),
        file("anything", "ACME-1.0-1.tar.gz"),
        file("content", "%61cme-1.0.tar.gz"),
        part("Content-Disposition: form-data; name=\"content\"; filename*=utf-8''%61cme-1.0.zip", ""),
        part("Content-Disposition: form-data; name=\"x\"; filename=\"a.zip\"; filename*=utf-8''acme-1.0.zip", ""),
    ] {
        for body in forms_with(&part) {
            assert_eq!(reason(&body), "upload-protected", "{part}");
        }
    }
}

#[test]
fn private_classifiers_are_refused() {
    for value in ["Private :: Do Not Upload", " private ::x", "PRIVATE::", "\tPrivate  :: "] {
        for name in ["classifiers", "classifier", "Classifiers"] {
            for body in forms_with(&field(name, value)) {
                assert_eq!(reason(&body), "upload-private", "{value}");
            }
        }
    }
    for part in [
        field("classifiers", "Topic :: Private ::"),
        field("classifiers", ""),
        field("classifiers", "Privateer :: x"),
        field("keywords", "Private :: Do Not Upload"),
        field("requires_dist", "acme"),
        field("description", &"acme\n".repeat(5000)),
        field("name", "Sam.ple"),
    ] {
        for body in forms_with(&part) {
            read(body.as_bytes()).unwrap();
        }
    }
}

#[test]
fn disguised_fields_are_refused() {
    const NAME: &str = "Content-Disposition: form-data; name=\"name\"";
    for (part, why) in [
        (field("name", ""), "upload-name"),
        (field("name", "sample\n"), "upload-name"),
        (field("name", " acme"), "upload-name"),
        (field("name", "\u{ff41}cme"), "upload-name"),
        (field("name", "a\0"), "upload-name"),
        (field("name", &"a".repeat(5000)), "upload-limit"),
        (field("classifiers", &" ".repeat(5000)), "upload-limit"),
        (part(&format!("{NAME}\r\nX: {}", "x".repeat(9000)), "acme"), "upload-limit"),
        (part(&format!("{NAME}\r\nContent-Transfer-Encoding: base64"), "YWNtZQ=="), "upload-part-header"),
        (part(&format!("{NAME}\r\nContent-Type: text/plain; charset=utf-7"), "+AGEcme"), "upload-part-header"),
        (part(&format!("{NAME}\r\nContent-Type: multipart/mixed; boundary=b"), "--b"), "upload-part-header"),
        (part(&format!("{NAME}\r\nX: --{BOUNDARY}"), "sample"), "upload-part-header"),
        (part(&format!("{NAME}\r\n--{BOUNDARY}: x"), "sample"), "upload-part-header"),
        (part("Content-Disposition: form-data; name=\"na\\me\"", "acme"), "upload-part-header"),
        (part("Content-Type: text/plain", "acme"), "upload-part-header"),
        (file("name", "sample-1.0.zip"), "upload-part-header"),
        (file("classifiers", "sample-1.0.zip"), "upload-part-header"),
        (file("content", ""), "upload-file-name"),
        (file("content", "x/acme-1.0.zip"), "upload-file-name"),
        (field("content", "sample"), "upload-part-header"),
        (field("_charset_", "utf-16"), "upload-part-header"),
        (format!("--{BOUNDARY}\r\n\r\nno headers\r\n"), "upload-part-header"),
    ] {
        for body in forms_with(&part) {
            assert_eq!(reason(&body), why, "{part}");
        }
    }
}

#[test]
fn boundaries_that_only_some_see_are_refused() {
    let bad = |part: &str| {
        for body in forms_with(part) {
            assert_eq!(reason(&body), "upload-framing", "{part:?}");
        }
    };
    let name = field("name", "acme");
    // One more part, for readers that take these for line ends.
    for end in ["\n", "\r", "", " ", "\n\r", "\r\n ", "\x0b", "\r\n-"] {
        bad(&field("description", &format!("x{end}{name}")));
        bad(&field("description", &format!("{end}{name}")));
    }
    for junk in ["x", "-", "-x", " x", "\n", "\r", "\r\r\n", "\x0b\r\n", &" ".repeat(100)] {
        bad(&name.replacen("\r\n", &format!("{junk}\r\n"), 1));
    }
    bad(&field("description", &format!("x\r\n--{BOUNDARY}x")));
    // Padding is in the RFC.
    for padding in [" ", "\t", " \t "] {
        read(form(&[field("name", "sample")]).replacen("\r\n", &format!("{padding}\r\n"), 1).as_bytes()).unwrap();
    }
    // No CRLF at all, or none where it matters.
    assert_eq!(reason(&TWINE.replace("\r\n", "\n")), "upload-framing");
    assert_eq!(reason(&TWINE.replace("\r\n\r\n", "\n\n")), "upload-truncated");
    assert_eq!(reason(&TWINE.replacen("\r\n\r\n", "\n\n", 1)), "upload-part-header");
}

#[test]
fn nothing_may_stand_around_the_form() {
    let body = form(&[field("name", "sample")]);
    for before in ["x", "x\r\n", " ", "\n", "\r\n\r\n", "\r", "--", "--\r\n"] {
        assert_eq!(reason(&format!("{before}{body}")), "upload-framing", "{before:?}");
    }
    for after in ["x", "-", "\r\nx", &body, &" ".repeat(2000)] {
        assert_eq!(reason(&format!("{body}{after}")), "upload-framing", "{after:?}");
    }
    for after in ["", "\r\n", " \t\r\n\r\n", "\n"] {
        read(format!("{}{after}", body.trim_end()).as_bytes()).unwrap();
        read(format!("\r\n{body}{after}").as_bytes()).unwrap();
    }
}

#[test]
fn an_incomplete_upload_is_refused() {
    let body = TWINE.trim_end();
    for end in 0..body.len() {
        assert_eq!(read(&body.as_bytes()[..end]), Err(BadUpload::Truncated.into()), "{end}");
    }
    assert_eq!(reason(&form(&[])), "upload-nameless");
    assert_eq!(reason(&form(&[file("content", "sample-1.0.zip")])), "upload-nameless");
}

#[test]
fn the_number_of_parts_is_limited() {
    let many = |count: usize| form(&vec![field("name", "x"); count]);
    read(many(10_000).as_bytes()).unwrap();
    assert_eq!(reason(&many(10_001)), "upload-limit");
}

#[test]
fn messages_say_what_and_where_and_what_to_do() {
    let shown = |body: &str| read(body.as_bytes()).unwrap_err().to_string();
    let messages = [
        shown(&TWINE.replace("sample\r", "acme\r")),
        shown(&TWINE.replace("sample-1.0", "acme-1.0")),
        shown(&TWINE.replace("Topic", "Private")),
        shown(&TWINE.replace("sample\r", "sam ple\r")),
        shown(&TWINE.replace("sample-1.0", "s/1.0")),
        shown(&TWINE.replace("; name=\"version\"", "")),
        shown(&TWINE.replace("--0123\x08\r", "")),
        shown(&TWINE.replace("sample\r", &format!("{}\r", "a".repeat(5000)))),
        shown(&form(&[])),
        shown(""),
        Upload::new("text/plain").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r"
    the upload's project is `acme`, which is protected and must not be published on this index; check which repository the publishing tool is set to, and send it to the private one
    the upload's file is called `acme-1.0.tar.gz`, which is protected and must not be published on this index; check which repository the publishing tool is set to, and send it to the private one
    the upload has a `Private ::` classifier: its author wants it kept off public indexes; check which repository the publishing tool is set to, or remove the classifier
    the `name` field in the upload's part 1 is no project's name: a project name is made of ASCII letters, digits, `.`, `_` and `-`, not a space; correct it in the package's metadata
    the file in the upload's part 9 has a name that no distribution can have: a file name has no slash and no backslash in it; rename the file
    the headers of the upload's part 3 can't be relied on: the part has no name; publish with a current twine, uv, hatch or poetry
    the upload's form is malformed in or after part 9: the boundary stands elsewhere than behind a CRLF; publish with a current twine, uv, hatch or poetry
    the upload's part 1 is over the limit: 4 KiB in a `name` or `classifiers` field; publish with a current twine, uv, hatch or poetry
    the upload has no `name` field: it can't be told what it would publish; publish with a current twine, uv, hatch or poetry
    the upload ends in the middle, without its closing boundary; try again
    the upload's Content-Type is not that of one form: it is not `multipart/form-data`; publish with a current twine, uv, hatch or poetry
    ");
}

/// Content that nearly has boundaries in it. A whole one may come of two pieces; it is one then, by rights.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let near = (0..BOUNDARY.len()).prop_map(|end| format!("\r\n--{}", &BOUNDARY[..end]).into_bytes());
    let ends = prop::sample::select(&["\r", "\n", "\r\n", "-", "--", "\r\n--", "\r\n\r\n"][..]);
    let any = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop_oneof![near, ends.prop_map(|end| end.as_bytes().to_vec()), any];
    let content = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    content
        .prop_filter("no boundary", |bytes| memchr::memmem::find(bytes, format!("--{BOUNDARY}").as_bytes()).is_none())
}

/// Parts of a form, good and bad.
fn parts() -> impl Strategy<Value = Vec<String>> {
    let names = prop::sample::select(&["name", "content", "classifiers", "description", "x"][..]);
    let values = prop::sample::select(&["sample", "acme", "hidden-x", "Private :: x", "", "a b"][..]);
    let fields = (names.clone(), values).prop_map(|(name, value)| field(name, value));
    let files = prop::sample::select(&["sample-1.0.zip", "acme-1.0.zip", "a/b", "%61cme-1.0-1.zip"][..]);
    let files = (names, files).prop_map(|(name, called)| file(name, called));
    let twisted = prop::sample::select(&["\r\n", "--", BOUNDARY, "x", "Content-Type: x/y\r\n", "\r\n\r\n", "\n"][..]);
    prop::collection::vec(prop_oneof![4 => fields, 2 => files, 1 => twisted.prop_map(str::to_owned)], 0..8)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..1500, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn chunks_change_nothing(parts in parts(), cuts in cuts()) {
        let body = form(&parts);
        let whole = read(body.as_bytes());
        prop_assert_eq!(&read_in(body.as_bytes(), cuts), &whole);
        prop_assert_eq!(&read_in(body.as_bytes(), 0..body.len()), &whole);
    }

    #[test]
    fn files_of_any_bytes_pass(content in content(), cuts in cuts(), each in any::<bool>()) {
        let (before, after) = TWINE.split_once("\x1f\r\n--0123\x08").unwrap();
        let body = [before.as_bytes(), &content, after.as_bytes()].concat();
        prop_assert_eq!(read_in(&body, cuts), Ok(()));
        if each {
            prop_assert_eq!(read_in(&body, 0..body.len()), Ok(()));
        }
    }

    #[test]
    fn a_protected_name_anywhere_is_refused(parts in parts(), at in any::<prop::sample::Index>(), kind in any::<bool>()) {
        let mut parts = parts;
        let protected = if kind { field("name", "acme") } else { file("x", "acme-1.0.tar.gz") };
        parts.insert(at.index(parts.len() + 1), protected);
        prop_assert!(read(form(&parts).as_bytes()).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in cuts(), after in any::<bool>(),
    ) {
        let body = if after { [format!("--{BOUNDARY}\r\n").as_bytes(), &bytes].concat() } else { bytes };
        prop_assert!(read_in(&body, cuts).is_err());
    }

    #[test]
    fn any_type_is_read_without_a_panic(text in "[ -~\\t\u{e9}]{0,40}", boundary in "[ -~]{0,80}") {
        let _read = (Upload::new(&text), is_multipart_form(&text));
        let content_type = format!("multipart/form-data; boundary=\"{boundary}\"");
        prop_assert!(is_multipart_form(&content_type));
        if Upload::new(&content_type).is_ok() {
            prop_assert!(!boundary.is_empty() && boundary.len() <= 70);
        }
    }
}
