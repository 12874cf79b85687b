from finished_files import config, population, run_for, summary

__all__ = ["config", "population", "run_for", "summary"]
