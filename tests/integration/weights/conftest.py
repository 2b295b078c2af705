"""Shards, a publisher and a reader for the tests of the weight plane. A file that needs others has its own."""

import pytest

from earwitness.weights import WeightPublisher, WeightReader
from tests.integration.weights.weights_kit import LINEAGE, emptied, running_shards


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    yield from running_shards(tmp_path_factory, 2)


@pytest.fixture
def shards(urls):
    yield from emptied(urls)


@pytest.fixture
def publisher(shards):
    return WeightPublisher(shards, LINEAGE, anchor_every=5)


@pytest.fixture
def reader(shards):
    return WeightReader(shards)
