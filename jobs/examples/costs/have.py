"""What you would have: a trained network. ``python have.py`` trains the demo's on 800 of MNIST's digits, in seconds."""

from pathlib import Path

from evoray.demo import train_parent

if __name__ == "__main__":
    train_parent(seed=0, path=Path("parent.safetensors"))
