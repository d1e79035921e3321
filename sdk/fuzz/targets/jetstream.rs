//! What servers of Jetstream and Tap send: messages, compressed ones, dictionaries, blocks and files of archives.
#![no_main]

use std::sync::LazyLock;

use atproto_sdk::{fuzzing, stream::jetstream::Dictionary};
use libfuzzer_sys::fuzz_target;

static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    let file = include_bytes!("../../src/stream/jetstream/tests/fixtures/dictionary");
    Dictionary::new(&file[..]).expect("it is one")
});

fuzz_target!(|bytes: &[u8]| {
    fuzzing::jetstream::read_everything(bytes, &DICTIONARY);
    fuzzing::tap::read_message(bytes);
});
