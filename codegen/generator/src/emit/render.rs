//! Tokens as text: the formatter for each item, and an empty line between items and between methods.

use std::path::PathBuf;

use proc_macro2::TokenStream;
use syn::{File, ImplItem, Item, TraitItem};

use super::{EmitError, GeneratedFile, HEADER, macros};

/// A file with its header.
pub(super) fn generated(path: PathBuf, tokens: TokenStream) -> Result<GeneratedFile, EmitError> {
    match file(tokens) {
        Ok(text) => Ok(GeneratedFile { path, text: format!("{HEADER}\n{text}") }),
        Err(problem) => Err(EmitError::Syntax { path, problem }),
    }
}

/// The text of a file.
pub(super) fn file(tokens: TokenStream) -> Result<String, syn::Error> {
    let mut file: File = syn::parse2(tokens)?;
    let items = std::mem::take(&mut file.items);
    let mut text = prettyplease::unparse(&file);
    let mut previous = None;
    for item in items {
        let list = list(&item);
        if list.is_none() || list != previous {
            text.push('\n');
        }
        text.push_str(&self::item(item));
        previous = list;
    }
    Ok(text)
}

/// What stands close together: imports, and modules.
fn list(item: &Item) -> Option<&'static str> {
    match item {
        Item::Use(_) => Some("imports"),
        Item::Mod(_) => Some("modules"),
        _ => None,
    }
}

fn item(item: Item) -> String {
    match item {
        Item::Macro(it) => {
            let attributes: String = it.attrs.iter().map(attribute).collect();
            attributes + &macros::text(&it.mac)
        }
        Item::Impl(mut it) => {
            let members = std::mem::take(&mut it.items);
            spaced(
                Item::Impl(it),
                members,
                |member| match member {
                    ImplItem::Fn(_) => Member::Apart,
                    ImplItem::Macro(it) => Member::Text(macros::member(&it.mac)),
                    _ => Member::Close,
                },
                |item, members| {
                    if let Item::Impl(it) = item {
                        it.items = members;
                    }
                },
            )
        }
        Item::Trait(mut it) => {
            let members = std::mem::take(&mut it.items);
            spaced(
                Item::Trait(it),
                members,
                |member| if matches!(member, TraitItem::Fn(_)) { Member::Apart } else { Member::Close },
                |item, members| {
                    if let Item::Trait(it) = item {
                        it.items = members;
                    }
                },
            )
        }
        item => prettyplease::unparse(&alone(item)),
    }
}

/// How a member stands in its block.
enum Member {
    /// With an empty line in front of it.
    Apart,
    /// Close to the one before.
    Close,
    /// With an empty line in front of it, and a text that is not the formatter's.
    Text(String),
}

/// A block with its members. What the formatter makes of a member depends on how far it is indented, so each is formatted in
/// the block, alone.
fn spaced<M>(block: Item, members: Vec<M>, how: fn(&M) -> Member, set: fn(&mut Item, Vec<M>)) -> String {
    let mut file = alone(block);
    let empty = prettyplease::unparse(&file);
    let Some(head) = empty.strip_suffix("{}\n") else { return empty };
    let mut text = String::new();
    for member in members {
        let how = how(&member);
        if !matches!(how, Member::Close) && !text.is_empty() {
            text.push('\n');
        }
        if let Member::Text(member) = how {
            text.push_str(&member);
            continue;
        }
        if let Some(item) = file.items.first_mut() {
            set(item, vec![member]);
        }
        let one = prettyplease::unparse(&file);
        let body = one.strip_prefix(head).and_then(|rest| rest.strip_prefix("{\n")?.strip_suffix("}\n"));
        text.push_str(body.unwrap_or(&one));
    }
    if text.is_empty() { empty } else { format!("{head}{{\n{text}}}\n") }
}

fn alone(item: Item) -> File {
    File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item] }
}

/// An attribute on a line of its own.
fn attribute(attribute: &syn::Attribute) -> String {
    let text = prettyplease::unparse(&alone(syn::parse_quote!(#attribute const _: () = ();)));
    text.trim_end().rsplit_once('\n').map(|(attribute, _)| format!("{attribute}\n")).unwrap_or_default()
}
