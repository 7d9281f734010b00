//! Registrations: a name, a key and where a peer can be reached, signed by that key.

use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::{PrivateKey, PublicKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, hash, integer, public_key, time},
    error::ApiError,
    example, schema, signing,
};

/// What a peer tells about itself in a registration, before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRegistration<'a> {
    /// The network; [`NetworkId::ZERO`] before its genesis block is known.
    pub network: NetworkId,
    /// The address of the tracker's key.
    pub tracker: Address,
    /// The peer's name.
    pub name: &'a str,
    /// Where it can be reached: a host name or an IP address.
    pub host: &'a str,
    /// On which port.
    pub port: u16,
    /// Its epoch, higher than at any registration before.
    pub epoch: u64,
    /// When the registration was made.
    pub time: Timestamp,
}

/// A peer's registration (`POST /register`): its name, its key and where it can be reached, signed by that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct Registration {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id; 64 zeros before the genesis block is known.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The address of the tracker's key, so that the registration cannot be used at another tracker.
    #[schema(value_type = schema::Address)]
    pub tracker: String,
    /// The peer's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The peer's public key.
    #[schema(value_type = schema::PublicKey)]
    pub public_key: String,
    /// Where the peer can be reached.
    #[schema(value_type = schema::Host)]
    pub host: String,
    /// On which port.
    #[schema(minimum = 1, maximum = 65_535, example = 7701)]
    pub port: u16,
    /// The peer's epoch, higher than at any registration before.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// When the registration was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The peer's signature over `raclette/register/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Registration {
    /// Signs a registration.
    #[must_use]
    pub fn signed(new: &NewRegistration<'_>, key: &PrivateKey) -> Self {
        let preimage = signing::registration(new, key.public());
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: new.network.to_string(),
            tracker: new.tracker.to_string(),
            name: new.name.to_owned(),
            public_key: key.public().to_pem(),
            host: new.host.to_owned(),
            port: new.port,
            epoch: new.epoch,
            time: new.time.milliseconds(),
            signature: signing::sign(&preimage, key),
        }
    }

    /// Checks that the registration is well-formed and signed by the key in it; that key. Whether network, tracker and
    /// epoch are the right ones is for the caller to say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<PublicKey, ApiError> {
        encoding::protocol(self.protocol)?;
        let key = public_key("public_key", &self.public_key)?;
        signing::verify(&signing::registration(&self.parts()?, &key), &self.signature, &key)?;
        Ok(key)
    }

    /// What the peer tells about itself, every part well-formed. Says nothing about the signature.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn parts(&self) -> Result<NewRegistration<'_>, ApiError> {
        if self.port == 0 {
            return Err(ApiError::malformed("port", "a port from 1 to 65535", 0));
        }
        Ok(NewRegistration {
            network: hash("network_id", &self.network_id)?,
            tracker: encoding::address("tracker", &self.tracker)?,
            name: encoding::name("name", &self.name)?,
            host: encoding::host("host", &self.host)?,
            port: self.port,
            epoch: integer("epoch", self.epoch)?,
            time: time("time", self.time)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Fault,
        example::{changed, of, with},
    };
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, key};
    use serde_json::{Value, json};

    #[test]
    fn a_registration_is_verified_by_the_key_in_it() {
        let key = key(ALICE_PEM);
        let tracker = raclette_chain::testing::key(BOB_PEM).public().address();
        let (name, host) = ("alice", "127.0.0.1");
        let new = NewRegistration {
            network: NetworkId::from_bytes([7; 32]),
            tracker,
            name,
            host,
            port: 7701,
            epoch: 3,
            time: Timestamp::MAX,
        };
        let registration = Registration::signed(&new, &key);
        assert_eq!(registration.verify().unwrap(), *key.public());
        assert_eq!(registration.parts().unwrap(), new);
    }

    #[test]
    fn a_registration_with_any_member_changed_is_refused() {
        let other_key = key(BOB_PEM).public().to_pem();
        let other_address = key(BOB_PEM).public().address().to_string();
        let changes = [
            ("/network_id", json!("0".repeat(64))),
            ("/tracker", json!(other_address)),
            ("/name", json!("mallory")),
            ("/public_key", json!(other_key)),
            ("/host", json!("127.0.0.2")),
            ("/port", json!(7704)),
            ("/epoch", json!(2)),
            ("/time", json!(1)),
        ];
        for (pointer, value) in changes {
            let error = with::<Registration>(pointer, value).verify().unwrap_err();
            assert_eq!((error.fault, error.field.as_str()), (Fault::Signature, "signature"), "{pointer}");
        }
    }

    #[test]
    fn a_malformed_registration_is_refused_by_name() {
        let key = of::<Registration>()["public_key"].as_str().unwrap().replace('\n', "\r\n");
        let changes = [
            ("/protocol", json!(2), Fault::Protocol),
            ("/network_id", json!("A".repeat(64)), Fault::Malformed),
            ("/tracker", json!("rac1"), Fault::Malformed),
            ("/name", json!("Alice"), Fault::Malformed),
            ("/public_key", json!(key), Fault::Malformed),
            ("/host", json!("http://127.0.0.1"), Fault::Malformed),
            ("/port", json!(0), Fault::Malformed),
            ("/epoch", json!(1_u64 << 53), Fault::Malformed),
            ("/signature", json!("!"), Fault::Malformed),
        ];
        for (pointer, value, fault) in changes {
            let error = with::<Registration>(pointer, value).verify().unwrap_err();
            assert_eq!((error.fault, error.field.as_str()), (fault, &pointer[1..]));
        }
        for (pointer, value) in [("/port", json!(65_536)), ("/extra", json!(1)), ("/host", Value::Null)] {
            assert!(
                serde_json::from_value::<Registration>(changed::<Registration>(pointer, value)).is_err(),
                "{pointer}"
            );
        }
    }
}
