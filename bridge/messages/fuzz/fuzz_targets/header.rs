#![no_main]

use cerebellum_messages::Header;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<Header>(payload));
