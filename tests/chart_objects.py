"""The chart's objects as Helm's engine renders them, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHART = Path(__file__).parents[1] / "charts" / "earwitness"


def chart_objects(values: dict[str, Any], namespace: str, name: str = "ew") -> list[dict[str, Any]]:
    """Those of a release, file by file. Raises helm_python.errors.HelmError."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace=namespace)
    texts = (text for file, text in sorted(files.items()) if file.endswith(".yaml"))
    return [o for text in texts for o in yaml.load_all(text, Loader=yaml.CSafeLoader) if o]
