//! What all fuzz targets do.

use cerebellum_messages::Message;

/// Reads a payload as one type. What is accepted is written and read again, and must stay as it is.
pub fn attempt<M: Message>(payload: &[u8]) {
    let Ok(message) = M::decode(payload) else {
        return;
    };
    let written = message.encode();
    let Ok(again) = M::decode(&written) else {
        panic!("{}: cannot read what it wrote", M::ROS_TYPE);
    };
    assert_eq!(again.encode(), written, "{}", M::ROS_TYPE);
}
