//! The small values that messages are made of, as named schemas in the OpenAPI documents: bounds and examples in one place.
//!
//! These types are never made; a field names them with `#[schema(value_type = ...)]`.

use raclette_chain::amount::MAX_SAFE_INTEGER;
use utoipa::{
    Number, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type},
    },
};

/// A public key as an example.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA24ICF0s3sZTTmaJI19in
77D9PJBENDuCpt7FnwqMTYfK27SgNaVuwZaEPlWwu0+X/F1mRIv6TC6RMpurTeMt
MOJouRvJLsUgL3UNgtS2cmgLV6qKLntOjlcDDcdBkKPcMnVOwqcr/ATk9ePG6r8y
/jMKBDOwLr4ofFphKN3GlWVBX0Cii+WCWHpeEwyaKKRBXU7KSZb3D0tPNJOrj75i
PadNgX3342JTusNBPPv9xEHUFXvSN/lSBJp8okcWxwMD2VE0IUpRTQuw7UmRjiCt
677ah3sKPmZH3KVIB3/SFwu7yUTppDtxW8cM0hQrvmaDKCTJUBf0MpAYXKj+g6RW
iwIDAQAB
-----END PUBLIC KEY-----
";

/// Every key that is allowed, and no other text: for each size the fixed bytes of its DER, and a modulus between them whose
/// first and last bit are set.
const PUBLIC_KEY_PATTERN: &str = "^-----BEGIN PUBLIC KEY-----\\n(\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA[0-9g-z+/][0-9A-Za-z+/]{19}\\n\
    ([0-9A-Za-z+/]{64}\\n){5}[0-9A-Za-z+/][Qw]IDAQAB\\n|\
    MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEA[0-9g-z+/][0-9A-Za-z+/]{19}\\n\
    ([0-9A-Za-z+/]{64}\\n){7}[0-9A-Za-z+/]{43}[/13579BDFHJLNPRTVXZbdfhjlnprtvxz]AgMBAAE=\\n|\
    MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEA[0-9g-z+/][0-9A-Za-z+/]{19}\\n\
    ([0-9A-Za-z+/]{64}\\n){10}[0-9A-Za-z+/]{22}[08EMUcks]CAwEAAQ==\\n\
    )-----END PUBLIC KEY-----\\n$";

/// A signature as an example.
const SIGNATURE: &str = "gdjTE3saK4XfTYdCLUn3cInrxwMYVp+eaER9Vt6x2bEGGNW/JuByhiSkS+z6XgEfs7lODeo9gUOipyHAWGXzBbPk6zH3EaCLeg\
    se3W2DkpOG3/++w97x1o30qUYHDxPNBqO9rQNyKkSyE9UPSnPB+5/1P4y3NkKzmaNSygydcUzxQkY86f1KLYxccPlW9S4x3r1oA62ByPElsA3ALsIxHJ7nO\
    djtAfvgpYY5+SWgUhbmVfiEfL/r/tXcVTXdmT3W2e8C8XjcLdUF7ABcLXsq1y7RZex030GSzxXN1VCK4TjsBiEqtiV9HxtK3AhYSybDx0+BJcP9O4AGpsge\
    0E1Glw==";

macro_rules! text {
    ($($(#[doc = $documentation:literal])+ $name:ident: $pattern:expr, $shortest:literal to $longest:literal, $example:expr;)+) => {$(
        $(#[doc = $documentation])+
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(concat!($($documentation, "\n"),+).trim()))
                    .pattern(Some($pattern))
                    .min_length(Some($shortest))
                    .max_length(Some($longest))
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

macro_rules! integer {
    ($($(#[doc = $documentation:literal])+ $name:ident: $least:expr, $most:expr, $example:literal;)+) => {$(
        $(#[doc = $documentation])+
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let number = |value: u64| Number::from(usize::try_from(value).unwrap_or(usize::MAX));
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                    .description(Some(concat!($($documentation, "\n"),+).trim()))
                    .minimum(Some(number($least)))
                    .maximum(Some(number($most)))
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

text! {
    /// An address: SHA-256 of a public key's SubjectPublicKeyInfo (DER), in bech32m (BIP 350) with the prefix `rac`.
    Address: "^rac1[02-9ac-hj-np-z]{58}$", 62 to 62, "rac17fdnuunn2f3kj8de90vztdxgyltnqqyuj069c8lmtxpa84tvnqsqqtduv5";

    /// A hash of 32 bytes: 64 lower-case hex digits.
    Hash: "^[0-9a-f]{64}$", 64 to 64, "00000b6d3cd8f2a9e0f8714d8c4c6a0bb1a27c8a56e64f9fbd5ac0d23f1b7e94";

    /// The name of a peer or of a network: 1 to 32 characters from `a` to `z`, `0` to `9` and `-`, the first not `-`.
    Name: "^[a-z0-9][a-z0-9-]{0,31}$", 1 to 32, "alice";

    /// A host name or an IP address (version 4, or version 6 without brackets), without port.
    Host: "^[0-9A-Za-z._:-]{1,253}$", 1 to 253, "127.0.0.1";

    /// The public key of an RSA identity: a PEM block `PUBLIC KEY` (RFC 7468) exactly as `openssl pkey -pubout` writes it,
    /// with a modulus of 2048, 3072 or 4096 bits and the exponent 65537.
    PublicKey: PUBLIC_KEY_PATTERN, 451 to 800, PUBLIC_KEY;

    /// An RSASSA-PSS signature (RFC 8017; SHA-256, MGF1 with SHA-256, salt of 32 bytes), as long as its key's modulus, in
    /// base64 with padding (RFC 4648 section 4).
    Signature: "^([0-9A-Za-z+/]{341}[AQgw]==|[0-9A-Za-z+/]{512}|[0-9A-Za-z+/]{682}[048AEIMQUYcgkosw]=)$", 344 to 684, SIGNATURE;

    /// Bytes in base64url without padding (RFC 4648 section 5).
    Base64Url: "^([0-9A-Za-z_-]{4})*([0-9A-Za-z_-][AQgw]|[0-9A-Za-z_-]{2}[048AEIMQUYcgkosw])?$", 0 to 8192, "yv66vt6tvu8ABAgP";

    /// A target in compact form (one byte of exponent, three of mantissa): 8 lower-case hex digits.
    Target: "^[0-9a-f]{8}$", 8 to 8, "1e03ffff";

    /// The nonce of a block header: 16 lower-case hex digits.
    Nonce: "^[0-9a-f]{16}$", 16 to 16, "00000000003c41d7";
}

integer! {
    /// Money in whole units, at most 2^53 - 1.
    Amount: 0, MAX_SAFE_INTEGER, 25;

    /// Milliseconds since 1970-01-01T00:00:00Z, at most 2^53 - 1.
    Time: 0, MAX_SAFE_INTEGER, 1_767_225_600_000_u64;

    /// A number that only grows, at most 2^53 - 1.
    Counter: 0, MAX_SAFE_INTEGER, 3;

    /// The height of a block: how many blocks come before it.
    Height: 0, u64::from(u32::MAX), 42;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        membership::RegisterResponse, mining::MiningComplete, notice::Notice, submission::Submission,
        wallet::SendRequest,
    };
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn collected<T: ToSchema>() -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        schemas.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap())).collect()
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[track_caller]
    fn check_references<T: ToSchema>() {
        let schemas = collected::<T>();
        let mut found = BTreeSet::new();
        references(&schemas, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.get(name).is_some(), "{} refers to {name}", T::name());
        }
    }

    #[test]
    fn every_schema_brings_what_it_refers_to() {
        check_references::<Submission>();
        check_references::<RegisterResponse>();
        check_references::<Notice>();
        check_references::<MiningComplete>();
    }

    #[test]
    fn bounds_are_in_the_schema() {
        let schemas = collected::<SendRequest>();
        assert_eq!(schemas["Amount"]["maximum"], json!(MAX_SAFE_INTEGER));
        assert_eq!(schemas["Amount"]["minimum"], json!(0));
        assert_eq!(schemas["SendRequest"]["additionalProperties"], json!(false));
        assert_eq!(schemas["SendRequest"]["required"], json!(["to"]));
        assert_eq!(schemas["SendRequest"]["properties"]["message"]["type"], json!("string"), "absent, but never null");
        let registration = collected::<RegisterResponse>();
        assert_eq!(registration["Hash"]["pattern"], json!("^[0-9a-f]{64}$"));
        assert_eq!(registration["Registration"]["properties"]["port"]["maximum"], json!(65_535));
    }
}
