//! Properties of random permissions.

use super::super::*;
use crate::types::Nsid;

/// An xorshift generator, which returns the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }

    fn some<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        (0..=self.roll(4)).map(|_| self.pick(from)).collect()
    }

    fn nsid(&mut self) -> Nsid {
        let name = self.pick(&["a", "b", "longerName", "c2"]);
        Nsid::new(format!("{}.{name}", self.pick(&["com.example", "org.example.x-y", "a.b"]))).unwrap()
    }

    fn service(&mut self) -> Service {
        let all = [
            "did:web:example.com#x",
            "did:web:localhost%3A80#a+b",
            "did:plc:ewvi7nxzyoun6zhxrhs64oiz#a&b=c?d/%20!~",
        ];
        Service::new(self.pick(&all)).unwrap()
    }

    fn actions(&mut self) -> RepoActions {
        self.some(RepoAction::ALL).into_iter().map(RepoActions::only).reduce(RepoActions::union).unwrap()
    }

    fn mime(&mut self) -> MimePattern {
        let all = ["*/*", "image/*", "image/png", "image/svg+xml", "video/*", "a/b$c&d", "text/plain", "a/*"];
        let at = self.roll(all.len() + 4).max(4) - 4;
        MimePattern::new(all[at]).unwrap()
    }

    fn permission(&mut self) -> Permission {
        match self.roll(8) {
            0 | 1 => {
                let first = RepoPermission::of(self.nsid(), self.actions());
                (0..self.roll(4)).fold(first, |it, _| it.and(self.nsid())).into()
            }
            2 => RepoPermission::all(self.actions()).into(),
            3 => {
                let audience = if self.roll(2) == 0 { Audience::Any } else { self.service().into() };
                let first = RpcPermission::of(self.nsid(), audience);
                (0..self.roll(4)).fold(first, |it, _| it.and(self.nsid())).into()
            }
            4 => match self.roll(3) {
                0 => RpcPermission::all(self.service()).into(),
                _ => RpcPermission::of(self.nsid(), self.service()).into(),
            },
            5 => {
                let first = BlobPermission::new(self.mime());
                (0..self.roll(3)).fold(first, |it, _| it.and(self.mime())).into()
            }
            6 => match self.roll(2) {
                0 => Permission::Identity {
                    attr: self.pick(&[IdentityAttribute::Handle, IdentityAttribute::Everything]),
                },
                _ => Permission::Account {
                    attr: self.pick(&[
                        AccountAttribute::Email,
                        AccountAttribute::Repo,
                        AccountAttribute::Status,
                    ]),
                    action: self.pick(&[AccountAction::Read, AccountAction::Manage]),
                },
            },
            _ => {
                let audience = (self.roll(2) == 0).then(|| self.service());
                Permission::Include { set: self.nsid(), audience }
            }
        }
    }

    fn scopes(&mut self) -> Scopes {
        let mut scopes = Scopes::new();
        scopes.extend((0..self.roll(8)).map(|_| self.permission()));
        scopes
    }
}

#[test]
fn o42_printing_and_parsing_a_permission_gives_the_same() {
    let mut dice = Dice(42);
    for _ in 0..5000 {
        let permission = dice.permission();
        let text = permission.to_string();
        assert_eq!(text.parse::<Permission>().unwrap(), permission, "{text}");
        assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        let scopes = dice.scopes();
        assert_eq!(scopes.to_string().parse::<Scopes>().unwrap(), scopes);
    }
}

#[test]
fn o42_any_order_any_encoding_and_any_form_give_the_canonical_one() {
    let mut dice = Dice(7);
    for _ in 0..2000 {
        let permission = dice.permission();
        let text = permission.to_string();
        let (head, query) = text.split_once('?').unwrap_or((&text, ""));
        let mut pairs: Vec<String> =
            query.split('&').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let mut head = head.to_owned();
        if let Some((resource, value)) = head.clone().split_once(':')
            && dice.roll(2) == 0
        {
            let name = match resource {
                "repo" => "collection",
                "rpc" => "lxm",
                "blob" => "accept",
                "include" => "nsid",
                _ => "attr",
            };
            pairs.push(format!("{name}={}", value.replace('+', "%2B")));
            head = resource.to_owned();
        }
        let at = dice.roll(pairs.len() + 1);
        pairs.rotate_left(at);
        let loose = if pairs.is_empty() { head } else { format!("{head}?{}", pairs.join("&")) };
        let dots = if dice.roll(2) == 0 { loose.replace('.', "%2e") } else { loose };
        assert_eq!(dots.parse::<Permission>().unwrap(), permission, "{dots}");
    }
}

#[test]
fn o42_random_texts_are_parsed_to_something_stable_or_refused() {
    let mut dice = Dice(99);
    let pieces = [
        "repo",
        "rpc",
        "blob",
        "account",
        "identity",
        "include",
        ":",
        "?",
        "&",
        "=",
        "%2A",
        "*",
        "a.b.c",
        "aud",
        "lxm",
        "action",
        "collection",
        "accept",
        "attr",
        "create",
        "manage",
        "email",
        "handle",
        "image/*",
        "+",
        "%",
        "%00",
        "did:web:a.b%23c",
        "nsid",
        "é",
        "#",
    ];
    for _ in 0..20_000 {
        let text = dice.some(&pieces).concat() + &dice.some(&pieces).concat();
        if let Ok(scope) = text.parse::<Scope>() {
            let printed = scope.to_string();
            assert_eq!(printed.parse::<Scope>().unwrap(), scope, "{text} {printed}");
        }
    }
}

/// All needs with the vocabulary above.
fn all_needs() -> Vec<Permission> {
    let mut dice = Dice(5);
    (0..400).map(|_| dice.permission()).collect()
}

#[test]
fn the_minimal_scopes_grant_the_same_and_are_not_longer() {
    let mut dice = Dice(1234);
    let needs = all_needs();
    for _ in 0..600 {
        let scopes = dice.scopes();
        let minimal = scopes.minimal();
        for need in &needs {
            // A set with a service includes the set without one.
            if matches!(need, Permission::Include { .. }) {
                continue;
            }
            assert_eq!(scopes.grant(need), minimal.grant(need), "{need}: {scopes} / {minimal}");
        }
        for scope in &scopes {
            assert_eq!(minimal.grant(scope), Grant::Granted, "{scope}: {minimal}");
        }
        let text = minimal.to_string();
        assert!(text.len() <= scopes.to_string().len(), "{scopes} / {text}");
        assert_eq!(minimal.minimal().to_string(), text);
        assert_eq!(text.parse::<Scopes>().unwrap().to_string(), text, "it is canonical");
        assert!(minimal.iter().all(|scope| !matches!(scope, Scope::Unknown(_))), "{text}");
    }
}
