//! A derive macro that asks for nothing but a name.

use proc_macro::{TokenStream, TokenTree};

/// Gives a type the constant `DESCRIBED`, its name.
#[proc_macro_derive(Described)]
pub fn described(item: TokenStream) -> TokenStream {
    let is_keyword = |tree: &TokenTree| matches!(tree, TokenTree::Ident(it) if ["struct", "enum"].contains(&it.to_string().as_str()));
    let name = item.into_iter().skip_while(|tree| !is_keyword(tree)).nth(1).map(|it| it.to_string());
    let Some(name) = name else { return TokenStream::new() };
    let code =
        format!("impl {name} {{ #[doc = \"Its name.\"] pub const DESCRIBED: &'static str = \"{name}\"; }}");
    code.parse().unwrap_or_default()
}
