#![allow(clippy::unwrap_used)]

mod extra;
mod upstream;

use std::fs;
use std::path::Path;

use super::manifest::sha256;
use super::{ImportError, ImportOptions, Manifest, canonical, import};
use atproto_sdk_codegen::json::{parse, to_pretty};

const BUNDLE: &str = r##"// made by a tool
import { Lexicons } from 'x';
export const schemaDict = {
    ComExampleList: {
        lexicon: 1,
        id: 'com.example.list',
        description: "Theirs.",
        defs: {
            record: { description: 'Theirs.', type: 'object', properties: { b: { type: 'string', description: `Theirs.` },
                a: { type: 'ref', ref: 'lex:com.example.list#record' }, description: { type: 'string' } } },
            main: {
                type: 'query',
                errors: [{ description: "It's theirs.", name: 'NotFound' }, { name: 'Gone' }],
                output: { schema: { type: 'ref', ref: 'lex:com.example.thing' }, encoding: 'application/json' },
            },
        },
    },
    ComExampleThing: { lexicon: 1, id: 'com.example.thing', defs: { main: { type: 'object', properties: {
        u: { type: 'union', refs: ['lex:com.example.thing#main', 'lex:com.example.list#record'], }, x: { maxLength: 3, type: 'string' } } } } },
};
export const schemas = Object.values(schemaDict);
"##;

fn package(dir: &Path, bundle: &str) {
    fs::create_dir_all(dir.join("dist/client")).unwrap();
    fs::write(dir.join("dist/client/lexicons.js"), bundle).unwrap();
    fs::write(dir.join("package.json"), r#"{"name": "@example/api", "version": "1.2.3"}"#).unwrap();
}

fn options(source: &Path) -> ImportOptions {
    ImportOptions { source: source.to_owned(), ..ImportOptions::default() }
}

/// Every file below a folder with its text.
fn snapshot(dir: &Path) -> Vec<(String, String)> {
    let files = atproto_sdk_codegen::folder::files_below(dir, "json").unwrap();
    files.iter().map(|it| (it.display().to_string(), fs::read_to_string(it).unwrap())).collect()
}

#[test]
fn l9_a_package_becomes_canonical_files() {
    let dir = tempfile::tempdir().unwrap();
    let (source, lexicons) = (dir.path().join("archive"), dir.path().join("lexicons"));
    package(&source.join("package"), BUNDLE);
    let mut options = options(&source);
    options.integrity = Some("sha512-abc=".to_owned());
    let summary = import(&options, &lexicons).unwrap();
    assert_eq!(summary.added, ["com.example.list", "com.example.thing"]);
    assert_eq!((summary.descriptions_kept, summary.undescribed), (0, vec!["com.example.list".to_owned()]));
    let list = r##"{
  "lexicon": 1,
  "id": "com.example.list",
  "defs": {
    "main": {
      "type": "query",
      "output": {
        "encoding": "application/json",
        "schema": {
          "type": "ref",
          "ref": "com.example.thing"
        }
      },
      "errors": [
        {
          "name": "NotFound"
        },
        {
          "name": "Gone"
        }
      ]
    },
    "record": {
      "type": "object",
      "properties": {
        "b": {
          "type": "string"
        },
        "a": {
          "type": "ref",
          "ref": "#record"
        },
        "description": {
          "type": "string"
        }
      }
    }
  }
}
"##;
    assert_eq!(fs::read_to_string(lexicons.join("com/example/list.json")).unwrap(), list);
    let thing = fs::read_to_string(lexicons.join("com/example/thing.json")).unwrap();
    assert!(thing.contains("\"#main\",\n") && thing.contains("\"com.example.list#record\"\n"));

    let manifest = Manifest::load(&lexicons.join("manifest.json")).unwrap().unwrap();
    assert_eq!(manifest.package.name.as_deref(), Some("@example/api"));
    assert_eq!(manifest.package.version.as_deref(), Some("1.2.3"));
    assert_eq!(manifest.documents["com.example.list"].sha256, sha256(list.as_bytes()));
    assert_eq!(fs::read_to_string(lexicons.join("manifest.json")).unwrap(), manifest.to_text());
}

#[test]
fn own_descriptions_stay_where_the_definition_still_exists() {
    let dir = tempfile::tempdir().unwrap();
    let (source, lexicons) = (dir.path().join("package"), dir.path().join("lexicons"));
    package(&source, BUNDLE);
    let mut with_integrity = options(&source);
    with_integrity.integrity = Some("sha512-abc=".to_owned());
    import(&with_integrity, &lexicons).unwrap();

    let file = lexicons.join("com/example/list.json");
    let text = fs::read_to_string(&file).unwrap();
    let text = text
        .replace("\"type\": \"query\",", "\"type\": \"query\", \"description\": \"Our list.\",")
        .replace("\"name\": \"Gone\"", "\"name\": \"Gone\", \"description\": \"Our gone.\"")
        .replace("\"b\": {", "\"b\": {\"description\": \"Our b.\",")
        .replace("\"id\":", "\"description\": \"Our document.\", \"id\":");
    fs::write(&file, text).unwrap();
    let summary = import(&options(&source), &lexicons).unwrap();
    assert_eq!((summary.descriptions_kept, summary.descriptions_lost), (4, 0));
    assert_eq!((summary.changed, summary.undescribed.len()), (vec!["com.example.list".to_owned()], 0));
    let kept = snapshot(&lexicons);
    assert!(!kept.iter().any(|(_, text)| text.contains("heirs")));
    assert!(kept.iter().any(|(path, text)| path.ends_with("manifest.json") && text.contains("sha512-abc=")));

    // Again, from the package and from the folder itself: nothing changes.
    for source in [&source, &lexicons] {
        let summary = import(&options(source), &lexicons).unwrap();
        assert!(summary.added.is_empty() && summary.changed.is_empty() && summary.removed.is_empty());
        assert_eq!(snapshot(&lexicons), kept);
    }

    // The definition of `b` is gone, and so are a document and the errors' order.
    let bundle = BUNDLE
        .replace("b: { type: 'string', description: `Theirs.` },", "")
        .replace("{ name: 'Gone' }]", "]")
        .replace("errors: [", "errors: [{ name: 'Gone' }, ");
    let bundle = bundle.replace(
        "ComExampleThing: { lexicon: 1, id: 'com.example.thing'",
        "Other: { lexicon: 1, id: 'org.example.thing'",
    );
    package(&source, &bundle.replace("lex:com.example.thing", "lex:org.example.thing"));
    let summary = import(&options(&source), &lexicons).unwrap();
    assert_eq!((summary.descriptions_kept, summary.descriptions_lost), (3, 1));
    assert_eq!(
        (summary.added, summary.removed),
        (vec!["org.example.thing".to_owned()], vec!["com.example.thing".to_owned()])
    );
    assert!(!lexicons.join("com/example/thing.json").exists());
    assert!(fs::read_to_string(&file).unwrap().contains("Our gone."));
}

#[test]
fn nothing_is_written_when_a_document_is_bad() {
    let dir = tempfile::tempdir().unwrap();
    let (source, lexicons) = (dir.path().join("package"), dir.path().join("lexicons"));
    package(&source, BUNDLE);
    import(&options(&source), &lexicons).unwrap();
    let before = snapshot(&lexicons);

    package(&source, &BUNDLE.replace("type: 'query'", "type: 'qeury'"));
    let error = import(&options(&source), &lexicons).unwrap_err().to_string();
    assert!(error.contains("lexicons.js:12:23: defs.main.type: expected the type"), "{error}");
    package(&source, &BUNDLE.replace("lex:com.example.thing'", "lex:com.example.thnig'"));
    let error = import(&options(&source), &lexicons).unwrap_err().to_string();
    assert!(error.contains("did you mean `com.example.thing`?"), "{error}");
    package(&source, &BUNDLE.replace("'com.example.list'", "name()"));
    assert!(matches!(import(&options(&source), &lexicons), Err(ImportError::Rejected(_))));
    package(&source, "export const other = {};");
    assert!(matches!(import(&options(&source), &lexicons), Err(ImportError::NoSource { .. })));
    assert_eq!(snapshot(&lexicons), before);

    // A broken file of one's own would lose its descriptions.
    package(&source, BUNDLE);
    fs::write(lexicons.join("com/example/list.json"), "{").unwrap();
    assert!(import(&options(&source), &lexicons).is_err());
    assert_eq!(fs::read_to_string(lexicons.join("com/example/list.json")).unwrap(), "{");
}

#[test]
fn a_folder_in_any_layout_is_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let (source, lexicons) = (dir.path().join("flat"), dir.path().join("lexicons"));
    fs::create_dir_all(&source).unwrap();
    assert!(matches!(import(&options(&source), &lexicons), Err(ImportError::NoSource { .. })));
    assert!(matches!(
        import(&options(&dir.path().join("none")), &lexicons),
        Err(ImportError::NoSource { .. })
    ));
    fs::write(
        source.join("a.json"),
        r#"{"lexicon": 1, "id": "com.example.a", "defs": {"b": {"type": "token"}}}"#,
    )
    .unwrap();
    assert_eq!(import(&options(&source), &lexicons).unwrap().added, ["com.example.a"]);
    assert!(lexicons.join("com/example/a.json").is_file());
    fs::write(source.join("b.json"), "{").unwrap();
    assert!(import(&options(&source), &lexicons).unwrap_err().to_string().contains("b.json:1:2: expected"));
}

#[test]
fn canonical_form_is_idempotent_and_orders_keys() {
    let text = r##"{"defs": {"z": {"properties": {"type": {"knownValues": ["lex:com.example.a#x"], "description": "Own.",
        "type": "string", "x-extra": {"ref": "lex:a"}}}, "type": "object"}, "main": {"refs": ["lex:com.example.a#z", "com.example.b#main"],
        "type": "union"}}, "id": "com.example.a", "$type": "com.atproto.lexicon.schema", "lexicon": 1}"##;
    let value = parse(text.as_bytes()).unwrap();
    let (once, kept) = canonical(&value, Some(&value));
    assert_eq!(kept, 1);
    let printed = to_pretty(&once).replace(['\n', ' '], "");
    assert_eq!(
        printed,
        r##"{"lexicon":1,"id":"com.example.a","defs":{"main":{"type":"union","refs":["#z","com.example.b"]},"z":{"type":"object","properties":{"type":{"type":"string","description":"Own.","knownValues":["lex:com.example.a#x"],"x-extra":{"ref":"lex:a"}}}}}}"##
    );
    let (twice, kept) = canonical(&once, Some(&once));
    assert_eq!((to_pretty(&twice), kept), (to_pretty(&once), 1));
}
