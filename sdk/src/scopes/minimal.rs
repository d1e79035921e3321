//! Computes the shortest scope for given needs. All functions are `const` so that they can run at compile time, which is why
//! they loop over bytes. [`Scopes::minimal`](super::Scopes::minimal) uses them at run time.

use super::{
    account::AccountAction,
    audience, mime,
    need::{Kind, Need},
    repo::{RepoAction, RepoActions},
    syntax::{hex, is_plain},
};

/// Every scope starts with it.
const ATPROTO: &[u8] = b"atproto";

/// A buffer that counts bytes even if they do not fit.
struct Out<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl Out<'_> {
    const fn byte(&mut self, byte: u8) {
        if self.length < self.buffer.len() {
            self.buffer[self.length] = byte;
        }
        self.length += 1;
    }

    const fn bytes(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    const fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    const fn escaped(&mut self, text: &str, in_query: bool) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.escaped_byte(bytes[at], in_query);
            at += 1;
        }
    }

    const fn escaped_byte(&mut self, byte: u8, in_query: bool) {
        if is_plain(byte, in_query) {
            return self.byte(byte);
        }
        self.byte(b'%');
        self.byte(hex(byte >> 4));
        self.byte(hex(byte & 15));
    }

    /// Writes the separator and `action=create` and so on, unless all actions are included.
    const fn actions(&mut self, actions: RepoActions, mut separator: u8) {
        let mut at = 0;
        while at < 3 && !actions.same(RepoActions::ALL) {
            if actions.contains(RepoAction::ALL[at]) {
                self.byte(separator);
                self.text("action=");
                self.text(RepoAction::ALL[at].as_str());
                separator = b'&';
            }
            at += 1;
        }
    }
}

/// Properties of a need that are computed once, so that the work remains small for long lists.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// Whether another need includes it.
    covered: bool,
    /// The actions on its collection in all needs.
    actions: Option<RepoActions>,
}

impl Mark {
    /// The mark before it is computed.
    pub(super) const NONE: Self = Self { covered: false, actions: None };
}

/// Computes the marks, one for each need.
pub(super) const fn mark(needs: &[Need<'_>], marks: &mut [Mark]) {
    let mut at = 0;
    while at < needs.len() {
        marks[at].covered = is_covered(needs, at);
        if let Kind::Repo { collection, .. } = needs[at].0 {
            marks[at].actions = actions(needs, collection);
        }
        at += 1;
    }
}

/// The length of the words, each followed by a space. This is the length of the scope without `atproto`.
pub(super) const fn words_length(needs: &[Need<'_>], marks: &[Mark]) -> usize {
    let mut out = Out { buffer: &mut [], length: 0 };
    words(needs, marks, &mut out);
    out.length
}

/// The length of the scope whose words have this length.
pub(super) const fn text_length(words: usize) -> usize {
    ATPROTO.len() + words
}

/// Writes the words, each followed by a space.
pub(super) const fn write_words(needs: &[Need<'_>], marks: &[Mark], buffer: &mut [u8]) {
    words(needs, marks, &mut Out { buffer, length: 0 });
}

/// Writes `atproto` and the sorted words.
pub(super) const fn write_text(words: &[u8], buffer: &mut [u8]) {
    let mut out = Out { buffer, length: 0 };
    out.bytes(ATPROTO);
    let (mut from, mut to) = (0, 0);
    loop {
        // The smallest word that is greater than the last one. There are no duplicates.
        let (last_from, last_to) = (from, to);
        let (mut found, mut at) = (false, 0);
        while at < words.len() {
            let mut end = at;
            while words[end] != b' ' {
                end += 1;
            }
            let is_next = last_to == 0 || precedes(words, (last_from, last_to), (at, end));
            if is_next && (!found || precedes(words, (at, end), (from, to))) {
                (from, to, found) = (at, end, true);
            }
            at = end + 1;
        }
        if !found {
            return;
        }
        out.byte(b' ');
        let mut at = from;
        while at < to {
            out.byte(words[at]);
            at += 1;
        }
    }
}

/// Whether a word sorts before another. Both are ranges of a text.
const fn precedes(text: &[u8], one: (usize, usize), other: (usize, usize)) -> bool {
    let mut at = 0;
    while one.0 + at < one.1 && other.0 + at < other.1 {
        let (a, b) = (text[one.0 + at], text[other.0 + at]);
        if a != b {
            return a < b;
        }
        at += 1;
    }
    one.1 - one.0 < other.1 - other.0
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len()
}

const fn less(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    if at < a.len() && at < b.len() { a[at] < b[at] } else { a.len() < b.len() }
}

/// Writes a word for each need, or group of needs, that is not covered by another.
const fn words(needs: &[Need<'_>], marks: &[Mark], out: &mut Out<'_>) {
    let mut at = 0;
    while at < needs.len() {
        if !marks[at].covered {
            let before = out.length;
            word(needs, marks, at, out);
            if out.length > before {
                out.byte(b' ');
            }
        }
        at += 1;
    }
}

/// Whether another need includes this one. Of equal needs, the first one is not covered.
const fn is_covered(needs: &[Need<'_>], at: usize) -> bool {
    if let Kind::Repo { collection, .. } = needs[at].0 {
        return is_collection_covered(needs, at, collection);
    }
    let mut other = 0;
    while other < needs.len() {
        let (one, more) = (needs[at].0, needs[other].0);
        if other != at && covers(more, one) && (other < at || !covers(one, more)) {
            return true;
        }
        other += 1;
    }
    false
}

/// Whether a need includes another one, for all resources except `repo`.
const fn covers(more: Kind<'_>, one: Kind<'_>) -> bool {
    match (more, one) {
        (Kind::Rpc { method: m, audience: a }, Kind::Rpc { method, audience }) => {
            (same(m, "*") || same(m, method)) && (same(a, "*") || same(a, audience))
        }
        (Kind::Blob { accept: pattern }, Kind::Blob { accept }) => mime::covers(pattern, accept),
        (Kind::Account { attr: a, action: can }, Kind::Account { attr, action }) => {
            a as u8 == attr as u8 && (matches!(can, AccountAction::Manage) || can as u8 == action as u8)
        }
        (Kind::Identity { attr: a }, Kind::Identity { attr }) => a.covers(attr),
        (Kind::Include { set: s, audience: a, .. }, Kind::Include { set, audience, .. }) => {
            same(s, set) && (audience.is_empty() || same(a, audience))
        }
        (Kind::Transition(a), Kind::Transition(b)) => a as u8 == b as u8,
        (Kind::Verbatim(a), Kind::Verbatim(b)) => same(a, b),
        _ => false,
    }
}

/// The actions on a collection in all needs, or `None` if there are none.
const fn actions(needs: &[Need<'_>], of: &str) -> Option<RepoActions> {
    let (mut all, mut at) = (None, 0);
    while at < needs.len() {
        if let Kind::Repo { collection, actions } = needs[at].0
            && same(collection, of)
        {
            all = match all {
                Some(before) => Some(actions.union(before)),
                None => Some(actions),
            };
        }
        at += 1;
    }
    all
}

/// Whether an earlier need has the same collection, or `*` includes all actions on it.
const fn is_collection_covered(needs: &[Need<'_>], at: usize, of: &str) -> bool {
    let mut earlier = 0;
    while earlier < at {
        if let Kind::Repo { collection, .. } = needs[earlier].0
            && same(collection, of)
        {
            return true;
        }
        earlier += 1;
    }
    match (actions(needs, of), actions(needs, "*")) {
        (Some(some), Some(all)) => !same(of, "*") && all.covers(some),
        _ => false,
    }
}

const fn word(needs: &[Need<'_>], marks: &[Mark], at: usize, out: &mut Out<'_>) {
    match needs[at].0 {
        Kind::Repo { collection, .. } => repo(needs, marks, at, collection, out),
        Kind::Rpc { audience, .. } => rpc(needs, marks, at, audience, out),
        Kind::Blob { accept } => {
            out.text("blob:");
            let bytes = accept.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                out.escaped_byte(bytes[at].to_ascii_lowercase(), false);
                at += 1;
            }
        }
        Kind::Account { attr, action } => {
            out.text("account:");
            out.text(attr.as_str());
            if matches!(action, AccountAction::Manage) {
                out.text("?action=manage");
            }
        }
        Kind::Identity { attr } => {
            out.text("identity:");
            out.text(attr.as_str());
        }
        Kind::Include { set, audience, .. } => {
            out.text("include:");
            out.text(set);
            if !audience.is_empty() {
                out.text("?aud=");
                out.escaped(audience, true);
            }
        }
        Kind::Transition(it) => out.text(it.as_str()),
        Kind::Verbatim(it) => out.text(it),
    }
}

/// Writes a word for a collection, or for all collections with the same actions if that is shorter.
const fn repo(needs: &[Need<'_>], marks: &[Mark], at: usize, collection: &str, out: &mut Out<'_>) {
    let Some(these) = marks[at].actions else { return };
    let mut suffix = Out { buffer: &mut [], length: 0 };
    suffix.actions(these, b'?');
    let mut members = 0;
    let mut first = at;
    let mut other = 0;
    while other < needs.len() {
        if is_member(needs, marks, other, these) {
            if members == 0 {
                first = other;
            }
            members += 1;
        }
        other += 1;
    }
    // Separately, each needs `repo:` and the actions. Together, they need `repo?` and the actions once, and `collection=` each.
    if members < 2 || members * (5 + suffix.length) <= 5 + members * 11 + suffix.length {
        out.text("repo:");
        out.escaped(collection, false);
        return out.actions(these, b'?');
    }
    if at != first {
        return;
    }
    out.text("repo");
    let mut separator = b'?';
    let mut last = "";
    while let Some(next) = next_collection(needs, marks, these, last) {
        out.byte(separator);
        out.text("collection=");
        out.escaped(next, true);
        separator = b'&';
        last = next;
    }
    out.actions(these, b'&');
}

/// Whether a need represents its collection, and the actions on that are exactly these.
const fn is_member(needs: &[Need<'_>], marks: &[Mark], at: usize, these: RepoActions) -> bool {
    match (needs[at].0, marks[at]) {
        (Kind::Repo { collection, .. }, Mark { covered: false, actions: Some(all) }) => {
            all.same(these) && !same(collection, "*")
        }
        _ => false,
    }
}

const fn next_collection<'a>(
    needs: &[Need<'a>],
    marks: &[Mark],
    these: RepoActions,
    last: &str,
) -> Option<&'a str> {
    let (mut next, mut at) = (None, 0);
    while at < needs.len() {
        if let Kind::Repo { collection, .. } = needs[at].0
            && is_member(needs, marks, at, these)
        {
            next = smaller(next, collection, last);
        }
        at += 1;
    }
    next
}

/// The smaller of two names, of which `candidate` counts only if it is greater than `last`.
const fn smaller<'a>(found: Option<&'a str>, candidate: &'a str, last: &str) -> Option<&'a str> {
    match found {
        _ if !less(last, candidate) => found,
        Some(found) if !less(candidate, found) => Some(found),
        _ => Some(candidate),
    }
}

/// Writes one word for all methods with an audience, which is always shorter than one for each.
const fn rpc(needs: &[Need<'_>], marks: &[Mark], at: usize, audience: &str, out: &mut Out<'_>) {
    let mut earlier = 0;
    while earlier < at {
        if is_method_of(needs, marks, earlier, audience).is_some() {
            return;
        }
        earlier += 1;
    }
    out.text("rpc");
    let Some(first) = next_method(needs, marks, audience, "") else { return };
    let mut separator = b'?';
    if next_method(needs, marks, audience, first).is_none() {
        out.byte(b':');
        out.escaped(first, false);
    } else {
        let mut next = Some(first);
        while let Some(method) = next {
            out.byte(separator);
            out.text("lxm=");
            out.escaped(method, true);
            separator = b'&';
            next = next_method(needs, marks, audience, method);
        }
    }
    out.byte(separator);
    out.text("aud=");
    out.escaped(audience, true);
}

const fn is_method_of<'a>(needs: &[Need<'a>], marks: &[Mark], at: usize, of: &str) -> Option<&'a str> {
    match needs[at].0 {
        Kind::Rpc { method, audience } if !marks[at].covered && same(audience, of) => Some(method),
        _ => None,
    }
}

const fn next_method<'a>(needs: &[Need<'a>], marks: &[Mark], of: &str, last: &str) -> Option<&'a str> {
    let (mut next, mut at) = (None, 0);
    while at < needs.len() {
        if let Some(method) = is_method_of(needs, marks, at, of) {
            next = smaller(next, method, last);
        }
        at += 1;
    }
    next
}

/// Checks the strings in a need.
pub(super) const fn check(need: &Need<'_>) -> Result<(), &'static str> {
    match need.0 {
        Kind::Rpc { method, audience } => match (same(method, "*"), same(audience, "*")) {
            (true, true) => {
                Err("all methods of any service cannot be granted; name the methods or the service")
            }
            (false, true) => Ok(()),
            (_, false) => audience::check(audience),
        },
        Kind::Include { audience, .. } if !audience.is_empty() => audience::check(audience),
        Kind::Blob { accept } => mime::check(accept),
        _ => Ok(()),
    }
}
