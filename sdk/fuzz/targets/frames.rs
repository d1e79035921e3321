//! What servers send on a stream: the header and the payload of every subprotocol, as messages of two subscriptions.
#![no_main]

use atproto_sdk::{
    api::com::atproto::{label::subscribe_labels, sync::subscribe_repos},
    stream::{Frame, Subprotocol, read_frame},
    xrpc::Message,
};
use libfuzzer_sys::fuzz_target;

fn read<M: Message>(subprotocol: Subprotocol, bytes: &[u8]) {
    match read_frame::<M>(subprotocol, bytes.to_vec().into()) {
        Ok(Frame::Message { message, .. }) => {
            let _ = (message.seq(), message.time().map(|time| time.to_system_time()), message.account());
            // Whatever was read can be written again, and read.
            if let Ok(cbor) = message.to_cbor() {
                M::read(&mut atproto_sdk::types::Reader::cbor(&cbor)).expect("it was just written");
            }
        }
        Ok(Frame::Undecodable(undecodable)) => {
            let _ = (undecodable.to_string(), undecodable.payload.to_value());
        }
        Ok(Frame::Error { name, message }) => {
            assert!(name.chars().count() <= 200 && message.is_none_or(|text| text.chars().count() <= 500));
        }
        Ok(_) => {}
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(|bytes: &[u8]| {
    for subprotocol in [Subprotocol::CborV0, Subprotocol::JsonV1, Subprotocol::CborV1] {
        read::<subscribe_repos::Message>(subprotocol, bytes);
        read::<subscribe_labels::Message>(subprotocol, bytes);
    }
});
