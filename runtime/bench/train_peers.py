"""How long eager PyTorch takes for one training step of the shipped policy, for `cerebellum bench train --peers`.

The network is built here from the safetensors file that the benchmark has written: weights under our keys (linear
weights as (in, out)), one batch and its random numbers under `case.`. Forward pass with all losses, backward pass,
clipping, AdamW (fused) and the moving average, float32, pictures channels-last, which is PyTorch's faster way here.

Prints one JSON object with the number of parameters and the losses of the first step, which the benchmark compares
with its own. Then, for every line it reads, makes that many steps and prints the milliseconds of each as JSON.
Needs torch and safetensors.
"""

import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn


class Weights:
    """Tensors below a key."""

    def __init__(self, tensors, key=""):
        self.tensors, self.key = tensors, key

    def __truediv__(self, name):
        return Weights(self.tensors, f"{self.key}.{name}" if self.key else str(name))

    def get(self, name):
        return self.tensors.get(f"{self.key}.{name}" if self.key else name)

    def parameter(self, name):
        tensor = self.get(name)
        return None if tensor is None else nn.Parameter(tensor)

    def count(self):
        """Members of a list."""
        below = (key[len(self.key) + 1 :] for key in self.tensors if key.startswith(f"{self.key}."))
        return len({key.split(".")[0] for key in below})

    def __bool__(self):
        return any(key.startswith(f"{self.key}.") for key in self.tensors)


def linear(weights):
    weight = weights.get("weight").T.contiguous()
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=weights.get("bias") is not None)
    layer.weight = nn.Parameter(weight)
    layer.bias = weights.parameter("bias")
    return layer


def mlp_head(weights, activation=nn.GELU):
    return nn.Sequential(linear(weights / 0), activation(), linear(weights / 2))


def layer_norm(weights):
    norm = nn.LayerNorm(weights.get("weight").shape[0], bias=weights.get("bias") is not None)
    norm.weight, norm.bias = weights.parameter("weight"), weights.parameter("bias")
    return norm


def conv(weights, stride):
    kernel = weights.get("weight")
    outputs, inputs, side, _ = kernel.shape
    layer = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    layer.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last))
    return layer


def group_norm(weights):
    channels = weights.get("weight").shape[0]
    norm = nn.GroupNorm(channels // 16 if channels % 16 == 0 else 1, channels)
    norm.weight, norm.bias = weights.parameter("weight"), weights.parameter("bias")
    return norm


class ResidualBlock(nn.Module):
    def __init__(self, weights, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(weights / "conv1", stride), group_norm(weights / "bn1")
        self.conv2, self.bn2 = conv(weights / "conv2", 1), group_norm(weights / "bn2")
        short = weights / "downsample"
        self.short = nn.Sequential(conv(short / 0, stride), group_norm(short / 1)) if short else nn.Identity()
        self.film = linear(weights / "film") if weights / "film" else None

    def forward(self, x, goal):
        hidden = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.film is not None:
            scale, shift = self.film(goal)[:, :, None, None].chunk(2, 1)
            hidden = hidden * (1 + scale) + shift
        return F.relu(hidden + self.short(x))


class ResNet(nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        self.stem = conv(weights / "backbone" / 0, config["stem"]["stride"])
        self.norm = group_norm(weights / "backbone" / 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(weights / "backbone" / (4 + stage) / block, stride if block == 0 else 1)
            for stage, (count, stride) in enumerate(zip(config["blocks"], config["strides"]))
            for block in range(count)
        )
        self.score, self.sharpness = linear(weights / "keypoints" / "score"), (weights / "keypoints").parameter(
            "sharpness"
        )
        self.output = linear(weights / "fc_layers" / 0)

    def forward(self, images, goal=None):
        hidden = F.relu(self.norm(self.stem(images)))
        for block in self.blocks:
            hidden = block(hidden, goal)
        _, _, height, width = hidden.shape
        pixels = hidden.permute(0, 2, 3, 1).flatten(1, 2)
        share = torch.softmax(self.score(pixels).transpose(1, 2) * self.sharpness.exp(), 2)
        centres = lambda n: (2 * torch.arange(n) + 1) / n - 1
        rows, columns = torch.meshgrid(centres(height), centres(width), indexing="ij")
        points = share @ torch.stack([columns, rows], -1).reshape(-1, 2)
        return self.output(torch.cat([points.transpose(1, 2).flatten(1), pixels.mean(1)], 1))


class Attention(nn.Module):
    def __init__(self, weights, heads, causal=False):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query, self.key, self.value, self.out = (
            linear(weights / name) for name in ("query", "key", "value", "c_proj")
        )

    def forward(self, x, context):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(context)), split(self.value(context))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.up, self.down = linear(weights / "c_fc"), linear(weights / "c_proj")

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class EncoderBlock(nn.Module):
    def __init__(self, weights, heads):
        super().__init__()
        self.ln_1, self.ln_2 = layer_norm(weights / "ln_1"), layer_norm(weights / "ln_2")
        self.attn, self.mlp = Attention(weights / "attn", heads), Mlp(weights / "mlp")

    def forward(self, x):
        normal = self.ln_1(x)
        x = x + self.attn(normal, normal)
        return x + self.mlp(self.ln_2(x))


class DecoderBlock(nn.Module):
    """Scales and gates are offset by one (`unit_modulation`)."""

    def __init__(self, weights, heads):
        super().__init__()
        self.ln_1, self.ln3, self.ln_2 = (layer_norm(weights / name) for name in ("ln_1", "ln3", "ln_2"))
        self.attn = Attention(weights / "attn", heads, causal=True)
        self.cross, self.mlp = Attention(weights / "cross_att", heads), Mlp(weights / "mlp")
        self.modulation = linear(weights / "ada_ln" / "modulation" / 1)

    def forward(self, x, context, noise):
        b1, s1, g1, b2, s2, g2 = self.modulation(F.silu(noise)).chunk(6, -1)
        normal = self.ln_1(x) * (1 + s1) + b1
        x = x + (1 + g1) * self.attn(normal, normal)
        x = x + self.cross(self.ln3(x), context)
        return x + (1 + g2) * self.mlp(self.ln_2(x) * (1 + s2) + b2)


class Denoiser(nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        heads = config["heads"]
        blocks = lambda name, kind: nn.ModuleList(
            kind(weights / name / "blocks" / i, heads) for i in range(config[f"{name}_layers"])
        )
        self.positions = weights.parameter("pos_emb")
        self.action_positions = weights.parameter("action_positions")
        self.static, self.gripper = linear(weights / "tok_emb"), linear(weights / "incam_embed")
        self.goal, self.language = mlp_head(weights / "goal_emb"), mlp_head(weights / "lang_emb")
        self.state = mlp_head(weights / "proprio_emb")
        self.encoder, self.encoder_ln = blocks("encoder", EncoderBlock), layer_norm(weights / "encoder" / "ln")
        self.decoder, self.decoder_ln = blocks("decoder", DecoderBlock), layer_norm(weights / "decoder" / "ln")
        sigma = weights / "sigma_emb"
        self.sigma = nn.Sequential(linear(sigma / 1), nn.Mish(), linear(sigma / 3))
        self.embed, self.predict = linear(weights / "action_emb"), linear(weights / "action_pred")
        half = config["width"] // 2
        self.register_buffer("frequencies", torch.exp(-math.log(10000) / (half - 1) * torch.arange(half)))

    def context(self, views, goal, state, head):
        first, second = self.positions[:, 0], self.positions[:, 1]
        tokens = [head(goal) + first, self.static(views[0]) + second, self.gripper(views[1]) + second]
        hidden = torch.stack([*tokens, self.state(state)], 1)
        for block in self.encoder:
            hidden = block(hidden)
        return self.encoder_ln(hidden)

    def decode(self, actions, sigma, context):
        angle = sigma.log()[:, None, None] / 4 * self.frequencies
        noise = self.sigma(torch.cat([angle.sin(), angle.cos()], -1))
        hidden = self.embed(actions) + self.action_positions
        for block in self.decoder:
            hidden = block(hidden, context, noise)
        return self.predict(self.decoder_ln(hidden))


class RmsNorm(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.g = weights.parameter("g")

    def forward(self, x):
        return x / x.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-8) * self.g


class SwishBlock(nn.Module):
    def __init__(self, weights, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = RmsNorm(weights / "pre_norm_attn"), RmsNorm(weights / "pre_norm_mlp")
        self.qkv, self.proj = linear(weights / "attn" / "qkv"), linear(weights / "attn" / "proj")
        self.up, self.down = linear(weights / "mlp" / 0 / "project"), linear(weights / "mlp" / 2)
        self.scale_1 = (weights / "layer_scale_attn").parameter("gamma")
        self.scale_2 = (weights / "layer_scale_mlp").parameter("gamma")

    def forward(self, x):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(*map(split, self.qkv(self.norm_1(x)).chunk(3, -1)))
        x = x + self.proj(mixed.transpose(1, 2).flatten(2)) * self.scale_1
        value, gate = self.up(self.norm_2(x)).chunk(2, -1)
        return x + self.down(value * F.silu(gate)) * self.scale_2


class Foresight(nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        self.token, self.cameras = weights.parameter("mask_token"), weights.parameter("ctx_dec_pe")
        patch = weights / "patch2embed" / "proj"
        self.patch, self.patch_bias = patch.parameter("weight"), patch.parameter("bias")
        self.enter = linear(weights / "encoder2decoder")
        blocks = weights / "decoder_blocks"
        self.blocks = nn.ModuleList(SwishBlock(blocks / i, config["heads"]) for i in range(config["layers"]))
        self.norm = RmsNorm(weights / "decoder_norm")
        self.predict = linear(weights / "decoder_patch_prediction")
        grid, quarter = config["resolution"] // config["patch"], config["width"] // 4
        frequencies = 10000.0 ** (-torch.arange(quarter) / quarter)
        axis = torch.arange(grid)[:, None] * frequencies
        axis = torch.cat([axis.sin(), axis.cos()], 1)
        both = [axis[None].expand(grid, -1, -1), axis[:, None].expand(-1, grid, -1)]
        self.register_buffer("positions", torch.cat(both, 2).reshape(grid * grid, -1))

    def forward(self, context, targets, mask):
        batch, tokens, _ = context.shape
        side, patches = self.patch.shape[-1], self.positions.shape[0]
        seen = F.conv2d(targets.flatten(0, 1).permute(0, 3, 1, 2), self.patch, self.patch_bias, stride=side)
        seen = seen.flatten(2).transpose(1, 2).unflatten(0, (batch, 2)) + self.positions
        grid = targets.shape[2] // side
        pixels = targets.unflatten(3, (grid, side)).unflatten(2, (grid, side)).transpose(3, 4)
        pixels = pixels.reshape(batch, 2, patches, -1)
        hidden = mask[:, None, :, None]
        views = seen * (1 - hidden) + self.token * hidden + self.positions + self.cameras
        x = torch.cat([self.enter(context), views.flatten(1, 2)], 1)
        for block in self.blocks:
            x = block(x)
        found = self.predict(self.norm(x[:, tokens:])).unflatten(1, (2, patches))
        error = ((found - pixels).square().mean(3) * mask[:, None]).sum((1, 2))
        return (error / (2 * mask[0].sum())).mean()


class Mdt(nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        camera = lambda name: ResNet(weights / f"{name}_resnet", config[f"{name}_camera"]["encoder"])
        self.static, self.gripper = camera("static"), camera("gripper")
        self.goals = ResNet(weights / "goal_encoder", config["goal_encoder"]["change"])
        self.denoiser = Denoiser(weights / "model" / "inner_model", config["denoiser"])
        self.foresight = Foresight(weights / "gen_img", config["foresight"])
        self.dynamics = mlp_head(weights / "inverse_dynamics" / "layers")
        self.logit_scale = weights.parameter("logit_scale")
        self.sigma_data = config["diffusion"]["sigma_data"]
        self.pooled = config["alignment"]["pooling"]["token"]["index"]

    def losses(self, case, train):
        told, first = case["told"], case["future_row"]
        count = case["between"].shape[0]
        # The present and the wanted picture are seen together.
        shown = self.goals(torch.cat([case["static"], case["goal_images"]], 1))
        goal = torch.cat([case["goal"][:told], shown[told:]])
        # All pictures share the encoders' pass; told rows are seen with their shown goals once more.
        goals = torch.cat([goal, goal[first : first + count], shown[:told]])
        encode = lambda net, name: net(
            torch.cat([case[name], case[f"later_{name}"], case[name][:told]]), goals
        ).split([len(goal), count, told])
        (static, static_later, static_again), (gripper, gripper_later, gripper_again) = (
            encode(self.static, "static"),
            encode(self.gripper, "gripper"),
        )

        state, actions, draws = case["state"], case["actions"], train["noise_draws"]
        context = self.denoiser.context([static, gripper], goal, state, self.denoiser.goal)
        level = case["sigma"][:, None, None]
        total = level.square() + self.sigma_data**2
        clean = actions.repeat_interleave(draws, 0)
        noisy = clean + case["noise"] * level
        target = (clean - noisy * (self.sigma_data**2 / total)) / (level * self.sigma_data / total.sqrt())
        found = self.denoiser.decode(noisy / total.sqrt(), case["sigma"], context.repeat_interleave(draws, 0))
        action = (found - target).square().mean()

        rows = slice(first, first + count)
        views = torch.cat([static[rows], gripper[rows], static_later, gripper_later], 1)
        dynamics = (self.dynamics(views) - case["between"]).square().mean()
        foresight = self.foresight(context[rows], case["targets"], case["mask"])

        again = self.denoiser.context([static_again, gripper_again], shown[:told], state[:told], self.denoiser.language)
        images, texts = (F.normalize(c[:told, self.pooled], dim=1) for c in (again, context))
        similarity = images @ texts.T * self.logit_scale.exp()
        pairs = torch.arange(told)
        alignment = (F.cross_entropy(similarity, pairs) + F.cross_entropy(similarity.T, pairs)) / 2
        share = told / len(goal)
        loss = action + train["inverse_dynamics_weight"] * dynamics + train["foresight_weight"] * foresight
        return loss + train["alignment_weight"] * share * alignment


class Training:
    def __init__(self, model, case, train):
        self.model, self.case, self.train = model, case, train
        self.parameters = list(model.parameters())
        adamw, rate = train["adamw"], train["learning_rate"]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=rate,
            betas=(adamw["beta_1"], adamw["beta_2"]),
            eps=adamw["epsilon"],
            weight_decay=adamw["weight_decay"],
            fused=True,
        )
        self.average = [parameter.detach().clone() for parameter in self.parameters]

    def step(self):
        loss = self.model.losses(self.case, self.train)
        self.optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.train["clip"])
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - self.train["average_decay"])
        return loss.item(), norm.item()


def read(path):
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    case = {key[5:]: tensors.pop(key) for key in list(tensors) if key.startswith("case.")}
    for name in ("static", "gripper", "later_static", "later_gripper", "goal_images"):
        # Channels last in memory as before, but with the shape that PyTorch expects.
        case[name] = case[name].permute(0, 3, 1, 2)
    return tensors, case | about["case"], about


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tensors, case, about = read(args.case)
    model = Mdt(Weights(tensors), about["network"])
    training = Training(model, case, about["train"])
    parameters = sum(parameter.numel() for parameter in training.parameters)
    loss, norm = training.step()
    print(json.dumps({"parameters": parameters, "loss": loss, "grad_norm": norm}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begun = time.perf_counter()
            training.step()
            times.append((time.perf_counter() - begun) * 1e3)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
