"""Every importer by name."""

from earwitness.data.importers import avqa, big_bench_audio, generic, mmar, mmau, mmsu, spoken_mqa, wildspeech
from earwitness.data.importers.base import Importer

IMPORTERS: dict[str, Importer] = {
    "mmau": mmau.IMPORTER,
    "mmar": mmar.IMPORTER,
    "mmsu": mmsu.IMPORTER,
    "big-bench-audio": big_bench_audio.IMPORTER,
    "spoken-mqa": spoken_mqa.IMPORTER,
    "wildspeech": wildspeech.IMPORTER,
    "avqa": avqa.IMPORTER,
    "generic": generic.IMPORTER,
}
"""By the name that `earwitness data import` takes."""
