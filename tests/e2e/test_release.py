# SPDX-License-Identifier: Apache-2.0
"""A release's life on a real cluster: nothing is lost while it is scaled, rolled, killed, drained.

The tests are one story: each goes on where the one before it ended.
"""

import subprocess
import time

import pytest

# pylint: disable=import-error
from e2e.asking import Asking
from e2e.chapter import NAMES, NOT_RUN, blocks
from e2e.conftest import IMAGE, TAGS
from e2e.release import FLOW, NAME, SELECTOR, SESSIONS, WINDOW, kill_process, seconds_until
from lab import free_port, is_listening, request, wait_until

pytestmark = pytest.mark.timeout(600)
# Seconds from a worker's death until its tasks run elsewhere: session timeout and two more.
FAIL_OVER = 8


def account(load, release, note, allowed, text):
    """The verdict on a load: nothing is missing, duplicates are at most as many as allowed."""
    verdict = load.verdict()
    note(load, verdict, allowed, text)
    assert verdict["missing"] == 0, f"{verdict}\n{release.tails()}"
    assert verdict["duplicates"] <= allowed, verdict
    assert verdict["sent"] > 0


def timed(work, *args, **options):
    """Runs work; returns the seconds it took."""
    since = time.monotonic()
    work(*args, **options)
    return time.monotonic() - since


def test_install_with_helm_4(chapter, release, note):
    assert chapter.node.run("helm", "version", "--short").stdout.startswith("v4.")
    took = timed(chapter.run, "install")
    assert len(release.ready()) == 2
    assert f"{NAME}-" in chapter.run("pods").stdout
    note(text=f"helm install --wait of 2 workers {took:.1f} s")


def test_the_release_checks_itself(chapter, note):
    took = timed(chapter.run, "test")
    note(text=f"helm test {took:.1f} s")


def test_rest_commands_of_the_readme_work_through_the_service(chapter, release):
    port = free_port()
    forward = chapter.command("forward", **{"8083:8083": f"{port}:8083"}).removesuffix("&")
    chapter.ran.add("forward")
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *forward.split()],
        env=chapter.node.env,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_listening(port), 20, "the forwarded port")
        here = {"localhost:8083": f"localhost:{port}"}
        chapter.run("create", swaps=here)
        release.wait_running("plant")
        assert "RUNNING" in chapter.run("status", swaps=here).stdout
    finally:
        child.kill()
        child.wait()
    assert release.settled("DELETE", "/connectors/plant").status == 204


def test_any_pod_takes_writes_and_forwards_them_to_the_leader(release):
    addresses = release.addresses()
    assert len(addresses) == 2
    ids = {f"{address}:8083" for address in addresses.values()}
    release.create(FLOW, release.source())
    for number, address in enumerate(addresses.values()):
        url = f"http://{address}:8083"
        config = release.source(mqtt_keepalive_interval_seconds=30 + number)
        assert release.settled("PUT", f"/connectors/{FLOW}/config", config, url).status == 200
        seen = request("GET", f"{url}/connectors/{FLOW}/config").body
        assert seen["mqtt.keepalive.interval.seconds"] == str(30 + number)
    release.wait_running(FLOW, workers=2)
    assert set(release.spread(FLOW)) == ids, "workers advertise their pods' addresses"
    for _ in range(20):
        assert release.ask("GET", f"/connectors/{FLOW}").status == 200


def test_kubectl_scale_1_5_2(chapter, release, publishing, note):
    chapter.run("hand over")
    assert replicas(chapter.node) == 2, "who is to own the number finds it as it was"
    chapter.node.kubectl("scale", f"deployment/{NAME}", "--replicas=1")
    release.wait_pods(1)
    release.wait_running(FLOW, workers=1)
    with publishing() as load, Asking(release, FLOW) as asking:
        up = timed(chapter.run, "scale") + timed(chapter.run, "rollout")
        spread = release.wait_running(FLOW, workers=SESSIONS)
        chapter.node.kubectl("scale", f"deployment/{NAME}", "--replicas=2")
        down = release.wait_pods(2)
        release.wait_running(FLOW, workers=2)
    text = f"1 to 5 ready {up:.1f} s, tasks on {SESSIONS} workers {spread:.1f} s later, 5 to 2 {down:.1f} s"
    account(load, release, note, 0, f"{text}; {asking.check()}")


def replicas(node):
    return node.get("deployment", NAME)["spec"]["replicas"]


def test_replicas_are_a_value_too(chapter, release, publishing, note):
    with publishing() as load:
        took = timed(chapter.run, "replicas", "--set externalAutoscaler=false --force-conflicts")
        assert len(release.ready()) == 3
        release.wait_running(FLOW, workers=3)
    account(load, release, note, 0, f"helm upgrade to 3 workers {took:.1f} s")


def test_rolling_upgrade(chapter, release, publishing, note):
    before = set(release.ready())
    with publishing() as load, Asking(release, FLOW) as asking:
        took = timed(chapter.run, "upgrade")
        gone = seconds_until(
            lambda: not before & {pod["metadata"]["name"] for pod in release.pods()},
            90,
            lambda: f"the old pods to end\n{release.tails()}",
        )
        release.wait_running(FLOW, workers=3)
    images = {pod["spec"]["containers"][0]["image"] for pod in release.pods()}
    assert all(name.endswith(f"{IMAGE}:{TAGS[1]}") for name in images), images
    text = f"3 of 3 pods replaced {took:.1f} s, old ones gone {gone:.1f} s later"
    account(load, release, note, 0, f"{text}; {asking.check()}")


def test_pods_are_killed(release, publishing, note):
    """The leader's process, which its pod starts anew, then a pod without grace."""
    release.wait_running(FLOW, workers=3)
    leads = release.metric("sluice_worker_leader")
    leader = next(pod for pod in release.pods() if leads.get(pod["metadata"]["name"]) == 1)
    name = leader["metadata"]["name"]
    assert connected(release, without=name) < SESSIONS
    with publishing(rate=1000) as load:
        kill_process(leader)
        over = seconds_until(
            lambda: connected(release, without=name) == SESSIONS,
            FAIL_OVER,
            lambda: f"all sessions to be with those who live\n{release.tails()}",
        )
        release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
        gone = release.ready()[0]
        release.node.kubectl("delete", "pod", gone, "--grace-period=0", "--force")
        back = release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
        release.wait_connected(SESSIONS)
    statuses = release.node.get("pod", name)["status"]["containerStatuses"] if name != gone else []
    assert all(entry["restartCount"] == 1 for entry in statuses)
    text = f"kill -9 of the leader: all sessions with others {over:.1f} s; pod without grace: replaced {back:.1f} s"
    account(load, release, note, 2 * SESSIONS * WINDOW, text)


def connected(release, without=None):
    """How many sessions are connected, but for those of one pod."""
    found = release.metric("sluice_mqtt_connected", f'connector="{FLOW}"')
    return sum(number for pod, number in found.items() if pod != without)


def test_drain_goes_pod_by_pod(chapter, release, publishing, note):
    """The node is the only one: what was evicted waits until it takes pods again."""
    line = chapter.command("drain") + f" --pod-selector={SELECTOR} --timeout=180s"
    chapter.ran.add("drain")
    before = set(release.ready())
    least = [len(before)]
    with publishing() as load, Asking(release, FLOW) as asking:
        since = time.monotonic()
        drain = subprocess.Popen(
            ["bash", "-c", line], env=chapter.node.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            wait_until(lambda: len(before - set(release.ready())) >= 1, 60, "the first eviction")
            # One is gone and cannot come back: the budget of one lets no other go.
            throughout_budget(release, least)
            chapter.run("uncordon")

            def drained():
                least[0] = min(least[0], len(release.ready()))
                return drain.poll() is not None

            wait_until(drained, 180, lambda: f"the drain to end\n{release.tails()}", 0.1)
        finally:
            chapter.node.kubectl("uncordon", chapter.swaps["node-1"])
            drain.kill()
            told = drain.communicate()[0]
        took = time.monotonic() - since
        release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
    assert drain.returncode == 0, told
    assert not before & set(release.ready()), "every pod was evicted"
    assert least[0] >= 2, f"only {least[0]} of 3 were ready\n{told}"
    refused = told.count("Cannot evict pod")
    assert refused > 0, told
    text = f"3 evicted {took:.1f} s, {refused} refused by the budget, {least[0]} always ready"
    account(load, release, note, 0, f"{text}; {asking.check()}")


def throughout_budget(release, least, seconds=6):
    """Watches for a while that the others stay."""
    deadline = time.monotonic() + seconds

    def over():
        least[0] = min(least[0], len(release.ready()))
        return time.monotonic() >= deadline

    wait_until(over, seconds + 10, "the time to pass", 0.2)
    assert least[0] >= 2, release.tails()


def test_failed_upgrade_is_rolled_back(chapter, release, publishing, note):
    before = set(release.ready())
    broken = {f"image.tag={TAGS[1]}": "kafka.bootstrapServers=nowhere.invalid:9092"}
    with publishing() as load:
        failed = chapter.run("upgrade", "--timeout 15s", swaps=broken, check=False)
        assert failed.returncode != 0, "an upgrade that never gets ready is no success"
        assert before <= set(release.ready()), "the old pods stay"
        took = timed(chapter.run, "rollback")
        release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
    assert before & set(release.ready()), "who was well was left alone"
    account(load, release, note, 0, f"helm rollback {took:.1f} s")


def test_autoscaler_adds_a_worker_under_load(chapter, release, publishing, note):
    more = "--set autoscaling.enabled=true --set autoscaling.minReplicas=3 --set autoscaling.maxReplicas=4"
    more += " --set autoscaling.targetCPUUtilizationPercentage=2"
    with publishing(rate=1000) as load:
        since = time.monotonic()
        chapter.run("hand over", more)
        assert replicas(chapter.node) >= 3, "a number that nobody owns yet does not fall"
        release.wait_pods(4, timeout=150)
        took = time.monotonic() - since
        release.wait_running(FLOW, workers=4)
        chapter.run("replicas", "--set autoscaling.enabled=false --set externalAutoscaler=false --force-conflicts")
        release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
    account(load, release, note, 0, f"a fourth worker ready {took:.1f} s after the autoscaler was switched on")


def test_connectors_of_the_values_come_and_go(chapter, release, note):
    file = chapter.node.folder / "connectors.yaml"
    file.write_text(readme_connectors(chapter))
    here = {"connectors.yaml": str(file)}
    upgrade = timed(chapter.run, "connectors", swaps=here)
    took = release.wait_running("yard", tasks=2, timeout=120)
    answer = release.settled("DELETE", "/connectors/yard", again=(503,))
    assert answer.status == 409 and "yard.json" in answer.body["message"], answer
    file.write_text(file.read_text().replace("tasks.max: 2", "tasks.max: 3"))
    changed = timed(chapter.run, "connectors", swaps=here) + release.wait_running("yard", tasks=3, timeout=120)
    chapter.run("connectors", "--set connectors.yard=null", swaps=here)

    def gone():
        answer = release.ask("GET", "/connectors/yard")
        return answer is not None and answer.status == 404

    left = seconds_until(gone, 120, lambda: f"yard to go\n{release.tails()}")
    assert release.ask("GET", f"/connectors/{FLOW}").status == 200, "what REST made is left alone"
    text = f"made {took:.1f} s after an upgrade of {upgrade:.1f} s, changed within {changed:.1f} s"
    note(text=f"{text}, deleted {left:.1f} s after an upgrade without it")


def readme_connectors(chapter):
    text = blocks("yaml")[0]
    for old, new in chapter.swaps.items():
        text = text.replace(old, new)
    return text


def test_uninstall_leaves_nothing_and_helm_3_goes_on(chapter, release, publishing, note):
    node = chapter.node
    with publishing() as load:
        took = timed(chapter.run, "uninstall")
        wait_until(lambda: not release.pods(), 60, lambda: f"the pods to go\n{release.tails()}")
        kinds = "all,configmap,secret,serviceaccount,pdb,hpa,networkpolicy,role,rolebinding,endpointslice"
        left = node.kubectl("get", kinds, "-l", f"app.kubernetes.io/instance={NAME}", "-o", "name").stdout
        assert left == "", left
        assert node.run("helm3", "version", "--short").stdout.startswith("v3.")
        line = chapter.command("install").replace("helm ", "helm3 ", 1)
        back = timed(node.run, "bash", "-c", line)
        release.wait_running(FLOW, workers=2)
    account(load, release, note, 0, f"uninstall {took:.1f} s, helm 3 install {back:.1f} s")


def test_helm_3_scales_upgrades_and_rolls_back(chapter, release, publishing, note):
    node = chapter.node

    def helm3(name):
        node.run("bash", "-c", chapter.command(name).replace("helm ", "helm3 ", 1))

    with publishing() as load:
        scale = timed(helm3, "replicas")
        assert len(release.ready()) == 3
        helm3("hand over")
        assert replicas(node) == 3
        upgrade = timed(helm3, "upgrade")
        back = timed(helm3, "rollback")
        helm3("test")
        release.wait_pods(3)
        release.wait_running(FLOW, workers=3)
    account(load, release, note, 0, f"2 to 3 {scale:.1f} s, upgrade {upgrade:.1f} s, rollback {back:.1f} s")
    helm3("uninstall")
    wait_until(lambda: not release.pods(), 60, "the pods to go")


def test_stateful_set_is_rolled_pod_by_pod(chapter, release, publishing, note):
    """Stable names, static members: who comes back under its old name is taken in as who it is, and stays."""
    chapter.node.run("helm", "uninstall", NAME, "--ignore-not-found", "--wait")
    chapter.run("install", "--set kind=StatefulSet --set rest.advertise=podName")
    assert sorted(release.ready()) == [f"{NAME}-0", f"{NAME}-1"]
    release.wait_running(FLOW, workers=2)
    names = {f"{name}.{NAME}-workers.{chapter.node.namespace}.svc:8083" for name in release.ready()}
    assert set(release.spread(FLOW)) == names
    before = {pod["metadata"]["uid"] for pod in release.pods()}
    with publishing() as load, Asking(release, FLOW) as asking:
        took = timed(chapter.run, "upgrade")
        release.wait_pods(2)
        release.wait_running(FLOW, workers=2)
    assert not before & {pod["metadata"]["uid"] for pod in release.pods()}
    assert restarts(release) == [0, 0], release.tails()
    account(load, release, note, 0, f"2 of 2 pods replaced {took:.1f} s; {asking.check()}")
    chapter.run("uninstall")
    wait_until(lambda: not release.pods(), 60, "the pods to go")


def restarts(release):
    return [
        entry["restartCount"] for pod in release.pods() for entry in pod["status"]["containerStatuses"]
    ]


def test_every_command_of_the_chapters_was_run(chapter, image):
    assert image
    left = set(NAMES) - chapter.ran - set(NOT_RUN) - {"build"}
    assert not left, f"run by no test: {sorted(left)}"
