//! Names, keys and places of the simulated peers. Keys are made up: nothing is signed here.

use raclette_api::{
    encoding::to_base64,
    membership::{NewRegistration, Registration},
};
use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::PublicKey,
    testing::{ALICE_PEM, key},
    time::Timestamp,
};

use super::message::Host;

/// The port of host 0; the others follow.
const FIRST_PORT: u16 = 7_700;

/// The name of a host.
pub(crate) fn name(host: Host) -> String {
    format!("peer-{host:02}")
}

/// A key that nobody else has, with a modulus of the right form.
pub(crate) fn public_key(host: Host) -> PublicKey {
    let real = key(ALICE_PEM);
    let mut der = real.public().der().to_vec();
    let middle = der.len() / 2;
    der[middle] = u8::try_from(host).unwrap();
    PublicKey::from_der(&der).unwrap()
}

/// A registration as the host would sign it.
pub(crate) fn registration(host: Host, key: &PublicKey, epoch: u64, now: Timestamp) -> Registration {
    let name = name(host);
    let new = NewRegistration {
        network: NetworkId::ZERO,
        tracker: Address::from_bytes([7; 32]),
        name: &name,
        host: "127.0.0.1",
        port: FIRST_PORT + u16::try_from(host).unwrap(),
        epoch,
        time: now,
    };
    Registration {
        protocol: 1,
        network_id: new.network.to_string(),
        tracker: new.tracker.to_string(),
        name: name.clone(),
        public_key: key.to_pem(),
        host: new.host.to_owned(),
        port: new.port,
        epoch,
        time: now.milliseconds(),
        signature: to_base64(&[1; 256]),
    }
}

/// The host at a base URL.
pub(crate) fn host_at(url: &str) -> Host {
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    usize::from(port - FIRST_PORT)
}
