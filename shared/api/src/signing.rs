//! The byte strings that members and tracker sign outside of the chain, and how a signature is written and checked.
//!
//! Each begins with its own tag and the network's id ([`Preimage`]), so that no signature serves two purposes or two
//! networks. Before the genesis block is known, the id is 32 zeros.

use raclette_chain::{
    address::Address,
    encoding::{Preimage, tag},
    hash::{NetworkId, TransactionId},
    header::Header,
    keys::{PrivateKey, PublicKey},
    time::Timestamp,
};

use crate::{
    encoding,
    error::ApiError,
    membership::{CheckedProbe, NewRegistration},
    notice::CheckedChange,
};

/// What a peer signs to register (`raclette/register/1`).
#[must_use]
pub fn registration(new: &NewRegistration<'_>, key: &PublicKey) -> Vec<u8> {
    Preimage::new(tag::REGISTER, &new.network)
        .fixed(new.tracker.as_bytes())
        .bytes(new.name.as_bytes())
        .bytes(key.der())
        .bytes(new.host.as_bytes())
        .u16(new.port)
        .u64(new.epoch)
        .u64(new.time.milliseconds())
        .finish()
}

/// What a peer signs to show that it lives at an address (`raclette/challenge/1`).
#[must_use]
pub fn challenge(network: &NetworkId, nonce: &[u8; 32], address: &Address, epoch: u64) -> Vec<u8> {
    Preimage::new(tag::CHALLENGE, network).fixed(nonce).fixed(address.as_bytes()).u64(epoch).finish()
}

/// What a peer signs to report the genesis block that it made (`raclette/genesis-report/1`).
#[must_use]
pub fn genesis_report(network: &NetworkId, reporter: &Address, time: Timestamp) -> Vec<u8> {
    Preimage::new(tag::GENESIS_REPORT, network).fixed(reporter.as_bytes()).u64(time.milliseconds()).finish()
}

/// What a peer signs to leave (`raclette/leave/1`).
#[must_use]
pub fn leave(network: &NetworkId, address: &Address, epoch: u64, time: Timestamp) -> Vec<u8> {
    Preimage::new(tag::LEAVE, network).fixed(address.as_bytes()).u64(epoch).u64(time.milliseconds()).finish()
}

/// What a tracker signs to tell who came and who went (`raclette/notice/1`).
///
/// # Panics
/// Never in practice: only for 2^32 changes or more, and a notice has at most [`crate::notice::MAX_NOTICE_CHANGES`].
#[must_use]
pub fn notice(network: &NetworkId, issued: Timestamp, changes: &[CheckedChange<'_>]) -> Vec<u8> {
    let count = u32::try_from(changes.len()).expect("a notice has far fewer changes");
    let start = Preimage::new(tag::NOTICE, network).u64(issued.milliseconds()).u32(count);
    let all = changes.iter().fold(start, |preimage, change| {
        let signature = change.registration_signature.as_ref().map_or(&[][..], |signature| signature.as_bytes());
        preimage
            .u8(change.kind.code())
            .bytes(change.name.as_bytes())
            .fixed(change.address.as_bytes())
            .u64(change.epoch)
            .u64(change.version)
            .bytes(signature)
    });
    all.finish()
}

/// What a tracker signs to have a peer look whether another one lives (`raclette/probe/1`).
#[must_use]
pub fn probe(network: &NetworkId, probe: &CheckedProbe) -> Vec<u8> {
    Preimage::new(tag::PROBE, network)
        .fixed(probe.helper.as_bytes())
        .fixed(probe.subject.address().as_bytes())
        .u64(probe.epoch)
        .bytes(probe.registration_signature.as_bytes())
        .fixed(&probe.nonce)
        .u32(probe.timeout_ms)
        .u64(probe.time.milliseconds())
        .finish()
}

/// What a miner signs when it has found a block (`raclette/mining-complete/1`).
#[must_use]
pub fn mining_complete(network: &NetworkId, header: &Header, miner: &Address, time: Timestamp) -> Vec<u8> {
    Preimage::new(tag::MINING_COMPLETE, network)
        .fixed(&header.bytes())
        .fixed(miner.as_bytes())
        .u64(time.milliseconds())
        .finish()
}

/// What a recipient's peer signs to confirm that it has a transaction, and the message that belongs to it
/// (`raclette/receipt/1`).
#[must_use]
pub fn receipt(network: &NetworkId, id: &TransactionId, recipient: &Address, received: Timestamp) -> Vec<u8> {
    Preimage::new(tag::RECEIPT, network)
        .fixed(id.as_bytes())
        .fixed(recipient.as_bytes())
        .u64(received.milliseconds())
        .finish()
}

/// Signs a byte string; the signature as it stands in JSON.
#[must_use]
pub fn sign(preimage: &[u8], key: &PrivateKey) -> String {
    encoding::to_base64(key.sign(preimage).as_bytes())
}

/// Checks the signature of a message. Takes some 20 to 40 microseconds of one core.
///
/// # Errors
/// When the text is not base64 with padding, or no signature of `key` over these bytes.
pub fn verify(preimage: &[u8], signature: &str, key: &PublicKey) -> Result<(), ApiError> {
    let signature = encoding::signature("signature", signature)?;
    key.verify(preimage, &signature).map_err(|error| {
        ApiError::signature(
            "signature",
            format_args!("a signature by {}", key.address()),
            format_args!("another ({error})"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use raclette_chain::{
        genesis::Genesis,
        parameters::Parameters,
        testing::{ALICE_PEM, key},
    };
    use std::collections::HashSet;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
    const TIME: u64 = 0x0102_0304_0506;

    fn time() -> Timestamp {
        Timestamp::new(TIME).unwrap()
    }

    fn a_probe(key: &PrivateKey) -> CheckedProbe {
        CheckedProbe {
            helper: Address::from_bytes([9; 32]),
            subject: key.public().clone(),
            epoch: 1,
            registration_signature: key.sign(b"a registration"),
            nonce: [3; 32],
            timeout_ms: 2_500,
            time: time(),
        }
    }

    #[test]
    fn every_kind_of_message_has_a_tag_of_its_own() {
        let key = key(ALICE_PEM);
        let address = key.public().address();
        let header = Genesis { parameters: Parameters::default(), time: time() }.header();
        let new = NewRegistration {
            network: NETWORK,
            tracker: address,
            name: "alice",
            host: "localhost",
            port: 7701,
            epoch: 1,
            time: time(),
        };
        let preimages = [
            registration(&new, key.public()),
            challenge(&NETWORK, &[0; 32], &address, 1),
            genesis_report(&NETWORK, &address, time()),
            leave(&NETWORK, &address, 1, time()),
            notice(&NETWORK, time(), &[]),
            probe(&NETWORK, &a_probe(&key)),
            mining_complete(&NETWORK, &header, &address, time()),
            receipt(&NETWORK, &TransactionId::from_bytes([5; 32]), &address, time()),
        ];
        let tags: HashSet<&[u8]> = preimages
            .iter()
            .map(|preimage| {
                let (length, rest) = preimage.split_first_chunk().unwrap();
                &rest[..u32::from_be_bytes(*length) as usize]
            })
            .collect();
        assert_eq!(tags.len(), preimages.len());
        assert!(tags.iter().all(|tag| tag.starts_with(b"raclette/") && tag.ends_with(b"/1")));
    }

    #[test]
    fn the_bytes_of_a_farewell_are_what_the_protocol_says() {
        let address = Address::from_bytes([9; 32]);
        let mut expected = vec![0, 0, 0, 16];
        expected.extend_from_slice(b"raclette/leave/1");
        expected.extend_from_slice(&[7; 32]);
        expected.extend_from_slice(&[9; 32]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 3]);
        expected.extend_from_slice(&[0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(leave(&NETWORK, &address, 3, time()), expected);
    }

    #[test]
    fn a_signature_for_one_purpose_is_void_for_another() {
        let key = key(ALICE_PEM);
        let address = key.public().address();
        let signature = sign(&genesis_report(&NETWORK, &address, time()), &key);
        verify(&genesis_report(&NETWORK, &address, time()), &signature, key.public()).unwrap();
        let error = verify(&leave(&NETWORK, &address, TIME, time()), &signature, key.public()).unwrap_err();
        assert_eq!(error.fault, crate::Fault::Signature);
    }
}
