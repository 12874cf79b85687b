"""A cluster of several nodes on this machine, without anything of EvoRay."""

from __future__ import annotations

HEALTH = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""A dead node is noticed in about two seconds; Ray's own settings take 10 to 15."""


class Machines:
    """A cluster whose head holds no workers; nodes come and go."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.nodes = []

    @property
    def address(self):
        return self.cluster.address

    def add(self, count=1, **kind):
        kind = {"num_cpus": 1, "object_store_memory": 80 * 2**20, **kind}
        added = [self.cluster.add_node(wait=False, **kind) for _ in range(count)]
        self.nodes += added
        self.cluster.wait_for_nodes(timeout=90)
        return added

    def kill(self, node):
        """Every process of it, with SIGKILL."""
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)

    def keep(self, count):
        """Just so many plain nodes, for the next scenario."""
        while len(self.nodes) > count:
            self.kill(self.nodes[-1])
        self.add(count - len(self.nodes))
