"""`python charts/render.py [VALUES]`: prints the objects of the chart as YAML, rendered by Helm without a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import helm_python as helm
import yaml

CHART = Path(__file__).parent / "earwitness"


def main(arguments: list[str]) -> int:
    """Exit status: 1 if Helm refuses the values."""
    values = yaml.safe_load(Path(arguments[0]).read_text()) if arguments else {}
    try:
        with helm.Chart.load(CHART) as chart:
            files = chart.render(values, name="ew", namespace="ew")
    except helm.HelmError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n---\n".join(text for name, text in sorted(files.items()) if name.endswith(".yaml")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
