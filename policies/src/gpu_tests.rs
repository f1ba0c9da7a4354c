//! What runs on a GPU: on whatever adapter answers, be it Mesa's software driver, which `./test`
//! installs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::path::Path;
use std::sync::Arc;
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::PolicyPackage;
use crate::device::{DeviceChoice, open};
use crate::golden::{close, path, vec};
use crate::host;
use crate::language::StaticTable;
use crate::mdt::MdtPolicy;
use crate::mdt::fixtures::{goal, observation, observation_of, package};
use crate::mdt::loss::normals;
use crate::mdt::online::{FORESIGHT, INVERSE_DYNAMICS, MdtOnline, OnlineConfig};
use crate::nn::kernels::gelu;
use crate::online::{Experience, ExperienceBatch, ObjectiveId, OnlineModel as _};
use crate::parity;
use crate::policy::{Plan, PlanBudget, Policy as _};
use crate::training::tests::Letters;

/// The GPU; `None`, with the reason in the test's output, if there is none.
fn gpu() -> Option<Device> {
    match open(DeviceChoice::Wgpu) {
        Ok(opened) => Some(opened.device),
        Err(error) => {
            println!("SKIPPED, nothing was tested: {error}");
            None
        }
    }
}

fn random<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D> {
    let values = normals(dims.iter().product(), &mut ChaCha8Rng::seed_from_u64(1));
    Tensor::from_data(TensorData::new(values, dims), device)
}

#[test]
fn values_that_were_read_stay() {
    let Some(device) = gpu() else { return };
    let tensor = random([64], &device) * 2.0;
    let read = host::data(tensor.clone());
    let before = read.try_to_vec::<f32>().unwrap();
    // The only owner now: burn computes in place.
    let next = vec(tensor + 1.0);
    assert_eq!(read.try_to_vec::<f32>().unwrap(), before);
    for (next, before) in next.iter().zip(&before) {
        assert_eq!(*next, before + 1.0);
    }
}

/// Why [`host`] is there. If this fails after an update of burn, `into_data` has learnt to read.
#[test]
fn burn_reads_late() {
    let Some(device) = gpu() else { return };
    let tensor = Tensor::<1>::ones([64], &device) * 2.0;
    let late = tensor.clone().into_data();
    let next = tensor + 1.0;
    assert_eq!(late.try_to_vec::<f32>().unwrap(), [3.0; 64]);
    assert_eq!(vec(next), [3.0; 64]);
}

#[test]
fn gelu_has_the_gradient_of_its_exact_form() {
    let Some(device) = gpu() else { return };
    let [on_cpu, on_gpu] = [Device::flex(), device].map(|device| {
        let input = random([4, 500], &device.autodiff()).inner() * 2.0;
        let input = Tensor::from_inner(input).require_grad();
        let output = gelu(input.clone());
        let gradients = output.clone().sum().backward();
        (vec(output), vec(input.grad(&gradients).unwrap()))
    });
    close("gelu", &on_gpu.0, &on_cpu.0, 1e-6);
    close("its gradient", &on_gpu.1, &on_cpu.1, 1e-6);
}

/// Every golden file of a family, as `cerebellum parity --device wgpu` does it.
fn agrees(family: &str) {
    let Some(device) = gpu() else { return };
    let report = parity::run(&path(family), &device, &mut |_| ()).unwrap();
    println!("{report}");
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.passed > 0, "{report}");
}

/// A test per family, so that each is short and they run side by side.
macro_rules! families {
    ($($family:ident)*) => {
        mod agrees_with_the_reference {
            $(
                #[test]
                fn $family() {
                    super::agrees(stringify!($family));
                }
            )*
        }
    };
}
families!(grif hilp infocon mdt spr);

/// The same observation, goal and seed must give the same chunk on every device.
#[test]
fn the_shipped_policy_plans_as_on_the_cpu() {
    let Some(device) = gpu() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/policies/mdt-tabletop");
    let package = PolicyPackage::load(&folder).unwrap();
    let [on_cpu, on_gpu] = [Device::flex(), device].map(|device| {
        let language = StaticTable::embedded().unwrap();
        let mut policy = MdtPolicy::new(&package, language, &device).unwrap();
        policy.reset(&goal(1, "open the drawer")).unwrap();
        [(7, 20), (8, 61)].map(|(seed, column)| {
            let budget = PlanBudget {
                deadline: None,
                max_steps: 10,
                seed,
            };
            policy.plan(&observation_of(96, column), budget).unwrap()
        })
    });
    for (got, want) in on_gpu.iter().zip(&on_cpu) {
        assert_eq!(got.chunk.denoise_steps, want.chunk.denoise_steps);
        close("chunk", &got.chunk.actions, &want.chunk.actions, 1e-4);
        for (got, want) in got.latents.iter().zip(&want.latents) {
            assert_eq!((&got.name, &got.shape), (&want.name, &want.shape));
            close(&got.name, &got.values, &want.values, 1e-4);
        }
    }
    let distance = |a: &Plan, b: &Plan| {
        let pairs = a.chunk.actions.iter().zip(&b.chunk.actions);
        pairs.fold(0f32, |most, (a, b)| most.max((a - b).abs()))
    };
    println!(
        "largest difference between the devices: {:e}; between the plans: {:e}",
        distance(&on_gpu[0], &on_cpu[0]),
        distance(&on_gpu[0], &on_gpu[1])
    );
    assert!(distance(&on_gpu[0], &on_gpu[1]) > 1e-2, "plans differ");
}

/// The runtime makes a policy in one thread, plans with it in another and learns in a third, all on
/// one device.
#[test]
fn threads_share_the_device() {
    let Some(device) = gpu() else { return };
    let mut policies = [(); 3].map(|()| {
        let mut policy = MdtPolicy::new(&package(), Arc::new(Letters(8)), &device).unwrap();
        policy.reset(&goal(1, "push")).unwrap();
        policy
    });
    let plan = |policy: &mut MdtPolicy, seed: u64| {
        let budget = PlanBudget {
            deadline: None,
            max_steps: 4,
            seed,
        };
        let plan = policy.plan(&observation(4 + seed as usize), budget);
        plan.unwrap().chunk.actions
    };
    let alone = [0, 1, 2, 3].map(|seed| plan(&mut policies[0], seed));
    let weights = policies[0].weights();
    thread::scope(|scope| {
        for policy in &mut policies {
            scope.spawn(|| {
                for round in 0..2 {
                    for (seed, alone) in (0..).zip(&alone) {
                        assert_eq!(plan(policy, seed), *alone, "round {round}, seed {seed}");
                    }
                    policy.load(&weights).unwrap();
                }
            });
        }
    });
}

#[test]
fn the_learner_learns_as_on_the_cpu() {
    let Some(device) = gpu() else { return };
    let moment = |i: usize| Experience {
        observation: observation(2 + 3 * i),
        future: observation(3 + 3 * i),
        actions: vec![0.25 * i as f32; 3 * 7],
        goal: goal(1, "push"),
    };
    let batch = ExperienceBatch {
        moments: (0..4).map(moment).collect(),
        seed: 5,
    };
    for name in [FORESIGHT, INVERSE_DYNAMICS] {
        let objective = ObjectiveId(name.into());
        let [on_cpu, on_gpu] = [&Device::flex(), &device].map(|device| {
            let (config, language) = (OnlineConfig::default(), Arc::new(Letters(8)));
            let mut learner = MdtOnline::new(&package(), config, language, device).unwrap();
            let mut numbers = Vec::new();
            for _ in 0..3 {
                let report = learner.step(&batch, &objective).unwrap();
                numbers.extend([report.loss, report.grad_norm]);
            }
            let after = learner.evaluate(&learner.snapshot(), &batch, &objective);
            let after = after.unwrap();
            numbers.extend(after.losses);
            (numbers, after.actions.concat())
        });
        close(name, &on_gpu.0, &on_cpu.0, 1e-3);
        close(name, &on_gpu.1, &on_cpu.1, 1e-3);
    }
}
