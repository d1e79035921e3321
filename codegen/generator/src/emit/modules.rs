//! Which files there are, and what stands in each.

use std::{collections::BTreeMap, path::PathBuf};

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{
    FORMAT, Home, accessor, items, method,
    tokens::{ident, inner_docs},
};
use crate::model::{Docs, Model, Module};

/// A folder or file of the module tree.
#[derive(Default)]
struct Node<'m> {
    children: BTreeMap<String, Node<'m>>,
    module: Option<&'m Module>,
    /// The NSID segments up to here.
    nsid: String,
}

/// Every file as tokens, in the order of its path.
pub(super) fn files(model: &Model, home: &Home) -> Vec<(PathBuf, TokenStream)> {
    let mut root = Node::default();
    for module in &model.modules {
        let mut node = &mut root;
        for (segment, name) in module.path.iter().zip(module.nsid.split('.')) {
            let nsid = if node.nsid.is_empty() { name.to_owned() } else { format!("{}.{name}", node.nsid) };
            node = node.children.entry(segment.clone()).or_default();
            node.nsid = nsid;
        }
        node.module = Some(module);
    }
    let mut files = Vec::new();
    let tree = Tree { model, home };
    tree.write(&root, &mut Vec::new(), &mut files);
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

/// What all files share.
struct Tree<'m> {
    model: &'m Model,
    home: &'m Home,
}

impl Tree<'_> {
    fn write(&self, node: &Node<'_>, path: &mut Vec<String>, files: &mut Vec<(PathBuf, TokenStream)>) {
        let Self { model, home } = *self;
        let children = node.children.iter().map(|(name, child)| {
            let (name, feature) = (ident(name), home.feature(&child.nsid));
            quote!(#feature pub mod #name;)
        });
        if path.is_empty() {
            files.push(("mod.rs".into(), root(home, children.collect())));
        } else {
            let accessor =
                model.groups.get(&node.nsid).map(|group| accessor::accessor(model, home, &node.nsid, group));
            let title = match node.module {
                Some(module) => inner_docs(&module.docs),
                None => inner_docs(&Docs { paragraphs: vec![format!("`{}`", node.nsid)], deprecated: None }),
            };
            let contents = node.module.map(|module| contents(module, home)).unwrap_or_default();
            let body = quote!(#(#children)* #accessor #contents);
            let imports = imports(&body, home, node.module.is_none());
            files.push((file(node, path), quote!(#title #imports #body)));
        }
        for (name, child) in &node.children {
            path.push(name.clone());
            self.write(child, path, files);
            path.pop();
        }
    }
}

/// The file of a module: a folder's `mod.rs` if there are modules below it.
fn file(node: &Node<'_>, path: &[String]) -> PathBuf {
    match path.split_last() {
        Some((name, folders)) if node.children.is_empty() => {
            folders.iter().collect::<PathBuf>().join(format!("{name}.rs"))
        }
        _ => path.iter().collect::<PathBuf>().join("mod.rs"),
    }
}

/// The root: what all files have in common.
fn root(home: &Home, modules: TokenStream) -> TokenStream {
    let (sdk, format) = (&home.sdk, Literal::u16_unsuffixed(FORMAT));
    let docs = inner_docs(&Docs {
        paragraphs: vec![
            "Types and methods generated from Lexicon documents: one module for each document, called by its NSID \
             in snake case."
                .to_owned(),
            "The lists of fields in `object!` follow the order in which data comes, so that decoding finds each \
             field where it expects it: for records and what is in them the order of DAG-CBOR (shorter names \
             first), for everything else the order of the document."
                .to_owned(),
        ],
        deprecated: None,
    });
    quote! {
        #docs
        #![allow(missing_docs, reason = "not everything has a description in its lexicon")]
        #![allow(deprecated, reason = "what is deprecated must be decoded and encoded all the same")]
        #![allow(clippy::exhaustive_structs, reason = "the structs of methods and permission sets have no fields")]
        #![allow(clippy::too_many_arguments, reason = "constructors take what the lexicon requires")]
        #![allow(clippy::enum_variant_names, reason = "variants are named as in the lexicon")]
        #sdk::__generated! { format: #format, { #modules } }
    }
}

/// The types of a document, behind its method.
fn contents(module: &Module, home: &Home) -> TokenStream {
    let items = module.items.iter().map(|item| items::item(item, &module.nsid, home));
    let method = module.method.as_ref().map(|it| method::method(&module.nsid, it));
    quote!(#method #(#items)*)
}

/// Imports of the crate's modules that the tokens name; a folder names them in its accessor only.
fn imports(body: &TokenStream, home: &Home, for_accessor: bool) -> TokenStream {
    let text = body.to_string();
    let names = ["api", "types", "xrpc"].into_iter().filter(|name| {
        text.match_indices(&format!("{name} ::")).any(|(at, _)| {
            // Not a part of a longer path or name.
            !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                && !text[..at].trim_end().ends_with("::")
        })
    });
    names
        .map(|name| {
            let condition = if for_accessor { home.accessor_condition() } else { TokenStream::new() };
            let Home { sdk, api, .. } = home;
            let is_named_api = api.to_string().ends_with(":: api");
            match name {
                "api" if is_named_api => quote!(#condition use #api;),
                "api" => quote!(#condition use #api as api;),
                name => {
                    let name = ident(name);
                    quote!(#condition use #sdk::#name;)
                }
            }
        })
        .collect()
}
