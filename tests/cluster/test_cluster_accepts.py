"""The API server takes what Helm renders of each profile and of each good value of the table; nothing is made."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from cluster_kit import until
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from earwitness.cluster import Api
from tests.chart_objects import CHART, chart_objects
from tests.unit.chart.test_chart_table import GOOD

Object = dict[str, Any]

PROFILES = {path.name.removesuffix("-values.yaml"): path for path in CHART.glob("ci/*-values.yaml")}
STRICT = [("fieldValidation", "Strict")]


class Server:
    """What it says to objects that it is not to keep."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._client = DynamicClient(api.core.api_client)
        self._namespace = namespace
        self._own = {o["apiVersion"] for o in chart_objects({}, namespace)}

    def refusals(self, objects: list[Object]) -> dict[str, str]:
        """Reason by object. Kinds of others (cert-manager, KEDA) are looked at only where they are installed."""
        found = {}
        for o in objects:
            try:
                kind = self._client.resources.get(api_version=o["apiVersion"], kind=o["kind"])
            except ResourceNotFoundError:
                if o["apiVersion"] in self._own:
                    raise
                continue
            try:
                self._client.server_side_apply(
                    kind, o, namespace=self._namespace, field_manager="earwitness-test", dry_run="All",
                    query_params=[*STRICT],
                )  # fmt: skip
            except DynamicApiError as error:
                found[f"{o['kind']} {o['metadata']['name']}"] = str(error.body)
        return found


def pods(objects: list[Object]) -> list[Object]:
    """One of each workload: whether the namespace lets it in shows only when it is made."""
    found = []
    for o in objects:
        if o["kind"] in ("Deployment", "StatefulSet"):
            template = o["spec"]["template"]
            # Of what controllers and accounts add, nothing matters to that but that each volume is there.
            spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
            names = [claim["metadata"]["name"] for claim in o["spec"].get("volumeClaimTemplates", [])]
            spec["volumes"] = [*spec.get("volumes", []), *({"name": name, "emptyDir": {}} for name in names)]
            about = {"name": o["metadata"]["name"], "labels": template["metadata"]["labels"]}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec})
    return found


@pytest.fixture(scope="module")
def server(api: Api, namespace: str) -> Server:
    account = "metadata.name=default"  # no pod is let in before it is there
    until("the account", lambda: api.core.list_namespaced_service_account(namespace, field_selector=account).items)
    return Server(api, namespace)


@pytest.mark.parametrize("profile", ["default", *PROFILES])
def test_a_profile_is_accepted_and_its_pods_are_let_in(server: Server, namespace: str, profile: str) -> None:
    objects = chart_objects(yaml.safe_load(PROFILES[profile].read_text()) if profile in PROFILES else {}, namespace)
    assert server.refusals(objects) == {}
    assert server.refusals(pods(objects)) == {}


def test_each_good_value_of_the_table_is_accepted(server: Server, namespace: str) -> None:
    refused = {what: server.refusals(chart_objects(values, namespace)) for what, values in GOOD.items()}
    assert {what: said for what, said in refused.items() if said} == {}


def test_nothing_was_made(server: Server, api: Api, namespace: str) -> None:
    assert api.core.list_namespaced_pod(namespace).items == []
    assert api.apps.list_namespaced_deployment(namespace).items == []
    assert api.core.list_namespaced_persistent_volume_claim(namespace).items == []
