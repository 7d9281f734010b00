//! The tracker's notices about who is online, offline or gone.

use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::{PrivateKey, PublicKey, Signature},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, hash, integer, present, same_address, signature, time},
    error::ApiError,
    example,
    membership::Registration,
    schema, signing,
};

/// The most changes in one notice; a tracker with more to say sends several.
pub const MAX_NOTICE_CHANGES: usize = 500;

/// What happened to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is there: new, or back.
    Online,
    /// It does not answer any more: its connection details are to be deleted.
    Offline,
    /// It said that it leaves.
    Left,
}

impl ChangeKind {
    /// The number that is signed.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Online => 1,
            Self::Offline => 2,
            Self::Left => 3,
        }
    }
}

/// What happened to one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct NoticeChange {
    /// What happened.
    pub kind: ChangeKind,
    /// The peer's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The peer's address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The epoch of its last registration.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The version of this change. It is applied only if (epoch, version) is greater than what is known.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// The peer's own registration: present exactly if it is online.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Registration)]
    pub registration: Option<Registration>,
}

/// A change whose members are well-formed and agree with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedChange<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// The peer's name.
    pub name: &'a str,
    /// The peer's address.
    pub address: Address,
    /// The epoch of its last registration.
    pub epoch: u64,
    /// The version of this change.
    pub version: u64,
    /// The signature of its registration; none unless it is online.
    pub registration_signature: Option<Signature>,
}

impl NoticeChange {
    /// Reads the members and checks that they agree: a registration exactly if the peer is online, with the same name,
    /// address and epoch. Says nothing about any signature.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<CheckedChange<'_>, ApiError> {
        let name = encoding::name("name", &self.name)?;
        let address = encoding::address("address", &self.address)?;
        let epoch = integer("epoch", self.epoch)?;
        let version = integer("version", self.version)?;
        let registration_signature = match (self.kind, &self.registration) {
            (ChangeKind::Online, Some(registration)) => {
                let inside = |error: ApiError| error.within("registration");
                let key = encoding::public_key("public_key", &registration.public_key).map_err(inside)?;
                same_address("address", &self.address, &key.address())?;
                encoding::same("registration.name", &registration.name.as_str(), &name)?;
                encoding::same("registration.epoch", &registration.epoch, &epoch)?;
                Some(signature("signature", &registration.signature).map_err(inside)?)
            }
            (ChangeKind::Offline | ChangeKind::Left, None) => None,
            (ChangeKind::Online, None) => {
                return Err(ApiError::inconsistent(
                    "registration",
                    "the registration of a peer that is online",
                    "none",
                ));
            }
            (ChangeKind::Offline | ChangeKind::Left, Some(_)) => {
                return Err(ApiError::inconsistent("registration", "none unless the peer is online", "a registration"));
            }
        };
        Ok(CheckedChange { kind: self.kind, name, address, epoch, version, registration_signature })
    }
}

/// A tracker's notice about who came and who went (`POST /peers` at a peer).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct Notice {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id; 64 zeros before the genesis block is known.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// When the notice was made.
    #[schema(value_type = schema::Time)]
    pub issued: u64,
    /// What happened.
    #[schema(min_items = 1, max_items = 500)]
    pub changes: Vec<NoticeChange>,
    /// The tracker's signature over `raclette/notice/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Notice {
    /// Signs a notice.
    ///
    /// # Errors
    /// When the changes are not such as a peer would accept: see [`Notice::verify`].
    pub fn signed(
        network: &NetworkId,
        issued: Timestamp,
        changes: Vec<NoticeChange>,
        key: &PrivateKey,
    ) -> Result<Self, ApiError> {
        let preimage = signing::notice(network, issued, &check_all(&changes)?);
        Ok(Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            issued: issued.milliseconds(),
            changes,
            signature: signing::sign(&preimage, key),
        })
    }

    /// The network that the notice belongs to; [`NetworkId::ZERO`] before there was one.
    ///
    /// # Errors
    /// When it is no network id.
    pub fn network(&self) -> Result<NetworkId, ApiError> {
        hash("network_id", &self.network_id)
    }

    /// Checks that the notice is well-formed, of this network, signed by the tracker's `key`, and that every registration
    /// in it is signed by its peer. Takes some 40 microseconds of one core for each change.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId, key: &PublicKey) -> Result<(), ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        let preimage = signing::notice(network, time("issued", self.issued)?, &check_all(&self.changes)?);
        signing::verify(&preimage, &self.signature, key)?;
        for (position, change) in self.changes.iter().enumerate() {
            if let Some(registration) = &change.registration {
                registration.verify().map_err(|error| error.within(&format!("changes[{position}].registration")))?;
            }
        }
        Ok(())
    }
}

fn check_all(changes: &[NoticeChange]) -> Result<Vec<CheckedChange<'_>>, ApiError> {
    if changes.is_empty() || changes.len() > MAX_NOTICE_CHANGES {
        let expected = format_args!("1 to {MAX_NOTICE_CHANGES} changes");
        return Err(ApiError::malformed("changes", expected, changes.len()));
    }
    changes
        .iter()
        .enumerate()
        .map(|(position, change)| change.check().map_err(|error| error.within(&format!("changes[{position}]"))))
        .collect()
}

/// The answer to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct NoticeAck {
    /// How many changes were new, and are applied.
    #[schema(minimum = 0, maximum = 500, example = 1)]
    pub applied: u32,
    /// How many were not newer than what was known, and are ignored.
    #[schema(minimum = 0, maximum = 500, example = 0)]
    pub stale: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Fault,
        example::{of, with},
    };
    use raclette_chain::testing::{ALICE_PEM, DAVE_PEM, key};
    use serde_json::json;

    fn example() -> Notice {
        serde_json::from_value(of::<Notice>()).unwrap()
    }

    fn tracker() -> PrivateKey {
        key(DAVE_PEM)
    }

    #[track_caller]
    fn fault(notice: &Notice) -> (Fault, String) {
        let error = notice.verify(&example().network().unwrap(), tracker().public()).unwrap_err();
        (error.fault, error.field)
    }

    /// The example with other changes, correctly signed by the tracker without looking at them.
    fn forged(changes: Vec<NoticeChange>) -> Notice {
        let example = example();
        let checked: Vec<_> = changes.iter().map(|change| change.check().unwrap()).collect();
        let issued = Timestamp::new(example.issued).unwrap();
        let preimage = signing::notice(&example.network().unwrap(), issued, &checked);
        Notice { signature: signing::sign(&preimage, &tracker()), changes, ..example }
    }

    #[test]
    fn only_the_tracker_can_make_a_peer_delete_another() {
        let notice = example();
        let network = notice.network().unwrap();
        notice.verify(&network, tracker().public()).unwrap();
        let error = notice.verify(&network, key(ALICE_PEM).public()).unwrap_err();
        assert_eq!(error.fault, Fault::Signature);
        let error = notice.verify(&NetworkId::ZERO, tracker().public()).unwrap_err();
        assert_eq!(error.fault, Fault::Network);
    }

    #[test]
    fn a_notice_with_anything_changed_is_refused() {
        let changes = [
            ("/issued", json!(1)),
            ("/changes/1/kind", json!("left")),
            ("/changes/1/name", json!("alice")),
            ("/changes/1/address", of::<crate::membership::PeerRecord>()["address"].clone()),
            ("/changes/1/epoch", json!(2)),
            ("/changes/1/version", json!(1)),
        ];
        for (pointer, value) in changes {
            assert_eq!(fault(&with(pointer, value)), (Fault::Signature, String::from("signature")), "{pointer}");
        }
        let shorter = Notice { changes: example().changes[..1].to_vec(), ..example() };
        assert_eq!(fault(&shorter).0, Fault::Signature);
    }

    #[test]
    fn the_tracker_cannot_invent_where_a_peer_is() {
        let mut change = example().changes[0].clone();
        change.registration.as_mut().unwrap().port = 1;
        let notice = forged(vec![change]);
        assert_eq!(fault(&notice), (Fault::Signature, String::from("changes[0].registration.signature")));
    }

    #[test]
    fn a_registration_comes_exactly_with_a_peer_that_is_online_and_is_its_own() {
        let [online, offline] = <[NoticeChange; 2]>::try_from(example().changes).unwrap();
        let without = NoticeChange { registration: None, ..online.clone() };
        assert_eq!(without.check().unwrap_err().field, "registration");
        let with = NoticeChange { registration: online.registration.clone(), ..offline.clone() };
        assert_eq!(with.check().unwrap_err().field, "registration");
        let renamed = NoticeChange { name: String::from("mallory"), ..online.clone() };
        assert_eq!(renamed.check().unwrap_err().field, "registration.name");
        let newer = NoticeChange { epoch: 2, ..online.clone() };
        assert_eq!(newer.check().unwrap_err().field, "registration.epoch");
        let other = NoticeChange { address: offline.address, ..online };
        assert_eq!(other.check().unwrap_err().field, "address");
    }

    #[test]
    fn a_notice_says_something_and_not_too_much() {
        let notice = example();
        let network = notice.network().unwrap();
        let issued = Timestamp::new(notice.issued).unwrap();
        let signed = |changes| Notice::signed(&network, issued, changes, &tracker());
        let offline = notice.changes[1].clone();
        assert_eq!(signed(vec![]).unwrap_err().field, "changes");
        assert_eq!(signed(vec![offline.clone(); MAX_NOTICE_CHANGES + 1]).unwrap_err().field, "changes");
        signed(vec![offline; MAX_NOTICE_CHANGES]).unwrap().verify(&network, tracker().public()).unwrap();
    }
}
