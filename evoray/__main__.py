"""``evoray``, and ``python -m evoray``. Imports late: a process that decodes images runs this module again."""

from __future__ import annotations


def main() -> None:
    from evoray.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
