//! Scopes: parsing and printing lead to one form, the shortest set allows what the set allows, and no grant is lost.
#![no_main]

use atproto_sdk::scopes::{Scope, Scopes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match text.parse::<Scope>() {
        Ok(scope) => {
            let printed = scope.to_string();
            assert_eq!(printed.parse::<Scope>().expect("it was printed by us"), scope);
            assert!(!printed.contains(char::is_whitespace));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let granted = Scopes::granted(text);
    let printed = granted.to_string();
    assert_eq!(Scopes::granted(&printed), granted);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let scope = word.parse::<Scope>();
        assert!(
            granted
                .iter()
                .any(|found| scope.as_ref().map_or(found.to_string() == word, |scope| found == scope))
        );
    }
    if let Ok(scopes) = text.parse::<Scopes>() {
        let printed = scopes.to_string();
        assert_eq!(printed.parse::<Scopes>().expect("it was printed by us"), scopes);
        let minimal = scopes.minimal();
        assert_eq!(minimal.minimal(), minimal);
        for scope in scopes.iter() {
            if scopes.allows(scope) {
                assert!(minimal.allows(scope), "{scope} of {scopes} is not in {minimal}");
            }
        }
    }
});
