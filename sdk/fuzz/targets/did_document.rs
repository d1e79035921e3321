//! DID documents: what is read is written and read again as the same, and a PDS in it is an origin.
#![no_main]

use atproto_sdk::identity::{DidDocument, Identity};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<DidDocument>(bytes) else { return };
    let json = serde_json::to_vec(&document).expect("what was read can be written");
    let again: DidDocument = serde_json::from_slice(&json).expect("what was written can be read");
    assert_eq!(document, again);
    let _ = (document.signing_key(), document.service("atproto_labeler"), document.verifying_key());
    match document.pds() {
        Ok(pds) => {
            let url = Url::parse(&pds).expect("it is a URL");
            assert_eq!(url.origin().ascii_serialization(), pds);
            assert!(matches!(url.scheme(), "https" | "http") && url.has_host());
            assert!(url.username().is_empty() && url.password().is_none());
            assert_eq!(Identity::new(document.clone(), None).expect("it has a PDS").pds, pds);
        }
        Err(error) => assert!(error.to_string().len() < 5000),
    }
    if let Some(handle) = document.handle() {
        let claim = format!("at://{handle}");
        assert!(document.also_known_as.iter().any(|name| name.eq_ignore_ascii_case(&claim)));
    }
});
