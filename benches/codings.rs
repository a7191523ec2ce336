//! How long it takes to undo the coding that PyPI sends pages in, with the decoder that the proxy uses: by plain bytes.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod support;

use std::io::Write;

use async_compression::tokio::bufread::GzipDecoder;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use flate2::Compression;
use flate2::write::GzEncoder;
use namewall::demo::simple::Form;
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;

fn main() {
    divan::main();
}

#[divan::bench(args = [20, 500, 8_000])]
fn gzip_page(bencher: Bencher<'_, '_>, files: usize) {
    undo(bencher, &support::page(Form::Json, files, false));
}

#[divan::bench(sample_count = 10)]
fn gzip_root(bencher: Bencher<'_, '_>) {
    undo(bencher, &support::root(100_000));
}

fn undo(bencher: Bencher<'_, '_>, plain: &str) {
    /// How much is read at once.
    const PIECE: usize = 64 << 10;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain.as_bytes()).expect("memory");
    let coded = encoder.finish().expect("memory");
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut piece = Vec::with_capacity(PIECE);
    bencher.counter(BytesCount::of_str(plain)).bench_local(|| {
        runtime.block_on(async {
            let mut decoder = GzipDecoder::new(black_box(&coded[..]));
            let mut length = 0;
            loop {
                piece.clear();
                match decoder.read_buf(&mut piece).await.expect("gzip") {
                    0 => break,
                    read => length += read,
                }
            }
            assert_eq!(length, plain.len());
        });
    });
}
