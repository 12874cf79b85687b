from finished_files import config, population, summary

__all__ = ["config", "population", "summary"]
