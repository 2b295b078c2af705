"""Ten minutes of sound, the longest clip: in bounded memory, with its events where they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
MINUTES, RATE = 10, 22_050
MEGABYTES = 700
"""Resident memory of a process that measures it; numpy, scipy and WORLD alone take 120."""
PROGRAM = """
import json, re, sys
from reward.measure import measure_uri
found = measure_uri(sys.argv[1])
status = open("/proc/self/status").read()  # getrusage would count the process that started this one
print(json.dumps({
    "duration": found.duration, "events": len(found.events), "last": found.events[-1].start,
    "pitches": sorted({round(event.pitch or 0, -1) for event in found.events}),
    "megabytes": int(re.search(r"VmHWM:\\s*(\\d+) kB", status).group(1)) / 1000,
}))
"""


def test_ten_minutes_of_stereo_are_measured(tmp_path):
    path = tmp_path / "long.flac"
    rng = np.random.default_rng(0)
    times = np.arange(10 * RATE) / RATE
    tones = 0.1 * np.sin(2 * np.pi * np.where(times < 5, 300, 500) * times) * (times % 1 < 0.4)
    piece = np.stack([tones, tones], axis=1) + 1e-4 * rng.standard_normal((len(times), 2))
    with soundfile.SoundFile(path, "w", RATE, 2) as file:
        for _ in range(6 * MINUTES):
            file.write(piece)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert abs(found["duration"] - 60 * MINUTES) < 0.1
    assert found["events"] == 60 * MINUTES
    assert abs(found["last"] - (60 * MINUTES - 1)) < 0.05
    assert found["pitches"] == [300, 500]
    assert found["megabytes"] < MEGABYTES
