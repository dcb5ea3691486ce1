"""The Dask engine on a cluster of two worker processes of this machine, one of them killed in the middle of the run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from distributed import Client, LocalCluster
from pyarrow import parquet
from typer.testing import CliRunner

from lexicon.errors import InputError
from ui.batch import Row, Settings, engine_named, run_batch
from ui.cli import app
from ui.parts import run_parts

SETTINGS = Settings({"date_of_service": "2026-03-14"})
NOTES = ["R knee OA, stiff since a fall", "L shoulder pain", " ", "BPPV right ear", "R lateral epicondylitis. Low back pain."]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False}, worker_dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as cluster:  # fmt: skip
        yield cluster


class Killer:
    """Kills one of the workers when the first rows have come back."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.before = self.pids()

    def pids(self) -> set[int]:
        """Process ids of both workers, waiting until there are two."""
        with Client(self.cluster.scheduler_address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            return set(client.run(os.getpid).values())

    def __call__(self, position: int, total: int, rows: int) -> None:
        """Called as the progress of a batch."""
        if rows and position < total and self.before:
            os.kill(min(self.before), signal.SIGKILL)
            self.killed, self.before = self.before, set()


def test_a_killed_worker_changes_no_byte_of_the_lines(tmp_path: Path, cluster: Any) -> None:
    source = tmp_path / "in.jsonl"
    rows = [{"id": f"n{number}", "text": NOTES[number % 5] * 5} for number in range(600)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_batch(source, tmp_path / "local.jsonl", settings=SETTINGS)
    killer = Killer(cluster)
    engine = engine_named("dask", cluster.scheduler_address)
    result = run_batch(source, tmp_path / "dask.jsonl", workers=2, settings=SETTINGS, engine=engine, progress=killer)
    assert (result.done, result.failed) == (480, 120)
    for name in ("{}.jsonl", "{}.errors.jsonl"):
        assert (tmp_path / name.format("dask")).read_bytes() == (tmp_path / name.format("local")).read_bytes()
    assert killer.pids() != killer.killed, "a worker was lost and another one took its place"


def test_a_killed_worker_changes_no_byte_of_the_parts(tmp_path: Path, cluster: Any) -> None:
    table = [{"id": f"n{number}", "text": NOTES[number % 5] * 5} for number in range(600)]
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "in.parquet", row_group_size=30)
    run_parts(tmp_path / "in.parquet", tmp_path / "local", settings=SETTINGS)
    killer = Killer(cluster)
    engine = engine_named("dask", cluster.scheduler_address)
    run_parts(tmp_path / "in.parquet", tmp_path / "dask", workers=2, settings=SETTINGS, engine=engine, progress=killer)
    local, dask = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("local", "dask"))
    assert len(local) == 20
    assert dask == local
    assert killer.pids() != killer.killed


def test_the_command_starts_a_cluster_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\na,R knee OA\nb,L hip OA\n")
    command = ["batch", str(tmp_path / "in.csv"), "--date", "2026-03-14", "--output"]
    assert CliRunner().invoke(app, [*command, str(tmp_path / "local.jsonl")]).exit_code == 0
    result = CliRunner().invoke(app, [*command, str(tmp_path / "dask.jsonl"), "--engine", "dask", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "dask.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()


def test_what_cannot_be_reached_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.cluster.ANSWER_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            list(engine_named("dask", address)(str, iter([1]), 1))
    with pytest.raises(InputError, match="add --engine dask"):
        engine_named("local", "tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="choose one of: local, dask"):
        engine_named("steam")


def test_a_log_that_shows_a_row_does_not_show_its_text() -> None:
    assert "secretword" not in repr(Row(1, "a", {"text": "secretword"}))
