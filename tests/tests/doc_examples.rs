//! Every public function of the modules for Bluesky and for records has an example in its documentation, as their sources say.
//!
//! An implementation of a trait needs none: its documentation is that of the trait.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem, Type, UseTree, Visibility};

/// The modules for which the rule holds, and how many functions they have at least.
const MODULES: [(&str, usize); 2] = [("sdk/src/bsky", 200), ("sdk/src/records", 40)];

/// A function that others may call if the type, trait or function of this name is public.
struct Function {
    owner: String,
    name: String,
    file: PathBuf,
    has_example: bool,
}

#[derive(Default)]
struct Functions {
    /// What can be named from outside.
    public: BTreeSet<String>,
    all: Vec<Function>,
}

impl Functions {
    /// Reads the module whose source is a `mod.rs`.
    fn read(folder: &Path) -> Self {
        let mut functions = Self::default();
        functions.module(&folder.join("mod.rs"), true);
        functions
    }

    fn module(&mut self, file: &Path, is_public: bool) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.items(parsed.items, file, is_public);
    }

    fn items(&mut self, items: Vec<Item>, file: &Path, is_public: bool) {
        for item in items {
            match item {
                Item::Mod(it) if !is_left_out(&it.attrs) => {
                    let is_public = is_public && is_pub(&it.vis);
                    match it.content {
                        Some((_, items)) => self.items(items, file, is_public),
                        None => self.module(&file_of(file, &it.ident.to_string()), is_public),
                    }
                }
                Item::Use(it) if is_public && is_pub(&it.vis) => self.reexported(&it.tree, file),
                Item::Struct(it) => self.declared(&it.ident, is_public && is_pub(&it.vis)),
                Item::Enum(it) => self.declared(&it.ident, is_public && is_pub(&it.vis)),
                Item::Fn(it) if is_pub(&it.vis) => {
                    self.declared(&it.sig.ident, is_public);
                    self.function(&it.sig.ident, &it.sig.ident, &it.attrs, file);
                }
                Item::Trait(it) => {
                    self.declared(&it.ident, is_public && is_pub(&it.vis));
                    for inner in &it.items {
                        if let TraitItem::Fn(method) = inner {
                            self.function(&it.ident, &method.sig.ident, &method.attrs, file);
                        }
                    }
                }
                Item::Impl(it) if it.trait_.is_none() => {
                    let Type::Path(owner) = &*it.self_ty else { continue };
                    let owner = &owner.path.segments.last().unwrap().ident;
                    for inner in &it.items {
                        match inner {
                            ImplItem::Fn(method) if is_pub(&method.vis) => {
                                self.function(owner, &method.sig.ident, &method.attrs, file);
                            }
                            _ => {}
                        }
                    }
                }
                Item::Macro(it) => {
                    if let Some(name) = &it.ident {
                        self.macro_rules(&name.to_string(), &it.mac.tokens.to_string(), file);
                    }
                }
                _ => {}
            }
        }
    }

    fn declared(&mut self, name: &impl ToString, is_public: bool) {
        if is_public {
            self.public.insert(name.to_string());
        }
    }

    fn reexported(&mut self, tree: &UseTree, file: &Path) {
        match tree {
            UseTree::Path(it) => self.reexported(&it.tree, file),
            UseTree::Name(it) => self.declared(&it.ident, true),
            UseTree::Group(it) => it.items.iter().for_each(|tree| self.reexported(tree, file)),
            UseTree::Rename(_) | UseTree::Glob(_) => panic!("{}: name what is exported", file.display()),
        }
    }

    fn function(
        &mut self,
        owner: &impl ToString,
        name: &impl ToString,
        attributes: &[Attribute],
        file: &Path,
    ) {
        if is_hidden(attributes) {
            return;
        }
        let has_example = attributes.iter().filter_map(doc).any(|line| line.trim_start().starts_with("```"));
        let (owner, name) = (owner.to_string(), name.to_string());
        self.all.push(Function { owner, name, file: file.to_owned(), has_example });
    }

    /// The functions that a macro writes, which belong to public types. Their documentation is between the function before and
    /// their own name.
    fn macro_rules(&mut self, name: &str, tokens: &str, file: &Path) {
        let mut before = 0;
        for (at, _) in tokens.match_indices(" fn ") {
            let (documentation, rest) = tokens.split_at(at);
            let documentation = &documentation[before..];
            let declares =
                ["pub", "pub const", "pub async"].iter().any(|start| documentation.ends_with(start));
            if !declares {
                continue;
            }
            let function = rest[4..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            self.public.insert(name.to_owned());
            let has_example = documentation.contains("```");
            let (owner, function) = (name.to_owned(), function.to_owned());
            self.all.push(Function { owner, name: function, file: file.to_owned(), has_example });
            before = at;
        }
    }

    fn reachable(&self) -> impl Iterator<Item = &Function> {
        self.all.iter().filter(|function| self.public.contains(&function.owner))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The source of a module that is declared in this one.
fn file_of(declaring: &Path, module: &str) -> PathBuf {
    let folder = match declaring.file_name().unwrap().to_str().unwrap() {
        "mod.rs" => declaring.parent().unwrap().to_owned(),
        _ => declaring.with_extension(""),
    };
    let file = folder.join(format!("{module}.rs"));
    if file.exists() { file } else { folder.join(module).join("mod.rs") }
}

fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn lists(attributes: &[Attribute], name: &str, argument: &str) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .any(|attribute| matches!(&attribute.meta, Meta::List(list) if list.tokens.to_string() == argument))
}

/// Whether it is in no documentation.
fn is_left_out(attributes: &[Attribute]) -> bool {
    is_hidden(attributes) || lists(attributes, "cfg", "test") || lists(attributes, "cfg", "fuzzing")
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    lists(attributes, "doc", "hidden")
}

/// A line of documentation.
fn doc(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    match &meta.value {
        Expr::Lit(value) if meta.path.is_ident("doc") => match &value.lit {
            Lit::Str(line) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn every_public_function_has_an_example() {
    let mut missing = Vec::new();
    for (folder, least) in MODULES {
        let functions = Functions::read(&root().join(folder));
        let count = functions.reachable().count();
        assert!(count >= least, "{folder}: {count}");
        for function in functions.reachable().filter(|function| !function.has_example) {
            let file = function.file.strip_prefix(root()).unwrap().display();
            missing.push(format!("{file}: {}::{}", function.owner, function.name));
        }
    }
    assert!(
        missing.is_empty(),
        "show a use of these, for which a newcomer would look:\n{}",
        missing.join("\n")
    );
}

#[test]
fn functions_without_an_example_are_found() {
    let text = "
        mod inner { pub struct Public; pub struct Private; impl Public { /// Text.
            pub fn without() {}
            /// ```
            /// ```
            pub fn with() {}
            fn own() {}
            pub(crate) fn inside() {}
            #[doc(hidden)] pub fn hidden() {}
        } impl Private { pub fn unreachable() {} } impl Clone for Public { fn clone(&self) -> Self { Self } } }
        pub use inner::Public;
        pub fn free() {}
        pub trait Asked { fn asked(); }
        #[cfg(test)] mod tests { pub fn tested() {} }
        macro_rules! written { ($type:ty) => { impl $type {
            /// ```
            /// ```
            pub fn first() { other(); }
            /// Text.
            pub async fn second() {}
            fn third() {}
        } } }
    ";
    let mut functions = Functions::default();
    functions.items(syn::parse_file(text).unwrap().items, Path::new("mod.rs"), true);
    let found = |with: bool| -> Vec<&str> {
        functions
            .reachable()
            .filter(|function| function.has_example == with)
            .map(|it| it.name.as_str())
            .collect()
    };
    assert_eq!(found(true), ["with", "first"]);
    assert_eq!(found(false), ["without", "free", "asked", "second"]);
}
