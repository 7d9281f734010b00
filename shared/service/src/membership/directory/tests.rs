//! The list, one piece of news after the other.

use raclette_api::membership::NewRegistration;
use raclette_chain::{
    hash::NetworkId,
    keys::PrivateKey,
    testing::{ALICE_PEM, BOB_PEM, key},
};

use super::*;

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds).unwrap()
}

fn registration(key: &PrivateKey, name: &str, epoch: u64) -> Registration {
    let new = NewRegistration {
        network: NetworkId::ZERO,
        tracker: Address::from_bytes([7; 32]),
        name,
        host: "127.0.0.1",
        port: 7701,
        epoch,
        time: at(epoch),
    };
    Registration::signed(&new, key)
}

fn change(key: &PrivateKey, name: &str, kind: ChangeKind, epoch: u64, version: u64) -> NoticeChange {
    NoticeChange {
        kind,
        name: name.to_owned(),
        address: key.public().address().to_string(),
        epoch,
        version,
        registration: (kind == ChangeKind::Online).then(|| registration(key, name, epoch)),
    }
}

fn news(key: &PrivateKey, kind: ChangeKind, epoch: u64, version: u64) -> News {
    News::of_change(&change(key, "alice", kind, epoch, version), at(version)).unwrap()
}

fn applied(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Applied { .. })
}

#[test]
fn late_offline_notice_does_not_kill_a_returned_peer() {
    let alice = key(ALICE_PEM);
    let mut list = PeerDirectory::new();
    list.apply(news(&alice, ChangeKind::Online, 1, 10));
    list.apply(news(&alice, ChangeKind::Online, 2, 30));
    assert!(!applied(&list.apply(news(&alice, ChangeKind::Offline, 1, 20))));
    assert!(!applied(&list.apply(news(&alice, ChangeKind::Online, 2, 30))), "the same news twice");
    assert!(list.named("alice").unwrap().destination().is_some());
}

#[test]
fn going_offline_deletes_the_connection_details_and_keeps_name_and_key() {
    let alice = key(ALICE_PEM);
    for kind in [ChangeKind::Offline, ChangeKind::Left] {
        let mut list = PeerDirectory::new();
        list.apply(news(&alice, ChangeKind::Online, 1, 10));
        assert!(applied(&list.apply(news(&alice, kind, 1, 20))));
        let peer = list.named("alice").unwrap();
        assert_eq!(peer.destination(), None);
        assert_eq!(peer.key.as_ref(), Some(alice.public()));
        assert_eq!(peer.last_seen, at(10));
        assert!(peer.record().unwrap().registration.is_none());
        assert_eq!(list.online().count(), 0);
    }
}

#[test]
fn coming_back_brings_the_connection_details_and_says_so_once() {
    let alice = key(ALICE_PEM);
    let mut list = PeerDirectory::new();
    let returned = |outcome| matches!(outcome, Outcome::Applied { returned: true, .. });
    assert!(returned(list.apply(news(&alice, ChangeKind::Online, 1, 10))));
    assert!(!returned(list.apply(news(&alice, ChangeKind::Online, 1, 11))));
    list.apply(news(&alice, ChangeKind::Offline, 1, 20));
    assert!(returned(list.apply(news(&alice, ChangeKind::Online, 1, 30))));
    assert_eq!(list.named("alice").unwrap().destination().unwrap().url, "http://127.0.0.1:7701");
    assert_eq!(list.version(), 30);
}

#[test]
fn an_offline_notice_about_a_stranger_is_remembered_against_older_news() {
    let alice = key(ALICE_PEM);
    let mut list = PeerDirectory::new();
    assert!(applied(&list.apply(news(&alice, ChangeKind::Offline, 2, 20))));
    assert!(list.named("alice").unwrap().record().is_none(), "its key is not known");
    assert!(!applied(&list.apply(news(&alice, ChangeKind::Online, 2, 10))));
    assert!(applied(&list.apply(news(&alice, ChangeKind::Online, 2, 30))));
}

#[test]
fn a_freed_name_goes_to_its_new_holder_in_either_order() {
    let (alice, other) = (key(ALICE_PEM), key(BOB_PEM));
    let gone = news(&alice, ChangeKind::Offline, 1, 20);
    let new = News::of_change(&change(&other, "alice", ChangeKind::Online, 1, 30), at(30)).unwrap();
    for order in [[gone.clone(), new.clone()], [new, gone]] {
        let mut list = PeerDirectory::new();
        list.apply(news(&alice, ChangeKind::Online, 1, 10));
        for news in order {
            list.apply(news);
        }
        assert_eq!(list.named("alice").unwrap().address, other.public().address());
        assert!(list.peer(&alice.public().address()).is_none());
    }
}

#[test]
fn a_record_is_taken_like_a_notice_and_its_registration_is_verified() {
    let alice = key(ALICE_PEM);
    let mut record = PeerRecord {
        name: String::from("alice"),
        address: alice.public().address().to_string(),
        public_key: alice.public().to_pem(),
        state: PeerState::Suspect,
        epoch: 1,
        version: 10,
        last_seen: 9,
        registration: Some(registration(&alice, "alice", 1)),
    };
    let mut list = PeerDirectory::new();
    assert!(applied(&list.apply(News::of_record(&record).unwrap())));
    assert_eq!(list.named("alice").unwrap().last_seen, at(9));
    let shown = list.named("alice").unwrap().record().unwrap();
    assert_eq!(shown, PeerRecord { state: PeerState::Online, ..record.clone() });
    record.registration.as_mut().unwrap().port = 1;
    assert_eq!(News::of_record(&record).unwrap_err().field, "registration.signature");
    record.registration = None;
    assert!(News::of_record(&record).is_err(), "online without a registration");
    record.state = PeerState::Offline;
    record.public_key = key(BOB_PEM).public().to_pem();
    assert_eq!(News::of_record(&record).unwrap_err().field, "public_key");
}

#[test]
fn the_list_comes_back_as_it_was_stored() {
    let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
    let mut list = PeerDirectory::new();
    list.apply(news(&alice, ChangeKind::Online, 1, 10));
    list.apply(News::of_change(&change(&bob, "bob", ChangeKind::Offline, 1, 11), at(11)).unwrap());
    let stored: Vec<_> = list.by_name(None).map(|peer| KnownPeer::clone(peer)).collect();
    let restored = PeerDirectory::restored(stored);
    assert_eq!(restored.version(), 11);
    assert_eq!(restored.by_name(Some("alice")).count(), 1);
    assert!(restored.peer(&alice.public().address()).unwrap().destination().is_some());
}
