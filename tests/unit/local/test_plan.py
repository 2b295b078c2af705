"""The processes of a mesh: environment, threads, GPUs."""

from earwitness.local import plan
from earwitness.local.placement import Placement

ON_CPU = Placement()
SHARED = plan.Shared("m1", "secret", "redis://q", ("redis://a", "redis://b"), "127.0.0.1:7001")


def test_every_process_gets_the_contract_environment() -> None:
    place = plan.rollout(3, "127.0.0.1:7003", ON_CPU)
    env = plan.environment(place, SHARED, {"PATH": "/bin", "EW_TLS_CERT": "x", "EW_METRICS_PORT": "9"})
    assert env["PATH"] == "/bin"
    assert env["EW_NAME"] == "rollout-3"
    assert env["EW_MESH"] == "m1"
    assert env["EW_LISTEN"] == "127.0.0.1:7003"
    assert env["EW_TRAINER"] == "127.0.0.1:7001"
    assert env["EW_WEIGHTS_URLS"] == "redis://a,redis://b"
    assert env["EW_TOKEN"] == "secret"
    assert env["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "EW_TLS_CERT" not in env
    assert "EW_METRICS_PORT" not in env


def test_secrets_are_not_in_the_command_line() -> None:
    for place in (plan.jobs("a:1"), plan.trainer("a:1", ON_CPU), plan.rollout(0, "a:1", ON_CPU), plan.reward(0, "a:1")):
        assert not any("secret" in part for part in place.command)


def test_trainer_runs_under_torchrun_with_its_ranks() -> None:
    command = plan.trainer("a:1", Placement(ranks=4)).command
    assert "torch.distributed.run" in command
    assert command[command.index("--nproc-per-node") + 1] == "4"
    assert command[-3:] == ("-m", "earwitness.local.launch", "services.trainer")


def test_services_that_need_no_gpu_see_none() -> None:
    assert plan.jobs("a:1").environment["CUDA_VISIBLE_DEVICES"] == ""
    assert plan.reward(0, "a:1").environment["CUDA_VISIBLE_DEVICES"] == ""
