//! Small pieces of Rust.

use std::borrow::Cow;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::model::{self, Docs, Literal, ModulePath, RustType};

/// Width at which documentation is broken.
const DOC_WIDTH: usize = 108;

/// An identifier, raw where it is a keyword.
pub(super) fn ident(name: &str) -> Ident {
    if model::is_keyword(name) {
        Ident::new_raw(name, Span::call_site())
    } else {
        Ident::new(name, Span::call_site())
    }
}

/// The name of the method that makes a call: that of the module with its types.
pub(super) fn method_name(module: &str) -> Ident {
    // `over` makes the accessor itself.
    if module == "over" { ident("over_") } else { ident(module) }
}

/// Doc comments, paragraphs with an empty line between them, and whether the item is deprecated.
pub(super) fn docs(docs: &Docs) -> TokenStream {
    let lines = doc_lines(&docs.paragraphs);
    let deprecated = deprecated(docs);
    quote!(#(#[doc = #lines])* #deprecated)
}

/// Doc comments for the file or module itself.
pub(super) fn inner_docs(docs: &Docs) -> TokenStream {
    doc_lines(&docs.paragraphs).into_iter().map(|line| quote!(#![doc = #line])).collect()
}

/// The attribute of a deprecated item.
pub(super) fn deprecated(docs: &Docs) -> Option<TokenStream> {
    let note = docs.deprecated.as_ref()?;
    Some(if note.is_empty() { quote!(#[deprecated]) } else { quote!(#[deprecated(note = #note)]) })
}

fn doc_lines(paragraphs: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in paragraphs.iter().filter(|paragraph| !paragraph.trim().is_empty()) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        for text in paragraph.lines() {
            let mut line = String::new();
            for word in text.split_whitespace().map(visible).filter(|word| !word.is_empty()) {
                // What would begin a block of code, which rustdoc takes for a test.
                let word = if line.is_empty() && (word.starts_with("~~~") || word.starts_with("```")) {
                    format!("\\{word}").into()
                } else {
                    word
                };
                if !line.is_empty() && line.len() + word.len() > DOC_WIDTH {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(' ');
                line.push_str(&word);
            }
            lines.push(line);
        }
    }
    lines
}

/// A word without control characters, among them those that change the direction of text: compilers refuse them in
/// comments.
fn visible(word: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if word.contains(is_hidden) { word.replace(is_hidden, "").into() } else { word.into() }
}

/// The type as it is written in a module of `api`.
pub(super) fn ty(ty: &RustType) -> TokenStream {
    match ty {
        RustType::Bool => quote!(bool),
        RustType::Integer => quote!(i64),
        RustType::String => quote!(String),
        RustType::Runtime(name) => {
            let name = ident(name);
            quote!(types::#name)
        }
        RustType::ByteStream => quote!(xrpc::ByteStream),
        RustType::Generated { module, name, .. } => {
            let name = ident(name);
            match module {
                None => quote!(#name),
                Some(path) => {
                    let path = module_path(path);
                    quote!(#path::#name)
                }
            }
        }
        RustType::Vec(item) => {
            let item = self::ty(item);
            quote!(Vec<#item>)
        }
        RustType::Boxed(inner) => {
            let inner = self::ty(inner);
            quote!(Box<#inner>)
        }
        RustType::Nullable(inner) => {
            let inner = self::ty(inner);
            quote!(types::Nullable<#inner>)
        }
    }
}

/// The path of a generated module, from anywhere in `api`.
fn module_path(path: &ModulePath) -> TokenStream {
    let segments = path.segments.iter().map(|segment| ident(segment));
    // The root of another crate's bindings has been checked where it was read.
    match path.root.as_deref().and_then(|root| syn::parse_str::<syn::Path>(root).ok()) {
        Some(root) => quote!(#root #(::#segments)*),
        None => quote!(api #(::#segments)*),
    }
}

/// How a constructor takes a value: its type, and the expression that makes the field's value of it.
pub(super) fn argument(ty: &RustType, name: &Ident) -> (TokenStream, TokenStream) {
    let written = self::ty(ty);
    if takes_into(ty) {
        (quote!(impl Into<#written>), quote!(#name.into()))
    } else {
        match ty {
            RustType::Integer => (quote!(impl types::Integer), quote!(types::Integer::into_i64(#name))),
            RustType::Boxed(inner) => {
                let inner = self::ty(inner);
                (inner, quote!(Box::new(#name)))
            }
            _ => (written, quote!(#name)),
        }
    }
}

/// Whether there is more than one obvious way to give a value of this type.
pub(super) fn takes_into(ty: &RustType) -> bool {
    match ty {
        RustType::String | RustType::Runtime("AtIdentifier") | RustType::Nullable(_) => true,
        RustType::Generated { into, .. } => *into,
        _ => false,
    }
}

/// A value that a lexicon names, as an expression of the field's type.
pub(super) fn literal(value: &Literal, ty: &RustType) -> TokenStream {
    match (value, ty) {
        (Literal::Boolean(value), _) => quote!(#value),
        (Literal::Integer(value), _) => {
            let value = proc_macro2::Literal::i64_unsuffixed(*value);
            quote!(#value)
        }
        (Literal::Variant { name, .. }, ty) => {
            let (ty, name) = (self::ty(ty), ident(name));
            quote!(<#ty>::#name)
        }
        (Literal::Text(value), RustType::String) => quote!(#value.to_owned()),
        (Literal::Text(value), ty) => {
            let ty = self::ty(ty);
            quote!(<#ty>::from(#value))
        }
    }
}
