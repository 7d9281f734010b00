//! Reading the chain.

use raclette_api::{block::BlockMessage, network::GenesisMessage};
use raclette_chain::{genesis::Genesis, testing::CAROL_PEM};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer, genesis};

fn heights(blocks: &Value) -> Vec<u64> {
    blocks.as_array().unwrap().iter().map(|block| block["header"]["height"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_genesis_block_shows_what_it_commits_to() {
    let alice = Peer::alice(EASY).await;
    let block = alice.get("/block/0").await.ok();
    assert_eq!(block["header"]["hash"], json!(alice.network().to_string()));
    assert_eq!(block["genesis"]["note"], "RacletteCheese");
    let message: GenesisMessage = serde_json::from_value(block["genesis"].clone()).unwrap();
    assert_eq!(Genesis::try_from(&message).unwrap(), genesis(EASY));
    assert!(block.get("reward").is_none());
    assert_eq!(alice.get(&format!("/block/{}", alice.network())).await.ok(), block);
}

#[tokio::test]
async fn a_block_is_found_by_height_and_by_hash() {
    let alice = Peer::alice(EASY).await;
    let hash = alice.mine().await;
    let block = alice.get("/block/1").await.ok();
    assert_eq!(block["header"]["hash"], json!(hash));
    assert_eq!(block, alice.get(&format!("/block/{hash}")).await.ok());
    let tip = &alice.get("/status").await.ok()["tip"];
    assert_eq!((&block["work"], &block["state_hash"]), (&tip["work"], &tip["state_hash"]));
    let message: BlockMessage = serde_json::from_value(block).unwrap();
    message.decode(&alice.network()).unwrap();
    alice.get("/block/2").await.expect(404, Some("unknown_block"));
    alice.get("/block/4294967296").await.expect(404, Some("unknown_block"));
    alice.get(&format!("/block/{}", "ab".repeat(32))).await.expect(404, Some("unknown_block"));
    for bad in ["x", "-1", "1.0", "00000000001", &"AB".repeat(32), &"ab".repeat(31)] {
        alice.get(&format!("/block/{bad}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn the_chain_comes_in_pages() {
    let alice = Peer::alice(EASY).await;
    for _ in 0..5 {
        alice.mine().await;
    }
    let page = alice.get("/chain?limit=2").await.ok();
    assert_eq!((heights(&page["blocks"]), &page["next"]), (vec![0, 1], &json!(2)));
    assert_eq!(page["tip"]["height"], 5);
    let page = alice.get("/chain?from=2&limit=4").await.ok();
    assert_eq!((heights(&page["blocks"]), page.get("next")), (vec![2, 3, 4, 5], None));
    assert_eq!(alice.get("/chain?from=6").await.ok()["blocks"], json!([]));
    assert_eq!(heights(&alice.get("/chain").await.ok()["blocks"]), [0, 1, 2, 3, 4, 5]);
    for query in ["limit=0", "limit=101", "from=-1", "from=x", "form=1"] {
        alice.get(&format!("/chain?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn headers_begin_behind_the_first_hash_that_is_known() {
    let alice = Peer::alice(EASY).await;
    let mut hashes = vec![alice.network().to_string()];
    for _ in 0..4 {
        hashes.push(alice.mine().await);
    }
    let unknown = "ab".repeat(32);
    let behind = async |query: String| -> Vec<u64> {
        let page = alice.get(&format!("/chain/headers?{query}")).await.ok();
        assert_eq!(page["tip"]["height"], 4);
        page["headers"].as_array().unwrap().iter().map(|header| header["height"].as_u64().unwrap()).collect()
    };
    assert_eq!(behind(format!("after={},{}", hashes[2], hashes[0])).await, [3, 4]);
    assert_eq!(behind(format!("after={unknown},{}", hashes[3])).await, [4]);
    assert_eq!(behind(format!("after={unknown}")).await, [1, 2, 3, 4], "none is known: behind the genesis block");
    assert_eq!(behind(format!("after={}", hashes[4])).await, [0; 0]);
    assert_eq!(behind(String::from("from=3")).await, [3, 4]);
    assert_eq!(behind(String::from("from=1&limit=2")).await, [1, 2]);
    assert_eq!(behind(String::new()).await, [0, 1, 2, 3, 4]);
    let many = vec![unknown.as_str(); 65].join(",");
    assert_eq!(behind(format!("after={}&from=1", hashes[3])).await, [4]);
    assert_eq!(behind(format!("after={unknown}&from=3")).await, [3, 4], "none is known: from there");
    for query in ["after=", "after=x", "limit=2001", "from=4294967296", &format!("after={many}")] {
        alice.get(&format!("/chain/headers?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn an_account_is_known_once_somebody_used_it() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    let path = format!("/accounts/{}", bob.address());
    alice.get(&path).await.expect(404, Some("unknown_account"));
    alice.mine().await;
    alice.send(json!({"to": bob.address().to_string(), "amount": 20})).await;
    let account = alice.get(&path).await.ok();
    assert_eq!((&account["balance"], &account["pending_in"]), (&json!(0), &json!(20)));
    alice.mine().await;
    assert_eq!(alice.get(&path).await.ok()["balance"], 20);
    let own = alice.get(&format!("/accounts/{}", alice.address())).await.ok();
    assert_eq!((&own["name"], &own["balance"], &own["next_sequence"]), (&json!("alice"), &json!(80), &json!(1)));
    let nobody = raclette_chain::testing::key(CAROL_PEM).public().address();
    alice.get(&format!("/accounts/{nobody}")).await.expect(404, Some("unknown_account"));
    alice.get("/accounts/rac1x").await.expect(400, Some("invalid_parameter"));
    let mistyped = path.replace("rac1", "rac1q")[..path.len()].to_owned();
    alice.get(&mistyped).await.expect(404, Some("not_found"));
}
