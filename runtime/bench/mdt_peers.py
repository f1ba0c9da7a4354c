"""How long PyTorch and ONNX Runtime take for one action chunk of MDT, for `cerebellum bench mdt --peers`.

The network is built here from the safetensors file that the benchmark has written (weights under our keys,
linear weights as (in, out)), on one thread, batch 1, float32. As in ours, the encoder's output is given: a
chunk is ten passes of the decoder, each with its sigma embedding, modulation and cross-attention.

Needs torch, onnxruntime, onnx, onnxscript and safetensors. Prints one JSON object; a peer that cannot be run is
reported as null with the reason on the error stream.
"""

import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


class Norm(nn.Module):
    def __init__(self, tensors, key):
        super().__init__()
        self.weight = nn.Parameter(tensors[f"{key}.weight"])
        bias = tensors.get(f"{key}.bias")
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, 1e-5)


def linear(tensors, key):
    weight = tensors[f"{key}.weight"].T.contiguous()
    bias = tensors.get(f"{key}.bias")
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


class Attention(nn.Module):
    def __init__(self, tensors, key, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.c_proj = (
            linear(tensors, f"{key}.{name}") for name in ("query", "key", "value", "c_proj")
        )

    def forward(self, x, context, mask):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(context)), split(self.value(context))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, tensors, key, heads):
        super().__init__()
        self.ln_1, self.ln3, self.ln_2 = (Norm(tensors, f"{key}.{n}") for n in ("ln_1", "ln3", "ln_2"))
        self.attn = Attention(tensors, f"{key}.attn", heads)
        self.cross = Attention(tensors, f"{key}.cross_att", heads)
        self.up, self.down = linear(tensors, f"{key}.mlp.c_fc"), linear(tensors, f"{key}.mlp.c_proj")
        self.modulation = linear(tensors, f"{key}.ada_ln.modulation.1")

    def forward(self, x, context, noise, causal, cross):
        b1, s1, g1, b2, s2, g2 = self.modulation(F.silu(noise)).chunk(6, -1)
        normal = self.ln_1(x) * s1 + b1
        x = x + g1 * self.attn(normal, normal, causal)
        x = x + self.cross(self.ln3(x), context, cross)
        return x + g2 * self.down(F.gelu(self.up(self.ln_2(x) * s2 + b2)))


class Decoder(nn.Module):
    """The preconditioned denoiser, given the encoder's output."""

    def __init__(self, tensors, heads, layers, horizon, context, sigma_data):
        super().__init__()
        self.blocks = nn.ModuleList(Block(tensors, f"decoder.blocks.{i}", heads) for i in range(layers))
        self.ln = Norm(tensors, "decoder.ln")
        self.embed, self.predict = linear(tensors, "action_emb"), linear(tensors, "action_pred")
        self.sigma_1, self.sigma_3 = linear(tensors, "sigma_emb.1"), linear(tensors, "sigma_emb.3")
        width = self.embed.weight.shape[0]
        half = width // 2
        scale = math.log(10000) / (half - 1)
        self.register_buffer("frequencies", torch.exp(-scale * torch.arange(half)))
        lower = lambda keys: torch.tril(torch.ones(horizon, keys, dtype=torch.bool))
        self.register_buffer("causal", lower(horizon))
        self.register_buffer("crossed", lower(context))
        self.sigma_data = sigma_data

    def forward(self, x, sigma, context):
        angle = torch.log(sigma) / 4 * self.frequencies
        noise = torch.cat([angle.sin(), angle.cos()]).reshape(1, 1, -1)
        noise = self.sigma_3(F.mish(self.sigma_1(noise)))
        both = sigma**2 + self.sigma_data**2
        hidden = self.embed(x / both.sqrt())
        for block in self.blocks:
            hidden = block(hidden, context, noise, self.causal, self.crossed)
        output = self.predict(self.ln(hidden))
        return output * (sigma * self.sigma_data / both.sqrt()) + x * (self.sigma_data**2 / both)


def chunk(denoise, x, sigmas, context):
    """DDIM: the last step gives the estimate itself."""
    for now, after in zip(sigmas[:-1], sigmas[1:]):
        clean = denoise(x, now, context)
        ratio = after / now
        x = ratio * x + (1 - ratio) * clean
    return x


def least(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1e3)
    return min(times)


def peak_mb():
    """Most memory that this process has held; only Linux tells. Not `ru_maxrss`, which a child inherits."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    except OSError:
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skip-compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    tensors = load_file(args.weights)
    from safetensors import safe_open

    with safe_open(args.weights, "pt") as file:
        config = json.loads(file.metadata()["config"])
    start, context, expected = (tensors.pop(f"case.{name}") for name in ("start", "context", "chunk"))
    sigmas = [torch.tensor([s]) for s in config["sigmas"]]
    model = Decoder(
        tensors, config["heads"], config["layers"], start.shape[1], context.shape[1], config["sigma_data"]
    ).eval()
    results, errors = {}, {}

    def measure(name, denoise):
        run = lambda: chunk(denoise, start, sigmas, context)
        results[name] = least(run, args.repeats)
        errors[name] = float((run() - expected).abs().max() / (1 + expected.abs().max()))

    def attempt(name, make):
        try:
            measure(name, make())
        except Exception as error:  # a peer that is missing must not hide the others
            results[name] = None
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)

    attempt("torch_eager", lambda: model)
    memory = peak_mb()

    def onnx():
        import io

        import numpy
        import onnxruntime

        program = torch.onnx.export(model, (start, sigmas[0], context), dynamo=True, verbose=False)
        buffer = io.BytesIO()
        program.save(buffer)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]

        def denoise(*values):
            inputs = {name: numpy.asarray(value) for name, value in zip(names, values)}
            return torch.from_numpy(session.run(None, inputs)[0])

        return denoise

    attempt("onnxruntime", onnx)
    if not args.skip_compile:
        attempt("torch_compile", lambda: torch.compile(model))
    print(json.dumps({"chunk_ms": results, "error": errors, "torch_peak_mb": memory}))


if __name__ == "__main__":
    main()
