"""One copy of the weights for several processes: what one writes the others read, in the same pages."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rollout.shared_memory import ALIGNMENT, SharedMemory, mapped

LAYOUT = [
    ("embed", "bfloat16", (33, 7)),
    ("scalar", "float32", ()),
    ("empty", "bfloat16", (0, 5)),
    ("norm.weight", "float32", (129,)),
]

READER = """
import sys
from rollout.shared_memory import mapped
held = mapped([sys.argv[1]])
print({name: (h.dtype, h.shape, h.data.tobytes().hex()) for name, h in held.items()}, flush=True)
sys.stdin.readline()
print(held["scalar"].data.tobytes().hex(), flush=True)
"""


@pytest.fixture
def written() -> SharedMemory:
    memory = SharedMemory(LAYOUT)
    numbers = np.random.default_rng(0)
    for held in memory.tensors.values():
        held.data[:] = numbers.integers(0, 256, held.data.size, np.uint8)
    return memory


def test_tensors_have_their_bytes_and_nobody_elses(written: SharedMemory) -> None:
    assert [(name, h.dtype, h.shape, h.data.nbytes) for name, h in written.tensors.items()] == [
        ("embed", "bfloat16", (33, 7), 462), ("scalar", "float32", (), 4), ("empty", "bfloat16", (0, 5), 0),
        ("norm.weight", "float32", (129,), 516),
    ]  # fmt: skip
    starts = [h.data.ctypes.data for h in written.tensors.values() if h.data.size]
    assert all(start % ALIGNMENT == 0 for start in starts)
    before = {name: h.data.tobytes() for name, h in written.tensors.items()}
    written.tensors["scalar"].data[:] = 0
    assert {n for n, h in written.tensors.items() if h.data.tobytes() != before[n]} == {"scalar"}


def test_another_process_reads_what_is_written_also_later(written: SharedMemory) -> None:
    command = [sys.executable, "-c", READER, written.address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        expected = {name: (h.dtype, h.shape, h.data.tobytes().hex()) for name, h in written.tensors.items()}
        assert reader.stdout.readline().strip() == str(expected)
        written.tensors["scalar"].data[:] = 7
        assert reader.communicate("go on\n")[0].strip() == "07" * 4


def test_what_is_mapped_outlives_the_writer(written: SharedMemory) -> None:
    expected = written.tensors["embed"].data.tobytes()
    held = mapped(["elsewhere 1 1 1", written.address])
    del written
    assert held["embed"].data.tobytes() == expected


def test_addresses_differ_though_numbers_are_used_again() -> None:
    addresses = []
    for _ in range(3):
        memory = SharedMemory(LAYOUT)
        addresses.append(memory.address)
        del memory
    assert len(set(addresses)) == 3


def test_what_is_not_there_is_told(written: SharedMemory) -> None:
    with pytest.raises(RuntimeError, match=r"no process of .* holds the weights"):
        mapped(["elsewhere 1 1 1"])
    host, _, _, inode = written.address.split(" ")
    with pytest.raises(RuntimeError, match="cannot be mapped"):
        mapped([f"{host} {os.getpid()} 9999 {inode}"])
