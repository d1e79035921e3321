//! The list of methods that generated structs have from traits, made from the sources of the runtime: a setter of the same
//! name would hide one of them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p atproto-sdk-codegen --test trait_methods` writes the list anew.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{GenericParam, Item, TraitItem, Type, TypeParamBound, punctuated::Punctuated};

/// The methods of traits that are not the runtime's.
const FOREIGN: &[(&str, &[&str])] = &[
    ("Clone", &["clone", "clone_from"]),
    ("Debug", &["fmt"]),
    ("Default", &["default"]),
    ("PartialEq", &["eq", "ne"]),
    ("Serialize", &["serialize"]),
    ("Deserialize", &["deserialize", "deserialize_in_place"]),
    ("Send", &[]),
    ("Sync", &[]),
    ("Sized", &[]),
    // What the standard library gives every type.
    ("Any", &["type_id"]),
    ("Borrow", &["borrow"]),
    ("BorrowMut", &["borrow_mut"]),
    ("From", &["from"]),
    ("Into", &["into"]),
    ("ToOwned", &["to_owned", "clone_into"]),
    ("TryFrom", &["try_from"]),
    ("TryInto", &["try_into"]),
];

const OF_EVERY_TYPE: [&str; 8] =
    ["Any", "Borrow", "BorrowMut", "From", "Into", "ToOwned", "TryFrom", "TryInto"];

/// The kinds of structs, and the macros that make them of a list of fields.
const KINDS: [(&str, &[&str]); 3] = [
    ("object", &["__object", "__setters"]),
    ("params", &["__params", "__setters"]),
    ("record", &["__object", "__setters"]),
];

/// What the sources of the runtime say.
#[derive(Default)]
struct Runtime {
    /// The methods and supertraits of each trait.
    traits: BTreeMap<String, (Vec<String>, Vec<String>)>,
    macros: BTreeMap<String, TokenStream>,
    /// Implementations for every type with a bound: trait and bounds.
    blanket: Vec<(String, Vec<String>)>,
}

impl Runtime {
    fn read(folder: &Path) -> Self {
        let mut runtime = Self::default();
        for file in rust_files(folder) {
            if !file.starts_with(folder.join("api")) {
                runtime.add(syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items);
            }
        }
        runtime
    }

    fn add(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Trait(it) => {
                    let methods = it.items.iter().filter_map(|item| match item {
                        TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
                        _ => None,
                    });
                    let entry = (methods.collect(), bounds(&it.supertraits));
                    self.traits.insert(it.ident.to_string(), entry);
                }
                Item::Macro(it) => {
                    self.macros.extend(it.ident.map(|name| (name.to_string(), it.mac.tokens)));
                }
                Item::Impl(it) => {
                    let Some((path, Type::Path(target))) =
                        it.trait_.map(|(path, _)| path).zip(Some(*it.self_ty))
                    else {
                        continue;
                    };
                    let generic = it.generics.params.iter().find_map(|param| match param {
                        GenericParam::Type(param) if target.path.is_ident(&param.ident) => Some(param),
                        _ => None,
                    });
                    if let Some(param) = generic {
                        let name = path.segments.last().unwrap().ident.to_string();
                        self.blanket.push((name, bounds(&param.bounds)));
                    }
                }
                Item::Mod(it) => self.add(it.content.map(|(_, items)| items).unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// The traits that these macros, and those that they call, implement for the type that they are given.
    fn traits_of_macros(&self, macros: &[&str]) -> BTreeSet<String> {
        let mut open: Vec<String> = macros.iter().map(|it| (*it).to_owned()).collect();
        let (mut seen, mut traits) = (BTreeSet::new(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if seen.insert(name.clone()) {
                let tokens = self.macros.get(&name).unwrap_or_else(|| panic!("no macro {name}"));
                scan(tokens.clone(), &mut traits, &mut |called| open.push(called));
                open.retain(|name| self.macros.contains_key(name));
            }
        }
        traits
    }

    /// The traits with all their supertraits, and those that every type with them has.
    fn closed(&self, mut traits: BTreeSet<String>) -> BTreeSet<String> {
        loop {
            let mut more: BTreeSet<String> = traits
                .iter()
                .filter_map(|name| self.traits.get(name))
                .flat_map(|(_, it)| it.clone())
                .collect();
            let applies =
                |bounds: &[String]| !bounds.is_empty() && bounds.iter().all(|it| traits.contains(it));
            more.extend(self.blanket.iter().filter(|(_, it)| applies(it)).map(|(name, _)| name.clone()));
            let before = traits.len();
            traits.extend(more);
            if traits.len() == before {
                return traits;
            }
        }
    }

    fn methods(&self, name: &str) -> Vec<String> {
        let foreign = FOREIGN.iter().find(|(it, _)| *it == name);
        match (self.traits.get(name), foreign) {
            (Some((methods, _)), _) => methods.clone(),
            (None, Some((_, methods))) => methods.iter().map(|it| (*it).to_owned()).collect(),
            (None, None) => panic!("generated structs implement {name}: add its methods to FOREIGN"),
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    atproto_sdk_codegen::folder::files_below(folder, "rs").unwrap()
}

fn bounds<P: quote::ToTokens>(bounds: &Punctuated<TypeParamBound, P>) -> Vec<String> {
    let name = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(it) => Some(it.path.segments.last()?.ident.to_string()),
        _ => None,
    };
    bounds.iter().filter_map(name).collect()
}

/// Finds `impl Trait for ..` and `name!` in a macro.
fn scan(tokens: TokenStream, traits: &mut BTreeSet<String>, called: &mut dyn FnMut(String)) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => scan(group.stream(), traits, called),
            TokenTree::Ident(ident) if ident == "impl" => traits.extend(implemented(&trees[at + 1..])),
            TokenTree::Ident(ident) if matches!(trees.get(at + 1), Some(TokenTree::Punct(it)) if it.as_char() == '!') =>
            {
                called(ident.to_string());
            }
            _ => {}
        }
    }
}

/// The trait of what follows `impl`: the last name outside of angle brackets in front of `for`.
fn implemented(trees: &[TokenTree]) -> Option<String> {
    let (mut last, mut angles) = (None, 0);
    for tree in trees {
        match tree {
            TokenTree::Ident(ident) if ident == "for" && angles == 0 => return last,
            TokenTree::Ident(ident) if angles == 0 => last = Some(ident.to_string()),
            TokenTree::Punct(it) if it.as_char() == '<' => angles += 1,
            TokenTree::Punct(it) if it.as_char() == '>' => angles -= 1,
            TokenTree::Group(_) => return None,
            _ => {}
        }
    }
    None
}

/// The traits that the generator itself implements or derives for structs of a kind.
fn traits_of_generated(folder: &Path, kind: &str, macros: &[&str]) -> BTreeSet<String> {
    let mut traits = BTreeSet::new();
    for file in rust_files(folder) {
        let items = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items;
        let structs: BTreeSet<String> = items.iter().filter_map(|item| made_by(item, macros)).collect();
        let implemented = |item: &Item| match item {
            Item::Impl(it) => {
                let path = it.trait_.as_ref().map(|(path, _)| path)?;
                Some((it.self_ty.to_token_stream().to_string(), path.segments.last()?.ident.to_string()))
            }
            _ => None,
        };
        let implemented: BTreeSet<_> = items.iter().filter_map(implemented).collect();
        let is_record = |name: &String| implemented.contains(&(name.clone(), "Record".to_owned()));
        let of_kind = |name: &String| structs.contains(name) && is_record(name) == (kind == "record");
        traits.extend(implemented.iter().filter(|(name, _)| of_kind(name)).map(|(_, it)| it.clone()));
        for item in &items {
            if let Item::Struct(it) = item
                && of_kind(&it.ident.to_string())
            {
                traits.extend(derived(&it.attrs));
            }
        }
    }
    traits
}

/// The struct that one of the macros is called for.
fn made_by(item: &Item, macros: &[&str]) -> Option<String> {
    let Item::Macro(it) = item else { return None };
    let name = it.mac.path.segments.last()?.ident.to_string();
    let made = macros.iter().any(|it| it.trim_start_matches('_') == name);
    made.then(|| it.mac.tokens.clone().into_iter().next().unwrap().to_string())
}

fn derived(attributes: &[syn::Attribute]) -> Vec<String> {
    let derives = attributes.iter().filter(|it| it.path().is_ident("derive"));
    let paths = derives.flat_map(|attribute| {
        attribute.parse_args_with(Punctuated::<syn::Path, syn::Token![,]>::parse_terminated).unwrap()
    });
    paths.map(|path| path.segments.last().unwrap().ident.to_string()).collect()
}

#[test]
fn the_list_has_every_method_that_a_setter_could_hide() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runtime = Runtime::read(&here.join("../../sdk/src"));
    let mut lines = BTreeSet::new();
    for (kind, macros) in KINDS {
        let mut traits = runtime.traits_of_macros(macros);
        traits.extend(traits_of_generated(&here.join("tests/golden/src/lexicons"), kind, macros));
        traits.extend(OF_EVERY_TYPE.map(str::to_owned));
        let traits = runtime.closed(traits);
        for (expected, kinds) in [
            ("Data", "object params record"),
            ("FromData", "object record"),
            ("Record", "record"),
            ("Params", "params"),
            ("Serialize", "object record"),
            ("PartialEq", "object params record"),
            ("Clone", "object params record"),
        ] {
            assert_eq!(traits.contains(expected), kinds.contains(kind), "{kind}: {expected}, {traits:?}");
        }
        for name in traits.iter().flat_map(|name| runtime.methods(name)) {
            lines.insert(format!("{kind} {name}\n"));
        }
    }
    let made: String = lines.into_iter().collect();
    let file = here.join("src/model/trait_methods.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &made).unwrap();
    }
    assert_eq!(made, fs::read_to_string(&file).unwrap(), "run with UPDATE_GOLDEN=1, then regenerate");
}
