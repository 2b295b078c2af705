"""A machine of eight GPUs, simulated: device files, what nvidia-smi answers, and what CUDA_VISIBLE_DEVICES may hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness.errors import InputError
from earwitness.local import control, plan, supervisor
from earwitness.local.gpus import gpus_here, require_found
from earwitness.local.placement import PERCENT, Placement
from earwitness.local.plan import Options
from earwitness.local.state import Scale, read_scale, write_scale
from earwitness.local.supervisor import Supervisor
from rollout.settings import RolloutSettings

UUIDS = tuple(f"GPU-{i}{i}aa{i}{i}{i}{i}-1f00-4bb0-9c00-00000000000{i}" for i in range(8))
SLICES = tuple(f"MIG-{i}0000000-77aa-5e00-8000-00000000000{i}" for i in range(3))

Machine = Callable[..., dict]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """What `gpus_here` is told of a machine with some of eight GPUs, the first of them cut into `slices`."""

    def build(gpus: tuple[int, ...] = tuple(range(8)), slices: int = 0, smi: bool = True, **environ: str) -> dict:
        devices = tmp_path / "dev"
        devices.mkdir()
        for name in (*(f"nvidia{i}" for i in gpus), "nvidiactl", "nvidia-uvm", "nvidia-caps"):
            (devices / name).touch()
        lines = []
        for number, gpu in enumerate(gpus):  # the driver counts what the container has
            lines.append(f"GPU {number}: NVIDIA H100 80GB HBM3 (UUID: {UUIDS[gpu]})")
            lines += [f"  MIG 2g.20gb     Device  {j}: (UUID: {SLICES[j]})" for j in range(slices if not number else 0)]
        program = tmp_path / "nvidia-smi"
        if smi:
            listing = "\n".join(lines)
            program.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && cat <<'EOF'\n{listing}\nEOF\n")
            program.chmod(0o755)
        return {"environ": environ, "devices": devices, "program": str(program)}

    return build


def test_all_gpus_are_found_by_their_uuids(machine: Machine) -> None:
    assert gpus_here(**machine()) == UUIDS


def test_a_container_with_one_gpu_of_eight_uses_it(machine: Machine) -> None:
    assert gpus_here(**machine(gpus=(5,))) == (UUIDS[5],)


def test_without_nvidia_smi_gpus_are_counted_from_0_as_cuda_does(machine: Machine) -> None:
    assert gpus_here(**machine(gpus=(3, 5), smi=False)) == ("0", "1")


def test_a_machine_without_gpus_has_none(machine: Machine) -> None:
    assert gpus_here(**machine(gpus=(), smi=False)) == ()


def test_a_gpu_that_is_cut_up_is_used_by_its_slices(machine: Machine) -> None:
    assert gpus_here(**machine(slices=3)) == (*SLICES, *UUIDS[1:])


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("2,3", ("2", "3")),
        (" 7 , 0", ("7", "0")),
        (f"{UUIDS[6]},{UUIDS[1]}", (UUIDS[6], UUIDS[1])),
        ("GPU-66aa,3", (UUIDS[6], "3")),
        (SLICES[1], (SLICES[1],)),
        (f"MIG-{UUIDS[0]}/7/0", (f"MIG-{UUIDS[0]}/7/0",)),
        ("", ()), ("-1", ()), ("none", ()), ("NoDevFiles", ()),
    ],
)  # fmt: skip
def test_what_a_person_chooses_is_kept(machine: Machine, chosen: str, names: tuple[str, ...]) -> None:
    assert gpus_here(**machine(slices=3, CUDA_VISIBLE_DEVICES=chosen)) == names


@pytest.mark.parametrize("chosen", ["8", "²", "9" * 5000, "0,1,99", "GPU-ff", "GPU-", "MIG-ff", "0;1", "all"])
def test_a_gpu_that_is_not_there_is_refused(machine: Machine, chosen: str) -> None:
    with pytest.raises(InputError, match=r"CUDA_VISIBLE_DEVICES: .* is no GPU of this machine"):
        gpus_here(**machine(CUDA_VISIBLE_DEVICES=chosen))


@pytest.mark.parametrize(
    ("chosen", "found", "problem"),
    [
        ("5", 0, "CUDA finds no GPU"), ("0,1", 1, "CUDA finds only 1 of them"), ("²", 0, "CUDA finds no GPU"),
        (UUIDS[0], 0, "no GPU"), (None, 0, ""), ("", 0, ""), ("-1", 0, ""), ("none", 0, ""), ("0,1", 2, ""),
    ],
)  # fmt: skip
def test_what_is_named_and_not_found_is_refused(chosen: str | None, found: int, problem: str) -> None:
    environ = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
    if problem:
        with pytest.raises(InputError, match=problem):
            require_found(found, environ)
    else:
        require_found(found, environ)


def test_a_driver_that_does_not_answer_is_no_gpu_list(machine: Machine, tmp_path: Path) -> None:
    here = machine(gpus=(0, 1))
    Path(here["program"]).write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert gpus_here(**here) == ("0", "1")


@pytest.mark.parametrize("count", range(1, 9))
def test_no_gpu_is_filled_beyond_its_memory(count: int) -> None:
    for ranks, width, workers in itertools.product(range(1, count + 1), range(1, count + 1), range(6)):
        try:
            check_filling(count, ranks, width, workers)
        except AssertionError as error:
            raise AssertionError(f"{count=} {ranks=} {width=} {workers=}: {error}") from error


def check_filling(count: int, ranks: int, width: int, workers: int) -> None:
    place = Placement(UUIDS[:count], ranks, width, workers)
    assert place.room is not None and place.room >= max(workers, 1)
    filled: dict[str, list[int]] = {gpu: [] for gpu in place.gpus}
    for index in range(place.room):
        gpus = place.rollout(index)
        assert len(set(gpus)) == width
        for gpu in gpus:
            filled[gpu].append(place.rollout_percent(index))
    for gpu, percents in filled.items():
        largest = max(percents, default=0)
        kept = largest * (2 * (gpu in place.trainer) + (gpu in place.reference))  # for the trainer and the reference
        assert sum(percents) + kept <= PERCENT
        assert all(percents)
    if width <= count - ranks:
        assert not set(place.trainer) & {gpu for i in range(place.room) for gpu in place.rollout(i)}


def environment_of(place: plan.ProcessPlan) -> dict[str, str]:
    shared = plan.Shared("m1", "secret", "redis://q", ("redis://a",), "127.0.0.1:7001")
    return plan.environment(place, shared, {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"})


def test_every_process_of_eight_gpus_sees_its_own() -> None:
    place = Placement(UUIDS, ranks=2, width=2, workers=2)
    trainer = plan.trainer("a:1", place)
    assert trainer.command[trainer.command.index("--nproc-per-node") + 1] == "2"
    assert environment_of(trainer)["CUDA_VISIBLE_DEVICES"] == ",".join(UUIDS[:2])
    for index, gpus, percent in [(0, UUIDS[2:4], 92), (1, UUIDS[4:6], 92), (2, UUIDS[6:8], 46)]:
        env = environment_of(plan.rollout(index, "a:1", place))
        assert env["CUDA_VISIBLE_DEVICES"] == ",".join(gpus)
        assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        settings = RolloutSettings.from_env(env)  # as the service reads it
        assert (settings.tensor_parallel, settings.gpu_percent) == (2, percent)
    assert environment_of(plan.reference("a:1", place))["CUDA_VISIBLE_DEVICES"] == UUIDS[7]
    assert environment_of(plan.jobs("a:1"))["CUDA_VISIBLE_DEVICES"] == ""
    assert environment_of(plan.reward(0, "a:1"))["CUDA_VISIBLE_DEVICES"] == ""


def test_one_gpu_holds_the_whole_mesh() -> None:
    place = Placement(UUIDS[:1], ranks=1, width=1, workers=2)
    environments = [environment_of(plan.rollout(i, "a:1", place)) for i in range(2)]
    assert {env["CUDA_VISIBLE_DEVICES"] for env in environments} == {UUIDS[0]}
    assert sum(int(env["EW_ROLLOUT_GPU_PERCENT"]) for env in environments) <= 46
    assert place.room == 2


@pytest.mark.parametrize(
    ("place", "option"),
    [
        ({"gpus": UUIDS[:2], "ranks": 3}, "--trainer-ranks"),
        ({"gpus": UUIDS[:2], "width": 4}, "--rollout-gpus"),
        ({"gpus": SLICES, "ranks": 2}, "CUDA_VISIBLE_DEVICES"),
        ({"gpus": SLICES, "width": 2}, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_what_cannot_be_placed_is_refused_before_anything_starts(place: dict, option: str) -> None:
    with pytest.raises(InputError) as caught:
        Placement(**place)
    assert caught.value.field == option


def test_on_the_cpu_there_is_room_for_any_number() -> None:
    place = Placement(ranks=4, width=2)
    assert place.room is None
    env = environment_of(plan.rollout(9, "a:1", place))
    assert RolloutSettings.from_env(env).tensor_parallel == 2
    assert "EW_ROLLOUT_GPU_PERCENT" not in env


def test_more_workers_than_gpu_memory_was_shared_out_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "gpus_here", lambda: UUIDS[:3])
    lines: list[str] = []
    mesh = Supervisor(Options(tmp_path, rollout=2), lines.append)
    started: list[str] = []
    monkeypatch.setattr(mesh, "_add", lambda place: started.append(place.name))
    write_scale(tmp_path, Scale(rollout=5, reward=0))
    mesh._scale()
    assert started == ["rollout-0", "rollout-1"]
    assert read_scale(tmp_path).rollout == 2
    assert "2 rollout workers" in lines[0]


def test_the_supervisor_gets_every_option_of_up(tmp_path: Path) -> None:
    options = Options(tmp_path, rollout=3, reward=2, trainer_ranks=2, rollout_gpus=2, port=7, fresh=True, recogniser=4)
    arguments = control._arguments(options)
    for name, value in [("--rollout", "3"), ("--reward", "2"), ("--trainer-ranks", "2"), ("--rollout-gpus", "2"),
                        ("--recogniser", "4")]:  # fmt: skip
        assert arguments[arguments.index(name) + 1] == value
