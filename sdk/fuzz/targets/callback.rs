//! The query of a callback: what is taken from it stands in it exactly once, and nothing of it is shown.
#![no_main]

use atproto_sdk::oauth::{CallbackError, CallbackParams};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<(String, String)>)| {
    let (query, pairs) = input;
    let made = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    for query in [query, &made, &format!("?{made}"), &format!("state=s3cret&iss=a&code=c0de&{made}")] {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.strip_prefix('?').unwrap_or(query).as_bytes())
                .into_owned()
                .collect();
        let all = |name: &str| pairs.iter().filter(|(found, _)| found == name).collect::<Vec<_>>();
        match CallbackParams::from_query(query) {
            Ok(params) => {
                let [(_, state)] = all("state")[..] else { panic!("there is one state") };
                assert_eq!(params.state(), state);
                let [code, error] = ["code", "error"].map(|name| all(name).len());
                assert!(code <= 1 && error <= 1 && code + error >= 1);
                let shown = format!("{params:?}");
                assert!(state != "s3cret" || error == 1 || !shown.contains("c0de"), "{shown}");
                assert!(
                    state != "s3cret" || !shown.contains("s3cret") || query.matches("s3cret").count() > 1
                );
            }
            Err(error) => {
                assert!(matches!(error, CallbackError::Malformed { .. }), "{error:?}");
                assert!(error.to_string().len() < 200);
            }
        }
    }
});
