//! The hashes in the code are those of the `.msg` files.

use cerebellum_messages::schema::type_hash;
use cerebellum_messages::{
    ActionChunk, Clock, Command, CompressedImage, EpisodeRequest, EpisodeStatus, Frame, Goal,
    Header, JointState, LatentSample, LearnerReport, Message, RuntimeStatus, Stamp, Text,
};

fn check<M: Message>() {
    let expected = type_hash(M::ROS_TYPE).expect(M::ROS_TYPE);
    assert_eq!(M::TYPE_HASH, expected, "{}", M::ROS_TYPE);
    assert_eq!(M::type_hash(), expected);
    let (package, name) = M::ROS_TYPE.split_once("/msg/").expect(M::ROS_TYPE);
    assert_eq!(M::dds_type(), format!("{package}::msg::dds_::{name}_"));
    assert!(!M::schema().is_empty());
}

#[test]
fn hashes_are_those_of_the_files() {
    check::<ActionChunk>();
    check::<Clock>();
    check::<Command>();
    check::<CompressedImage>();
    check::<EpisodeRequest>();
    check::<EpisodeStatus>();
    check::<Frame>();
    check::<Goal>();
    check::<Header>();
    check::<JointState>();
    check::<LatentSample>();
    check::<LearnerReport>();
    check::<RuntimeStatus>();
    check::<Stamp>();
    check::<Text>();
}
