"""Experiment trackers: a file each, told what happens in a run by a process of its own, which cannot hold it up."""
