//! What must not be shown in `Debug` output, by the names of fields.

use std::fmt::{self, Write as _};

use super::{Unknown, Value, codec::Kind, codec::Reader};

/// What is shown in the place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Last words of names whose values are secrets, whatever stands before them.
const ALWAYS: [&str; 17] = [
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "jwt",
    "jwts",
    "mnemonic",
    "otp",
    "passphrase",
    "password",
    "passwords",
    "passwd",
    "secret",
    "secrets",
    "token",
    "tokens",
];

/// What makes a code a secret: the others are those of countries, languages and errors.
const CODES: [&str; 18] = [
    "access",
    "activation",
    "auth",
    "authorization",
    "backup",
    "confirmation",
    "device",
    "email",
    "invitation",
    "invite",
    "login",
    "otp",
    "phone",
    "recovery",
    "reset",
    "security",
    "sms",
    "verification",
];

/// What makes a key a secret: the others are public ones, and names of settings and records.
const KEYS: [&str; 12] = [
    "access",
    "api",
    "auth",
    "client",
    "encryption",
    "license",
    "master",
    "private",
    "recovery",
    "secret",
    "service",
    "session",
];

/// Whether the value of a field with this name is to be hidden: passwords, tokens, keys that are not public, and codes that
/// let somebody in. The last word of the name says what the field is; `tokenRequired` is no token.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.trim_end_matches(|last: char| last.is_ascii_digit() || !last.is_ascii_alphanumeric());
    let (before, last) = split_last_word(name);
    let (_, qualifier) = split_last_word(before);
    let is_in = |words: &[&str], word: &str| words.iter().any(|it| it.eq_ignore_ascii_case(word));
    is_in(&ALWAYS, last)
        || (is_in(&["code", "codes"], last) && (qualifier.is_empty() || is_in(&CODES, qualifier)))
        || (is_in(&["key", "keys"], last) && is_in(&KEYS, qualifier))
        || (is_in(&["hash"], last) && is_in(&ALWAYS, qualifier))
        // Written as one word.
        || is_in(&["apikey", "apikeys", "accesstoken", "refreshtoken", "secretkey", "privatekey"], last)
}

/// The last word of a name in camel case, snake case or kebab case, and what stands before it.
fn split_last_word(name: &str) -> (&str, &str) {
    let name = name.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    let bytes = name.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1].is_ascii_alphanumeric() {
        start -= 1;
        let is_capital = bytes[start].is_ascii_uppercase();
        let is_behind_small = start > 0 && !bytes[start - 1].is_ascii_uppercase();
        // `accessJWT` ends in a word of capitals.
        let is_before_small = bytes.get(start + 1).is_some_and(u8::is_ascii_lowercase);
        if is_capital && (is_behind_small || is_before_small) {
            break;
        }
    }
    name.split_at_checked(start).unwrap_or(("", name))
}

/// Data without a lexicon, by its fields' names. `is_hidden` is for what the name of a field around it says.
pub(super) struct ShownUnknown<'a> {
    pub(super) value: &'a Unknown,
    pub(super) is_hidden: bool,
}

impl fmt::Debug for ShownUnknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = self.value.as_json();
        // It has been checked, so nothing is wrong with it.
        show(&mut Reader::json(&json), self.is_hidden, f).unwrap_or_else(|_| f.write_str(HIDDEN))
    }
}

/// Writes the next value as it stands in the text, without its secrets.
fn show(
    reader: &mut Reader<'_>,
    is_hidden: bool,
    f: &mut fmt::Formatter<'_>,
) -> Result<fmt::Result, super::DataError> {
    match reader.peek()? {
        Kind::Map => {
            let mut written = f.write_char('{');
            let mut entries = reader.enter_map()?;
            let mut is_first = true;
            while let Some(key) = reader.next_key(&mut entries)? {
                let comma = if std::mem::take(&mut is_first) { "" } else { "," };
                written = written.and_then(|()| write!(f, "{comma}{}:", serde_json::Value::from(&*key)));
                // These are no fields: they stand for one value.
                let hides = is_secret(&key) || (is_hidden && matches!(&*key, "$bytes" | "$link"));
                written = written.and(show(reader, hides, f)?);
            }
            Ok(written.and_then(|()| f.write_char('}')))
        }
        Kind::List => {
            let mut written = f.write_char('[');
            let mut entries = reader.enter_list()?;
            let mut is_first = true;
            while reader.next_item(&mut entries)? {
                let comma = if std::mem::take(&mut is_first) { "" } else { "," };
                written = written.and_then(|()| f.write_str(comma)).and(show(reader, is_hidden, f)?);
            }
            Ok(written.and_then(|()| f.write_char(']')))
        }
        kind => {
            let text = reader.skipped()?;
            let is_shown = !is_hidden || matches!(kind, Kind::Null | Kind::Boolean);
            Ok(f.write_str(if is_shown { text } else { HIDDEN }))
        }
    }
}

/// A tree, by its fields' names.
pub(super) struct ShownValue<'a> {
    pub(super) value: &'a Value,
    pub(super) is_hidden: bool,
}

impl fmt::Debug for ShownValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, is_hidden } = *self;
        let hidden = |f: &mut fmt::Formatter<'_>| f.write_str(HIDDEN);
        match value {
            Value::Null => f.write_str("Null"),
            Value::Boolean(value) => f.debug_tuple("Boolean").field(value).finish(),
            Value::List(list) => {
                let items: Vec<_> = list.iter().map(|value| ShownValue { value, is_hidden }).collect();
                f.debug_tuple("List").field(&items).finish()
            }
            Value::Map(map) => f.debug_tuple("Map").field(&ShownMap(map)).finish(),
            _ if is_hidden => hidden(f),
            Value::Integer(value) => f.debug_tuple("Integer").field(value).finish(),
            Value::Text(value) => f.debug_tuple("Text").field(value).finish(),
            Value::Bytes(value) => f.debug_tuple("Bytes").field(value).finish(),
            Value::Link(value) => f.debug_tuple("Link").field(value).finish(),
            Value::Blob(value) => f.debug_tuple("Blob").field(value).finish(),
        }
    }
}

struct ShownMap<'a>(&'a std::collections::BTreeMap<String, Value>);

impl fmt::Debug for ShownMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries =
            self.0.iter().map(|(key, value)| (key, ShownValue { value, is_hidden: is_secret(key) }));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::is_secret;
    use crate::{
        api::{
            app::bsky::contact::verify_phone,
            com::atproto::server::{create_account, create_invite_codes, describe_server},
        },
        types::{Data as _, Extra, Unknown, Value, from_json},
    };

    /// An object with a field that its own crate has named as a secret.
    #[derive(Clone)]
    struct Card {
        number: String,
        pins: Vec<i64>,
        owner: String,
        extra: Extra,
    }

    crate::__object! {
        Card, "com.example.card", record: false, {
            0 number: "number" required [Hidden(true), MaxBytes(20)],
            1 pins: "pins" required [Hidden(true)],
            2 owner: "owner" required,
        }
    }

    #[test]
    fn names_of_secrets_are_known_by_their_last_words() {
        for name in [
            "password",
            "appPassword",
            "app_password",
            "apiKey",
            "api-key",
            "apikey",
            "APIKey",
            "secret",
            "clientSecret",
            "accessToken",
            "ACCESS_TOKEN",
            "accessJwt",
            "accessJWT",
            "refreshJwts",
            "token",
            "token2",
            "authFactorToken",
            "recoveryKey",
            "privateKeys",
            "code",
            "codes",
            "verificationCode",
            "inviteCode",
            "passwordHash",
            "passphrase",
            "otp",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "_",
            "tokenRequired",
            "codeCount",
            "countryCode",
            "regionCode",
            "errorCode",
            "failureCode",
            "key",
            "rkey",
            "keys",
            "rotationKeys",
            "signingKey",
            "currentKey",
            "inviteCodeRequired",
            "text",
            "monkey",
            "barcode",
            "decode",
            "hash",
            "äö",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_hidden_in_data_without_a_lexicon() {
        let json = r#"{"name":"a","accessToken":"s3","tokens":["s3",{"name":"b","code":"s3"}],"otp":53,"token":null,"x":[1.5,"\u00e9"]}"#;
        let shown = r#"{"name":"a","accessToken":(hidden),"tokens":[(hidden),{"name":"b","code":(hidden)}],"otp":(hidden),"token":null,"x":[1.5,"\u00e9"]}"#;
        let unknown = Unknown::from_json(json).unwrap();
        assert_eq!(format!("{unknown:?}"), shown);
        // Bytes and links are objects in JSON.
        let bytes =
            Unknown::from_json(r#"{"token":{"$bytes":"c3Mz"},"tokens":[{"$bytes":"c3Mz"}]}"#).unwrap();
        for shown in
            [format!("{bytes:?}"), format!("{:?}", Unknown::from_cbor(&bytes.to_cbor().unwrap()).unwrap())]
        {
            assert!(!shown.contains("c3Mz") && shown.contains("(hidden)"), "{shown}");
        }
        let value: Value = from_json(json.replace("1.5", "1")).unwrap();
        let shown = format!("{value:?}");
        assert!(!shown.contains("s3") && !shown.contains("53"), "{shown}");
        assert!(shown.contains(r#""name": Text("b")"#) && shown.contains(r#""token": Null"#), "{shown}");
        let of_cbor = format!("{:?}", Unknown::from_cbor(&value.to_cbor().unwrap()).unwrap());
        assert!(!of_cbor.contains("s3") && of_cbor.contains("(hidden)"), "{of_cbor}");
    }

    #[test]
    fn secrets_are_hidden_in_typed_data() {
        let json = r#"{"handle":"a.test","password":"s3","inviteCode":"s3","verificationCode":"s3",
            "verificationPhone":"5550100","recoveryKey":"s3","appPassword":"s3","new":{"apiKey":"s3","codes":["s3"]},
            "otp":"s3","plcOp":{"sig":"shown","token":"s3"}}"#;
        let input: create_account::Input = from_json(json).unwrap();
        let shown = format!("{input:?}");
        assert!(!shown.contains("s3"), "{shown}");
        assert_eq!(shown.matches("(hidden)").count(), 9, "{shown}");
        assert!(shown.contains("a.test") && shown.contains("5550100") && shown.contains("shown"), "{shown}");
        assert!(!format!("{:?}", input.extra).contains("s3"));
        let input: verify_phone::Input = from_json(r#"{"phone":"5550100","code":"s3"}"#).unwrap();
        let shown = format!("{input:?}");
        assert!(!shown.contains("s3") && shown.contains("5550100"), "{shown}");
        // A list of objects says for each of them what it hides.
        let output = r#"{"codes":[{"account":"did:plc:abc","codes":["s3"]}]}"#;
        let shown = format!("{:?}", from_json::<create_invite_codes::Output>(output).unwrap());
        assert!(shown.contains("did:plc:abc") && !shown.contains("s3"), "{shown}");
        let server = r#"{"did":"did:web:a.test","availableUserDomains":[],"inviteCodeRequired":true}"#;
        let shown = format!("{:?}", from_json::<describe_server::Output>(server).unwrap());
        assert!(!shown.contains("(hidden)") && shown.contains("true"), "{shown}");
    }

    #[test]
    fn a_crate_can_name_secrets_of_its_own() {
        let card: Card = from_json(r#"{"number":"4242","pins":[17],"owner":"Ada"}"#).unwrap();
        let shown = format!("{card:?}");
        assert_eq!(shown, r#"com.example.card { number: (hidden), pins: [(hidden)], owner: "Ada" }"#);
        assert!(card.validate().is_ok());
    }
}
