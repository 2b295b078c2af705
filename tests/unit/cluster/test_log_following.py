"""Logs that are followed: lines as they come, of pods that come later too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fake_kubernetes import FakeKubernetes

from earwitness.cluster import Api, Forbidden, find_release, log_lines


@pytest.fixture
def followed(api: Api, cluster: FakeKubernetes, labels: Callable) -> Iterator[Iterator[tuple[str, str]]]:
    """The rollout's log from its last line on."""
    cluster.add_pod("rollout-a", "mesh", labels("rollout"))
    cluster.logs["rollout-a"] = "old\nnewest\n"
    yield log_lines(api, find_release(api), "rollout", 1, follow=True)
    cluster.objects["pods"].clear()


def test_lines_come_as_they_are_written(cluster: FakeKubernetes, followed: Iterator) -> None:
    assert next(followed) == ("rollout-a", "newest")
    cluster.logs["rollout-a"] += "in two "
    cluster.logs["rollout-a"] += "parts\nnext\n"
    assert [next(followed), next(followed)] == [("rollout-a", "in two parts"), ("rollout-a", "next")]


def test_a_pod_that_comes_later_is_followed_too(cluster: FakeKubernetes, followed: Iterator, labels: Callable) -> None:
    assert next(followed) == ("rollout-a", "newest")
    cluster.logs["rollout-b"] = "hello\n"
    cluster.add_pod("rollout-b", "mesh", labels("rollout"))
    assert next(followed) == ("rollout-b", "hello")


def test_a_log_that_may_not_be_read_ends_with_the_missing_right(cluster: FakeKubernetes, followed: Iterator) -> None:
    cluster.forbidden.add(("get", "pods/log"))
    with pytest.raises(Forbidden, match="get on pods/log"):
        next(followed)
