//! The layout of the runtime's macros, which the formatter does not know: one entry a line.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{File, Item};

/// How a line begins that stands for a macro.
pub(super) const PLACEHOLDER: &str = "const __MACRO_";

/// The width within which a macro stays on one line.
const LINE_WIDTH: usize = 100;

/// Replaces every macro of a file by a line that stands for it and gives the macros' texts.
pub(super) fn take_out(file: &mut File) -> Vec<String> {
    let mut texts = Vec::new();
    for item in &mut file.items {
        let Item::Macro(it) = item else { continue };
        let path: Vec<String> =
            it.mac.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let name = quote::format_ident!("__MACRO_{}", texts.len());
        texts.push(text(&path.join("::"), it.mac.tokens.clone()));
        let attributes = &it.attrs;
        *item = syn::parse_quote!(#(#attributes)* const #name: () = (););
    }
    texts
}

/// The macro that a line stands for.
pub(super) fn put_back<'t>(texts: &'t [String], line: &str) -> Option<&'t str> {
    let number = line.strip_prefix(PLACEHOLDER)?.split(':').next()?;
    texts.get(number.parse::<usize>().ok()?).map(String::as_str)
}

/// `path! { head { entries } }`, with the entries on lines of their own where they are many.
fn text(path: &str, tokens: TokenStream) -> String {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    let body = match trees.last() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let body = group.stream();
            trees.pop();
            Some(body)
        }
        _ => None,
    };
    let head = print(trees.into_iter().collect());
    let Some(body) = body else { return format!("{path}! {{ {head} }}") };
    let entries: Vec<String> = entries(body).into_iter().map(print).collect();
    if entries.is_empty() {
        return format!("{path}! {{ {head} {{}} }}");
    }
    let line = format!("{path}! {{ {head} {{ {} }} }}", entries.join(", "));
    if line.len() <= LINE_WIDTH {
        return line;
    }
    let lines: String = entries.iter().map(|entry| format!("        {entry},\n")).collect();
    format!("{path}! {{\n    {head} {{\n{lines}    }}\n}}")
}

/// Splits at the commas that stand in no brackets, angle brackets included.
fn entries(tokens: TokenStream) -> Vec<TokenStream> {
    let mut entries = vec![Vec::new()];
    let mut angles = 0_u32;
    for tree in tokens {
        if let TokenTree::Punct(punct) = &tree {
            match punct.as_char() {
                '<' => angles += 1,
                '>' => angles = angles.saturating_sub(1),
                ',' if angles == 0 => {
                    entries.push(Vec::new());
                    continue;
                }
                _ => {}
            }
        }
        if let Some(entry) = entries.last_mut() {
            entry.push(tree);
        }
    }
    entries.into_iter().filter(|entry| !entry.is_empty()).map(|entry| entry.into_iter().collect()).collect()
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
                '&' | '-' => (punct.to_string(), false, true),
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
