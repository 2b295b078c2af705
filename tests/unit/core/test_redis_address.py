"""Redis URLs as people write them, with passwords that hold every character and are never shown."""

import pytest

from earwitness.errors import InputError
from earwitness.redis_address import RedisAddress, parse, several, with_password
from earwitness.redis_client import require_keeping
from earwitness.settings import Settings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://queue", RedisAddress("redis", "queue")),
        ("redis://[::1]:6380", RedisAddress("redis", "::1", 6380)),
        ("redis://h/3", RedisAddress("redis", "h", database=3)),
        ("redis://h?db=3", RedisAddress("redis", "h", database=3)),
        ("redis://h/2?db=3", RedisAddress("redis", "h", database=3)),  # as redis-py reads it
        ("unix:///tmp/r.sock?db=2", RedisAddress("unix", path="/tmp/r.sock", database=2)),
        ("unix://u:p@/tmp/r.sock", RedisAddress("unix", path="/tmp/r.sock", username="u", password="p")),
        ("redis://:pass%40word%2F@h:1/0", RedisAddress("redis", "h", 1, password="pass@word/")),
        ("redis://user@h", RedisAddress("redis", "h", username="user")),
        ("REDIS://h", RedisAddress("redis", "h")),
        ("redis://my_queue-0.svc.", RedisAddress("redis", "my_queue-0.svc.")),
        ("redis://[fe80::1%25eth0]:1", RedisAddress("redis", "fe80::1%eth0", 1)),
        ("unix:///tmp/r@2.sock", RedisAddress("unix", path="/tmp/r@2.sock")),
        ("unix://:p@ss@/tmp/r@2.sock", RedisAddress("unix", path="/tmp/r@2.sock", password="p@ss")),
        ("redis://:p%ff@h", RedisAddress("redis", "h", password="p%ff")),
        (
            "rediss://u:p@h:1/2?ssl_cert_reqs=none",
            RedisAddress("rediss", "h", 1, database=2, username="u", password="p", tls=(("ssl_cert_reqs", "none"),)),
        ),
    ],
)
def test_urls_say_what_they_mean(url: str, address: RedisAddress) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "password", ["se/cret", "se#cret", "sec[ret", "sec]ret", "se?cret", "s@cret", "a:b", "100%", ""]
)
def test_a_password_may_hold_any_character_and_is_never_shown(password: str) -> None:
    address = parse(f"redis://:{password}@127.0.0.1:6379/1")
    assert (address.host, address.port, address.database) == ("127.0.0.1", 6379, 1)
    assert address.arguments()["password"] == password
    assert str(address) == "redis://127.0.0.1:6379/1"
    assert parse(str(address)) == RedisAddress("redis", "127.0.0.1", database=1)
    if password:
        assert password not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379", "", "http://:hush@h", "redis://", "redis://:hush@", "redis://:hush@h:port", "redis://:hush@h:70000",
        "redis://:hush@h:-1", "redis://:hush@h/zero", "redis://:hush@h/99999999999", "redis://:hush@h?ssl_ca_certs=/x",
        "rediss://:hush@h?ssl_ca_certs=/no/such/file", "rediss://:hush@h?ssl_cert_reqs=maybe", "unix://:hush@relative",
        "redis://:hush@[::1", "redis://:hush@[::1]x", "redis://:hush@a b", "redis://:hush@h:6379?protocol=3",
        "redis://:hush@h:٣", "redis://:hush@h:0", "redis://:hush@h,g:1", "redis://:hush@h..g", "redis://:hush@*",
        "redis://:hush@[zz]:1", "redis://:hush\ud800@h", "redis://:hush@h/0/", "unix://:hush@/tmp/",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name_and_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(url, "EW_QUEUE_URL")
    assert str(refused.value).startswith("EW_QUEUE_URL: ")
    assert "hush" not in str(refused.value)


HOSTILE = ["a/b", "a@b", "a:b", "a#b?c", "a b ", " ", "%41", "a,redis://h", "$(HOME)", "\n", "'\"\\", "é", "[::1]"]


@pytest.mark.parametrize("password", HOSTILE)
def test_a_password_that_stands_apart_may_hold_anything(password: str) -> None:
    shards = "redis://u@a:1/0,redis://u@b:2/0"
    settings = Settings.from_env(
        {"EW_QUEUE_URL": "redis://u@h:1/0", "EW_WEIGHTS_URLS": shards, "EW_REDIS_PASSWORD": password}
    )
    found = [parse(url) for url in (settings.queue_url, *settings.weights_urls)]
    assert [(a.host, a.port, a.username, a.password) for a in found] == [
        (host, port, "u", password) for host, port in (("h", 1), ("a", 1), ("b", 2))
    ]


def test_a_url_with_a_password_or_without_a_user_keeps_what_it_says() -> None:
    assert with_password("redis://u:own@h", "other") == "redis://u:own@h"
    assert with_password("redis://h", "other") == "redis://h"
    assert with_password("redis://u@h", "") == "redis://u@h"


def test_a_comma_in_a_password_does_not_end_a_url() -> None:
    assert several(" redis://:a,b@h , rediss://u:x,,y@k,") == ("redis://:a,b@h", "rediss://u:x,,y@k")
    assert several("") == ()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_server_that_drops_keys_is_refused(policy: str) -> None:
    require_keeping("noeviction", "h")
    require_keeping(None, "h")
    with pytest.raises(InputError, match=rf"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        require_keeping(policy, "h")
