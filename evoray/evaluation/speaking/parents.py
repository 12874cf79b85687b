"""What a parent needs to speak: a tokenizer, a network that predicts tokens, and the cache that it can go on with."""

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.data.text.folder import CONFIG, context_of, read_config
from evoray.data.text.tokenizer import load_tokenizer, template_digest, tokenizer_digest
from evoray.errors import DataError, ModelError
from evoray.models.base import Parent
from evoray.models.transformers.matching import Described
from evoray.runtime.reading import reason_of, shown
from evoray.tasks.base import Task
from evoray.tasks.generation.decoding import MASK, TOKENS, Manner, speak
from evoray.tasks.generation.fitting import LONGEST, TEMPLATE
from evoray.tasks.generation.speech import Cache, Speech
from evoray.tasks.generation.task import Generation
from evoray.tasks.inputs import tensor_of

TAKES = ("cache", "past_key_values", "position_ids", "logits_to_keep")
PROBE = 6
"""Tokens of the text that a cache is tried on."""
SLACK = 1e-3
"""Relative: scores with a cache and without one come from other orders of additions."""


def speaking(task: Task, parent: Parent, splits: Described, seed: int) -> tuple[Speech | None, tuple[str, ...]]:
    """What a task that has its parent speak is told of it, and what is to be said of that; None for other tasks.

    Raises:
        ModelError, DataError: the parent, or the data, is of no use for it.
    """
    if not isinstance(task, Generation):
        return None, ()
    check_prompts(parent, splits, task.max_new_tokens)
    speech, note = speech_of(parent, seed)
    notes = (note, _left_out(parent.model))
    return speech, tuple(one for one in notes if one is not None)


def speech_of(parent: Parent, seed: int) -> tuple[Speech, str | None]:
    """What is told to workers, and what is to be said of the cache.

    Raises:
        ModelError: no tokenizer, or a network that predicts no tokens.
    """
    if parent.tokenizer is None:
        raise ModelError(
            f"the parent {shown(parent.name)} names no tokenizer, and answers are text. Return evoray.Parent(model, "
            "tokenizer=FOLDER) from its function."
        )
    folder = Path(parent.tokenizer)
    tokenizer, config = load_tokenizer(folder), getattr(parent.model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"the parent {shown(parent.name)} reads with an encoder and answers with a decoder, and generation takes "
            "networks that go on with a text, such as those of AutoModelForCausalLM."
        )
    identity = hashlib.sha256((tokenizer_digest(folder) + template_digest(tokenizer)).encode()).hexdigest()
    takes = tuple(name for name in TAKES if name in _parameters(parent.model))
    plain = Speech(tokenizer, _ends(parent.model, tokenizer), seed, "none", config, takes, identity)
    return _with_cache(plain, parent.model)


def _parameters(model: nn.Module) -> set[str]:
    try:
        return set(inspect.signature(model.forward).parameters)
    except (TypeError, ValueError):  # compiled
        return set()


def _ends(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Tokens that end a text: the network's own for generation, and the tokenizer's."""
    named = [getattr(getattr(model, part, None), "eos_token_id", None) for part in ("generation_config", "config")]
    own: Any = next((one for one in named if one is not None), [])
    found = {*(own if isinstance(own, list | tuple) else [own]), getattr(tokenizer, "eos_token_id", None)}
    return tuple(sorted(one for one in found if isinstance(one, int)))


OWN_WAYS: Mapping[str, tuple[Any, ...]] = {
    **{"repetition_penalty": (1, None), "encoder_repetition_penalty": (1, None), "no_repeat_ngram_size": (0, None)},
    **{"encoder_no_repeat_ngram_size": (0, None), "num_beams": (1, None), "num_beam_groups": (1, None)},
    **{"penalty_alpha": (None, 0), "min_length": (0, None), "min_new_tokens": (0, None), "guidance_scale": (1, None)},
    **{"bad_words_ids": (None,), "force_words_ids": (None,), "suppress_tokens": (None, []), "sequence_bias": (None,)},
    **{"begin_suppress_tokens": (None, []), "forced_bos_token_id": (None,), "forced_eos_token_id": (None,)},
    **{"exponential_decay_length_penalty": (None,), "stop_strings": (None,)},
}
"""What a network's generation_config may ask for besides; with the values that ask for nothing."""


def _left_out(model: Any) -> str | None:
    """What is said of a network's own ways of generating, which a task's answers do not follow."""
    own = getattr(model, "generation_config", None)
    asked = [
        f"{name} = {value}" for name, nothing in OWN_WAYS.items() if (value := getattr(own, name, None)) not in nothing
    ]
    if not asked:
        return None
    return (
        f"answers are the network's likeliest tokens, or drawn (task.temperature): its generation_config's "
        f"{shown(', '.join(asked), 200)} is not applied, and transformers' generate would"
    )


def _with_cache(plain: Speech, model: nn.Module) -> tuple[Speech, str | None]:
    """The static cache where scores with it are those without one, else the one that grows, else none."""
    if not {"cache", "past_key_values"} & set(plain.takes) or plain.network is None:
        return plain, "the network takes no cache of transformers: each token of an answer runs the whole text again"
    kinds: tuple[Cache, ...] = ("static", "dynamic")
    why = ""
    for kind in kinds:
        speech = Speech(**{**vars(plain), "cache": kind})
        try:
            with torch.inference_mode():
                _try(speech, model)
        except Exception as error:  # of any architecture's own code
            why = why or reason_of(error)
            continue
        grows = f"the network does not take the static cache ({shown(why, 120)}), and answers with one that grows"
        return speech, (grows if why else None)
    return plain, f"the network takes no cache ({shown(why, 120)}): each token of an answer runs the whole text again"


def _try(speech: Speech, model: nn.Module) -> None:
    """Two texts of different lengths, one of which leaves the batch. Raises where their scores are not what they are
    without a cache."""
    seen: list[Tensor] = []

    def network(**inputs: Any) -> Tensor:
        scores = tensor_of(model(**inputs))
        seen.append(scores[:, -1].clone())
        return scores

    usable = min(getattr(speech.network, "vocab_size", 2) or 2, PROBE + 2)
    ids = torch.arange(2 * PROBE).reshape(2, PROBE) % usable
    mask = torch.ones_like(ids)
    mask[0, : PROBE // 2] = 0
    ids[0, : PROBE // 2] = 0
    spoken = speak(network, ids, mask, [0, 1], Speech(**{**vars(speech), "ends": ()}), Manner(3))
    for row in range(2):
        start = int((mask[row] == 0).sum())
        text = torch.cat([ids[row, start:], torch.from_numpy(spoken.tokens[row, :2]).long()])[None]
        whole = tensor_of(model(**{TOKENS: text, MASK: torch.ones_like(text)}))[0]
        for step, scores in enumerate(seen):
            wanted = whole[PROBE - start - 1 + step]
            if not torch.allclose(scores[row].double(), wanted.double(), rtol=0, atol=_slack(wanted)):
                raise ValueError("its scores with it are others than without")


def _slack(scores: Tensor) -> float:
    few = torch.finfo(scores.dtype).eps ** 0.5 if scores.dtype != torch.float32 else SLACK
    return max(float(scores.double().abs().max()), 0.1) * few


def check_prompts(parent: Any, splits: Any, new: int) -> None:
    """Raises DataError where a prompt is too long for the parent, or was written by another chat template."""
    folder = None if parent.tokenizer is None else Path(parent.tokenizer)
    context = context_of(read_config(folder)) if folder is not None and (folder / CONFIG).exists() else None
    for split, one in splits.described.items():
        key = "data.path" if split == "select" else "data.test_path, or data.path"
        if context is not None and LONGEST in one.made and one.made[LONGEST][0] + new > context:
            length, record = one.made[LONGEST]
            raise DataError(
                f"{key}: {shown(record)} has {length} tokens, and with task.max_new_tokens = {new} more the parent's "
                f"{context} are too few. Lower it, or leave long prompts out."
            )
        template = one.made.get(TEMPLATE)
        if folder is not None and template is not None and template != template_digest(load_tokenizer(folder)):
            raise DataError(
                f"{key}: its prompts were written by another chat template than the parent's. Ingest them again with "
                "--for and this configuration."
            )
