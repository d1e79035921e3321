//! Subscriptions: their parameters, messages and errors.

use super::{
    Docs, Item, Message, Messages, RustType, Subscription, Union, build::ModuleBuilder, method, plain::plain,
};
use crate::document::{self, DefId, Definition, Object, Schema, Type};

/// The name of the union of messages.
const MESSAGE: &str = "Message";

pub(super) fn subscription(
    builder: &mut ModuleBuilder<'_>,
    docs: Docs,
    it: &document::Subscription,
) -> Subscription {
    let params = method::params(builder, it.parameters.as_ref());
    messages(builder, it.message.as_ref());
    let errors = method::errors(builder, &it.errors);
    let named = it.subprotocol.as_deref();
    let subprotocol = document::SUBPROTOCOLS.into_iter().find(|known| named == Some(known));
    Subscription { name: builder.name(), docs, subprotocol, params, errors }
}

/// The union of the messages. There is one whatever the lexicon says today, and it is always open: servers may send what
/// the lexicon does not name, and streams go on (E2).
fn messages(builder: &mut ModuleBuilder<'_>, message: Option<&document::Message>) {
    let nsid = builder.document.id.clone();
    let docs = Docs::of(format!("The messages of `{nsid}`."));
    let none = document::Union { refs: Vec::new(), closed: false };
    let (docs, schema) = match message {
        Some(it) => (docs.and_described(it.description.as_deref()), &it.schema),
        None => (docs.and("The lexicon names none: every message is an `Other`."), &none),
    };
    let targets = builder.targets(schema);
    let variants = builder.variants(&targets);
    let messages = targets
        .iter()
        .zip(&variants)
        .map(|(target, variant)| message_of(builder, target, variant.name.clone()))
        .collect();
    let union = Union { name: MESSAGE.to_owned(), docs, closed: false, variants };
    builder.items.push(Item::Messages(Messages { union, messages }));
}

/// What is read of a message, whatever else is in it.
fn message_of(builder: &ModuleBuilder<'_>, target: &DefId, variant: String) -> Message {
    // Headers name the lexicon's own definitions without its NSID.
    let is_own = target.nsid == builder.document.id;
    let mut tags = vec![target.to_string()];
    if is_own {
        tags.insert(0, format!("#{}", target.name));
    }
    let mut message = Message { variant, tags, seq: None, time: None, account: None };
    let object = match builder.context.catalog.definition(target) {
        Some(Definition::Record(record)) => &record.object,
        Some(Definition::Schema(Schema { ty: Type::Object(object), .. })) => object,
        _ => return message,
    };
    let idents = builder.field_idents(target, object, "");
    let field = |key: &str, is_wanted: &dyn Fn(RustType) -> bool| {
        let ty = plain(behind(builder, object, key, &target.nsid)?)?;
        is_wanted(ty).then(|| idents.get(key).cloned()).flatten()
    };
    let is_did = |ty| ty == RustType::Runtime("Did");
    message.seq = field("seq", &|ty| ty == RustType::Integer);
    message.time = field("time", &|ty| ty == RustType::Runtime("Datetime"));
    message.account = field("did", &is_did).or_else(|| field("repo", &is_did));
    message
}

/// The type of a field, under whatever name.
fn behind<'a>(builder: &ModuleBuilder<'a>, object: &'a Object, key: &str, nsid: &str) -> Option<&'a Type> {
    let mut nsid = nsid.to_owned();
    let mut ty = &object.properties.get(key)?.ty;
    // The catalog has ended circles of names.
    while let Type::Ref(reference) = ty {
        let target = reference.resolve(&nsid);
        let Definition::Schema(schema) = builder.context.catalog.definition(&target)? else { return None };
        (ty, nsid) = (&schema.ty, target.nsid);
    }
    Some(ty)
}
