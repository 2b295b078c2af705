"""What one server is told when it starts, and what one caller may ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.loopback import is_loopback

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""Largest request: the longest clip as stereo 24-bit wav at 48 kHz is 8.6 MB, 11.5 in base64."""
BODY_SECONDS: Final = 60.0
"""Longest wait for a request's body: the largest comes in that time at 2 Mbit/s."""
ANSWER_SECONDS: Final = 600.0
"""Longest answer: then its place is given to others, whether its reader reads or not."""
MAX_LENGTH: Final = 16_384
"""Longest sequence that is held, tokens, whatever the model could: Step-Audio-R1's answers have 10,240."""


@dataclass(frozen=True)
class Settings:
    """One server."""

    model_dir: Path
    """Hugging Face directory; not used with `job`."""
    job: str = ""
    """Job of the mesh whose newest weights are served, `active` for whichever it works on; empty: `model_dir`."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 lets the system choose."""
    token: str = ""
    """Bearer token that callers must show; empty: none is asked for."""
    tls_cert: str = ""
    """File of the certificate chain (PEM); with `tls_key` the server speaks TLS."""
    tls_key: str = ""
    """File of the private key (PEM)."""
    audio_hosts: tuple[str, ...] = ()
    """Hosts that clips may be fetched from (`audio_url`); none: clips come with the request."""
    running: int = 64
    """Most answers at a time."""

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.job or self.model_dir.resolve().name

    def max_length(self) -> int:
        """Longest sequence, tokens. Raises InputError for a directory that holds no model of ours."""
        return min(read_architecture(self.model_dir).decoder.max_positions, MAX_LENGTH)

    def check(self) -> None:
        """Raises InputError for what cannot be meant."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise InputError("--tls-cert, --tls-key", "only one of the two is given", "both or none")
        for option, file in (("--tls-cert", self.tls_cert), ("--tls-key", self.tls_key)):
            if file and not Path(file).is_file():
                raise InputError(option, f"there is no file {file!r}", "a PEM file")
        if not self.token and not is_loopback(self.host):
            raise InputError("--token", f"is empty while {self.host} can be reached from outside",
                             "a secret, or a loopback address in --host")  # fmt: skip
        if not self.job:
            self.max_length()
