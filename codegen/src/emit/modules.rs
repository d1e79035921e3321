//! Which files there are, and what stands in each.

use std::{collections::BTreeMap, path::PathBuf};

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    Home, items, method,
    tokens::{ident, inner_docs},
};
use crate::model::{Item, Model, Module};

/// Namespaces that a feature of the crate switches on, by their first two segments.
const FEATURES: &[(&str, &str)] =
    &[("app.bsky", "app-bsky"), ("chat.bsky", "chat-bsky"), ("tools.ozone", "tools-ozone")];

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
            let name = ident(name);
            let feature = FEATURES
                .iter()
                .find(|(nsid, _)| *nsid == child.nsid)
                .map(|(_, feature)| quote!(#[cfg(feature = #feature)]));
            quote!(#feature pub mod #name;)
        });
        let accessor =
            model.groups.get(&node.nsid).map(|group| method::accessor(model, home, &node.nsid, group));
        let title = match (node.module, path.is_empty()) {
            (Some(module), _) => inner_docs(&module.docs),
            (None, true) => inner_docs(&["The bindings, one module a Lexicon document.".to_owned()]),
            (None, false) => inner_docs(&[format!("`{}`", node.nsid)]),
        };
        let contents = node.module.map(|module| contents(module, home)).unwrap_or_default();
        let body = quote!(#(#children)* #accessor #contents);
        let imports = imports(&body, home, node.module.is_none());
        let file: PathBuf = if node.children.is_empty() && !path.is_empty() {
            let (name, folders) =
                path.split_last().map_or(("mod", &[][..]), |(name, folders)| (name.as_str(), folders));
            folders.iter().collect::<PathBuf>().join(format!("{name}.rs"))
        } else {
            path.iter().collect::<PathBuf>().join("mod.rs")
        };
        // Constructors take what the lexicon requires, and variants are called what it calls them.
        let lints = path
            .is_empty()
            .then(|| quote!(#![allow(clippy::too_many_arguments, clippy::enum_variant_names)]));
        files.push((file, quote!(#title #lints #imports #body)));
        for (name, child) in &node.children {
            path.push(name.clone());
            self.write(child, path, files);
            path.pop();
        }
    }
}

/// The types of a document, its method last.
fn contents(module: &Module, home: &Home) -> TokenStream {
    let items = module.items.iter().map(|item| items::item(item, &module.nsid, home));
    let method = module.method.as_ref().map(|it| method::method(module, it, &method_docs(module)));
    quote!(#method #(#items)*)
}

/// What a method's struct and accessor say.
pub(super) fn method_docs(module: &Module) -> Vec<String> {
    let mut paragraphs = module.main_docs.clone();
    let errors = module.items.iter().find_map(|item| match item {
        Item::Errors(values) => Some(values),
        _ => None,
    });
    if let Some(values) = errors {
        let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.text)).collect();
        paragraphs.push(format!("Errors: {}.", names.join(", ")));
    }
    paragraphs
}

/// Imports of the crate's modules that the tokens name; a folder names them in its accessor only, which needs the
/// clients.
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
            let condition = for_accessor.then(|| quote!(#[cfg(feature = "client")]));
            let Home { sdk, api } = home;
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
