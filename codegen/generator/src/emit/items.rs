//! Types and constants.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    Home, subscription,
    tokens::{argument, deprecated, docs, ident, literal, takes_into, ty},
};
use crate::document::Permission;
use crate::model::{
    Docs, Field, Item, Literal, NamedValue, Presence, Rule, RustType, Strings, Struct, StructKind, Union,
    code,
};

/// One item.
pub(super) fn item(item: &Item, nsid: &str, home: &Home) -> TokenStream {
    match item {
        Item::Struct(it) => structure(it, nsid, home),
        Item::Union(it) => union(it, nsid, home),
        Item::Messages(it) => {
            let (union, messages) = (union(&it.union, nsid, home), subscription::messages(it, nsid, home));
            quote!(#union #messages)
        }
        Item::Strings(it) => strings(it, nsid, home),
        Item::Alias { name, docs: about, ty: target } => {
            let (name, docs, target) = (ident(name), docs(about), ty(target));
            quote!(#docs pub type #name = #target;)
        }
        Item::Token { name, docs: about, value } => {
            let (name, docs) = (ident(name), docs(about));
            quote!(#docs pub const #name: &str = #value;)
        }
        Item::Errors { docs, values } => errors(docs, values, home),
        Item::NoOutput { docs: about } => {
            let docs = docs(about);
            quote! {
                #docs
                #[derive(Debug, Clone, Default, PartialEq)]
                #[non_exhaustive]
                pub struct Output {}
            }
        }
        Item::PermissionSet { name, docs: about, permissions } => {
            let (name, docs) = (ident(name), docs(about));
            let permissions = permissions.iter().map(permission);
            quote! {
                #docs
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub struct #name;
                impl types::PermissionSet for #name {
                    const NSID: &'static str = #nsid;
                    const PERMISSIONS: &'static [types::SetPermission] = &[#(#permissions),*];
                }
            }
        }
    }
}

fn permission(permission: &Permission) -> TokenStream {
    match permission {
        Permission::Repo { collection, action } => quote! {
            types::SetPermission::Repo { collections: &[#(#collection),*], actions: &[#(#action),*] }
        },
        Permission::Rpc { lxm, aud, inherit_aud } => {
            let audience = match aud.as_deref() {
                _ if *inherit_aud => quote!(Inherited),
                Some("*") => quote!(Any),
                Some(service) => quote!(Named(#service)),
                None => quote!(Missing),
            };
            quote! {
                types::SetPermission::Rpc {
                    methods: &[#(#lxm),*],
                    audience: types::SetAudience::#audience,
                }
            }
        }
    }
}

fn structure(it: &Struct, nsid: &str, home: &Home) -> TokenStream {
    let (name, about) = (ident(&it.name), docs(&it.docs));
    let fields = it.fields.iter().map(|field| {
        let (docs, name, ty) = (docs(&field.docs), ident(&field.ident), field_type(field));
        quote!(#docs pub #name: #ty)
    });
    let is_params = it.kind == StructKind::Params;
    let extra = (!is_params).then(|| {
        quote! {
            /// Fields that the lexicon does not define.
            pub extra: types::Extra,
        }
    });
    let default = it.fields.iter().all(|field| field.presence != Presence::Required).then(|| quote!(Default));
    let derive = if is_params { None } else { home.derive(nsid) };
    let behaviour = behaviour(it, home);
    let construction = construction(it, home);
    let record = match &it.kind {
        StructKind::Record { key } => quote! {
            impl types::Record for #name {
                const COLLECTION: &'static str = #nsid;
                const KEY: &'static str = #key;
            }
        },
        _ => TokenStream::new(),
    };
    quote! {
        #about
        #[derive(Clone, #default)]
        #derive
        #[non_exhaustive]
        pub struct #name {
            #(#fields,)*
            #extra
        }
        #behaviour
        #record
        #construction
    }
}

fn field_type(field: &Field) -> TokenStream {
    let ty = ty(&field.ty);
    if field.presence == Presence::Required { ty } else { quote!(Option<#ty>) }
}

/// The list of fields from which the runtime makes decoding and encoding.
fn behaviour(it: &Struct, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let (name, id) = (ident(&it.name), &it.id);
    if it.kind == StructKind::Params {
        let fields = it.fields.iter().enumerate().map(|(index, field)| {
            let (index, name, key) =
                (proc_macro2::Literal::usize_unsuffixed(index), ident(&field.ident), &field.key);
            let rules = bracketed_rules(&field.rules);
            match (&field.default, field.presence) {
                (Some(default), Presence::Optional) => {
                    let default = param_default(default);
                    quote!(#index #name: #key #rules = #default)
                }
                _ => quote!(#index #name: #key #rules),
            }
        });
        return quote!(#sdk::__v1::params! { #name { #(#fields),* } });
    }
    let typed = matches!(it.kind, StructKind::Record { .. });
    let mut ordered: Vec<&Field> = it.fields.iter().collect();
    if it.stored {
        // The order of DAG-CBOR, in which the reader then expects them.
        ordered.sort_by_key(|field| (field.key.len(), &field.key));
    }
    let fields = ordered.into_iter().enumerate().map(|(index, field)| {
        let (index, name, key) =
            (proc_macro2::Literal::usize_unsuffixed(index), ident(&field.ident), &field.key);
        let rules = bracketed_rules(&field.rules);
        let presence = match field.presence {
            Presence::Required => quote!(required),
            Presence::Optional => quote!(optional),
            Presence::OptionalNullable => quote!(nullable),
        };
        quote!(#index #name: #key #presence #rules)
    });
    quote!(#sdk::__v1::object! { #name, #id, record: #typed, { #(#fields),* } })
}

fn param_default(default: &Literal) -> TokenStream {
    match default {
        Literal::Boolean(value) => quote!(Boolean(#value)),
        Literal::Integer(value) => {
            let value = proc_macro2::Literal::i64_unsuffixed(*value);
            quote!(Integer(#value))
        }
        Literal::Text(value) | Literal::Variant { text: value, .. } => quote!(Text(#value)),
    }
}

/// `[rule, rule]`; nothing for none.
fn bracketed_rules(rules: &[Rule]) -> TokenStream {
    if rules.is_empty() {
        return TokenStream::new();
    }
    let rules = rules.iter().map(rule);
    quote!([#(#rules),*])
}

/// A constraint, as the runtime's `Rule` without its path.
fn rule(rule: &Rule) -> TokenStream {
    match rule {
        Rule::Limit(name, value) => {
            let (name, value) = (ident(name), proc_macro2::Literal::i128_unsuffixed(*value));
            quote!(#name(#value))
        }
        Rule::OneOf(values) => quote!(OneOf(&[#(#values),*])),
        Rule::OneOfIntegers(values) => {
            let values = values.iter().map(|value| proc_macro2::Literal::i64_unsuffixed(*value));
            quote!(OneOfIntegers(&[#(#values),*]))
        }
        Rule::Const(Literal::Boolean(value)) => quote!(ConstBoolean(#value)),
        Rule::Const(Literal::Integer(value)) => {
            let value = proc_macro2::Literal::i64_unsuffixed(*value);
            quote!(ConstInteger(#value))
        }
        Rule::Const(Literal::Text(value) | Literal::Variant { text: value, .. }) => quote!(ConstText(#value)),
        Rule::Hidden => quote!(Hidden(true)),
        Rule::Accept(values) => quote!(Accept(&[#(#values),*])),
        Rule::Each(rules) => {
            let rules = rules.iter().map(self::rule);
            quote!(Each(&[#(types::Rule::#rules),*]))
        }
    }
}

/// `new` with the required fields, setters for the others, and what absent fields stand for.
fn construction(it: &Struct, home: &Home) -> TokenStream {
    let name = ident(&it.name);
    let arguments = it.arguments.iter().filter_map(|at| it.fields.get(*at)).map(|field| {
        let name = ident(&field.ident);
        let (ty, _) = argument(&field.ty, &name);
        quote!(#name: #ty)
    });
    let mut values: Vec<TokenStream> = it.fields.iter().map(initial_value).collect();
    if it.kind != StructKind::Params {
        values.push(quote!(extra: types::Extra::default()));
    }
    let docs = docs(&constructor_docs(it));
    // The server does it for parameters, and the runtime sends them with every call.
    let readable = it.fields.iter().filter(|_| it.kind != StructKind::Params);
    let defaults = readable.filter_map(default_value);
    let setters = setters(it, home);
    quote! {
        impl #name {
            #docs
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#values),* }
            }
            #(#defaults)*
        }
        #setters
    }
}

/// What a field is initialized with: an argument, its only possible value, or nothing.
fn initial_value(field: &Field) -> TokenStream {
    let name = ident(&field.ident);
    match (field.presence, &field.constant) {
        (Presence::Required, Some(constant)) => {
            let value = literal(constant, &field.ty);
            quote!(#name: #value)
        }
        (Presence::Required, None) => {
            let (_, value) = argument(&field.ty, &name);
            if name == value.to_string() { quote!(#name) } else { quote!(#name: #value) }
        }
        _ => quote!(#name: None),
    }
}

fn constructor_docs(it: &Struct) -> Docs {
    let link = |field: &Field| format!("[`{0}`](field@Self::{0})", field.ident);
    let arguments: Vec<String> = it.arguments.iter().filter_map(|at| it.fields.get(*at)).map(link).collect();
    let constants: Vec<String> = it
        .fields
        .iter()
        .filter(|field| field.presence == Presence::Required && field.constant.is_some())
        .map(link)
        .collect();
    let name = &it.name;
    let mut text = match arguments.split_last() {
        None => format!("Creates `{name}` without any of its optional fields."),
        Some((field, [])) => format!("Creates `{name}` with its required field, {field}."),
        Some((last, others)) => {
            format!("Creates `{name}` with its required fields: {} and {last}.", others.join(", "))
        }
    };
    if !constants.is_empty() {
        text.push_str(&format!(" {} has the only value that the lexicon allows.", constants.join(", ")));
    }
    if it.fields.is_empty() {
        text = format!("Creates `{name}`, which has no fields in the lexicon.");
    }
    Docs { paragraphs: vec![text], deprecated: None }
}

fn setters(it: &Struct, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let optional = it.fields.iter().filter(|field| it.sent && field.presence != Presence::Required);
    let setters: Vec<TokenStream> = optional
        .map(|field| {
            let (name, setter, target) = (ident(&field.ident), ident(&field.setter), ty(&field.ty));
            let deprecated = deprecated(&field.docs);
            match &field.ty {
                target_type if takes_into(target_type) => quote!(#deprecated #setter = #name: into #target),
                RustType::Integer => quote!(#deprecated #setter = #name: integer #target),
                RustType::Boxed(inner) => {
                    let inner = ty(inner);
                    quote!(#deprecated #setter = #name: boxed #inner)
                }
                _ => quote!(#deprecated #setter = #name: plain #target),
            }
        })
        .collect();
    let name = ident(&it.name);
    if setters.is_empty() {
        TokenStream::new()
    } else {
        quote!(#sdk::__v1::setters! { #name { #(#setters),* } })
    }
}

/// A method that gives the default of an absent field.
fn default_value(field: &Field) -> Option<TokenStream> {
    let default = field.default.as_ref().filter(|_| field.presence != Presence::Required)?;
    if matches!(field.ty, RustType::Nullable(_)) {
        return None;
    }
    let (name, ty) = (ident(&field.ident), ty(&field.ty));
    let method = ident(field.or_default.as_deref()?);
    let doc =
        sentence(format!("Returns {}, or its default in the lexicon if it is absent.", code(&field.key)));
    let deprecated = deprecated(&field.docs);
    let copied = matches!(field.ty, RustType::Bool | RustType::Integer);
    let read = if copied { quote!(self.#name) } else { quote!(self.#name.clone()) };
    let fallback = match (default, &field.ty) {
        (Literal::Text(_), RustType::Runtime(_)) => return None,
        _ => literal(default, &field.ty),
    };
    let body =
        if copied { quote!(#read.unwrap_or(#fallback)) } else { quote!(#read.unwrap_or_else(|| #fallback)) };
    Some(quote! {
        #doc
        #deprecated
        pub fn #method(&self) -> #ty {
            #body
        }
    })
}

/// Documentation of one sentence.
fn sentence(text: String) -> TokenStream {
    docs(&Docs { paragraphs: vec![text], deprecated: None })
}

fn union(it: &Union, nsid: &str, home: &Home) -> TokenStream {
    let (sdk, derive) = (&home.sdk, home.derive(nsid));
    let (name, docs_of_union) = (ident(&it.name), docs(&it.docs));
    let variants = it.variants.iter().map(|variant| {
        let (name, ty, doc) = (ident(&variant.name), ty(&variant.ty), sentence(code(&variant.tag)));
        quote!(#doc #name(Box<#ty>))
    });
    let tags = it.variants.iter().map(|variant| {
        let (name, ty, tag) = (ident(&variant.name), ty(&variant.ty), &variant.tag);
        quote!(#name(#ty) = #tag)
    });
    let (openness, other) = if it.closed {
        (quote!(closed), TokenStream::new())
    } else {
        let other = quote! {
            /// Any other variant.
            Other(types::Unknown),
        };
        (quote!(open), other)
    };
    quote! {
        #docs_of_union
        #[derive(Clone)]
        #derive
        #[non_exhaustive]
        pub enum #name {
            #(#variants,)*
            #other
        }
        #sdk::__v1::union! { #name, #openness { #(#tags),* } }
    }
}

fn strings(it: &Strings, nsid: &str, home: &Home) -> TokenStream {
    let (sdk, derive) = (&home.sdk, home.derive(nsid));
    let (name, docs_of_strings) = (ident(&it.name), docs(&it.docs));
    let variants = it.values.iter().map(|value| {
        let (docs, name) = (docs(&value.docs), ident(&value.name));
        quote!(#docs #name)
    });
    let values = it.values.iter().map(|value| {
        let (name, text) = (ident(&value.name), &value.text);
        quote!(#name = #text)
    });
    let other = (!it.closed).then(|| {
        quote! {
            /// Any other value.
            Other(types::SmallString),
        }
    });
    let implement = if it.closed { quote!(closed_string) } else { quote!(open_string) };
    quote! {
        #docs_of_strings
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #derive
        #[non_exhaustive]
        pub enum #name {
            #(#variants,)*
            #other
        }
        #sdk::__v1::#implement! { #name { #(#values),* } }
    }
}

fn errors(about: &Docs, values: &[NamedValue], home: &Home) -> TokenStream {
    let (sdk, about) = (&home.sdk, docs(about));
    let variants = values.iter().map(|value| {
        let (docs, name) = (docs(&value.docs), ident(&value.name));
        quote!(#docs #name)
    });
    let names = values.iter().map(|value| {
        let (name, text) = (ident(&value.name), &value.text);
        quote!(#name = #text)
    });
    quote! {
        #about
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            #(#variants,)*
        }
        #sdk::__v1::errors! { Error { #(#names),* } }
    }
}
