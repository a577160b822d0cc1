# SPDX-License-Identifier: Apache-2.0
"""Connectors from a folder of files, as Kubernetes mounts a ConfigMap."""

import json
import os
import shutil

import pytest

from chaos.account import throughout  # pylint: disable=import-error
from lab import wait_until


class Mount:
    """A folder with links through `..data`, which is exchanged at once."""

    def __init__(self, folder):
        self.folder = folder
        self.version = 0
        folder.mkdir()

    def show(self, files):
        """Puts {file: text or object} in the place of what was there."""
        self.version += 1
        data = self.folder / f"..{self.version:04d}"
        data.mkdir()
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (data / name).write_text(text)
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(data.name)
        os.rename(fresh, self.folder / "..data")
        for entry in self.folder.iterdir():
            if not entry.name.startswith("..") and entry.name not in files:
                entry.unlink()
        for name in files:
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        for old in self.folder.glob("..[0-9]*"):
            if old.name != data.name:
                shutil.rmtree(old)

    def properties(self):
        return {"connectors.dir": str(self.folder), "connectors.dir.delete.delay.ms": "1000"}


@pytest.fixture
def mount(tmp_path):
    return Mount(tmp_path / "connectors")


def status(worker):
    answer = worker.get("/connector-files")
    assert answer.status == 200, answer
    return answer.body


def wait_state(worker, state, **files):
    """Waits until the folder has this state, and each of these files (without ending) its own."""

    def reached():
        seen = status(worker)
        found = {entry["file"][: -len(".json")]: entry["state"] for entry in seen.get("files", [])}
        return seen["state"] == state and {**found, **files} == found

    wait_until(reached, 30, lambda: f"{state} {files}, seen {status(worker)}\n{worker.log_tail()}")


def config_of(worker, name):
    answer = worker.get(f"/connectors/{name}/config")
    return answer.body if answer.status == 200 else None


def test_connectors_are_made_changed_and_deleted_as_their_files_are(cluster, mount):
    group = cluster(0)
    mount.show({"a.json": group.source_config(), "b.json": group.source_config(tasks_max=1)})
    worker = group.add(properties=mount.properties())
    wait_state(worker, "applied", a="applied", b="applied")
    group.wait_running("a", tasks=2)
    group.wait_running("b", tasks=1)
    assert worker.get("/connectors/a").headers["X-Sluice-Managed-By"] == "file"

    # One made by REST is nobody else's business, whatever happens to the files.
    group.create("mine", tasks_max=1)
    assert "X-Sluice-Managed-By" not in worker.get("/connectors/mine").headers

    # A change of b, a's file taken away, and one with a state of its own.
    mount.show(
        {
            "b.json": group.source_config(tasks_max=3),
            "c.json": {"name": "c", "config": group.source_config(), "state": "STOPPED"},
        }
    )
    group.wait_running("b", tasks=3)
    wait_until(lambda: config_of(worker, "a") is None, 30, "a to be deleted")
    wait_state(worker, "applied", b="applied", c="applied")
    assert group.status("c")["connector"]["state"] == "STOPPED"
    assert sorted(worker.get("/connectors").body) == ["b", "c", "mine"]
    changed = worker.metrics()
    made = 'sluice_connector_files_changes_total{change="%s"}'
    assert [changed[made % change] for change in ("create", "update", "delete")] == [3, 1, 1]
    assert changed['sluice_connector_files{state="applied"}'] == 2
    assert changed["sluice_connector_files_agreed"] == 1


def test_rest_leaves_a_connector_to_its_file(cluster, mount):
    group = cluster(0)
    config = group.source_config(tasks_max=1)
    mount.show({"a.json": config, "p.json": {"config": config, "state": "PAUSED"}})
    group.add(2, properties=mount.properties())
    worker = group.workers[0]
    wait_state(worker, "applied", a="applied", p="applied")
    group.wait_running("a")
    for asked in group.workers:
        for answer in (
            asked.put("/connectors/a/config", {**config, "tasks.max": "5"}),
            asked.patch("/connectors/a/config", {"tasks.max": "5"}),
            asked.delete("/connectors/a"),
            asked.put("/connectors/p/resume"),
        ):
            assert answer.status == 409, answer
            assert ".json of connectors.dir: change it there" in answer.body["message"]
    # What runs is everybody's.
    assert worker.put("/connectors/a/pause").status == 202
    wait_until(lambda: group.status("a")["connector"]["state"] == "PAUSED", 20, "a to pause")
    assert worker.put("/connectors/a/resume").status == 202
    group.wait_running("a")
    assert worker.post("/connectors/a/restart?includeTasks=true").status == 202
    # Whoever writes past REST is put right.
    value = json.dumps({"properties": {**config, "name": "a", "tasks.max": "4"}})
    group.kafka.produce(f"{group.group}-configs", [("connector-a", value)])
    wait_until(
        lambda: "action=update connector=\"a\"" in group.tails(400), 30, lambda: group.tails()
    )
    wait_until(lambda: config_of(worker, "a")["tasks.max"] == "1", 30, "the file to win")
    wait_state(worker, "applied", p="applied")
    assert group.status("p")["connector"]["state"] == "PAUSED"


def test_a_bad_file_or_folder_is_told_and_changes_nothing(cluster, mount):
    group = cluster(0)
    good = group.source_config(tasks_max=1)
    mount.show({"a.json": good, "b.json": good})
    worker = group.add(properties=mount.properties())
    group.create("mine", tasks_max=1)
    wait_state(worker, "applied", a="applied", b="applied")

    mount.show(
        {
            "a.json": '{"connector.class": "MqttSource", ',
            "b.json": {**good, "mqtt.topics": "x/#/y"},
            "mine.json": good,
            "d.json": {"config": good, "nmae": "d"},
        }
    )
    wait_state(worker, "pending", a="invalid", b="invalid", d="invalid", mine="conflict")
    told = {entry["file"]: entry.get("message", "") for entry in status(worker)["files"]}
    assert "mqtt.topics" in told["b.json"] and "adopt" in told["mine.json"], told
    assert "nmae" in told["d.json"]
    assert 'FILE-BAD file="a.json"' in worker.log_text()
    assert worker.metrics()['sluice_connector_files{state="invalid"}'] == 3

    # Gone altogether, or empty as a mount that is not there yet. The wait is longer than deletions
    # are put off.
    shutil.rmtree(mount.folder)
    wait_state(worker, "unreadable")
    mount.folder.mkdir()
    wait_until(lambda: status(worker)["state"] != "unreadable", 30, "the folder to be found again")
    throughout(3, lambda: sorted(worker.get("/connectors").body) == ["a", "b", "mine"])
    assert worker.metrics()['sluice_connector_files_changes_total{change="delete"}'] == 0

    # Adopted, and then, with a word that this is meant, all of them gone but for what is not ours.
    mount.show({"mine.json": {"config": good, "adopt": True}, "a.json": good, "b.json": good})
    wait_state(worker, "applied", a="applied", b="applied", mine="applied")
    group.create("other", tasks_max=1)
    mount.show({".complete": ""})
    wait_until(lambda: worker.get("/connectors").body == ["other"], 30, "the files' to be deleted")


def test_workers_with_different_files_do_not_push_a_connector_back_and_forth(cluster, tmp_path):
    group = cluster(0)
    old = group.source_config(tasks_max=1)
    new = {**old, "tasks.max": "2"}
    mounts = [Mount(tmp_path / f"worker-{number}") for number in range(3)]
    for mount in mounts[:2]:
        mount.show({"a.json": old, "gone.json": old})
        group.add(properties=mount.properties())
    wait_state(group.workers[0], "applied", a="applied")

    # A rolling update: the new worker comes up with new files, the old ones leave one by one, and
    # the lead may be with either.
    mounts[2].show({"a.json": new, "b.json": new})
    newest = group.add(properties=mounts[2].properties())
    wait_state(newest, "waiting", a="pending")
    assert group.workers[0].stop() == 0
    wait_until(lambda: group.wait_running("a"), 30, "a to run without its first worker")

    def kept():
        found = {name: config_of(newest, name) for name in ("a", "gone", "b")}
        return found["a"]["tasks.max"] == "1" and found["gone"] and not found["b"]

    throughout(3, kept)
    assert status(newest)["state"] == "waiting" and str(group.workers[1].port) in str(status(newest))
    assert group.workers[1].stop() == 0
    wait_state(newest, "applied", a="applied", b="applied")
    wait_until(lambda: config_of(newest, "gone") is None, 30, "what the new files lack to go")
    group.wait_running("a", tasks=2)
    # Each config was written once for each version, and never the old one after the new one.
    written = [
        json.loads(record.value)["properties"]["tasks.max"]
        for record in group.kafka.read(f"{group.group}-configs")
        if record.key == b"connector-a" and record.value
    ]
    assert written == ["1", "2"]
