"""What a configuration may ask for at most: far above what any machine does, far below what fills its memory.

A value beyond its limit is refused as the file is read, by a message that names the limit; nothing is allocated first.
"""

CONFIG_BYTES = 2**22
CONFIG_DEPTH = 16
"""Tables in tables; a run's own keys are three deep."""
TEXT = 4096
"""Characters of one value, as of a path."""
ITEMS = 10_000
"""Of a list, such as patterns of tensors' names."""
SEED = 2**63 - 1
CHILDREN, GENERATIONS, EVALUATIONS = 10**6, 10**5, 10**7
"""Of a generation, of a run, and children of all generations together."""
MEMBERS = 10**4
"""Of an ensemble, a soup, an elite, and what they are chosen from."""
IMAGES = 2**26
"""Of a data set, as of shards (67 million)."""
BUDGET = 2**53
OUTPUTS = 10**6
"""Of a network, and classes."""
WORKERS, LOCAL_WORKERS, CORES, GPUS = 10**4, 256, 4096, 64
BATCH = 2**20
GUARDS = 32
GIB, CACHE_GB = 2**16, 1e6
