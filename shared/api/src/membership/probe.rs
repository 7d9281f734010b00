//! An indirect probe: the tracker asks one peer to look whether another one lives.

use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::{PrivateKey, PublicKey, Signature},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChallengeAnswer, Registration};
use crate::{
    PROTOCOL_VERSION,
    encoding::{self, from_hex, integer, signature, time, to_hex},
    error::ApiError,
    example, schema, signing,
};

/// The longest time that a tracker may give a peer for a probe, in milliseconds.
pub const LONGEST_PROBE_MS: u32 = 30_000;

/// What a tracker asks of a peer, before it is signed.
#[derive(Debug, Clone, Copy)]
pub struct NewProbe<'a> {
    /// The network.
    pub network: NetworkId,
    /// Who is to look.
    pub helper: Address,
    /// Whom to look for: its own registration, which says where.
    pub subject: &'a Registration,
    /// What the subject has to sign.
    pub nonce: [u8; 32],
    /// How long the helper may take, in milliseconds.
    pub timeout_ms: u32,
    /// When the request is made.
    pub time: Timestamp,
}

/// A tracker's request to a peer to look whether another peer lives (`POST /probe`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct ProbeRequest {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The address of the peer that is asked, so that the request is good for no other.
    #[schema(value_type = schema::Address)]
    pub helper: String,
    /// The registration of the peer to look for.
    pub registration: Registration,
    /// What that peer has to sign: 32 random bytes.
    #[schema(value_type = schema::Hash)]
    pub nonce: String,
    /// How long to wait for its answer, in milliseconds.
    #[schema(minimum = 1, maximum = 30_000, example = 2_500)]
    pub timeout_ms: u32,
    /// When the request was made. It is good for two minutes.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The tracker's signature over `raclette/probe/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

/// A probe whose members are well-formed, as values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedProbe {
    /// Who is to look.
    pub helper: Address,
    /// The key of the peer to look for.
    pub subject: PublicKey,
    /// The epoch of its registration.
    pub epoch: u64,
    /// The signature of its registration.
    pub registration_signature: Signature,
    /// What it has to sign.
    pub nonce: [u8; 32],
    /// How long to wait for its answer, in milliseconds.
    pub timeout_ms: u32,
    /// When the request was made.
    pub time: Timestamp,
}

impl ProbeRequest {
    /// Signs a request.
    ///
    /// # Errors
    /// When the registration or the timeout is not such as a peer would accept.
    pub fn signed(new: &NewProbe<'_>, key: &PrivateKey) -> Result<Self, ApiError> {
        let mut request = Self {
            protocol: PROTOCOL_VERSION,
            network_id: new.network.to_string(),
            helper: new.helper.to_string(),
            registration: new.subject.clone(),
            nonce: to_hex(&new.nonce),
            timeout_ms: new.timeout_ms,
            time: new.time.milliseconds(),
            signature: String::new(),
        };
        request.signature = signing::sign(&signing::probe(&new.network, &request.check()?), key);
        Ok(request)
    }

    /// Checks that the request is well-formed, of this network, signed by the tracker's `key`, and that the registration
    /// in it is signed by its peer. For whom it is and how old it is are for the caller to judge.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId, key: &PublicKey) -> Result<CheckedProbe, ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        let checked = self.check()?;
        signing::verify(&signing::probe(network, &checked), &self.signature, key)?;
        self.registration.verify().map_err(|error| error.within("registration"))?;
        Ok(checked)
    }

    /// Reads the members; says nothing about any signature.
    fn check(&self) -> Result<CheckedProbe, ApiError> {
        let inside = |error: ApiError| error.within("registration");
        let subject = encoding::public_key("public_key", &self.registration.public_key).map_err(inside)?;
        let registration_signature = signature("signature", &self.registration.signature).map_err(inside)?;
        if self.timeout_ms == 0 || self.timeout_ms > LONGEST_PROBE_MS {
            let expected = format_args!("1 to {LONGEST_PROBE_MS}");
            return Err(ApiError::malformed("timeout_ms", expected, self.timeout_ms));
        }
        Ok(CheckedProbe {
            helper: encoding::address("helper", &self.helper)?,
            subject,
            epoch: integer("epoch", self.registration.epoch).map_err(inside)?,
            registration_signature,
            nonce: from_hex::<32>("nonce", &self.nonce)?,
            timeout_ms: self.timeout_ms,
            time: time("time", self.time)?,
        })
    }
}

/// What a peer got when it looked for another on the tracker's behalf.
///
/// That a peer lives is proven by its own signature in `answer`. That none came is only the helper's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct ProbeAnswer {
    /// What the peer that was looked for answered, if it did: the tracker verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ChallengeAnswer)]
    pub answer: Option<ChallengeAnswer>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 300, example = "connection refused")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, DAVE_PEM, key};
    use serde_json::json;

    use super::*;
    use crate::{
        error::Fault,
        example::{of, with},
    };

    fn example() -> ProbeRequest {
        serde_json::from_value(of::<ProbeRequest>()).unwrap()
    }

    #[track_caller]
    fn refused(request: &ProbeRequest) -> ApiError {
        let network = example().network_id.parse().unwrap();
        request.verify(&network, key(DAVE_PEM).public()).unwrap_err()
    }

    #[test]
    fn only_the_tracker_can_make_a_peer_probe_another() {
        let request = example();
        let network = request.network_id.parse().unwrap();
        let checked = request.verify(&network, key(DAVE_PEM).public()).unwrap();
        assert_eq!(checked.helper, key(ALICE_PEM).public().address());
        assert_eq!(request.verify(&network, key(BOB_PEM).public()).unwrap_err().fault, Fault::Signature);
        assert_eq!(request.verify(&NetworkId::ZERO, key(DAVE_PEM).public()).unwrap_err().fault, Fault::Network);
    }

    #[test]
    fn a_probe_with_anything_changed_is_refused() {
        let other = key(BOB_PEM).public().address().to_string();
        let changes = [
            ("/helper", json!(other)),
            ("/nonce", json!("1".repeat(64))),
            ("/timeout_ms", json!(1)),
            ("/time", json!(1)),
        ];
        for (pointer, value) in changes {
            let error = refused(&with(pointer, value));
            assert_eq!((error.fault, error.field.as_str()), (Fault::Signature, "signature"), "{pointer}");
        }
    }

    #[test]
    fn the_tracker_cannot_send_a_peer_to_a_place_of_its_own_making() {
        let error = refused(&with("/registration/port", json!(1)));
        assert_eq!((error.fault, error.field.as_str()), (Fault::Signature, "registration.signature"));
    }

    #[test]
    fn a_timeout_is_bounded() {
        for timeout in [0, LONGEST_PROBE_MS + 1] {
            assert_eq!(refused(&with("/timeout_ms", json!(timeout))).field, "timeout_ms");
        }
    }
}
