//! From the model to Rust source text.

mod items;
mod method;
mod modules;
mod tokens;

use std::path::PathBuf;

use crate::{catalog::Catalog, model};

/// The first line of every generated file; files that begin with it belong to the generator.
pub const HEADER: &str = "// Generated from Lexicon documents by `cargo run -p codegen`. Changes made here are lost.";

/// One file to be written below the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Relative to the output folder, with `/` between its parts.
    pub path: PathBuf,
    /// The whole text, beginning with the generated-file header.
    pub text: String,
}

/// What can go wrong while Rust is emitted for documents that passed every check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The emitted tokens are not valid Rust: a defect of the generator.
    #[error("{path}: the generator emitted Rust that does not parse: {source}")]
    Syntax {
        /// The file that was being made.
        path: PathBuf,
        /// What the Rust parser said.
        source: syn::Error,
    },
}

/// Emits every file for `catalog`, in a stable order.
pub fn generate(catalog: &Catalog) -> Result<Vec<GeneratedFile>, EmitError> {
    let model = model::lower(catalog);
    modules::files(&model).into_iter().map(|(path, tokens)| render(path, tokens)).collect()
}

/// Formats tokens as a file, with an empty line between items.
fn render(path: PathBuf, tokens: proc_macro2::TokenStream) -> Result<GeneratedFile, EmitError> {
    let file = syn::parse2(tokens).map_err(|source| EmitError::Syntax { path: path.clone(), source })?;
    let mut text = format!("{HEADER}\n\n");
    let formatted = prettyplease::unparse(&file);
    let mut previous = "";
    for line in formatted.lines() {
        // prettyplease sets items close together; they are easier to read apart.
        let begins_item = line.starts_with("///") || line.starts_with("#[") || line.starts_with("impl ")
            || line.starts_with("pub ") || line.starts_with("crate::");
        let continues = previous.is_empty() || previous.starts_with("///") || previous.starts_with("#[")
            || previous.starts_with("//!") && line.starts_with("//!");
        let same_kind = ["pub mod ", "pub type ", "crate::", "use "].iter().any(|kind| {
            line.starts_with(kind) && previous.starts_with(kind)
        });
        if begins_item && !continues && !same_kind {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        previous = line;
    }
    Ok(GeneratedFile { path, text })
}
