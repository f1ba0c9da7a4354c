//! Devices are values: the same binary and the same weights run on a GPU or on the CPU.
//!
//! A GPU compiles a kernel when it is first used, about a hundred of them for the shipped policy, and
//! the first plan waits for them. burn 0.22 keeps no WGSL pipeline from one run to the next; drivers
//! do, on disk, if the home directory can be written to. On Mesa's software driver and two busy cores
//! the first plan takes 20 s on a new machine, 4 s later on, and every other plan 1 s: a step of
//! denoising is some 480 kernels, each of which costs 0.2 ms to start, whatever its size.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Device;

use crate::error::PolicyError;

/// Which device to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU. Software drivers are passed over: the CPU itself
    /// is faster than a GPU played by it.
    #[default]
    Auto,
    /// The best adapter that wgpu finds, software drivers included.
    Wgpu,
    /// The CPU.
    Cpu,
}

/// An opened device and what to call it in reports.
#[derive(Clone)]
pub struct OpenDevice {
    /// The device.
    pub device: Device,
    /// `cpu`, or `wgpu (<adapter>)`.
    pub name: String,
}

impl fmt::Debug for OpenDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Opens a device.
///
/// # Errors
/// If a GPU is asked for and this build has no GPU support, or no adapter answers.
pub fn open(choice: DeviceChoice) -> Result<OpenDevice, PolicyError> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Wgpu => gpu(),
        DeviceChoice::Auto => Ok(gpu()
            .ok()
            .filter(|gpu| !is_software(&gpu.name))
            .unwrap_or_else(cpu)),
    }
}

/// Whether an adapter of this name is a driver that computes on the CPU.
pub fn is_software(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "llvmpipe",
        "lavapipe",
        "swiftshader",
        "software",
        "basic render",
    ]
    .iter()
    .any(|mark| name.contains(mark))
}

fn cpu() -> OpenDevice {
    OpenDevice {
        device: Device::flex(),
        name: "cpu".into(),
    }
}

#[cfg(feature = "wgpu")]
fn gpu() -> Result<OpenDevice, PolicyError> {
    use burn::tensor::DeviceKind;
    // wgpu is opened lazily and panics where there is no adapter; here that is an answer, not an accident.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let device = Device::wgpu(DeviceKind::DefaultDevice);
        let name = device
            .identity()
            .map_or_else(|| "unnamed adapter".to_owned(), |identity| identity.name);
        OpenDevice {
            device,
            name: format!("wgpu ({name})"),
        }
    }));
    opened.map_err(|_| PolicyError::Device {
        device: "wgpu".into(),
        reason: "no adapter answered: install a Vulkan driver (on Debian, `mesa-vulkan-drivers` has one in software) \
                 or use `--device cpu`"
            .into(),
    })
}

#[cfg(not(feature = "wgpu"))]
fn gpu() -> Result<OpenDevice, PolicyError> {
    Err(PolicyError::Device {
        device: "wgpu".into(),
        reason: "this build has no GPU support: build with `--features wgpu` or use `--device cpu`"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_drivers_are_recognised() {
        assert!(is_software("wgpu (llvmpipe (LLVM 15.0.6, 256 bits))"));
        assert!(!is_software("wgpu (NVIDIA Orin)"));
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert!(open(DeviceChoice::Cpu).is_ok_and(|device| device.name == "cpu"));
        assert!(open(DeviceChoice::Auto).is_ok());
    }
}
