"""``evoray``, and ``python -m evoray``. Imports late: a process that decodes images runs this module again."""


def main() -> None:
    try:
        from evoray.runtime.origin import interrupts_kept

        with interrupts_kept():
            from evoray.cli import main as command_line

            command_line()
    except KeyboardInterrupt:  # while it still imports: nothing has begun
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
