#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| protium_fuzz::properties::tokens::check(input));
