"""Installs requirements-cpu.lock and this project, editable, into a virtual environment: `python3 install.py .venv`.

The lock names one file for each package, by its hash, and nothing is resolved or compiled, so each install is the same.
pip does the work, as it is configured. torch without CUDA is not on PyPI. It comes from the first of these that has it:
what pip is configured with, PyTorch's own index (asked once, briefly), or PyPI's build with CUDA, which is said with
its size. Whatever cannot be had is one line: which file, where it was looked for, what to do.

Runs with any Python 3.6 or newer, to say which one is needed. Seconds of the install are left in VENV/.install-seconds.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-cpu.lock"
CUDA_LOCK = ROOT / "requirements-torch-cuda.lock"
PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_SIZE = "about 2.5 GB to download, 4 GB more on disk"
PYTHONS = ("3.11", "3.12", "3.13")
NEEDED_BYTES = 6 << 30
"""The packages take 3.5 GB; their archives lie beside them for a while."""

NEEDED_SHM_BYTES = 512 << 20
NEEDED_LIBRARY, ITS_PACKAGE = "libnuma.so.1", "libnuma1"
"""vLLM's kernels for the CPU need it, and the wheel does not bring it."""

PROBE_SECONDS = 5
TIMEOUT_SECONDS = 15
REACH_SECONDS = 8
BATCH = 12
"""Packages one pip installs: more hide the progress, fewer start pip too often."""

Failure = type("Failure", (Exception,), {"__doc__": "What could not be done, in one line."})


def main(venv):
    started = time.monotonic()
    try:
        python = environment(venv)
        check_room(venv)
        check_libraries()
        entries = entries_of(LOCK)
        reach(python, entries[0])
        torch = [entry for entry in entries if name_of(entry) == "torch"]
        rest = [entry for entry in entries if name_of(entry) != "torch"]
        install_torch(python, torch[0], len(entries))
        install_rest(python, rest, len(entries))
        pip(python, "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT))
    except Failure as failure:
        print("\ninstall: {}".format(failure), file=sys.stderr)
        return 1
    seconds = int(time.monotonic() - started)
    (venv / ".install-seconds").write_text("{}\n".format(seconds))
    print("installed {} packages in {} s".format(len(entries), seconds))
    return 0


def environment(venv):
    """The Python of the environment, which is made if it is not there."""
    python = venv / "bin" / "python"
    if not python.exists() or version_of(str(python)) not in PYTHONS:
        base = next((found for found in candidates() if version_of(found) in PYTHONS), None)
        if base is None:
            raise Failure(
                "Python {} is needed; on the PATH there is only {} ({}). "
                "Install python3.11, 3.12 or 3.13 with its venv module".format(
                    " or ".join(PYTHONS), sys.executable, ".".join(map(str, sys.version_info[:2]))
                )
            )
        made = run([base, "-m", "venv", "--clear", str(venv)])
        if made.returncode:
            if "ensurepip" in made.stdout + made.stderr:
                raise Failure("{} has no ensurepip: install python3-venv (apt install python3-venv)".format(base))
            raise Failure("{} -m venv {}: {}".format(base, venv, reason(made.stderr or made.stdout)))
    return str(python)


def candidates():
    """Pythons on the PATH, the one that runs this first."""
    return [sys.executable, *filter(None, (shutil.which("python" + version) for version in PYTHONS))]


def version_of(python):
    try:
        asked = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def check_room(venv, shm="/dev/shm"):
    """Refuses at once what would end in the middle, or as soon as the mesh starts."""
    free = shutil.disk_usage(str(venv)).free
    if free < NEEDED_BYTES and not (venv / ".install-seconds").exists():
        raise Failure(
            "{} has {:.1f} GB free and {:.0f} are needed: make room, or set VENV to a folder elsewhere".format(
                venv.resolve(), free / 2**30, NEEDED_BYTES / 2**30
            )
        )
    if not Path(shm).is_dir() or not os.access(shm, os.W_OK):
        raise Failure(
            "{} is not there or not writable, and vLLM and the weights need it: mount a tmpfs on it".format(shm)
        )
    if shutil.disk_usage(shm).total < NEEDED_SHM_BYTES:
        raise Failure(
            "{} holds {} MiB and {} are needed: mount it larger (docker: --shm-size=2g)".format(
                shm, shutil.disk_usage(shm).total >> 20, NEEDED_SHM_BYTES >> 20
            )
        )


def check_libraries(library=NEEDED_LIBRARY):
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise Failure(
            "vLLM needs a library of the system that does not load ({}): install {} (apt install {})".format(
                error, ITS_PACKAGE, ITS_PACKAGE
            )
        ) from None


def entries_of(lock):
    """The lock's entries, each with its hashes in one line."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def name_of(entry):
    return entry.split("==")[0]


def reach(python, entry):
    """One small package first, asked for briefly (pip names the cause only as it retries)."""
    from_lock(python, [entry], "--retries", "1", "--timeout", str(REACH_SECONDS))


def install_torch(python, entry, count):
    """torch from the first place that has it."""
    wanted = entry.split()[0]
    progress(1, count, wanted)
    if version_installed(python, "torch") == wanted.split("==")[1]:
        return None
    # The hash is known of the files that could be seen when the lock was written. PyTorch's index tells the hash of its
    # own file, which pip verifies, so without one in the lock the version is what is held to.
    try:
        return from_lock(python, [entry], "--retries", "0")
    except Failure as failure:
        first = failure
    if reachable(PYTORCH_INDEX):
        say("{} is not where pip is configured to look: from {}".format(wanted, PYTORCH_INDEX))
        return pip(python, "--no-deps", "--only-binary", ":all:", "--index-url", PYTORCH_INDEX, wanted)
    say(
        "{} is neither where pip is configured to look nor at {}: taking the build with CUDA ({})".format(
            wanted, PYTORCH_INDEX, CUDA_SIZE
        )
    )
    try:
        from_lock(python, entries_of(CUDA_LOCK), "--retries", "1")
    except Failure as failure:
        raise Failure("{}; and for the build without CUDA: {}".format(failure, first)) from None


def reachable(index):
    """One quick question, no retries; a proxy of the environment is used as pip would use it."""
    try:
        with urllib.request.urlopen(index + "/torch/", timeout=PROBE_SECONDS):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def version_installed(python, package):
    asked = run([python, "-c", "import importlib.metadata as m; print(m.version({!r}))".format(package)])
    return asked.stdout.strip() if asked.returncode == 0 else None


def install_rest(python, entries, count):
    """Two pips beside each other: one unpacks while the other downloads."""
    batches = [entries[start : start + BATCH] for start in range(0, len(entries), BATCH)]
    done = count - len(entries)
    with ThreadPoolExecutor(2) as pool:
        running = {pool.submit(from_lock, python, batch, "--retries", "2"): batch for batch in batches}
        try:
            for future in as_completed(running):
                future.result()
                done += len(running[future])
                progress(done, count, name_of(running[future][-1]))
        except Failure:
            for future in running:
                future.cancel()
            raise
    if sys.stdout.isatty():
        print()


def from_lock(python, entries, *options):
    """pip, held to the hashes; only the files that the lock knows are looked at, whatever index lists them first."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(entries))
        file.flush()
        pip(python, "--no-deps", "--require-hashes", "--only-binary", ":all:", *options, "-r", file.name)


def pip(python, *arguments):
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-color"]
    done = run([*command, "--timeout", str(TIMEOUT_SECONDS), *arguments])
    if done.returncode:
        raise Failure(reason(done.stdout + done.stderr))


PATTERNS = (
    (r"No space left on device", "the disk is full: make room (TMPDIR and pip's cache count too)"),
    (r"(?:ProxyError|proxy)[^\n]*", "the proxy does not answer: look at HTTPS_PROXY and at pip's `proxy`"),
    (r"(?:SSLError|CERTIFICATE_VERIFY_FAILED)[^\n]*", "the index's certificate is not trusted: set pip's `cert`"),
)
UNREACHED = (
    r"NewConnectionError|ConnectionResetError|ConnectTimeout|ReadTimeout|RemoteDisconnected|ProtocolError|Max retries"
)


def reason(output):
    """What went wrong and what to do, from what pip wrote."""
    looked = "looked in {}".format(", ".join(places(output)) or "pip's index")
    file = re.search(r"No matching distribution found for ([^\s(]+)", output)
    name = file or re.search(r"(?s).*Collecting (\S+)", output)
    what = name[1] if name else "the packages"
    for pattern, advice in PATTERNS:
        if re.search(pattern, output):
            return "{}: {} ({})".format(what, advice, looked)
    if re.search(UNREACHED, output):
        return "{}: the index cannot be reached ({}): look at the network and at `pip config list`".format(what, looked)
    wrong = re.search(r"DO NOT MATCH THE HASHES[^\n]*\n(?:.*\n)*?\s+(\S+)(?: from (\S+))?", output)
    if wrong:
        return (
            "{}: there is only another file than the lock's ({}; {}): "
            "pip needs an index that has the file of PyPI".format(wrong[1], wrong[2] or "from an index", looked)
        )
    if file:
        return "{}: no such file ({}): pip needs an index that has it, see `pip config list`".format(what, looked)
    errors = re.findall(r"(?m)^\s*(?:ERROR: )?(\S.*)$", output)
    return "{}: {} ({})".format(what, errors[-1] if errors else "pip failed without a word", looked)


def places(output):
    """Where pip says that it looked."""
    return re.findall(r"(?m)^Looking in (?:indexes|links): (.+)$", output)


def progress(done, count, name):
    text = "installing: {:3d} of {} packages".format(done, count)
    if sys.stdout.isatty():
        print("\r{}  {:40.40}".format(text, name), end="", flush=True)
    elif done * 10 // count != (done - BATCH) * 10 // count or done <= 1:
        print(text, flush=True)


def say(text):
    print(("\n" if sys.stdout.isatty() else "") + "install: " + text, flush=True)


def run(command):
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, cwd=str(ROOT)
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: install.py VENV")
    sys.exit(main(Path(sys.argv[1])))
