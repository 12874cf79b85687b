from __future__ import annotations

import asyncio
import hashlib
import pickle

from evoray.serving.plan import Limits, Plan
from evoray.serving.service import Service, digest_of


def test_a_service_is_sent_and_opened(served_run, test_pictures):
    service = Service(Plan(served_run.directory.location, "soup", "."), Limits(records=3), digest_of("a-token"))
    opened = pickle.loads(pickle.dumps(service)).open()
    answers = opened.answers([(test_pictures[0], 2), (test_pictures[1], 3)])
    assert [len(one["classes"]) for one in answers] == [2, 3]
    assert (opened.counts.batches, opened.counts.records) == (1, 2)

    async def nobody(*_):
        return []

    door = opened.door(nobody, nobody)
    assert (door.limits.records, door.token, door.counts) == (3, hashlib.sha256(b"a-token").digest(), opened.counts)
    assert asyncio.run(door.others(door.counts)) == []


def test_a_token_is_kept_as_its_digest():
    assert digest_of(None) is None
    assert digest_of("é") == hashlib.sha256("é".encode()).digest()
