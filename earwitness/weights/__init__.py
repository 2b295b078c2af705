"""The weight plane: versions of the policy on their way from the trainer to the rollout workers.

A version is a byte string (tensors one after another, Hugging Face names and shapes) cut in chunks that are spread
over several Redis shards, and a manifest on shard 0 that is written last: who can read the manifest can read the
version. The manifest carries an xxh3-128 of every tensor, and a reader gives out no tensor that does not match.

**Durable:** nothing. The shards keep versions in memory only; what outlives them are the trainer's checkpoints. A
version that got lost is published again under its own name.

**Owners:** the trainer's ranks write chunks, each its own part; one publisher, on rank 0, commits and deletes. A
lineage (`<job>/<n>`) is written by one trainer only. Readers write nothing but their lease, and which version they
found damaged.

**Not promised:** that an old version stays. The newest two do, and any that a lease names.
"""

from earwitness.weights.errors import MissingVersion
from earwitness.weights.host_copy import Held, HostCopy, Signature
from earwitness.weights.names import NEWS
from earwitness.weights.part import WeightPart
from earwitness.weights.publisher import WeightPublisher
from earwitness.weights.reader import WeightReader
from earwitness.weights.shards import connect_shards
from earwitness.weights.tensors import Tensor

__all__ = [
    "NEWS",
    "Held",
    "HostCopy",
    "MissingVersion",
    "Signature",
    "Tensor",
    "WeightPart",
    "WeightPublisher",
    "WeightReader",
    "connect_shards",
]
