"""Makes the checkpoint files of this folder. Run once; the files are checked in.

    pip install torch numpy msgpack omegaconf safetensors
    python make.py

Each file comes with `<file>.expected.safetensors`: what a reader must find in it.
"""

import collections
import os
import pickle
import warnings

import msgpack
import numpy as np
import torch
from omegaconf import OmegaConf
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")
torch.manual_seed(7)


class Agent:
    """Stands for a whole object that somebody pickled."""

    def __init__(self):
        self.policy = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        self.policy.register_buffer("mean", torch.arange(3.0))
        self.policy.register_buffer("scratch", torch.arange(5.0), persistent=False)
        self.critic = torch.nn.LayerNorm(4)
        self.again = self
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=0.1)
        self.device = torch.device("cpu")
        self.shape = torch.Size([3, 4])
        self.settings = {"lr": 0.1, "steps": 7}


def types():
    base = torch.randn(4, 6)
    state = collections.OrderedDict()
    state["f32"] = torch.randn(2, 3)
    state["f64"] = torch.randn(3, dtype=torch.float64)
    state["f16"] = torch.randn(5).half()
    state["bf16"] = torch.randn(5).bfloat16()
    state["i64"] = torch.tensor([1, -2, 2**40])
    state["i32"] = torch.tensor([7, -7], dtype=torch.int32)
    state["u8"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state["scalar"] = torch.tensor(1.5)
    state["empty"] = torch.zeros(0, 3)
    state["transposed"] = base.t()
    state["shared"] = base[1:3, 2:5]
    state["column"] = base[:, 4]
    state["repeated"] = torch.tensor([[2.0], [3.0]]).expand(2, 4)
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    state["u16"] = torch.tensor([1, 65535], dtype=torch.uint16)
    return state


def expect(name, tensors):
    save_torch({k: v.detach().clone().contiguous() for k, v in tensors.items()}, f"{name}.expected.safetensors")


def main():
    state = types()
    torch.save(state, "types.pt")
    expect("types.pt", state)
    del state["u16"]
    torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
    expect("legacy.pt", state)

    agent = Agent()
    torch.save({"agent": agent, "global_step": 3}, "agent.pt", pickle_protocol=4)
    found = {f"agent.policy.{k}": v for k, v in agent.policy.state_dict().items()}
    found |= {f"agent.critic.{k}": v for k, v in agent.critic.state_dict().items()}
    found["global_step"] = torch.tensor(3)
    expect("agent.pt", found)

    model = torch.nn.Linear(3, 2)
    weights = {f"model.{k}": v.detach() for k, v in model.state_dict().items()}
    averages = [v * 0.5 for v in weights.values()]
    torch.save(
        {
            "epoch": 4,
            "global_step": 17,
            "pytorch-lightning_version": "1.8.6",
            "state_dict": collections.OrderedDict(weights),
            "callbacks": {
                "EMA": {"cur_step": 17, "ema_weights": averages},
                "ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)},
            },
            "optimizer_states": [{"state": {0: {"step": 17, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}],
            "hyper_parameters": OmegaConf.create({"latent_dim": 512, "model": {"heads": 8, "name": "x"}, "list": [1, 2.5]}),
        },
        "lightning.ckpt",
    )
    expect("lightning.ckpt", weights)
    save_torch({k: v.contiguous() for k, v in zip(weights, averages)}, "lightning.ckpt.averaged.safetensors")

    arrays = {
        "f4": np.arange(6, dtype="<f4").reshape(2, 3),
        "big": np.arange(4, dtype=">f8"),
        "columns": np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)),
        "i8": np.array([1, -1]),
        "f2": np.array([0.5, -2], dtype="<f2"),
        "bool": np.array([True, False]),
        "scalar": np.float32(2.5),
        "none": np.zeros((0, 2), dtype="<f4"),
    }
    tree = {"params": {"layer_0": arrays, 1: [np.ones(2, "<f4"), np.zeros(1, "<f4")]}, "step": 9, "rate": 0.25, "name": "x"}
    tree["words"] = np.array(["a", "bc"])
    for protocol in range(6):
        with open(f"numpy_{protocol}.pkl", "wb") as file:
            pickle.dump(tree, file, protocol=protocol)
    found = {f"params/layer_0/{k}": np.ascontiguousarray(v).reshape(np.shape(v)) for k, v in arrays.items()}
    found["params/layer_0/big"] = arrays["big"].astype("<f8")
    found |= {"params/1/0": np.ones(2, "<f4"), "params/1/1": np.zeros(1, "<f4")}
    found |= {"step": np.array(9), "rate": np.array(0.25)}
    save_numpy({k: np.asarray(v) for k, v in found.items()}, "numpy.expected.safetensors")

    def array(value):
        value = np.asarray(value)
        return msgpack.ExtType(1, msgpack.packb((value.shape, value.dtype.name, value.tobytes()), use_bin_type=True))

    pieces = np.arange(12, dtype="<f4").reshape(3, 4)
    flat = pieces.ravel()
    tree = {
        "params": {
            "kernel": array(np.arange(6, dtype="<f4").reshape(2, 3)),
            "pieces": {
                "__msgpack_chunked_array__": True,
                "shape": {"0": 3, "1": 4},
                "chunks": {"0": array(flat[:5]), "1": array(flat[5:10]), "2": array(flat[10:])},
            },
        },
        "step": msgpack.ExtType(3, msgpack.packb(((), "int32", np.int32(5).tobytes()), use_bin_type=True)),
        "rate": 0.5,
        "nothing": None,
        "opt": [{}, {"mu": array(np.float16([1, 2]))}],
    }
    with open("flax.msgpack", "wb") as file:
        file.write(msgpack.packb(tree, use_bin_type=True))
    save_numpy(
        {
            "params/kernel": np.arange(6, dtype="<f4").reshape(2, 3),
            "params/pieces": pieces,
            "step": np.array(5, "<i4"),
            "rate": np.array(0.5),
            "opt/1/mu": np.float16([1, 2]),
        },
        "flax.msgpack.expected.safetensors",
    )


if __name__ == "__main__":
    main()
