//! What `lexicons.toml` says, and what is said about mistakes in it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use atproto_sdk_codegen::Generator;

const OBJECT: &str = r#""main": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
    "other": {"type": "object", "properties": {}}"#;

/// A crate with these documents `com.example.*`.
struct Crate(tempfile::TempDir);

impl Crate {
    fn new(config: &str, documents: &[(&str, &str)]) -> Self {
        let it = Self(tempfile::tempdir().unwrap());
        it.write("lexicons.toml", config);
        it.write("Cargo.toml", "[package]\nname = \"it\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n");
        it.write("lib.rs", "");
        for (name, defs) in documents {
            it.document(&format!("lexicons/com/example/{name}.json"), name, defs);
        }
        it
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn document(&self, path: &str, name: &str, defs: &str) {
        self.write(path, &format!(r#"{{"lexicon": 1, "id": "com.example.{name}", "defs": {{{defs}}}}}"#));
    }

    fn generate(&self) -> Result<Vec<String>, String> {
        let bindings = Generator::load(self.0.path()).map_err(|error| error.to_string())?.write();
        let bindings = bindings.map_err(|error| error.to_string())?;
        Ok(bindings.catalog.warnings().iter().map(ToString::to_string).collect())
    }
}

#[track_caller]
fn fails(config: &str, expected: &str) {
    let error = Crate::new(config, &[("one", OBJECT), ("two", OBJECT)]).generate().unwrap_err();
    assert!(error.contains(expected), "{config}: {error}");
}

#[test]
fn names_that_cannot_be_had_are_refused() {
    for (entry, expected) in [
        (
            "[rename.types]\n'com.example.one' = 'Option'",
            "`com.example.one` cannot be called `Option`: generated code",
        ),
        ("[rename.types]\n'com.example.one' = 'types'", "generated code needs the name"),
        (
            "[rename.types]\n'com.example.one' = 'A'\n'com.example.one#other' = 'A'",
            "something beside it has that name",
        ),
        ("[rename.modules]\n'com.example.one' = 'xrpc'", "generated code needs the name"),
        (
            "[rename.modules]\n'com.example.one' = 'a'\n'com.example.two' = 'a'",
            "something beside it has that name",
        ),
        ("[rename.fields]\n'com.example.one.a' = 'extra'", "generated code needs the name"),
        (
            "[rename.fields]\n'com.example.one.a' = 'x'\n'com.example.one.b' = 'x'",
            "something beside it has that name",
        ),
        ("[rename.fields]\n'com.example.one.c' = 'x'", "names what is in no document: `com.example.one.c`"),
        (
            "[rename.types]\n'com.example.one#thing' = 'X'",
            "names what is in no document: `com.example.one#thing`",
        ),
    ] {
        fails(entry, expected);
    }
    let config = "[rename.types]\n'com.example.one' = 'Chosen'\n[rename.fields]\n'com.example.one.a' = 'kind'\n\
                  [rename.modules]\n'com.example.one' = 'uno'\n";
    let it = Crate::new(config, &[("one", OBJECT)]);
    assert_eq!(it.generate(), Ok(vec![]));
    let text = fs::read_to_string(it.path("src/lexicons/com/example/uno.rs")).unwrap();
    assert!(text.contains("pub struct Chosen {") && text.contains("pub kind: String"), "{text}");
}

#[test]
fn patterns_that_fit_nothing_are_told() {
    fails(
        "[[derive]]\ndocuments = ['com.elsewhere.*']\ntraits = ['a::B']",
        "no document fits `com.elsewhere.*` of [[derive]]",
    );
    fails(
        "[crates.atproto-sdk]\nonly = ['foo.bar.*']",
        "no document fits `foo.bar.*` of [crates], for `atproto_sdk::api`",
    );
    fails("[crates.atproto_sdk]\npath = 'x'", "only `only` and `except`");
}

#[test]
fn paths_that_are_no_modules_are_refused() {
    for (config, expected) in [
        ("[output]\npath = 'generated'", "generated is not a module below src"),
        ("[output]\npath = 'src'", "src is not a module below src"),
        ("[output]\npath = 'src/gen.v1'", "is not a module below src"),
        ("[output]\npath = '..'\nmodule = 'crate::x'", "contains the crate"),
        ("[output]\npath = ''\nmodule = 'crate::x'", "contains the crate"),
        ("[output]\nmodule = 'lexicons'", "such as `crate::lexicons` in `output.module`, found `lexicons`"),
        ("[output]\nmodule = 'crate::x::<u8>'", "in `output.module`"),
        ("sdk = '::atproto_sdk<u8>'", "such as `::atproto_sdk` in `sdk`, found `::atproto_sdk<u8>`"),
        (
            "[crates.q]\nlexicons = 'lexicons'\nmodule = 'q::lexicons'",
            "the folder of this crate's own documents",
        ),
        ("[crates.q]\nlexicons = 'x'\nmodule = 'crate::q'", "found `crate::q`"),
        ("[crates.q]", "there is no such dependency in"),
        ("[crates.q]\npath = '.'", "leads back to itself"),
    ] {
        if expected.contains("found `crate::q`") {
            let it = Crate::new(config, &[("one", OBJECT)]);
            it.document("x/com/example/q.json", "q", OBJECT);
            let error = it.generate().unwrap_err();
            assert!(error.contains(expected), "{error}");
        } else {
            fails(config, expected);
        }
    }
}

#[test]
fn a_folder_and_a_file_of_one_module_do_not_stand_beside_each_other() {
    let it = Crate::new("", &[("one", OBJECT)]);
    it.generate().unwrap();
    it.write("lexicons.toml", "[output]\npath = 'src/lexicons.rs'\n");
    let error = it.generate().unwrap_err();
    assert!(error.ends_with("mod.rs has bindings of the same module; delete it"), "{error}");
    fs::remove_dir_all(it.path("src/lexicons")).unwrap();
    it.generate().unwrap();
    let text = fs::read_to_string(it.path("src/lexicons.rs")).unwrap();
    assert!(
        text.contains("__generated! { format: 1, {\n") && text.contains("        pub mod one {"),
        "{text}"
    );
    it.write("lexicons.toml", "");
    assert!(it.generate().unwrap_err().ends_with("lexicons.rs has bindings of the same module; delete it"));
}

#[test]
fn a_document_that_the_sdk_has_is_not_generated_without_a_word() {
    let it = Crate::new("", &[("one", OBJECT)]);
    let shadowed =
        r#"{"lexicon": 1, "id": "com.atproto.repo.strongRef", "defs": {"main": {"type": "token"}}}"#;
    it.write("lexicons/com/atproto/repo/strongRef.json", shadowed);
    let warnings = it.generate().unwrap();
    assert!(
        warnings.len() == 1
            && warnings[0]
                .contains("the bindings of `com.atproto.repo.strongRef` are those in `atproto_sdk::api`"),
        "{warnings:?}"
    );
    assert!(!it.path("src/lexicons/com/atproto").exists());
    it.write("lexicons.toml", "[crates.atproto-sdk]\nexcept = ['com.atproto.repo.strongRef']\n");
    assert_eq!(it.generate(), Ok(vec![]));
    assert!(it.path("src/lexicons/com/atproto/repo/strong_ref.rs").exists());
}

const QUERY: &str = r#""main": {"type": "query", "output": {"encoding": "application/json", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}"#;

impl Crate {
    /// Writes a query of this NSID.
    fn query(&self, folder: &str, nsid: &str) {
        let path = format!("{folder}lexicons/{}.json", nsid.replace('.', "/"));
        self.write(&path, &format!(r#"{{"lexicon": 1, "id": "{nsid}", "defs": {{{QUERY}}}}}"#));
    }
}

/// The method of a client would hide that of the trait.
#[test]
fn a_group_whose_methods_clients_have_already_gets_an_accessor_of_its_own() {
    let it = Crate::new("", &[]);
    it.write("Cargo.toml", "[package]\nname = \"book-shop\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n");
    it.query("", "app.bsky.feed.getNewThing");
    it.query("", "app.bsky.feed.getOtherThing");
    it.query("", "com.example.one");
    let warnings = it.generate().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = "getNewThing.json: id: clients have `app_bsky_feed` from `atproto_sdk::api` already, so the methods of \
                    `app.bsky.feed` here are those of `app_bsky_feed_book_shop`; [rename.accessors] in lexicons.toml \
                    chooses another name, or confirms this one (used under another name)";
    assert!(warnings[0].ends_with(expected), "{warnings:?}");
    let text = || fs::read_to_string(it.path("src/lexicons/app/bsky/feed/mod.rs")).unwrap();
    assert!(text().contains("    fn app_bsky_feed_book_shop(&self) -> AppBskyFeed<'_>;"), "{}", text());
    assert!(
        text().contains(
            "/// They are those of this crate's documents. What is called `app_bsky_feed` on clients"
        )
    );
    let other = fs::read_to_string(it.path("src/lexicons/com/example/mod.rs")).unwrap();
    assert!(other.contains("fn com_example(&self)"), "{other}");
    // Whether the SDK's own documents are used here does not matter: its clients have the method all the same.
    it.write("lexicons.toml", "[crates.atproto-sdk]\nexcept = ['app.bsky.*']\n");
    assert_eq!(it.generate().unwrap(), warnings);
    it.write("lexicons.toml", "[rename.accessors]\n'app.bsky.feed' = 'news'\n");
    assert_eq!(it.generate(), Ok(vec![]));
    assert!(text().contains("fn news(&self)"));
    // Without accessors, nothing has to be called differently.
    it.write("lexicons.toml", "[output]\naccessors = false\n");
    assert_eq!(it.generate(), Ok(vec![]));
    for (config, expected) in [
        (
            "[rename.accessors]\n'app.bsky.feed' = 'app_bsky_feed'",
            "`app.bsky.feed` cannot be called `app_bsky_feed`: clients have another method of that name",
        ),
        (
            "[rename.accessors]\n'app.bsky.feed' = 'a'\n'com.example' = 'a'",
            "clients have another method of that name",
        ),
        ("[rename.accessors]\n'com.example.one' = 'a'", "names what is in no document: `com.example.one`"),
    ] {
        it.write("lexicons.toml", config);
        let error = it.generate().unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}

/// Two traits with the same method cannot be used together.
#[test]
fn a_group_of_another_crate_gets_an_accessor_of_its_own() {
    let it = Crate::new("[crates.q]\npath = 'q'\n", &[]);
    it.write("q/lexicons.toml", "");
    it.write("q/Cargo.toml", "[package]\nname = \"q-lexicons\"\n");
    it.query("q/", "com.example.shop.getOne");
    // Itself under another name there, because of the SDK.
    it.query("q/", "app.bsky.feed.getOne");
    for nsid in ["com.example.shop.getTwo", "app.bsky.feed.getTwo", "com.example.other.getTwo"] {
        it.query("", nsid);
    }
    let warnings = it.generate().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("clients have `app_bsky_feed` from `atproto_sdk::api` already"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("clients have `com_example_shop` from `q::lexicons` already"),
        "{warnings:?}"
    );
    let text = |path: &str| fs::read_to_string(it.path(&format!("src/lexicons/{path}/mod.rs"))).unwrap();
    assert!(text("com/example/shop").contains("fn com_example_shop_it(&self)"));
    assert!(text("app/bsky/feed").contains("fn app_bsky_feed_it(&self)"));
    assert!(text("com/example/other").contains("fn com_example_other(&self)"));
    // Whoever uses only one of the two traits can have the name nevertheless.
    it.write(
        "lexicons.toml",
        "[crates.q]\npath = 'q'\n[rename.accessors]\n'com.example.shop' = 'com_example_shop'\n",
    );
    it.generate().unwrap();
    assert!(text("com/example/shop").contains("fn com_example_shop(&self)"));
    assert!(text("app/bsky/feed").contains("fn app_bsky_feed_it(&self)"));
    // One that has no accessors takes no names.
    it.write("q/lexicons.toml", "[output]\naccessors = false\n");
    it.write("lexicons.toml", "[crates.q]\npath = 'q'\n");
    assert_eq!(it.generate().unwrap().len(), 1);
    assert!(text("com/example/shop").contains("fn com_example_shop(&self)"));
}

#[test]
fn secrets_that_the_configuration_names_are_not_shown() {
    let it = Crate::new(
        "[secret]\nfields = ['com.example.one.a', 'com.example.ask/Input.pin']\n",
        &[("one", OBJECT)],
    );
    let ask = r#""main": {"type": "procedure", "input": {"encoding": "application/json", "schema": {"type": "object", "properties": {"pin": {"type": "string", "maxLength": 4}}}}}"#;
    it.document("lexicons/com/example/ask.json", "ask", ask);
    assert_eq!(it.generate(), Ok(vec![]));
    let text =
        |name: &str| fs::read_to_string(it.path(&format!("src/lexicons/com/example/{name}.rs"))).unwrap();
    assert!(text("one").contains(r#"0 a: "a" required [Hidden(true)],"#), "{}", text("one"));
    assert_eq!(text("one").matches("Hidden").count(), 1);
    assert!(text("ask").contains(r#"0 pin: "pin" optional [MaxBytes(4), Hidden(true)],"#), "{}", text("ask"));
    fails(
        "[secret]\nfields = ['com.example.one.c']",
        "[secret] names what is in no document: `com.example.one.c`",
    );
}

#[test]
fn of_two_documents_the_one_in_its_place_counts() {
    let it = Crate::new("", &[("one", OBJECT)]);
    it.document(
        "lexicons/archive/one.json",
        "one",
        r#""main": {"type": "object", "properties": {"old": {"type": "string"}}}"#,
    );
    let warnings = it.generate().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let text = fs::read_to_string(it.path("src/lexicons/com/example/one.rs")).unwrap();
    assert!(text.contains("pub a: String") && !text.contains("old"), "{text}");
}

#[test]
fn without_documents_the_next_step_is_said() {
    let it = Crate::new("", &[]);
    let error = it.generate().unwrap_err();
    assert!(error.contains("expected documents, found none; `atproto-sdk add NSID` fetches some"), "{error}");
    let error = Generator::load(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert!(error.ends_with("`atproto-sdk init` makes one"), "{error}");
}
