//! The layout of the runtime's macros, which the formatter does not know: one entry a line.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::Macro;

/// The width within which a macro stays on one line.
const LINE_WIDTH: usize = 100;

/// `path! { head { entries } }`, with the entries on lines of their own where they are many.
pub(super) fn text(call: &Macro) -> String {
    let path = print(call.path.to_token_stream());
    let mut trees: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
    let body = match trees.last() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let body = group.stream();
            trees.pop();
            Some(body)
        }
        _ => None,
    };
    let head = print(trees.into_iter().collect());
    let Some(body) = body else { return format!("{path}! {{ {head} }}\n") };
    let entries = entries(body);
    if entries.is_empty() {
        return format!("{path}! {{ {head} {{}} }}\n");
    }
    let line = format!("{path}! {{ {head} {{ {} }} }}\n", entries.join(" ").trim_end_matches(','));
    if line.len() <= LINE_WIDTH && !line.trim_end().contains('\n') {
        return line;
    }
    let lines: String = entries.iter().map(|entry| format!("        {entry}\n")).collect();
    format!("{path}! {{\n    {head} {{\n{lines}    }}\n}}\n")
}

/// A call in a block: documentation and attributes a line each, and what follows them on one line.
pub(super) fn member(call: &Macro) -> String {
    let path = print(call.path.to_token_stream());
    let mut trees = call.tokens.clone().into_iter().peekable();
    let mut lines = String::new();
    while trees.next_if(|tree| matches!(tree, TokenTree::Punct(sign) if sign.as_char() == '#')).is_some() {
        let Some(TokenTree::Group(attribute)) = trees.next() else { break };
        lines.push_str(&attribute_line(attribute.stream()));
    }
    let rest = print(trees.collect());
    format!("    {path}! {{\n{lines}        {rest}\n    }}\n")
}

/// An attribute, or a line of documentation.
fn attribute_line(attribute: TokenStream) -> String {
    let documentation = syn::parse2::<syn::MetaNameValue>(attribute.clone()).ok().and_then(|it| {
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = it.value else { return None };
        it.path.is_ident("doc").then(|| text.value())
    });
    match documentation {
        Some(text) => format!("        ///{text}\n"),
        None => format!("        #[{}]\n", print(attribute)),
    }
}

/// The entries of a list with the commas or semicolons behind them. Those in brackets, angle brackets included, divide
/// nothing.
fn entries(tokens: TokenStream) -> Vec<String> {
    let mut entries = Vec::new();
    let mut entry = Vec::new();
    let mut angles = 0_u32;
    for tree in tokens {
        let sign = if let TokenTree::Punct(punct) = &tree { punct.as_char() } else { ' ' };
        match sign {
            '<' => angles += 1,
            '>' => angles = angles.saturating_sub(1),
            _ => {}
        }
        if matches!(sign, ',' | ';') && angles == 0 {
            entries.push(format!("{}{sign}", self::entry(&mut entry)));
        } else {
            entry.push(tree);
        }
    }
    if !entry.is_empty() {
        entries.push(format!("{},", self::entry(&mut entry)));
    }
    entries
}

/// One entry, its attribute on a line of its own.
fn entry(trees: &mut Vec<TokenTree>) -> String {
    let has_attribute = matches!(trees.first(), Some(TokenTree::Punct(sign)) if sign.as_char() == '#');
    let attribute: TokenStream = trees.drain(..if has_attribute { 2 } else { 0 }).collect();
    let rest = print(trees.drain(..).collect());
    if has_attribute { format!("{}\n        {rest}", print(attribute)) } else { rest }
}

/// Tokens with the spaces that a person would set.
fn print(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut tight = true;
    let mut in_path = false;
    for tree in tokens {
        let (piece, glued_before, glued_after) = match &tree {
            TokenTree::Punct(punct) => match punct.as_char() {
                ':' if punct.spacing() == proc_macro2::Spacing::Joint => {
                    in_path = true;
                    (":".to_owned(), true, true)
                }
                ':' => (":".to_owned(), true, std::mem::take(&mut in_path)),
                '<' => ("<".to_owned(), true, true),
                '>' | ',' => (punct.to_string(), true, false),
                '&' | '-' | '#' => (punct.to_string(), false, true),
                other => (other.to_string(), false, false),
            },
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                (format!("({})", print(group.stream())), true, false)
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                (format!("[{}]", print(group.stream())), false, false)
            }
            other => (other.to_string(), false, false),
        };
        if !tight && !glued_before {
            text.push(' ');
        }
        text.push_str(&piece);
        tight = glued_after;
    }
    text
}
