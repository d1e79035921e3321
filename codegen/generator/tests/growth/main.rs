//! A lexicon that grows does not break those who use its bindings: a program is compiled, unchanged, with the bindings of
//! the documents in `lexicons/` after each change in the list in `changes.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod bindings;
mod changes;
mod classification;
#[path = "../package/mod.rs"]
mod package;

use changes::{CHANGES, Change, Outcome};
use package::Package;

/// How a program is called that is compiled alone.
fn name(at: usize) -> String {
    format!("change_{at}")
}

fn compiles(change: &Change) -> bool {
    matches!(change.outcome, Outcome::Compiles | Outcome::BreaksDataOnly)
}

#[test]
fn compatible_changes_compile_and_others_break_as_listed() {
    let package = Package::with_streams("growth");
    let mut library = String::new();
    let mut compatible = String::from("#![allow(deprecated)]\n");
    for (at, change) in CHANGES.iter().enumerate() {
        let name = name(at);
        package.bindings(
            &format!("src/{name}/lexicons"),
            &format!("{name}::lexicons"),
            &bindings::after(change),
        );
        package.write(&format!("src/{name}/mod.rs"), "pub mod lexicons;\n");
        library.push_str(&format!("pub mod {name};\n"));
        let program = format!("use growth::{name}::lexicons as bindings;\n{}", bindings::program());
        if compiles(change) {
            package.write(&format!("src/bin/compatible/{name}.rs"), &program);
            compatible.push_str(&format!("pub mod {name};\n"));
        } else {
            package.write(&format!("src/bin/{name}.rs"), &format!("{program}\nfn main() {{}}\n"));
        }
    }
    package.write("src/lib.rs", &library);
    package.write("src/bin/compatible/main.rs", &format!("{compatible}\nfn main() {{}}\n"));

    let errors = package.check();
    let mut wrong = Vec::new();
    for (at, change) in CHANGES.iter().enumerate() {
        let name = name(at);
        let found: Vec<_> = errors.iter().filter(|error| error.is_in(&name)).collect();
        let (expected, kind) = match &change.outcome {
            Outcome::Compiles => (&[][..], "compiles".to_owned()),
            Outcome::BreaksDataOnly => (&[][..], "forbidden, not noticed by the compiler".to_owned()),
            Outcome::BreaksAllTheSame(expected, why) => (*expected, format!("allowed, breaks ({why})")),
            Outcome::Breaks(expected) => (*expected, "forbidden, breaks".to_owned()),
        };
        let listed = |error: &package::Error| {
            expected.iter().any(|(code, text)| error.code == *code && error.text.contains(text))
        };
        let is_found = |(code, text): &(&str, &str)| {
            found.iter().any(|error| error.code == *code && error.text.contains(text))
        };
        if !found.iter().all(|error| listed(error)) || !expected.iter().all(is_found) {
            wrong.push(format!("{at} {} ({kind}): expected {expected:?}, found {found:#?}", change.what));
        }
        let codes: Vec<&str> = found.iter().map(|error| error.code.as_str()).collect();
        println!("{kind}: {} {codes:?}", change.what);
    }
    let elsewhere: Vec<_> = errors.iter().filter(|it| !it.file.contains("change_")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bindings of another format are refused in one sentence.
#[test]
fn bindings_that_do_not_fit_the_sdk_say_so() {
    let package = Package::new("unfit");
    package.bindings("src/lexicons", "lexicons", &bindings::after(&CHANGES[0]));
    package.write("src/lib.rs", "pub mod lexicons;\n");
    let root = package.read("src/lexicons/mod.rs");
    assert!(root.contains("format: 1,"), "{root}");
    package.write("src/lexicons/mod.rs", &root.replace("format: 1,", "format: 999,"));
    let errors = package.check();
    let texts: Vec<&str> = errors.iter().map(|error| error.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "these bindings were generated in format 999, but this version of atproto-sdk supports format 1 only: \
             generate them again with the version of atproto-sdk-codegen that has the same number"
        ]
    );
}
