"""How long PyTorch takes for one training step of the tabletop MDT, for `cerebellum bench train --peers`.

The same network in eager mode: two camera encoders modulated by the goal, the encoder of goal pictures, the
transformer, the reconstruction decoder and the inverse-dynamics head; the same losses (diffusion, contrastive
alignment, masked reconstruction, inverse dynamics), AdamW and the moving average. The batch is random and lies
in memory; ours is also cut from demonstrations and augmented in its time.

Needs torch. Prints one JSON object; the caller compares the number of parameters with its own.
"""

import argparse
import copy
import json
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

SIGMA_DATA = 0.5


class Block(nn.Module):
    def __init__(self, inputs, outputs, goal):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2, self.norm3 = (nn.GroupNorm(outputs // 16, outputs) for _ in range(3))
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
        self.film = nn.Linear(goal, 2 * outputs) if goal else None

    def forward(self, x, goal):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.film is not None:
            scale, shift = self.film(goal)[..., None, None].chunk(2, 1)
            y = y * (1 + scale) + shift
        return F.relu(y + self.norm3(self.shortcut(x)))


class Pictures(nn.Module):
    """A small residual network, pooled by keypoints and by the mean."""

    def __init__(self, channels, goal, output):
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 5, 2, 2, bias=False)
        self.norm = nn.GroupNorm(1, 16)
        self.blocks = nn.ModuleList([Block(16, 32, goal), Block(32, 64, goal)])
        self.score = nn.Linear(64, 32)
        self.sharpness = nn.Parameter(torch.zeros(1))
        self.out = nn.Linear(128, output)
        at = (2 * torch.arange(12) + 1) / 12 - 1
        self.register_buffer("at", torch.stack([at.repeat(12), at.repeat_interleave(12)], 1))

    def forward(self, x, goal=None):
        x = F.relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x, goal)
        pixels = x.flatten(2).transpose(1, 2)
        weights = (self.score(pixels).transpose(1, 2) * self.sharpness.exp()).softmax(-1)
        points = (weights @ self.at).transpose(1, 2).flatten(1)
        return self.out(torch.cat([points, pixels.mean(1)], 1))


class Norm(nn.Module):
    def __init__(self, width, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, 1e-5)


class Rms(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8) * self.gain


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, context, causal=False):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(context)), split(self.value(context))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


def feed_forward(width):
    return nn.Sequential(
        nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)
    )


class EncoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.attention, self.mlp = Attention(width, heads), feed_forward(width)

    def forward(self, x):
        normal = self.norm1(x)
        x = x + self.attention(normal, normal)
        return x + self.mlp(self.norm2(x))


class DecoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm3, self.norm2 = Norm(width), Norm(width, bias=True), Norm(width)
        self.attention, self.cross = Attention(width, heads), Attention(width, heads)
        self.mlp = feed_forward(width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x, context, noise):
        b1, s1, g1, b2, s2, g2 = self.modulation(F.silu(noise)).chunk(6, -1)
        normal = self.norm1(x) * (1 + s1) + b1
        x = x + (1 + g1) * self.attention(normal, normal, causal=True)
        x = x + self.cross(self.norm3(x), context)
        return x + (1 + g2) * self.mlp(self.norm2(x) * (1 + s2) + b2)


def head(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class Denoiser(nn.Module):
    def __init__(self, width, heads, goal, proprioception, horizon, actions):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 1 + horizon, width))
        self.cameras = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
        self.shown, self.told = head(goal, 2 * width, width), head(goal, 2 * width, width)
        self.state = head(proprioception, 2 * width, width)
        self.encoder = nn.ModuleList([EncoderBlock(width, heads) for _ in range(2)])
        self.encoder_norm = Norm(width)
        self.decoder = nn.ModuleList([DecoderBlock(width, heads) for _ in range(4)])
        self.decoder_norm = Norm(width)
        self.sigma = nn.Sequential(nn.Linear(width, 2 * width), nn.Mish(), nn.Linear(2 * width, width))
        self.embed, self.predict = nn.Linear(actions, width), nn.Linear(width, actions)
        self.action_positions = nn.Parameter(torch.zeros(1, horizon, width))

    def context(self, goal, views, state, head):
        at = self.positions
        tokens = [head(goal)[:, None] + at[:, :1]]
        tokens += [camera(view)[:, None] + at[:, 1:2] for camera, view in zip(self.cameras, views)]
        x = torch.cat(tokens + [self.state(state)[:, None]], 1)
        for block in self.encoder:
            x = block(x)
        return self.encoder_norm(x)

    def forward(self, actions, sigma, context):
        half = self.embed.out_features // 2
        frequencies = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
        angle = (sigma.log() / 4)[:, None] * frequencies
        noise = self.sigma(torch.cat([angle.sin(), angle.cos()], 1))[:, None]
        x = self.embed(actions) + self.action_positions
        for block in self.decoder:
            x = block(x, context, noise)
        return self.predict(self.decoder_norm(x))


class SwishBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = Rms(width), Rms(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)
        self.gain1, self.gain2 = (nn.Parameter(0.1 * torch.ones(width)) for _ in range(2))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.gain1 * self.out(mixed)
        value, gate = self.up(self.norm2(x)).chunk(2, -1)
        return x + self.gain2 * self.down(value * F.silu(gate))


class Foresight(nn.Module):
    """Reconstructs hidden patches of both cameras' later pictures."""

    def __init__(self, context, width, heads, patches, patch):
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.camera = nn.Parameter(torch.zeros(1, 2, 1, width))
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.context = nn.Linear(context, width)
        self.blocks = nn.ModuleList([SwishBlock(width, heads) for _ in range(2)])
        self.norm = Rms(width)
        self.pixels = nn.Linear(width, 3 * patch * patch)
        self.register_buffer("table", torch.randn(1, 1, patches, width))
        self.patch, self.patches = patch, patches

    def forward(self, context, targets):
        rows = targets.shape[0]
        hidden = (torch.rand(rows, self.patches).argsort(1) >= self.patches // 4).float()[:, None, :, None]
        seen = self.embed(targets.flatten(0, 1)).flatten(2).transpose(1, 2).unflatten(0, (rows, 2))
        wanted = F.unfold(targets.flatten(0, 1), self.patch, stride=self.patch).transpose(1, 2)
        views = (seen + self.table) * (1 - hidden) + self.mask_token * hidden + self.table + self.camera
        x = torch.cat([self.context(context), views.flatten(1, 2)], 1)
        for block in self.blocks:
            x = block(x)
        pixels = self.pixels(self.norm(x[:, context.shape[1] :])).unflatten(1, (2, self.patches))
        error = (pixels - wanted.unflatten(0, (rows, 2))).square().mean(-1, keepdim=True)
        return (error * hidden).sum() / hidden.sum() / 2


class Policy(nn.Module):
    def __init__(self, goal):
        super().__init__()
        width, heads = 128, 4
        self.cameras = nn.ModuleList([Pictures(3, goal, width) for _ in range(2)])
        self.goal_encoder = Pictures(6, 0, goal)
        self.denoiser = Denoiser(width, heads, goal, 17, 10, 7)
        self.foresight = Foresight(width, 64, 4, 36, 8)
        self.inverse = head(4 * width, 2 * width, 21)
        self.logit_scale = nn.Parameter(torch.tensor([math.log(1 / 0.07)]))

    def loss(self, b, draws, told, later):
        """The first `told` rows have told goals, and `later` rows around them later pictures."""
        denoiser = self.denoiser
        shown = self.goal_encoder(torch.cat([b["static"], b["goal"]], 1))
        goal = torch.cat([b["language"][:told], shown[told:]])
        future = slice(told - later // 2, told - later // 2 + later)
        views = []
        for camera, now, after in zip(self.cameras, ("static", "gripper"), ("static_later", "gripper_later")):
            pictures = torch.cat([b[now], b[after], b[now][:told]])
            goals = torch.cat([goal, goal[future], shown[:told]])
            views.append(camera(pictures, goals).split([len(goal), later, told]))
        now, after, again = zip(*views)
        told_head = torch.arange(len(goal))[:, None] < told

        context = denoiser.context(goal, now, b["state"], denoiser.shown)
        sigma = torch.exp(torch.randn(len(goal) * draws) - 0.6)
        clean = b["actions"].repeat_interleave(draws, 0)
        s = sigma[:, None, None]
        noisy = clean + torch.randn_like(clean) * s
        total = s.square() + SIGMA_DATA**2
        target = (clean - noisy * SIGMA_DATA**2 / total) / (s * SIGMA_DATA / total.sqrt())
        output = denoiser(noisy / total.sqrt(), sigma, context.repeat_interleave(draws, 0))
        action = (output - target).square().mean()

        before = torch.cat([view[future] for view in now], 1)
        predicted = self.inverse(torch.cat([before, torch.cat(after, 1)], 1))
        inverse = (predicted - b["between"]).square().mean()
        foresight = self.foresight(context[future], b["targets"])

        aligned = denoiser.context(shown[:told], again, b["state"][:told], denoiser.told)
        image = F.normalize(aligned[:, 0], dim=-1)
        text = F.normalize(context[:told, 0], dim=-1)
        logits = image @ text.T * self.logit_scale.exp()
        pairs = torch.arange(told)
        alignment = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
        return action + 0.1 * (inverse + foresight) + 0.05 * alignment


def main():
    parser = argparse.ArgumentParser()
    for name in ("batch", "draws", "later", "steps", "threads", "goal"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--told", type=int, required=True)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    policy = Policy(a.goal)
    average = copy.deepcopy(policy)
    optimizer = torch.optim.AdamW(policy.parameters(), 1e-3, betas=(0.9, 0.95), weight_decay=0.01)
    pictures = lambda rows: torch.randn(rows, 3, 96, 96)
    batch = {
        "static": pictures(a.batch),
        "gripper": pictures(a.batch),
        "goal": pictures(a.batch),
        "static_later": pictures(a.later),
        "gripper_later": pictures(a.later),
        "language": torch.randn(a.batch, a.goal),
        "state": torch.randn(a.batch, 17),
        "actions": torch.rand(a.batch, 10, 7) * 2 - 1,
        "between": torch.rand(a.later, 21) * 2 - 1,
        "targets": torch.randn(a.later, 2, 3, 48, 48),
    }

    def step():
        optimizer.zero_grad(set_to_none=True)
        policy.loss(batch, a.draws, a.told, a.later).backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(policy.parameters()), 0.001)

    times = []
    for _ in range(a.steps + 2):
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    parameters = sum(p.numel() for p in policy.parameters())
    print(json.dumps({"parameters": parameters, "step_ms": min(times[2:]) * 1e3}))


main()
