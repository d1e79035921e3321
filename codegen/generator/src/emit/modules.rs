//! Which files there are, and what stands in each.

use std::{collections::BTreeMap, path::PathBuf};

use proc_macro2::{Literal, Spacing, TokenStream, TokenTree};
use quote::quote;

use super::{
    EmitError, FORMAT, GeneratedFile, Home, accessor, items, method, render, subscription,
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

/// Every file, in the order of its path.
pub(super) fn files(model: &Model, home: &Home) -> Result<Vec<GeneratedFile>, EmitError> {
    let root = tree(model);
    let mut files = Vec::new();
    let tree = Tree { model, home };
    tree.write(&root, &mut Vec::new(), &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The text of all modules in one file. Nothing in it stands before the first item, as `include!` wants it.
pub(super) fn one_file(model: &Model, home: &Home) -> Result<String, syn::Error> {
    let root = tree(model);
    let tree = Tree { model, home };
    let lints: String = home
        .lints()
        .iter()
        .map(|(lint, reason)| format!("#[allow({lint}, reason = {reason:?})]\n"))
        .collect();
    let mut modules = String::new();
    for (name, child) in &root.children {
        modules.push_str(&lints);
        tree.write_inline(name, child, &mut modules)?;
    }
    let call = home.sdk.to_string().replace(' ', "");
    Ok(format!("{call}::__generated! {{ format: {FORMAT}, {{\n{modules}}} }}\n"))
}

fn tree(model: &Model) -> Node<'_> {
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
    root
}

/// What all files share.
struct Tree<'m> {
    model: &'m Model,
    home: &'m Home,
}

impl Tree<'_> {
    fn write(
        &self,
        node: &Node<'_>,
        path: &mut Vec<String>,
        files: &mut Vec<GeneratedFile>,
    ) -> Result<(), EmitError> {
        let Self { home, .. } = *self;
        let children = node.children.iter().map(|(name, child)| {
            let (name, feature) = (ident(name), home.feature(&child.nsid));
            quote!(#feature pub mod #name;)
        });
        let children: TokenStream = children.collect();
        // Text takes less room than tokens, so each file is turned into text before the next one is made.
        files.push(if path.is_empty() {
            render::generated("mod.rs".into(), root(home, children))?
        } else {
            render::generated(file(node, path), self.body(node, children))?
        });
        for (name, child) in &node.children {
            path.push(name.clone());
            self.write(child, path, files)?;
            path.pop();
        }
        Ok(())
    }

    /// A module with the modules below it, as text.
    fn write_inline(&self, name: &str, node: &Node<'_>, text: &mut String) -> Result<(), syn::Error> {
        let mut inner = render::file(self.body(node, TokenStream::new()))?;
        for (name, child) in &node.children {
            inner.push('\n');
            self.write_inline(name, child, &mut inner)?;
        }
        text.push_str(&format!("pub mod {} {{\n", ident(name)));
        for line in inner.lines() {
            text.push_str(if line.is_empty() { "" } else { "    " });
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("}\n");
        Ok(())
    }

    /// What stands in a module beside the modules below it.
    fn body(&self, node: &Node<'_>, children: TokenStream) -> TokenStream {
        let Self { model, home } = *self;
        let accessor =
            model.groups.get(&node.nsid).map(|group| accessor::accessor(model, home, &node.nsid, group));
        let title = match node.module {
            Some(module) => inner_docs(&module.docs),
            None => inner_docs(&Docs { paragraphs: vec![format!("`{}`", node.nsid)], deprecated: None }),
        };
        let contents = node.module.map(|module| contents(module, home)).unwrap_or_default();
        let body = quote!(#children #accessor #contents);
        let imports = imports(&body, home, node.module.is_none());
        quote!(#title #imports #body)
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
    let lints = home.lints().iter().map(|(lint, reason)| {
        // The names stand in this crate.
        let lint: TokenStream = lint.parse().unwrap_or_default();
        quote!(#![allow(#lint, reason = #reason)])
    });
    quote! {
        #docs
        #(#lints)*
        #sdk::__generated! { format: #format, { #modules } }
    }
}

/// The types of a document, behind its method or subscription.
fn contents(module: &Module, home: &Home) -> TokenStream {
    let items = module.items.iter().map(|item| items::item(item, &module.nsid, home));
    let method = module.method.as_ref().map(|it| method::method(&module.nsid, it));
    let subscription = module.subscription.as_ref().map(|it| subscription::subscription(&module.nsid, it));
    quote!(#method #subscription #(#items)*)
}

/// Imports of the crate's modules that the tokens name; a folder names them in its accessor only.
fn imports(body: &TokenStream, home: &Home, for_accessor: bool) -> TokenStream {
    let mut named = [false; IMPORTS.len()];
    find_imports(body.clone(), &mut named);
    let names = IMPORTS.into_iter().zip(named).filter_map(|(name, is_named)| is_named.then_some(name));
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

/// What generated files import where they need it.
const IMPORTS: [&str; 3] = ["api", "types", "xrpc"];

/// Marks the imports whose names begin a path.
fn find_imports(tokens: TokenStream, named: &mut [bool; IMPORTS.len()]) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_separator = |at: usize| {
        let is_colon =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == ':');
        let is_joint = matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.spacing() == Spacing::Joint);
        is_joint && is_colon(at) && is_colon(at + 1)
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => find_imports(group.stream(), named),
            // Not a part of a longer path.
            TokenTree::Ident(ident) if is_separator(at + 1) && !(at >= 2 && is_separator(at - 2)) => {
                if let Some(found) = IMPORTS.iter().position(|name| ident == name) {
                    named[found] = true;
                }
            }
            _ => {}
        }
    }
}
