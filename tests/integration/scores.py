"""Fitnesses of a user's own, as configurations name them."""

from __future__ import annotations

import math


class NotAMean:
    width = 1

    def sums(self, logits, labels):
        return logits.sum()[None]

    def value(self, sums):
        return math.tanh(float(sums[0]))


def per_image(logits, labels):
    return -(logits.argmax(1) != labels).double()


def one_number(logits, labels):
    return (logits.argmax(1) == labels).float().mean()


def divides(logits, labels):
    return 1 / 0
