//! A list of destinations: any is read or refused, what is read is shown as it can be read again, and means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::name::{Authority, Destination, Destinations};

fuzz_target!(|input: &str| {
    let (list, to) = input.split_once('\0').unwrap_or((input, "pypi.org:443"));
    let items = Destinations::items(list);
    for range in items.clone() {
        let item = &list[range];
        assert!(!item.is_empty() && !item.contains([',', ' ']));
        if let Ok(destination) = item.parse::<Destination>() {
            assert_eq!(destination.to_string().parse(), Ok(destination), "{item}");
        }
    }
    let (Ok(all), Ok(to)) = (list.parse::<Destinations>(), to.parse::<Authority>()) else { return };
    // A list covers what one of its items covers.
    let one = items.into_iter().any(|range| list[range].parse::<Destinations>().is_ok_and(|one| one.cover(&to)));
    assert_eq!(all.cover(&to), one);
});
