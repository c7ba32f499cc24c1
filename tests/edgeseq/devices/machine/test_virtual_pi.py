"""The virtual Pi for real: a machine that is reached over SSH, with a Pi's memory and a Pi's faults."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edgeseq.devices.machine import run
from edgeseq.devices.machine.image import RUNTIMES_PTH
from edgeseq.devices.machine.plan import plan_machine
from edgeseq.devices.machine.state import KNOWN_HOSTS, Running
from edgeseq_device.errors import UsageError

pytestmark = pytest.mark.virtual_board

On = Callable[..., str]


@pytest.fixture(scope="module")
def on(machines: ModuleType, virtual_pi: Running) -> On:
    """Runs a shell script on the machine, as pi or as `user`; what it prints."""
    return lambda script, user="pi": machines.on(virtual_pi, script, user)


@pytest.fixture(scope="module")
def facts(on: On) -> dict[str, str]:
    """What the machine tells of itself, by the name of the command; asked once: a login costs a second."""
    script = """
        echo "machine=$(uname -m)"; echo "cores=$(nproc)"; echo "host=$(hostname)"; echo "now=$(date +%s)"
        echo "user=$(id -un) $(id -u) $PWD"; echo "memory=$(sed -n 's/MemTotal: *//p' /proc/meminfo)"
        echo "features=$(sed -n 's/^Features.*: //p' /proc/cpuinfo | head -1)"
        echo "marker=$(cat /etc/edgeseq-virtual-board)" """
    return dict(line.split("=", 1) for line in on(script).splitlines())


def test_it_is_a_64_bit_debian_with_the_ram_and_cores_that_were_asked_for(facts: dict[str, str]) -> None:
    assert (facts["machine"], facts["cores"], facts["host"]) == ("aarch64", "1", "virtual-pi")
    assert facts["user"] == "pi 1000 /home/pi"
    assert 200 * 1024 < int(facts["memory"].split()[0]) < 256 * 1024
    assert float(facts["now"]) == pytest.approx(time.time(), abs=300)


def test_it_says_that_it_is_emulated(facts: dict[str, str], virtual_pi: Running) -> None:
    marker = json.loads(facts["marker"])
    assert marker == {"board": "virtual-pi", "tier": "system", "emulator": virtual_pi.emulator}
    assert virtual_pi.emulator.startswith("qemu-system 7.2.")
    assert virtual_pi.emulator.endswith("cortex-a72")


def test_its_processor_has_no_dot_product_like_a_pi_4(facts: dict[str, str]) -> None:
    assert "asimd" in facts["features"].split()
    assert "asimddp" not in facts["features"].split()


def test_the_runtimes_import_without_any_setup_and_are_compiled_already(on: On) -> None:
    code = (
        "import os, sys, numpy, ai_edge_litert.interpreter; "
        "print(*(name for name, module in sys.modules.items() "
        "if getattr(module, '__cached__', None) and not os.path.exists(module.__cached__)))"
    )
    assert set(on(f'python3 -c "{code}"').split()) <= {"sitecustomize"}


def test_without_one_file_it_is_a_stock_pi_that_has_no_runtimes(on: On) -> None:
    pth = "/" + RUNTIMES_PTH.format(python="3.11")
    find = "python3 -c 'import importlib.util as u; print(u.find_spec(\"numpy\") is not None)'"
    script = f"{find}; mv {pth} /root/; {find}; mv /root/{Path(pth).name} {pth}; {find}"
    assert on(script, "root").split() == ["True", "False", "True"]


def test_pi_may_not_change_the_system_nor_read_its_keys(on: On) -> None:
    script = """
        for each in /etc/ssh/ssh_host_ed25519_key /etc/shadow /root; do [ ! -r $each ] || echo $each; done
        for each in / /etc /usr/bin /opt/edgeseq-site /usr/bin/busybox; do [ ! -w $each ] || echo $each; done
        find / -xdev '(' -perm -002 -o ! -user root ')' ! -type l ! -path '/home/pi*' ! -path /tmp 2>/dev/null
        true"""
    assert on(script) == ""


def test_pi_can_confine_itself_and_the_kernel_kills_what_needs_more(on: On) -> None:
    script = """
        group=/sys/fs/cgroup/edgeseq/test; mkdir $group && echo 64000000 > $group/memory.max || exit
        sh -c 'echo $$ > /sys/fs/cgroup/edgeseq/test/cgroup.procs; exec python3 -S -c "chr(120) * 10**8"'
        echo $?; grep -w oom_kill $group/memory.events; rmdir $group"""
    assert on(script).splitlines() == ["137", "oom_kill 1"]


def test_it_reaches_nothing_and_only_this_machine_reaches_it(on: On, virtual_pi: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = (
            "import socket\n"
            "for address in ('10.0.2.2', '10.0.2.3', '192.0.2.1'):\n"
            f"    with socket.socket() as s: s.settimeout(2); print(s.connect_ex((address, {port})))"
        )
        assert 0 not in map(int, on(f'python3 -S -c "{code}"').split())
    wanted = f"{virtual_pi.port:04X}"
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    fields = [line.split() for table in tables for line in table]
    listening = {field[1] for field in fields if field[3] == "0A" and field[1].endswith(f":{wanted}")}
    assert listening == {f"0100007F:{wanted}"}


def test_a_machine_with_another_host_key_is_not_spoken_to(
    virtual_pi: Running, machines: ModuleType, tmp_path: Path
) -> None:
    known = virtual_pi.folder / KNOWN_HOSTS
    other = tmp_path / "known"
    other.write_text("virtual-pi ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + "\n")
    done = machines.attempt(virtual_pi, "true", options=("-o", f"UserKnownHostsFile={other}"))
    assert done.returncode == 255
    assert b"HOST IDENTIFICATION HAS CHANGED" in done.stderr
    assert known.read_text().startswith("virtual-pi ssh-ed25519 ")


def test_the_keys_are_for_their_owner_only(virtual_pi: Running) -> None:
    image = plan_machine().image
    private = [virtual_pi.folder / "id_ed25519", image / "user_key", image / "host_key"]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert virtual_pi.folder.stat().st_mode & 0o777 == 0o700


def test_starting_it_again_gives_the_machine_that_runs(virtual_pi: Running) -> None:
    assert run.start(virtual_pi.ram_bytes, cores=virtual_pi.cores) == virtual_pi
    assert run.running() == virtual_pi
    assert f"port {virtual_pi.port}" in run.status().text


def test_another_ram_while_it_runs_is_refused_and_it_goes_on(virtual_pi: Running) -> None:
    with pytest.raises(UsageError, match="edgeseq device stop virtual-pi"):
        run.start(512_000_000)
    assert run.running() == virtual_pi
