//! The items with generated types that grant a scope, for messages.

use super::{
    Permission, RepoAction, RepoActions, Scope, Scopes, Transition,
    need::{Kind, of_permission},
};
use crate::xrpc::{Request, TransportError};

/// Segments of NSIDs that cannot be the name of a module without `r#`.
const KEYWORDS: [&str; 12] =
    ["type", "match", "move", "mod", "use", "ref", "loop", "for", "if", "in", "where", "let"];

impl Scopes {
    /// The scope that a request requires, if it is known which one.
    pub(crate) fn required_by(request: &Request) -> Option<String> {
        match Self::granted("").check(request, None) {
            Err(TransportError::MissingScope { scope, .. }) => Some(scope),
            _ => None,
        }
    }
}

/// The item that grants a scope in `scopes!`, such as `create::<app::bsky::feed::post::Post>()`. `None` if the scope is not
/// a single permission.
pub(crate) fn granting_item(scope: &str) -> Option<String> {
    let permission = match scope.parse::<Scope>().ok()? {
        Scope::Permission(permission) => permission,
        Scope::Transition(Transition::Generic) => return Some("transition(GENERIC)".to_owned()),
        Scope::Transition(Transition::ChatBsky) => return Some("transition(CHAT_BSKY)".to_owned()),
        _ => return None,
    };
    item_of(&permission)
}

fn item_of(permission: &Permission) -> Option<String> {
    let needs = of_permission(permission);
    let [need] = needs.as_slice() else { return None };
    Some(match need.0 {
        Kind::Repo { collection: "*", .. } => return None,
        Kind::Repo { collection, actions } => {
            let record = type_path(collection);
            let items: Vec<String> =
                functions(actions).iter().map(|function| format!("{function}::<{record}>()")).collect();
            items.join(", ")
        }
        Kind::Rpc { method: "*", audience } => format!("call_all(\"{audience}\")"),
        Kind::Rpc { method, audience: "*" } => format!("call::<{}>(ANY)", type_path(method)),
        Kind::Rpc { method, audience } => format!("call::<{}>(\"{audience}\")", type_path(method)),
        Kind::Blob { accept } => format!("upload(\"{accept}\")"),
        Kind::Account { attr, action } => {
            let function = if action.as_str() == "manage" { "manage" } else { "account" };
            format!("{function}({})", attr.as_str().to_ascii_uppercase())
        }
        Kind::Identity { attr } => {
            format!("identity({})", if attr.as_str() == "*" { "EVERYTHING" } else { "HANDLE" })
        }
        Kind::Include { set, audience: "", .. } => format!("include::<{}>()", type_path(set)),
        Kind::Include { set, audience, .. } => format!("include_for::<{}>(\"{audience}\")", type_path(set)),
        Kind::Transition(_) | Kind::Verbatim(_) => return None,
    })
}

/// The functions in `needs` for these actions.
fn functions(actions: RepoActions) -> Vec<&'static str> {
    let put = RepoActions::only(RepoAction::Create).and(RepoAction::Update);
    if actions.same(RepoActions::ALL) {
        return vec!["write"];
    }
    if actions.same(put) {
        return vec!["put"];
    }
    actions
        .iter()
        .map(|action| match action {
            RepoAction::Create => "create",
            RepoAction::Update => "update",
            RepoAction::Delete => "delete",
        })
        .collect()
}

/// The path of the type that the generator makes of the main definition of a document, below the root of the bindings.
fn type_path(nsid: &str) -> String {
    let mut path = String::with_capacity(nsid.len() * 2);
    for segment in nsid.split('.') {
        let module = words(segment).join("_").to_ascii_lowercase();
        if KEYWORDS.contains(&module.as_str()) {
            path.push_str("r#");
        }
        path.push_str(&module);
        path.push_str("::");
    }
    for word in words(nsid.rsplit('.').next().unwrap_or_default()) {
        let (first, rest) = word.split_at(word.len().min(1));
        path.push_str(&first.to_ascii_uppercase());
        path.push_str(&rest.to_ascii_lowercase());
    }
    path
}

/// The words of a name: `getURLsOf` has `get`, `UR`, `Ls`, `Of`. Segments of NSIDs are ASCII.
fn words(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let (mut words, mut start) = (Vec::new(), 0);
    for at in 0..bytes.len() {
        if bytes[at] == b'-' {
            words.push(&name[start..at]);
            start = at + 1;
            continue;
        }
        let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
        let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
        if at > start && upper(at) && (!upper(at - 1) || lower(at + 1)) {
            words.push(&name[start..at]);
            start = at;
        }
    }
    words.push(&name[start..]);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        app::bsky::{
            auth_create_posts::AuthCreatePosts, feed::post::Post, feed::search_posts_v2::SearchPostsV2,
        },
        com::atproto::{identity::resolve_did::ResolveDid, server::get_session::GetSession},
    };

    /// What the compiler calls a type, below the root of the bindings.
    fn real<T>() -> &'static str {
        let name = std::any::type_name::<T>();
        name.split_once("::api::").map_or(name, |(_, path)| path)
    }

    #[test]
    fn o46_the_item_that_grants_a_scope_names_the_generated_type() {
        let item = |scope| granting_item(scope).unwrap_or_default();
        assert_eq!(item("repo:app.bsky.feed.post?action=create"), format!("create::<{}>()", real::<Post>()));
        assert_eq!(item("repo:app.bsky.feed.post"), format!("write::<{}>()", real::<Post>()));
        assert_eq!(
            item("repo:app.bsky.feed.post?action=create&action=update"),
            format!("put::<{}>()", real::<Post>())
        );
        assert_eq!(
            item("repo:app.bsky.feed.post?action=create&action=delete"),
            format!("create::<{0}>(), delete::<{0}>()", real::<Post>())
        );
        assert_eq!(
            item("rpc:app.bsky.feed.searchPostsV2?aud=*"),
            format!("call::<{}>(ANY)", real::<SearchPostsV2>())
        );
        assert_eq!(
            item("rpc:com.atproto.identity.resolveDid?aud=did:web:a.example%23x"),
            format!("call::<{}>(\"did:web:a.example#x\")", real::<ResolveDid>())
        );
        assert_eq!(
            item("include:app.bsky.authCreatePosts"),
            format!("include::<{}>()", real::<AuthCreatePosts>())
        );
        assert_eq!(type_path("com.atproto.server.getSession"), real::<GetSession>());
        assert_eq!(type_path("com.example.type"), "com::example::r#type::Type");
        assert_eq!(item("blob:image/png"), "upload(\"image/png\")");
        assert_eq!(item("account:email?action=manage"), "manage(EMAIL)");
        assert_eq!(item("account:email"), "account(EMAIL)");
        assert_eq!(item("identity:*"), "identity(EVERYTHING)");
        assert_eq!(item("transition:chat.bsky"), "transition(CHAT_BSKY)");
        for none in ["repo:*", "atproto", "repo?collection=a.b.c&collection=a.b.d", "nonsense", ""] {
            assert_eq!(granting_item(none), None, "{none}");
        }
    }

    #[test]
    fn o46_what_a_request_requires_is_known_without_its_scopes() {
        let request = |nsid: &str| Request::new(crate::xrpc::Kind::Procedure, nsid);
        let write = request("com.atproto.repo.deleteRecord").with_body(r#"{"collection": "a.b.note"}"#);
        assert_eq!(Scopes::required_by(&write).as_deref(), Some("repo:a.b.note?action=delete"));
        assert_eq!(Scopes::required_by(&request("com.atproto.server.getSession")), None);
    }
}
