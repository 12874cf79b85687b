"""``ray job submit --working-dir . -- python jobs/evolve.py CONFIG --out URI [--resume]``; see README.md beside it."""

from evoray.commands.job import main

if __name__ == "__main__":
    main()
