"""Generate the Python of the wire into `earwitness/wire`.

protoc names Python modules after the proto's path, so `earwitness/jobs/v1/jobs.proto` would
land beside the core's own modules. The wire has its own package instead: imports between
generated files are rewritten to `earwitness.wire`.

    python protos/generate.py            write the files
    python protos/generate.py --check    fail if the committed files differ
"""

from __future__ import annotations

import argparse
import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
WIRE = ROOT.parent / "earwitness" / "wire"


def generate(target: Path) -> None:
    """Write the generated package to `target`, replacing what is there."""
    sources = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("earwitness/**/*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        includes = Path(grpc_tools.__file__).parent / "_proto"
        code = protoc.main(
            ["protoc", f"-I{ROOT}", f"-I{includes}", f"--python_out={scratch}", f"--pyi_out={scratch}",
             f"--grpc_python_out={scratch}", *sources]
        )  # fmt: skip
        if code:
            raise SystemExit(code)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(scratch) / "earwitness", target)
    for path in target.rglob("*.py*"):
        text = path.read_text()
        path.write_text(re.sub(r"^from earwitness\.", "from earwitness.wire.", text, flags=re.M))
    for folder in [target, *(p for p in target.rglob("*") if p.is_dir())]:
        (folder / "__init__.py").write_text("")
    # A service file is only worth having where a service is defined.
    for path in target.rglob("*_pb2_grpc.py"):
        if "class " not in path.read_text():
            path.unlink()


def differences(left: Path, right: Path) -> list[str]:
    """Relative paths that differ or exist on one side only, bytecode aside."""
    names = {p.relative_to(d) for d in (left, right) for p in d.rglob("*.py*") if "__pycache__" not in p.parts}
    return sorted(
        str(n)
        for n in names
        if not (left / n).exists() or not (right / n).exists() or not filecmp.cmp(left / n, right / n, shallow=False)
    )


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        generate(WIRE)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "wire"
        generate(fresh)
        stale = differences(fresh, WIRE)
    for name in stale:
        print(f"earwitness/wire/{name} differs from the protos: run `make protos` and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
