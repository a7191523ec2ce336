//! XML-RPC: a call that passes is the one that was read, and what is shown of an answer is shown whole a second time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::xmlrpc::{Call, filter_response};
use namewall_fuzz::{judge, show};

fn filter(call: Call, answer: &[u8]) -> Option<(u64, Vec<u8>)> {
    let mut shown = Vec::new();
    let removed = filter_response(call, answer, &mut shown, &mut judge()).ok()?;
    Some((removed, shown))
}

fuzz_target!(|body: &[u8]| {
    if let Ok(call) = Call::parse(body) {
        assert_eq!(Call::parse(&call.render()), Ok(call));
    }
    for call in [Call::LastSerial, Call::ChangesSince(1), Call::AllProjects] {
        let Some((_, first)) = filter(call, body) else { continue };
        let (removed, second) = filter(call, &first).expect("we read what we write");
        assert_eq!((removed, show(&second)), (0, show(&first)), "the second time it looks different");
        let text = String::from_utf8(first).expect("UTF-8");
        assert!(!text.contains("<name>acme</name>") && !text.contains("<string>acme</string>\n<value>"), "{text}");
    }
});
