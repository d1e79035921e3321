//! What people type or paste to name an account.

use super::super::{AtIdentifier, Typed};

const CASES: &str = include_str!("typed_accounts.txt");

/// An input, and the account or a part of the error.
fn cases() -> Vec<(String, Result<&'static str, &'static str>)> {
    let lines = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (input, expected) = line.split_once('\t').unwrap();
            let expected = match expected.strip_prefix('!') {
                Some(problem) => Err(problem.trim()),
                None => Ok(expected),
            };
            (serde_json::from_str(input).unwrap(), expected)
        })
        .collect()
}

#[test]
fn d5_an_account_is_found_in_what_people_type() {
    let cases = cases();
    assert!(cases.len() >= 300, "{}", cases.len());
    let mut wrong = Vec::new();
    for (input, expected) in &cases {
        let found = AtIdentifier::from_input(input);
        let fits = match (&found, expected) {
            (Ok(account), Ok(expected)) => account.as_str() == *expected,
            (Err(error), Err(problem)) => error.problem.contains(problem),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{input:?}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_was_found_is_found_again() {
    for (input, _) in cases() {
        if let Ok(account) = AtIdentifier::from_input(&input) {
            assert_eq!(
                AtIdentifier::from_input(account.as_str()).unwrap().as_str(),
                account.as_str(),
                "{input:?}"
            );
        }
    }
}

#[test]
fn messages_about_what_was_typed_are_short_and_show_nothing_invisible() {
    for (input, _) in cases() {
        if let Err(error) = AtIdentifier::from_input(&input) {
            let told = error.to_string();
            assert!(
                !told.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)),
                "{told:?}"
            );
        }
    }
    let long = AtIdentifier::from_input(&"a".repeat(100_000)).unwrap_err();
    assert!(long.to_string().len() < 400 && long.problem.contains("too long"), "{long}");
}

#[test]
fn o1_a_link_that_names_no_account_can_be_a_server() {
    for (input, url) in [
        ("https://pds.example.com", "https://pds.example.com"),
        (" https://pds.example.com/ ", "https://pds.example.com/"),
        ("\u{202a}https://pds.example.com\u{202c}", "https://pds.example.com"),
        ("http://[::1]", "http://[::1]"),
        ("<http://[::1]>", "http://[::1]"),
        ("[https://pds.example.com]", "https://pds.example.com"),
        ("\"https://pds.example.com\"", "https://pds.example.com"),
        ("http://localhost:2583", "http://localhost:2583"),
    ] {
        assert_eq!(Typed::read(input), Ok(Typed::Url(url.to_owned())), "{input}");
    }
}

#[test]
fn o17_the_case_of_a_handle_is_kept_for_the_hint_of_a_sign_in() {
    let Ok(Typed::Handle(handle)) = Typed::read("@Alice.Example.com.") else { panic!() };
    assert_eq!(handle.as_str(), "Alice.Example.com");
}

#[test]
fn nothing_that_is_typed_causes_a_panic() {
    const PIECES: [&str; 28] = [
        "alice",
        ".",
        "example.com",
        "@",
        "did:",
        "did:plc:",
        "DID:",
        "at://",
        "https://",
        "/",
        "profile/",
        "%",
        "%4",
        "%40",
        "%E2%80",
        "%ff",
        "?",
        "#",
        " ",
        "\u{202a}",
        "\u{feff}",
        "\u{ff0e}",
        "\u{ff20}",
        "é",
        "\u{1f680}",
        "\u{0}",
        "\"",
        ":",
    ];
    let mut state = 1_u64;
    for _ in 0..50_000 {
        let mut input = String::new();
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (state >> 33) as usize;
            input.push_str(PIECES[number % PIECES.len()]);
            if number.is_multiple_of(5) {
                break;
            }
        }
        match AtIdentifier::from_input(&input) {
            Ok(account) => assert!(AtIdentifier::new(account.as_str()).is_ok(), "{input:?}"),
            Err(error) => assert!(!error.problem.is_empty()),
        }
    }
}
