//! A load balancer's PROXY header: any bytes are read without a panic, and not one more than belongs to it.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use namewall::net::proxy_protocol::read;

fuzz_target!(|bytes: &[u8]| {
    let parse = |mut bytes: &[u8]| {
        let polled = pin!(read(&mut bytes)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(outcome) = polled else { unreachable!("all that can be waited for is here") };
        outcome.ok().map(|brought| (brought, bytes.len()))
    };
    if let Some((brought, left)) = parse(bytes) {
        assert!(left < bytes.len());
        assert_eq!(parse(&[bytes, b"x"].concat()), Some((brought, left + 1)));
    }
});
