r"""Children inside a running engine of vLLM: are they the run's, does the parent come back, and how fast is it?

    OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_KVCACHE_SPACE=1 taskset -c 1 \
        python tests/benchmarks/vllm_children.py FOLDER --work DIR [--out FILE.json]

In an environment with vLLM and EvoRay; FOLDER holds a language model. Every tensor in the engine is compared by digest
with some children as EvoRay builds them, in the engine's type; 20 children are written and taken back; a child's greedy
answers are compared with those of an engine started from its exported folder. Then answers a second, in turn with
EvoRay's own loop (``speak``, on transformers): the same prompts, tokens, threads and type. Exits 1 where bits differ.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from generation import TAKES

from evoray.config import ParentConfig
from evoray.data.text.tokenizer import load_tokenizer
from evoray.models import canonical_state, load_parent, mutable_names
from evoray.models.engine.vllm import EXTENSION, Engine
from evoray.mutation import Lineage, Space, child_state, lineage_document, soup, tensors_sha256
from evoray.mutation.partition import Partition, PartitionConfig
from evoray.results.folder import fill
from evoray.tasks.generation.decoding import Manner, speak
from evoray.tasks.generation.speech import Speech

CHILDREN = 20
COMPARED = ["sparse0", "sparse7", "sparse19", "dense0", "soup"]
"""Of the children that are written, those whose every tensor is compared: a digest of all weights takes seconds."""
NUMBERS = zip(range(7, 71, 4), "+-*+" * 4, range(3, 51, 3), strict=True)
PROMPTS = [f"What is {one} {sign} {other}? Answer:" for one, sign, other in NUMBERS]
EXAMPLE = "What is 2 + 2? Answer: 4\n"


def started(folder: Path, dtype: str) -> Any:
    from vllm import LLM

    return LLM(model=str(folder), dtype=dtype, max_model_len=512, enforce_eager=True, worker_extension_cls=EXTENSION)


def prompts(args: argparse.Namespace) -> list[str]:
    return [EXAMPLE * args.examples + one for one in PROMPTS]


def answers(llm: Any, args: argparse.Namespace) -> list[list[int]]:
    from vllm import SamplingParams

    said = llm.generate(
        prompts(args), SamplingParams(temperature=0, max_tokens=args.new, ignore_eos=True), use_tqdm=False
    )
    return [list(one.outputs[0].token_ids) for one in said]


def of_fresh(folder: Path, args: argparse.Namespace) -> list[list[int]]:
    """An engine's answers, in a process of its own; as vLLM starts it."""
    command = [sys.executable, __file__, str(folder), "--fresh", "--dtype", args.dtype, "--new", str(args.new)]
    command += ["--examples", str(args.examples)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(found.splitlines()[-1])


def drawn(space: Space) -> dict[str, Lineage]:
    """20 sparse children, dense ones, and a soup of eight."""
    sparse, dense = PartitionConfig(parts=100), PartitionConfig(parts=1)
    one = [Lineage().child(Partition.draw(sparse, 0.3, 0, 0, number)) for number in range(CHILDREN)]
    all_of = [Lineage().child(Partition.draw(dense, 0.01, 1, 0, number)) for number in range(2)]
    return {
        **{f"sparse{number}": lineage for number, lineage in enumerate(one)},
        **{f"dense{number}": lineage for number, lineage in enumerate(all_of)},
        "soup": soup(one[:8], Lineage(), 8.0),
    }


def digest_in(state: dict[str, torch.Tensor], dtype: str) -> str:
    return tensors_sha256({name: tensor.to(getattr(torch, dtype)) for name, tensor in state.items()})


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def own_loop(model: Any, folder: Path, args: argparse.Namespace) -> Callable[[], torch.Tensor]:
    """The same prompts answered by EvoRay's loop on transformers."""
    tokenizer: Any = load_tokenizer(folder)
    ids = [tokenizer(one)["input_ids"] for one in prompts(args)]
    longest = max(map(len, ids))
    padded = torch.tensor([[0] * (longest - len(one)) + one for one in ids])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in ids])
    model = model.to(getattr(torch, args.dtype)).eval().requires_grad_(False)
    names = set(inspect.signature(model.forward).parameters)
    speech = Speech(tokenizer, (), 0, "static", model.config, tuple(name for name in TAKES if name in names))

    def spoken() -> torch.Tensor:
        with torch.inference_mode():
            return torch.from_numpy(speak(model, padded, mask, range(len(ids)), speech, Manner(args.new)).tokens)

    return spoken


def written(engine: Engine, case: Case, dtype: str) -> dict[str, Any]:
    """Digests of children in the engine against EvoRay's own, and what it took to write them."""
    wrong, took = [], {}
    for name, lineage in case.lineages.items():
        took[name] = 1000 * seconds(partial(engine.write, lineage))
        if name in COMPARED and engine.weights_sha256() != digest_in(
            child_state(case.state, case.space, lineage), dtype
        ):
            wrong.append(name)
    back = 1000 * seconds(engine.take_back)
    return {
        "children_written": len(case.lineages),
        "children_compared": COMPARED,
        "children_that_differ": wrong,
        "parent_is_back": engine.weights_sha256() == digest_in(case.state, dtype),
        "ms_to_write": took,
        "ms_to_take_back_a_soup": back,
    }


class Case:
    """The parent, children of it, and one of them as files: a lineage and a folder as ``evoray export`` writes it."""

    def __init__(self, folder: Path, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.model = load_parent(ParentConfig(source="transformers", name=str(folder)), None).model
        self.state, aliases = canonical_state(self.model)
        self.space = Space.from_state(self.state, mutable_names(self.model, ["*"], []), "rms")
        self.lineages = drawn(self.space)
        self.file, self.exported = work / "child.json", work / "child"
        document = lineage_document("parent", self.state, self.space, self.lineages["sparse0"], aliases)
        self.file.write_text(json.dumps(document))
        self.exported.mkdir(exist_ok=True)
        child = child_state(self.state, self.space, self.lineages["sparse0"])
        fill(self.exported, folder, self.model, child | {one: child[name] for one, name in aliases.items()})
        self.model.load_state_dict(self.state | {one: self.state[name] for one, name in aliases.items()})


def exact(engine: Engine, case: Case, args: argparse.Namespace) -> dict[str, Any]:
    """Weights and greedy answers of children in the engine, and of the parent after them."""
    of_parent = answers(engine.llm, args)
    found = written(engine, case, args.dtype)
    found["answers_of_parent_are_back"] = answers(engine.llm, args) == of_parent
    with engine.child(case.file):
        of_child = answers(engine.llm, args)
    print(json.dumps(found), flush=True)
    return found | {
        "answers_of_child_unlike_parent": unlike(of_child, of_parent),
        "answers_unlike_fresh_engine_of_exported_folder": unlike(of_child, of_fresh(case.exported, args)),
    }


def measured(args: argparse.Namespace) -> dict[str, Any]:
    case = Case(args.folder, args.work)
    llm = started(args.folder, args.dtype)
    in_engine = partial(answers, llm, args)
    in_engine()
    packed = [seconds(in_engine) for _ in range(args.rounds)]
    opening = time.perf_counter()
    engine = Engine(llm, args.folder, case.file)
    opening = time.perf_counter() - opening
    own = own_loop(case.model, args.folder, args)
    found = exact(engine, case, args) | {"answers_of_parent_unlike_own_loop": unlike(in_engine(), own().tolist())}
    rounds = [(seconds(in_engine), seconds(own)) for _ in range(args.rounds)]
    ratios = [theirs / ours for ours, theirs in rounds]
    return found | {
        "prompts": len(PROMPTS),
        **{name: getattr(args, name) for name in ("new", "dtype", "rounds", "examples")},
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "s_to_open": opening,
        "packed_s": packed,
        "vllm_s": [one for one, _ in rounds],
        "own_s": [one for _, one in rounds],
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def unlike(ones: list[list[int]], others: list[list[int]]) -> int:
    return sum(one != other for one, other in zip(ones, others, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("vllm-work"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--new", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=0, help="before every prompt: vLLM keeps what it made of them")
    parser.add_argument("--fresh", action="store_true", help="answer the prompts alone, and print the tokens")
    args = parser.parse_args()
    if args.fresh:
        print("\n" + json.dumps(answers(started(args.folder, args.dtype), args)))
        return 0
    found = measured(args)
    print(text := json.dumps(found, indent=1))
    if args.out:
        args.out.write_text(text + "\n")
    return 0 if found["parent_is_back"] and not found["children_that_differ"] else 1


if __name__ == "__main__":
    sys.exit(main())
