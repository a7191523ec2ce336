//! A file's name, and whose it could be: candidates are beginnings of it, all different, and no protected one is missed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::name::{FileName, ProjectName, Subject};
use namewall_fuzz::{opinion, protects};

fuzz_target!(|raw: &[u8]| {
    let Ok(file) = FileName::parse(raw) else { return };
    assert_eq!(file.as_str().as_bytes(), raw);
    assert!(!file.as_str().contains(|letter: char| letter.is_control() || matches!(letter, '/' | '\\')));
    if let Ok(distribution) = FileName::parse(file.distribution()) {
        assert_eq!(distribution.distribution(), distribution.as_str());
        assert_eq!(distribution.candidates(), file.candidates());
    }

    let candidates = file.candidates();
    let names = &candidates.projects;
    assert!(!candidates.certain || names.len() == 1, "{candidates:?}");
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name} stands twice: {candidates:?}");
        assert_eq!(ProjectName::parse(name.as_str()).as_ref(), Ok(name));
        let begins = |(end, _): (usize, char)| ProjectName::parse(&raw[..end]).as_ref() == Ok(name);
        let text = file.as_str();
        assert!(text.char_indices().any(begins) || ProjectName::parse(text).as_ref() == Ok(name), "{name}: {text}");
    }
    let dashes = file.as_str().match_indices('-');
    if dashes.map(|(at, _)| &file.as_str()[..at]).any(opinion::is_protected) {
        assert!(protects([Subject::File(&file)].into_iter()), "nobody noticed {candidates:?}");
    }
});
