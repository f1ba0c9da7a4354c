#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::Device;

use crate::parity::run;

#[test]
fn the_cases_of_infocon_agree_with_the_reference() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/infocon");
    let report = run(&folder, &Device::flex(), &mut |_| ()).unwrap();
    assert_eq!(report.failed + report.unknown, 0, "{report}");
    assert!(report.passed > 1100, "{report}");
}
