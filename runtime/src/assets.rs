//! Finds what is shipped beside the program: policies and configurations.

use std::path::PathBuf;

/// The folder of the shipped policy, below the asset folder.
pub const POLICY: &str = "policies/mdt-tabletop";
/// The shipped run configuration, below the asset folder.
pub const RUN_CONFIG: &str = "config/run.toml";

/// Where `name` is: below `CEREBELLUM_ASSETS` if that is set, else below `assets` in the working
/// directory, beside the program, or in the source tree that it was built from.
pub fn find(name: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("CEREBELLUM_ASSETS") {
        return Some(PathBuf::from(folder).join(name)).filter(|path| path.exists());
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("assets")));
    let built = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../assets"));
    [Some(PathBuf::from("assets")), beside, Some(built)]
        .into_iter()
        .flatten()
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}
