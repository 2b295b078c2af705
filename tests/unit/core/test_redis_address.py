"""What an error may show of a Redis URL."""

import pytest

from earwitness.redis_client import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://worker:secret@queue.mesh:6380/2?ssl_ca_certs=/ca.pem", "rediss://worker@queue.mesh:6380/2"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
        ("redis://queue", "redis://queue"),
    ],
)
def test_a_password_is_never_shown(url, shown):
    assert without_password(url) == shown
