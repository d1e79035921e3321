//! `init`: the start for somebody with an empty crate.

use std::{
    fs,
    path::{Path, PathBuf},
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
    format!("{prefix}.*").parse::<Pattern>().map(|_| prefix.to_owned()).map_err(expected)
}

pub(crate) fn run(arguments: &Arguments, config: &Path, streams: &mut Streams<'_>) -> Result<u8, CliError> {
    // The folder at hand stays unnamed in what is shown.
    let root = match config {
        config if config == Path::new(".") => Path::new(""),
        config if config.is_dir() => config,
        config => config.parent().unwrap_or(Path::new("")),
    };
    let manifest = root.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(CliError::NoCrate(config.to_owned()));
    }
    let config = root.join(CONFIG_FILE);
    if config.exists() {
        return Err(CliError::Exists(config));
    }
    let mut made = Vec::new();
    let mut make = |path: PathBuf, text: &str| write_new(path, text).map(|path| made.push(path));
    if let Some(group) = &arguments.group {
        make(root.join("lexicons").join(path_of(&format!("{group}.item"))), &item(group))?;
        make(root.join("lexicons").join(path_of(&format!("{group}.getItem"))), &get_item(group))?;
    }
    if arguments.build_script && !root.join("build.rs").exists() {
        make(root.join("build.rs"), BUILD_SCRIPT)?;
    }
    // Last: as long as it is missing, the command can be repeated.
    make(config, CONFIG)?;
    let mut lines: Vec<String> = made.iter().map(|path| format!("made {}", path.display())).collect();
    lines.extend(declare_module(root, arguments.build_script)?);
    lines.push("next:".to_owned());
    lines.extend(next_steps(arguments, &fs::read_to_string(&manifest).unwrap_or_default()));
    streams.out(lines);
    Ok(0)
}

fn write_new(path: PathBuf, text: &str) -> Result<PathBuf, CliError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(|source| {
        let path = path.clone();
        CliError::File { action: "write", path, source }
    })?;
    Ok(path)
}

/// Adds the module of the bindings to the crate's root.
fn declare_module(root: &Path, build_script: bool) -> Result<Vec<String>, CliError> {
    let roots = [root.join("src/lib.rs"), root.join("src/main.rs")];
    let Some(file) = roots.into_iter().find(|it| it.is_file()) else { return Ok(Vec::new()) };
    let text = fs::read_to_string(&file);
    let text = text.map_err(|source| CliError::File { action: "read", path: file.clone(), source })?;
    if text.contains("mod lexicons") {
        return Ok(Vec::new());
    }
    let module = if build_script { INCLUDED_MODULE } else { MODULE };
    // Behind the comments and attributes that are about the crate, which must stand first.
    let is_about_crate =
        |line: &&str| line.starts_with("//!") || line.starts_with("#!") || line.trim().is_empty();
    let head: usize = text.split_inclusive('\n').take_while(|line| is_about_crate(line)).map(str::len).sum();
    let (head, rest) = text.split_at(head);
    fs::write(&file, format!("{head}{module}\n{rest}")).map_err(|source| CliError::File {
        action: "write",
        path: file.clone(),
        source,
    })?;
    Ok(vec![format!("declared the module `lexicons` in {}", file.display())])
}

fn next_steps(arguments: &Arguments, manifest: &str) -> Vec<String> {
    let mut steps = Vec::new();
    if !manifest.contains("atproto-sdk") {
        steps.push("cargo add atproto-sdk".to_owned());
    }
    if arguments.build_script && !manifest.contains("atproto-sdk-codegen") {
        steps.push("cargo add --build atproto-sdk-codegen".to_owned());
    }
    if arguments.group.is_none() {
        steps.push("atproto-sdk add NSID     # or put your own documents into lexicons/".to_owned());
    }
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
