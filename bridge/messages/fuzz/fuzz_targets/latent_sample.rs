#![no_main]

use cerebellum_messages::LatentSample;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<LatentSample>(payload));
