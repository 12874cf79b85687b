"""Answers a second of EvoRay's own loop against transformers' ``generate``: the same batch, type and static cache.

    uv run python tests/benchmarks/generation.py [--folder NET] [--batch 16] [--prompt 64] [--new 64] [--threads 1]
        [--rounds 5] [--dtype float32] [--device cpu] [--out FILE.json]

Without a folder the network is random, of the shape of SmolLM2-135M. Both answer the same prompts of unequal lengths to
the last token, in turn; greedy answers have to be the same. transformers' network is as ``from_pretrained`` gives it,
ours as a run prepares it. Target: at least 0.9 of transformers' answers a second.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from evoray.models.transformers.attention import prepare
from evoray.tasks.generation.decoding import Manner, speak
from evoray.tasks.generation.speech import Speech

SMOL = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
TAKES = ("cache", "past_key_values", "position_ids", "logits_to_keep")


def network(folder: str | None, dtype: torch.dtype, device: str) -> Any:
    torch.manual_seed(0)
    if folder is None:
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMOL))
    else:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    return model.to(device, dtype).eval().requires_grad_(False)


def prompts(batch: int, longest: int, vocabulary: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded, lengths from half of the longest up."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, vocabulary, (batch, longest), generator=generator)
    lengths = torch.linspace(longest // 2, longest, batch).long()
    mask = (torch.arange(longest) >= longest - lengths[:, None]).long()
    return (ids * mask).to(device), mask.to(device)


def timed(work: Callable[[], Any], device: str) -> tuple[float, Any]:
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    with torch.inference_mode():
        found = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started, found


def measured(args: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(args.threads)
    theirs = network(args.folder, getattr(torch, args.dtype), args.device)
    ours = copy.deepcopy(theirs)
    ours.config.pad_token_id = ours.config.pad_token_id or 0
    prepare(ours)
    names = set(inspect.signature(ours.forward).parameters)
    tokenizer: Any = None
    speech = Speech(tokenizer, (), 0, "static", ours.config, tuple(name for name in TAKES if name in names))
    ids, mask = prompts(args.batch, args.prompt, ours.config.vocab_size, args.device)
    theirs.generation_config.eos_token_id = None

    def own() -> torch.Tensor:
        spoken = speak(ours, ids, mask, range(args.batch), speech, Manner(args.new))
        return torch.from_numpy(spoken.tokens).long()

    def other() -> torch.Tensor:
        found = theirs.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=args.new,
            do_sample=False,
            pad_token_id=0,
            cache_implementation="static",
            disable_compile=True,
        )
        return found[:, ids.shape[1] :].cpu()

    rounds = [(timed(own, args.device), timed(other, args.device)) for _ in range(args.rounds + 1)][1:]
    (_, answers), (_, wanted) = rounds[0]
    ratios = [theirs_s / ours_s for (ours_s, _), (theirs_s, _) in rounds]
    return {
        "network": args.folder or "random, of the shape of SmolLM2-135M",
        **{name: getattr(args, name) for name in ("batch", "prompt", "new", "threads", "dtype", "device")},
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "answers_per_s": args.batch / statistics.median(one for (one, _), _ in rounds),
        "answers_per_s_of_generate": args.batch / statistics.median(one for _, (one, _) in rounds),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "tokens_alike": float((answers == wanted).double().mean()),
        "answers_alike": float((answers == wanted).all(1).double().mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder")
    for name, value in (("batch", 16), ("prompt", 64), ("new", 64), ("threads", 1), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    text = json.dumps(measured(args), indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
