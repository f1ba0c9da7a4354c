//! Against bytes, hashes and identifiers made by other software (`fixtures/make_fixtures.py`).

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::fmt::Debug;
use std::path::Path;

use cerebellum_messages::Message;
use cerebellum_messages::rmw::Entity;
use cerebellum_messages::schema::type_hash;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn check_bytes<M: Message + PartialEq + Debug>(name: &str, message: &M) {
    let little = fixture(&format!("{name}.le.cdr"));
    assert_eq!(message.encode(), little, "{name}");
    assert_eq!(M::decode(&little).as_ref(), Ok(message), "{name}");
    let big = fixture(&format!("{name}.be.cdr"));
    assert_eq!(M::decode(&big).as_ref(), Ok(message), "{name}, big endian");
}

#[test]
fn bytes_are_those_of_rosbags() {
    common::for_each_sample!(check_bytes);
}

fn check_hash<M: Message>(_name: &str, _message: &M) {
    let hashes = String::from_utf8(fixture("hashes.txt")).expect("text");
    let published = hashes
        .lines()
        .find_map(|line| line.strip_prefix(M::ROS_TYPE)?.strip_prefix(' '))
        .expect(M::ROS_TYPE);
    assert_eq!(M::TYPE_HASH, published, "{}", M::ROS_TYPE);
    assert_eq!(M::type_hash(), published);
    // The same from the `.msg` files of this crate.
    assert_eq!(type_hash(M::ROS_TYPE).as_deref(), Ok(published));
    let (package, name) = M::ROS_TYPE.split_once("/msg/").expect(M::ROS_TYPE);
    assert_eq!(M::dds_type(), format!("{package}::msg::dds_::{name}_"));
}

#[test]
fn hashes_are_those_of_rosbags_and_of_the_files() {
    common::for_each_sample!(check_hash);
}

#[test]
fn gid_is_the_hash_of_the_token() {
    let talker: Entity = "@ros2_lv/0/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%/talker/%chatter/\
        std_msgs::msg::dds_::String_/\
        RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18/::,7:,:,:,,"
        .parse()
        .expect("token");
    assert_eq!(talker.gid().as_slice(), fixture("talker_gid.bin"));
}
