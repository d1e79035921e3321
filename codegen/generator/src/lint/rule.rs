//! The rules, each with its name, its severity and what to do.

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::{Severity, closest};

/// Makes the enum and what belongs to it from one table.
macro_rules! rules {
    ($($severity:ident $variant:ident = $name:literal, $help:literal;)*) => {
        /// A rule of the language (an error, as a rule) or of style (a warning).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(
                #[doc = concat!("`", $name, "`: ", $help, ".")]
                $variant,
            )*
        }

        impl Rule {
            /// Every rule: first those of the language, then those of style.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, such as `no-max-length`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Whether a document that breaks the rule is wrong, or only unwise.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// What to do about a finding.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)*
                }
            }
        }
    };
}

rules! {
    Error Unreadable = "unreadable", "check that the path exists and that you may read it";
    Error NotJson = "not-json", "correct the JSON at the marker";
    Error DuplicateKey = "duplicate-key", "remove one of the two, or rename it";
    Error LanguageVersion = "language-version", "write `\"lexicon\": 1`, the only version there is";
    Error InvalidNsid = "invalid-nsid",
        "write a domain that you control in reverse and a name of letters and digits, such as `com.example.thing`";
    Error NoDefinitions = "no-definitions", "add a definition, or remove the document";
    Error InvalidDefinitionName = "invalid-definition-name",
        "rename the definition: letters, digits and `_`, beginning with a letter";
    Error PrimaryNotMain = "primary-not-main", "give it a document of its own, in which it is called `main`";
    Error UnknownType = "unknown-type", "write one of the types that may stand here";
    Error LooseDefinition = "loose-definition",
        "write the type where it is used, or as a property of an object that has a name";
    Error MissingField = "missing-field", "add the field";
    Warning UnknownField = "unknown-field", "remove the field, or correct its name: readers ignore it";
    Error WrongValue = "wrong-value", "write a value of the expected kind";
    Error InvalidPropertyName = "invalid-property-name",
        "rename the property: names that begin with `$` belong to the data model";
    Error UnknownProperty = "unknown-property", "add the property, or take its name from the list";
    Error UnknownFormat = "unknown-format", "write one of the formats of the language, or none";
    Error InvalidRef = "invalid-ref",
        "write `#name` for a definition of this document, `nsid` or `nsid#name` for one of another";
    Error UnresolvedRef = "unresolved-ref",
        "correct the ref, or add the document that it leads to";
    Error WrongRefTarget = "wrong-ref-target", "refer to a definition of a type that may stand here";
    Error RefCircle = "ref-circle", "let one of the refs lead to a type";
    Warning RefToMain = "ref-to-main", "leave out `#main`: the NSID alone means the main definition";
    Warning LexPrefix = "lex-prefix", "leave out `lex:`: only compiled bundles have it";
    Error EmptyClosedUnion = "empty-closed-union", "add a variant, or remove `closed`: nothing could ever be valid";
    Error DefaultAndConst = "default-and-const",
        "remove one of them: a value that is always the same needs no default";
    Error ImpossibleRange = "impossible-range", "correct the limits: no value can keep to both";
    Error EmptyEnum = "empty-enum", "add a value, or remove `enum`: nothing could ever be valid";
    Error ValueNotAllowed = "value-not-allowed", "change the value, or the constraint that it breaks";
    Error InvalidMimeType = "invalid-mime-type",
        "write one MIME type such as `application/json`, or a pattern such as `image/*` or `*/*`";
    Warning UnusedSchema = "unused-schema",
        "write `application/json`, or remove the schema: only JSON has one that programs can use";
    Error InvalidRecordKey = "invalid-record-key", "write `tid`, `nsid`, `any` or `literal:` with a record key";
    Error InvalidErrorName = "invalid-error-name", "write the name as one word, such as `NotFound`";
    Error MissingMessage = "missing-message", "add `message` with a union of the messages that the stream consists of";
    Warning UnknownSubprotocol = "unknown-subprotocol",
        "write one of the subprotocols in the list, or none for `xrpc.v0.cbor`";
    Error ParameterType = "parameter-type",
        "use a boolean, an integer, a string, or an array of one of them: a query string holds nothing else";
    Error UnknownAction = "unknown-action", "write `create`, `update` or `delete`";
    Warning UnknownResource = "unknown-resource", "remove the permission: services ignore it";
    Error MissingAudience = "missing-audience",
        "add `\"inheritAud\": true`, or `\"aud\": \"*\"` for any service";
    Error AudAndInheritAud = "aud-and-inherit-aud", "remove one of them";
    Error FixedAudience = "fixed-audience",
        "write `\"inheritAud\": true`: a set cannot name a service, the program that asks for it does";
    Error EmptyPermission = "empty-permission", "name at least one, or remove the permission";
    Error InvalidLanguage = "invalid-language", "write a language tag such as `ja` or `pt-BR`";
    Warning RepeatedEntry = "repeated-entry", "remove the second one";
    Error WrongPath = "wrong-path", "move the file, or correct the id";
    Error DuplicateDocument = "duplicate-document", "remove one of the documents, or change its id";

    Warning NameNotCamelCase = "name-not-camel-case", "write the name in lower camel case, such as `displayName`";
    Warning FieldNameCharacters = "field-name-characters",
        "use letters and digits of ASCII, and begin with a letter";
    Warning ErrorNameCase = "error-name-case", "write the name in upper camel case, such as `NotFound`";
    Warning KnownValueCase = "known-value-case", "write the value in kebab case, such as `very-high`";
    Warning RecordNamePlural = "record-name-plural", "name the record after one of them: `post`, not `posts`";
    Warning MethodNameWithoutNoun = "method-name-without-noun",
        "name the method by a verb and a noun, such as `getPost`";
    Warning MethodVerb = "method-verb",
        "use a verb that fits: `get`, `list`, `search` or `query` for queries, `create`, `update`, `delete`, `upsert` \
         or `put` for procedures";
    Warning SubscriptionName = "subscription-name", "name the stream `subscribe` and what comes, such as `subscribeLabels`";
    Warning ReservedName = "reserved-name", "use a more specific name: programming languages use this one themselves";
    Warning NameConflict = "name-conflict",
        "rename one of them, or move the documents below it: many languages make one name of both";
    Warning DefsWithMain = "defs-with-main", "give the definition a name, or a document of its own";
    Warning MissingDescription = "missing-description",
        "say in a sentence or two what it is for; for a method also whether it needs authentication";
    Warning UndescribedToken = "undescribed-token",
        "say what the token means: it has nothing but its description";
    Warning AmbiguousField = "ambiguous-field", "describe the field: of what is it?";
    Warning MissingFormat = "missing-format", "add the format, so that the value is checked and typed";
    Warning NoMaxLength = "no-max-length", "add `maxLength`, so that records stay small";
    Warning FormatAndLength = "format-and-length", "remove the limits: the format has its own";
    Warning BytesAndGraphemes = "bytes-and-graphemes",
        "set `maxLength` to 10 to 20 times `maxGraphemes`: a grapheme may take many bytes";
    Warning LargeValue = "large-value", "use a blob for text or data of this size";
    Warning EnumInsteadOfKnownValues = "enum-instead-of-known-values",
        "use `knownValues`, or a range for numbers: no value can ever be added to `enum`";
    Warning LocalToken = "local-token", "write the token with the NSID of its document in front of `#`";
    Warning ClosedUnion = "closed-union", "remove `closed`: no variant can ever be added to a closed union";
    Warning NullableAndOptional = "nullable-and-optional",
        "use one of them: many languages cannot tell null from absent";
    Warning OptionalBooleanDefault = "optional-boolean-default",
        "turn the name around so that false is the usual value, such as `excludeReplies` for `includeReplies`";
    Warning HandleInRecord = "handle-in-record", "use the format `did`: handles change, and records stay";
    Warning CidLinkInRecord = "cid-link-in-record", "use a string with the format `cid`";
    Warning UnknownInRecord = "unknown-in-record",
        "use a union without refs, whose data says its type, or define what may stand here";
    Warning ArrayOfPlainValues = "array-of-plain-values",
        "use an array of objects with one property: more can be added later";
    Warning StrongRefByHand = "strong-ref-by-hand", "refer to `com.atproto.repo.strongRef`";
    Warning AtIdentifierParameter = "at-identifier-parameter",
        "use the format `at-identifier`, so that callers may give a DID or a handle";
    Warning MethodWithoutOutput = "method-without-output",
        "add an output, such as `application/json` with an object without properties: fields can be added later";
    Warning RequiredCursor = "required-cursor",
        "make `cursor` optional: the first request has none, and neither has the last page";
    Warning PaginationShape = "pagination-shape",
        "give the query an optional integer `limit` and an optional string `cursor`, and its output an optional string \
         `cursor` and one required array";
    Warning SequenceShape = "sequence-shape",
        "make `cursor` an optional integer, and give every message an integer `seq`";
    Warning PermissionSetWithoutTitle = "permission-set-without-title",
        "add a `title`: people see it when they are asked to agree";
    Warning EmptyPermissionSet = "empty-permission-set", "add a permission, or remove the set";
}

/// A name that no rule has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a lint rule, found `{name}`{}", suggestion.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
pub struct UnknownRule {
    /// The name.
    pub name: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name).ok_or_else(|| UnknownRule {
            name: name.to_owned(),
            suggestion: closest(name, Self::ALL.iter().map(|rule| rule.name())),
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
