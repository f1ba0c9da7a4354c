#![no_main]

use cerebellum_messages::rmw::{Attachment, Entity, Qos, TopicKey};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = Attachment::decode(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = text.parse::<TopicKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    if let Ok(entity) = text.parse::<Entity>() {
        assert_eq!(entity.to_string().parse(), Ok(entity));
    }
    if let Ok(qos) = text.parse::<Qos>() {
        assert_eq!(qos.to_string().parse(), Ok(qos));
    }
});
