//! A users file: what is read is read again in the same way, and no complaint shows what stands behind a colon.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::users::Users;

fuzz_target!(|text: &str| match Users::parse(text) {
    Ok(users) => {
        assert!(!users.is_empty());
        assert!(users == Users::parse(text).expect("it was read before"));
        // A line more is a user more, or none.
        let more = format!("{text}\n# nobody");
        assert_eq!(Users::parse(&more).map(|users| users.len()), Ok(users.len()));
    }
    Err(error) => {
        assert!(error.line.is_none_or(|line| (1..=text.lines().count()).contains(&line)), "{error:?}");
        let shown = error.message + &error.help;
        let is_name =
            |hash: &str| text.lines().any(|line| line.split(':').next().is_some_and(|name| name.contains(hash)));
        let hashes = text.lines().filter_map(|line| line.split_once(':')).map(|(_, hash)| hash.trim());
        // With a space in it, it may be a complaint of ours.
        for hash in hashes.filter(|hash| hash.len() > 60 && !hash.contains(' ') && !is_name(hash)) {
            assert!(!shown.contains(hash), "{shown}");
        }
    }
});
