//! The sign-in that asks for a scope which a session lacks.

use crate::scopes::{Permission, Scope, Scopes};

/// The scope to request for a session that lacks `missing`: what is requested anyway, and what the app may request that
/// allows it. Every part is one of the client metadata, because servers compare them as text.
///
/// `usual` is the scope of every sign-in, `had` that of the session. Returns `None` if the metadata do not allow what is
/// missing, so that no sign-in can help.
pub(super) fn wider_scope(metadata: &str, usual: Option<&str>, had: &str, missing: &str) -> Option<String> {
    let (missing, usual) = (Scopes::granted(missing), usual.unwrap_or(metadata));
    let parts = || metadata.split(' ').filter(|part| !part.is_empty());
    // `Unknown` stands for a permission set, which may contain it.
    let needed: Vec<Scope> =
        missing.iter().filter(|scope| **scope != Scope::Atproto).flat_map(single).collect();
    let gives = |part: &str, need: &Scope| Scopes::granted(part).allows(need);
    if !needed.iter().all(|need| parts().any(|part| gives(part, need))) {
        return None;
    }
    let asked = |part: &&str| {
        let is_old = usual.split(' ').chain(had.split(' ')).any(|old| old == *part);
        is_old || needed.iter().any(|need| gives(part, need))
    };
    Some(parts().filter(asked).collect::<Vec<_>>().join(" "))
}

/// The needs of a scope one by one, because different parts of the metadata may meet them.
fn single(scope: &Scope) -> Vec<Scope> {
    match scope {
        Scope::Permission(Permission::Repo(it)) => it.by_action().map(Scope::from).collect(),
        _ => vec![scope.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::wider_scope;

    const APP: &str = "atproto repo:a.b.note?action=create repo:a.b.note?action=delete repo:a.b.like blob:image/* \
        rpc:a.b.get?aud=*";

    #[test]
    fn o46_what_is_requested_is_the_usual_scope_and_what_allows_the_call() {
        for (missing, asked) in [
            ("repo:a.b.like?action=create", "atproto repo:a.b.like"),
            ("blob:image/png", "atproto blob:image/*"),
            (
                "repo:a.b.note?action=create&action=delete",
                "atproto repo:a.b.note?action=create repo:a.b.note?action=delete",
            ),
            ("rpc:a.b.get?aud=did:web:x.example%23y", "atproto rpc:a.b.get?aud=*"),
        ] {
            assert_eq!(wider_scope(APP, Some("atproto"), "", missing).as_deref(), Some(asked), "{missing}");
            assert_eq!(wider_scope(APP, None, "", missing).as_deref(), Some(APP), "{missing}");
        }
    }

    #[test]
    fn o46_a_session_keeps_what_it_had() {
        let asked = wider_scope(
            APP,
            Some("atproto"),
            "atproto blob:image/* repo:gone",
            "repo:a.b.like?action=update",
        );
        assert_eq!(asked.as_deref(), Some("atproto repo:a.b.like blob:image/*"));
    }

    #[test]
    fn o46_no_sign_in_is_offered_for_what_the_app_may_not_request() {
        for missing in [
            "repo:a.b.other?action=create",
            "blob:video/mp4",
            "account:email",
            "repo:a.b.note?action=update",
            "repo:*",
        ] {
            assert_eq!(wider_scope(APP, None, APP, missing), None, "{missing}");
        }
        // A permission set may contain it, which only the server knows.
        let with_set = "atproto include:a.b.set";
        assert_eq!(
            wider_scope(with_set, Some("atproto"), "", "repo:a.b.x?action=create").as_deref(),
            Some(with_set)
        );
    }
}
