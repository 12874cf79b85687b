"""Candidates and guards without a network: what each holds is said beforehand."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from evoray.mutation import Entry, Lineage
from evoray.search.guards.judge import Guards
from evoray.search.population import Evaluated
from evoray.strategies import Ask

PARENT = Ask("parent", Lineage(), 0, "parent", own=0)


def lineage(number, base=()):
    return Lineage((*base, Entry(float(number), None)))


def child(number, fitness, kind="child", status="ok", generation=0):
    ask = Ask(f"g{generation:04d}/{kind[0]}{number:04d}", lineage(number), generation, kind)
    return Evaluated(ask, None, fitness, status)


def parent(fitness):
    return Evaluated(PARENT, None, fitness, "ok")


class Told:
    """As a Judge; breaks: the numbers of those that break it. Who was judged, in order, is kept."""

    def __init__(self, breaks=(), most=10**6, name="g"):
        self.breaks, self.most = {lineage(number) for number in breaks}, most
        self.guard = SimpleNamespace(name=name)
        self.found, self.counts, self.order = {}, Counter(), []

    def judge(self, asks, where):
        for ask in asks:
            if self.says(ask.lineage) is None and self.counts[where] < self.most:
                self.counts[where] += 1
                self.order.append(ask.name)
                self.found[ask.lineage] = "breaks guard g: x" if ask.lineage in self.breaks else ""

    def says(self, one):
        return self.found.get(one) if one.entries else ""


def guards_of(*judges):
    found = Guards()
    found.judges = judges
    return found
