#![no_main]

use cerebellum_messages::JointState;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<JointState>(payload));
