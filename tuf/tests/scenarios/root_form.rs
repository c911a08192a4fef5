//! Roots that are not what a root is: each is refused, and the good one passes after it.

use serde_json::{Value, json};
use testkit::damage;
use tufd_tuf::refusal::Refusal;

use super::node::bytes;
use super::root::{change, malformed, refused, world};

#[test]
fn root_heads_that_are_none() {
    let (world, node) = world();
    let lies = [
        ("_type", json!("timestamp")),
        ("_type", json!(null)),
        ("spec_version", json!("2.0.0")),
        ("spec_version", json!("")),
        ("version", json!(0)),
        ("version", json!(9_007_199_254_740_993_u64)),
        ("version", json!("2")),
        ("expires", json!("tomorrow")),
        ("expires", json!(4_000_000_000_u64)),
        ("keys", json!([])),
        ("keys", json!(null)),
        ("roles", json!({})),
        ("roles", json!([])),
        ("consistent_snapshot", json!(1)),
    ];
    for (field, lie) in lies {
        let bad = world.forged("root", |root| root[field] = lie.clone());
        assert!(malformed(&refused(&world, &node, &bad)), "{field} {lie}");
    }
}

/// CVE-2026-23991, go-tuf 749: null and nothing at every place of the file.
#[test]
fn root_with_null_anywhere() {
    let (world, node) = world();
    let fields: Vec<String> =
        world.good.json("2.root.json")["signed"].as_object().unwrap().keys().cloned().collect();
    for field in fields {
        for gone in [false, true] {
            let bad = world.damaged(|files, _| {
                change(files, "2.root.json", |file| {
                    let signed = file["signed"].as_object_mut().unwrap();
                    signed.insert(field.clone(), Value::Null);
                    if gone {
                        signed.remove(&field);
                    }
                })
            });
            refused(&world, &node, &bad);
        }
    }
    for junk in ["null", "{}", "[]", "{\"signed\":null,\"signatures\":null}", "{\"signed\":{}}", ""]
    {
        let bad = world.damaged(|files, _| files.insert("2.root.json", junk));
        assert!(malformed(&refused(&world, &node, &bad)), "{junk}");
    }
}

#[test]
fn root_junk_and_bits_flipped() {
    let (world, node) = world();
    let bad = world.damaged(|files, _| damage::junk(files, "2.root.json"));
    assert!(malformed(&refused(&world, &node, &bad)));
    let bad = world.damaged(|files, _| damage::flip_bit(files, "2.root.json"));
    refused(&world, &node, &bad);
}

#[test]
fn root_oversize() {
    let (world, node) = world();
    let bad = world.damaged(|files, _| damage::oversize(files, "2.root.json", 512_001));
    assert!(matches!(refused(&world, &node, &bad), Refusal::TooBig { limit: 512_000, .. }));
    let fits = world.damaged(|files, _| damage::oversize(files, "2.root.json", 512_000));
    node.rooting().root(bytes(&fits, "2.root.json")).unwrap();
}

/// CVE-2020-6173: signatures beyond the limit are not even counted.
#[test]
fn root_with_too_many_signatures() {
    let (world, node) = world();
    let bad = world.damaged(|files, _| {
        change(files, "2.root.json", |file| {
            let more = (0..256).map(|i| json!({"keyid": format!("{i}"), "sig": "00"}));
            file["signatures"].as_array_mut().unwrap().extend(more);
        })
    });
    assert!(malformed(&refused(&world, &node, &bad)));
}

/// Unknown ids and empty signatures beside good ones count for nothing and refuse nothing (TUF 4.2).
#[test]
fn root_bogus_signatures_beside_good_ones() {
    let (world, node) = world();
    let odd = world.damaged(|files, _| {
        change(files, "2.root.json", |file| {
            let more =
                [json!({"keyid": "x", "sig": ""}), json!({"keyid": "", "sig": "zz", "more": 1})];
            file["signatures"].as_array_mut().unwrap().extend(more);
        })
    });
    node.rooting().root(bytes(&odd, "2.root.json")).unwrap();
}

#[test]
fn root_unknown_key_types_beside_usable_ones() {
    let (world, node) = world();
    let odd = world.damaged(|files, org| damage::unknown_keys(files, org, "root"));
    node.rooting().root(bytes(&odd, "2.root.json")).unwrap();
}

#[test]
fn root_keyid_listed_twice() {
    let (world, node) = world();
    let bad = world.forged("root", |root| {
        let ids = root["roles"]["timestamp"]["keyids"].as_array_mut().unwrap();
        ids.push(ids[0].clone());
    });
    assert!(malformed(&refused(&world, &node, &bad)));
}

/// Duplicate keys in JSON, plain and escaped: what is verified and what is read are one.
#[test]
fn root_duplicate_json_keys() {
    let (world, node) = world();
    for twin in ["version", "v\\u0065rsion"] {
        let bad = world.damaged(|files, _| {
            let text = String::from_utf8(files.remove("2.root.json").unwrap()).unwrap();
            files.insert(
                "2.root.json",
                text.replacen("\"version\":", &format!("\"{twin}\":7,\"version\":"), 1),
            );
        });
        assert!(malformed(&refused(&world, &node, &bad)), "{twin}");
    }
}

/// A key list read as `[id, key, …]` would pass by the refusal of duplicate keys.
#[test]
fn root_list_in_place_of_an_object() {
    let (world, node) = world();
    let bad = world.forged("root", |root| {
        let table = root["keys"].as_object().unwrap().clone();
        root["keys"] = table.into_iter().flat_map(|(id, key)| [json!(id), key]).collect();
    });
    assert!(malformed(&refused(&world, &node, &bad)));
    let bad = world.damaged(|files, _| {
        change(files, "2.root.json", |file| {
            for signature in file["signatures"].as_array_mut().unwrap() {
                *signature = json!([signature["keyid"], signature["sig"]]);
            }
        })
    });
    assert!(malformed(&refused(&world, &node, &bad)));
}
