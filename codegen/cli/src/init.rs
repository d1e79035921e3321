//! `init`: the start for somebody with an empty crate.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::Path,
};

use atproto_sdk_codegen::{catalog::path_of, config::CONFIG_FILE, pattern::Pattern};

use crate::{CliError, Streams};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Writes a record and a query to start from in this group, such as com.example.shop
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: Option<String>,
    /// Generates in a build script, instead of into the source folder
    #[arg(long)]
    build_script: bool,
}

/// A group by its prefix; a star behind it does no harm.
fn parse_group(text: &str) -> Result<String, String> {
    let prefix = text.trim_end_matches(".*");
    let expected =
        |_| format!("expected a domain that you own in reverse, such as com.example.shop, found `{text}`");
    let group = format!("{prefix}.*").parse::<Pattern>().map(|_| prefix.to_owned()).map_err(expected)?;
    // Domains do not differ by capitals, and NSIDs do.
    let lower = group.to_ascii_lowercase();
    if lower == group {
        Ok(group)
    } else {
        Err(format!("expected a domain in lower case, found `{text}`; write `{lower}`"))
    }
}

pub(crate) fn run(arguments: &Arguments, config: &Path, streams: &mut Streams<'_>) -> Result<u8, CliError> {
    // The folder at hand stays unnamed in what is shown.
    let root = if config == Path::new(".") { Path::new("") } else { config };
    if config.file_name().is_some_and(|name| name == CONFIG_FILE) || !config.is_dir() {
        return Err(CliError::NoFolder(config.to_owned()));
    }
    let manifest = root.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(CliError::NoCrate(config.to_owned()));
    }
    let config = root.join(CONFIG_FILE);
    if config.exists() {
        return Err(CliError::Exists(config));
    }
    let mut lines = Vec::new();
    if let Some(group) = &arguments.group {
        for (name, text) in [("item", item(group)), ("getItem", get_item(group))] {
            let path = root.join("lexicons").join(path_of(&format!("{group}.{name}")));
            lines.push(write_new(&path, &text)?);
        }
    }
    if arguments.build_script {
        lines.push(write_new(&root.join("build.rs"), BUILD_SCRIPT)?);
    }
    lines.push(declare_module(root, arguments.build_script)?);
    // Last: as long as it is missing, the command can be repeated.
    lines.push(write_new(&config, CONFIG)?);
    lines.push("next:".to_owned());
    lines.extend(next_steps(arguments, root));
    streams.out(lines);
    Ok(0)
}

/// Writes a file that is not there yet. What is there stays as it is.
fn write_new(path: &Path, text: &str) -> Result<String, CliError> {
    let failed = |problem| CliError::File { action: "write", path: path.to_owned(), problem };
    fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Ok(format!("kept {}, which is there already", path.display()));
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(format!("made {}", path.display()))
}

/// Adds the module of the bindings at the end of the crate's root, where it is right whatever stands before it.
fn declare_module(root: &Path, build_script: bool) -> Result<String, CliError> {
    let module = if build_script { INCLUDED_MODULE } else { MODULE };
    let roots = [root.join("src/lib.rs"), root.join("src/main.rs")];
    let Some(file) = roots.into_iter().find(|it| it.is_file()) else {
        return Ok(format!(
            "found neither src/lib.rs nor src/main.rs: add this to the crate's root\n\n{module}"
        ));
    };
    let text = fs::read_to_string(&file);
    let text = text.map_err(|problem| CliError::File { action: "read", path: file.clone(), problem })?;
    if text.lines().any(declares_module) {
        return Ok(format!("kept the module `lexicons` of {}", file.display()));
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let space = if text.trim().is_empty() { "" } else { "\n" };
    let added = format!("{end}{space}{module}");
    let mut open = OpenOptions::new().append(true).open(&file);
    open.as_mut()
        .map_err(|error| std::io::Error::from(error.kind()))
        .and_then(|open| open.write_all(added.as_bytes()))
        .map_err(|problem| CliError::File { action: "write", path: file.clone(), problem })?;
    Ok(format!("declared the module `lexicons` in {}", file.display()))
}

/// Whether a line is `mod lexicons;` or its beginning, with any visibility.
fn declares_module(line: &str) -> bool {
    let line = line.trim();
    let item = line.strip_prefix("pub").map_or(line, |rest| {
        let rest = rest.trim_start();
        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest)
    });
    let name = item.trim_start().strip_prefix("mod ").map(str::trim_start);
    let rest = name.and_then(|name| name.strip_prefix("lexicons")).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with([';', '{']))
}

fn next_steps(arguments: &Arguments, root: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let has = |name: &str| {
        let is_named = |line: &str| {
            let rest = line
                .trim_start()
                .trim_start_matches("[dependencies.")
                .trim_start_matches("[build-dependencies.");
            rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
        };
        manifest.lines().any(is_named)
    };
    let mut steps = Vec::new();
    if !has("atproto-sdk") {
        steps.push("cargo add atproto-sdk".to_owned());
    }
    if arguments.build_script && !has("atproto-sdk-codegen") {
        steps.push("cargo add --build atproto-sdk-codegen".to_owned());
    }
    if arguments.build_script
        && !fs::read_to_string(root.join("build.rs")).is_ok_and(|text| text.contains("atproto_sdk_codegen"))
    {
        steps.push("call `atproto_sdk_codegen::build()?` in build.rs".to_owned());
    }
    steps.push(match &arguments.group {
        Some(group) => format!(
            "change {} to what you need",
            root.join("lexicons").join(path_of(group)).with_extension("").display()
        ),
        None => "atproto-sdk add NSID     # or put your own documents into lexicons/".to_owned(),
    });
    steps.push(if arguments.build_script { "cargo build" } else { "atproto-sdk generate" }.to_owned());
    steps.into_iter().map(|step| format!("  {step}")).collect()
}

const CONFIG: &str = "\
# The lexicons of this crate, for atproto-sdk.

# The folder of documents: com/example/shop/item.json has the document com.example.shop.item.
lexicons = \"lexicons\"

[output]
# A folder, or a file that ends in `.rs`.
# path = \"src/lexicons\"

# Documents that `atproto-sdk install` fetches into the folder; `atproto-sdk add NSID` adds to this list.
[documents]

# Dependencies that have bindings of their own: refs to their documents use their types.
# [crates.some-lexicons]
";

const BUILD_SCRIPT: &str = "\
fn main() -> Result<(), atproto_sdk_codegen::GenerateError> {
    atproto_sdk_codegen::build()
}
";

const MODULE: &str = "#[rustfmt::skip]\npub mod lexicons;\n";

const INCLUDED_MODULE: &str = "\
/// The bindings of this crate's lexicons.
pub mod lexicons {
    include!(concat!(env!(\"OUT_DIR\"), \"/lexicons.rs\"));
}
";

fn item(group: &str) -> String {
    format!(
        r#"{{
  "lexicon": 1,
  "id": "{group}.item",
  "defs": {{
    "main": {{
      "type": "record",
      "description": "Something that is for sale.",
      "key": "tid",
      "record": {{
        "type": "object",
        "required": ["name", "createdAt"],
        "properties": {{
          "name": {{ "type": "string", "maxLength": 1000, "maxGraphemes": 100 }},
          "createdAt": {{ "type": "string", "format": "datetime" }}
        }}
      }}
    }}
  }}
}}
"#
    )
}

fn get_item(group: &str) -> String {
    format!(
        r##"{{
  "lexicon": 1,
  "id": "{group}.getItem",
  "defs": {{
    "main": {{
      "type": "query",
      "description": "Returns an item.",
      "parameters": {{
        "type": "params",
        "required": ["uri"],
        "properties": {{
          "uri": {{ "type": "string", "format": "at-uri", "description": "The item's address." }}
        }}
      }},
      "output": {{
        "encoding": "application/json",
        "schema": {{
          "type": "object",
          "required": ["uri", "value"],
          "properties": {{
            "uri": {{ "type": "string", "format": "at-uri", "description": "The item's address." }},
            "value": {{ "type": "ref", "ref": "{group}.item", "description": "The item itself." }}
          }}
        }}
      }},
      "errors": [{{ "name": "ItemNotFound" }}]
    }}
  }}
}}
"##
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn init(root: &Path, arguments: &Arguments) -> (Result<u8, CliError>, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let result = run(arguments, root, &mut Streams { out: &mut out, err: &mut err });
        (result, String::from_utf8(out).unwrap())
    }

    fn a_crate(lib: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("Cargo.toml"), "[dependencies]\natproto-sdk-codegen = \"1\"\n").unwrap();
        fs::write(dir.path().join("src/lib.rs"), lib).unwrap();
        dir
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let dir =
            a_crate("// Copyright\n//! Docs.\n#![allow(dead_code)]\n// mod lexicons\nmod lexicons_old {}");
        let document = dir.path().join("lexicons/com/example/shop/item.json");
        fs::create_dir_all(document.parent().unwrap()).unwrap();
        fs::write(&document, "mine").unwrap();
        fs::write(dir.path().join("build.rs"), "fn main() {}").unwrap();
        let arguments = Arguments { group: Some("com.example.shop".to_owned()), build_script: true };
        let (result, out) = init(dir.path(), &arguments);
        assert_eq!(result.unwrap(), 0, "{out}");
        assert_eq!(fs::read_to_string(&document).unwrap(), "mine");
        assert_eq!(fs::read_to_string(dir.path().join("build.rs")).unwrap(), "fn main() {}");
        assert_eq!(out.matches("kept ").count(), 2, "{out}");
        for step in ["cargo add atproto-sdk\n", "call `atproto_sdk_codegen::build()?` in build.rs"] {
            assert!(out.contains(step), "{out}");
        }
        let lib = fs::read_to_string(dir.path().join("src/lib.rs")).unwrap();
        assert!(
            lib.starts_with("// Copyright\n//! Docs.") && lib.ends_with("/lexicons.rs\"));\n}\n"),
            "{lib}"
        );
        assert!(matches!(init(dir.path(), &arguments).0, Err(CliError::Exists(_))));
    }

    #[test]
    fn d5_a_group_is_a_domain_in_reverse_and_in_lower_case() {
        assert_eq!(parse_group("com.example.shop"), Ok("com.example.shop".to_owned()));
        assert_eq!(parse_group("com.example.shop.*"), Ok("com.example.shop".to_owned()));
        let error = parse_group("com.example.Shop").unwrap_err();
        assert_eq!(
            error,
            "expected a domain in lower case, found `com.example.Shop`; write `com.example.shop`"
        );
        assert!(parse_group("COM.example.*").unwrap_err().ends_with("write `com.example`"));
        assert!(parse_group("shop").unwrap_err().starts_with("expected a domain that you own in reverse"));
    }

    #[test]
    fn a_module_is_declared_once() {
        for line in
            ["mod lexicons;", "pub mod lexicons {", "pub(crate) mod lexicons;", "  pub mod  lexicons ;"]
        {
            assert!(declares_module(line), "{line}");
        }
        for line in ["// mod lexicons;", "mod lexicons_old;", "use lexicons;", "modlexicons;"] {
            assert!(!declares_module(line), "{line}");
        }
    }

    #[test]
    fn the_start_is_made_in_a_folder_that_is_there() {
        let arguments = Arguments { group: None, build_script: false };
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(init(&dir.path().join("nothere"), &arguments).0, Err(CliError::NoFolder(_))));
        assert!(matches!(init(dir.path(), &arguments).0, Err(CliError::NoCrate(_))));
    }
}
