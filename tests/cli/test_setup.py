"""`bwc setup`: what it asks, writes, keeps and refuses. With a real broker and services: tests/broker/test_guided.py"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from daemon.cli.main import bwc
from daemon.cli.setup import check as checks
from daemon.model.config import DockConfig, PolicyConfig, load_config
from daemon.model.errors import BwcError, ConfigurationError
from daemon.model.resources import example
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import Trust, load_trust

NOBODY = "127.0.0.1:9"
SHORT = ("--seconds", "0.05")
LEE = ("--person", "51234:officer:Officer Lee")


@pytest.fixture(autouse=True)
def _no_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for a broker that is not there, but the one test that asks what is said then."""

    def visit(who: str, *_: object) -> tuple[checks.CheckResult, list[Any]]:
        return checks.CheckResult("broker", "missing", f"as {who}: none", "start one"), []

    if "real_visit" not in request.fixturenames:
        monkeypatch.setattr(checks, "_visit", visit)


@pytest.fixture
def real_visit() -> None:
    pass


def run(to: Path, *words: str, command: tuple[str, ...] = (), stdin: str | None = None) -> Result:
    given = ["setup", *command, "--to", str(to), *SHORT, *words]
    return CliRunner().invoke(bwc, given, input=stdin, standalone_mode=False)


def first(to: Path, *more: str) -> Result:
    result = run(
        to, "--agency", "portland", "--dock", "central-1", "--broker", NOBODY, *LEE, "--camera", "cam-1", *more
    )
    assert result.exception is None, result.output
    return result


def refused(result: Result) -> ConfigurationError:
    assert isinstance(result.exception, ConfigurationError), (result.exception, result.output)
    return result.exception


def everything(to: Path) -> dict[str, bytes]:
    return {str(path.relative_to(to)): path.read_bytes() for path in sorted(to.rglob("*")) if path.is_file()}


def trust(to: Path) -> Trust:
    return load_trust(to / "trust.json", load_sign_public(to / "keys" / "root.sign.pub.pem"))


def test_what_it_writes_can_be_loaded_and_says_what_was_answered(tmp_path: Path) -> None:
    first(tmp_path, "--vault", "/srv/vault", "--mounts", "/srv/mounts", "--state", "/srv/state")
    dock, policy = load_config(DockConfig, tmp_path / "dock.toml"), load_config(PolicyConfig, tmp_path / "policy.toml")
    assert (dock.agency, dock.dock_id, policy.agency) == ("portland", "central-1", "portland")
    assert (str(dock.vault), str(dock.mounts)) == ("/srv/vault", "/srv/mounts")
    assert (str(dock.state), str(policy.state)) == ("/srv/state/dock", "/srv/state/policy")
    assert dock.broker.url == policy.broker.url == f"mqtts://{NOBODY}"
    for config in (dock, policy):
        for path in (
            config.broker.ca,
            config.broker.certificate,
            config.broker.key,
            config.sign_key,
            config.trust.file,
        ):
            assert path is not None and path.exists(), path
    enrolled = trust(tmp_path).statement
    assert (set(enrolled.docks), set(enrolled.cameras)) == ({"central-1"}, {"cam-1"})
    assert enrolled.people["51234"].roles == ("officer",) and enrolled.people["51234"].name == "Officer Lee"
    assert enrolled.services.recovery is not None


def test_the_examples_comments_stay(tmp_path: Path) -> None:
    first(tmp_path)
    ours, theirs = ((folder / "dock.toml").read_text() for folder in (tmp_path, example("dock.toml").parent))
    changed = {line.split(" = ")[0] for line in theirs.splitlines() if line not in ours.splitlines()}
    assert changed == {"url", "ca", "certificate", "file", "root"}
    assert ours.count("#") == theirs.count("#")


def test_private_keys_are_for_root_alone(tmp_path: Path) -> None:
    to = tmp_path / "new" / "etc"
    first(to)
    assert stat.S_IMODE(to.stat().st_mode) == 0o755, "services of other users read what is not secret"
    for path in to.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        inside = path.relative_to(to).parts[0]
        if path.is_dir():
            assert mode == (0o700 if inside in {"secrets", "credentials"} else 0o755), path
        elif b"PRIVATE KEY" in path.read_bytes():
            assert mode == 0o600 and inside in {"secrets", "credentials"}, path


def test_again_is_nothing_new(tmp_path: Path) -> None:
    first(tmp_path)
    before = everything(tmp_path)
    first(tmp_path)
    assert run(tmp_path, "--no-ask").exception is None, "it knows the answers from before"
    assert everything(tmp_path) == before


def test_newcomers_raise_the_version_and_leave_the_rest(tmp_path: Path) -> None:
    first(tmp_path)
    path = tmp_path / "trust.toml"
    path.write_text(path.read_text().replace("[cameras]", "# the agency's own words\n[cameras]"))
    before = everything(tmp_path)
    more = ("--person", '41001:supervisor,records:Sgt. Reyes "R"', "--camera", "cam-2", *LEE)
    assert run(tmp_path, *more).exception is None
    now, enrolled = everything(tmp_path), trust(tmp_path).statement
    assert enrolled.version == 2
    assert (set(enrolled.people), set(enrolled.cameras)) == ({"51234", "41001"}, {"cam-1", "cam-2"})
    assert (enrolled.people["41001"].roles, enrolled.people["41001"].name) == (
        ("supervisor", "records"),
        'Sgt. Reyes "R"',
    )
    assert "# the agency's own words" in path.read_text()
    changed = {name for name, data in before.items() if now[name] != data}
    assert changed == {"trust.toml", "trust.json", "secrets/broker/broker/bwc.acl"}
    assert b"person:41001" in now["secrets/broker/broker/bwc.acl"]


def test_what_was_changed_by_hand_is_signed_with_a_version_of_its_own(tmp_path: Path) -> None:
    first(tmp_path)
    path = tmp_path / "trust.toml"
    path.write_text(path.read_text().replace('["officer"]', '["officer", "training"]'))
    assert run(tmp_path).exception is None
    assert trust(tmp_path).version == 2
    assert trust(tmp_path).statement.people["51234"].roles == ("officer", "training")


def test_a_key_that_is_there_is_taken(tmp_path: Path) -> None:
    first(tmp_path / "other", "--camera", "cam-9")
    (tmp_path / "etc" / "keys").mkdir(parents=True)
    theirs = (tmp_path / "other" / "keys" / "cam-9.sign.pub.pem").read_text()
    (tmp_path / "etc" / "keys" / "cam-9.sign.pub.pem").write_text(theirs)
    first(tmp_path / "etc", "--camera", "cam-9")
    assert trust(tmp_path / "etc").statement.cameras["cam-9"] == theirs
    assert not (tmp_path / "etc" / "secrets" / "cameras" / "cam-9.sign.pem").exists()


def test_interrupted_between_a_private_and_its_public_key(tmp_path: Path) -> None:
    first(tmp_path)
    before = everything(tmp_path)
    for name in ("keys/central-1.sign.pub.pem", "keys/51234.open.pub.pem", "trust.toml", "trust.json"):
        (tmp_path / name).unlink()
    first(tmp_path)
    assert everything(tmp_path) == before


def test_once_the_secrets_are_gone_from_here(tmp_path: Path) -> None:
    """What goes offline is not made anew; without it nothing is signed, and no other authority springs up."""
    first(tmp_path)
    safe = tmp_path / "safe"
    (tmp_path / "secrets").rename(safe)
    before = everything(tmp_path)
    result = run(tmp_path)
    assert result.exception is None and "authority is not in" in result.output
    assert everything(tmp_path) == before
    error = refused(run(tmp_path, "--person", "41001:supervisor:Sergeant Reyes"))
    assert "root.sign.pem" in str(error) and error.hint is not None and "--root-key" in error.hint
    assert everything(tmp_path) == before
    root = ("--root-key", str(safe / "offline" / "root.sign.pem"))
    assert run(tmp_path, "--person", "41001:supervisor:Sergeant Reyes", *root).exception is None
    assert trust(tmp_path).version == 2
    assert not (tmp_path / "secrets" / "broker").exists()


def test_a_policy_service_elsewhere(tmp_path: Path) -> None:
    result = first(tmp_path, "--policy-elsewhere")
    away = tmp_path / "secrets" / "policy"
    assert not (tmp_path / "policy.toml").exists() and not (tmp_path / "credentials" / "policy").exists()
    config = load_config(PolicyConfig, away / "policy.toml")
    assert str(config.trust.file) == f"{tmp_path}/trust.json"
    found = {str(path.relative_to(away)) for path in away.rglob("*") if path.is_file()}
    assert found == {
        "policy.toml", "trust.json", "keys/root.sign.pub.pem", "tls/ca.pem", "tls/policy.pem",
        "credentials/policy/sign.pem", "credentials/policy/open.pem", "credentials/policy/tls.key",
    }  # fmt: skip
    assert "becomes /etc/bwc" in result.output
    assert run(tmp_path, "--camera", "cam-2").exception is None
    assert (away / "trust.json").read_bytes() == (tmp_path / "trust.json").read_bytes()


def test_without_tls(tmp_path: Path) -> None:
    words = ("--agency", "a", "--dock", "d", "--broker", f"mqtt://{NOBODY}")
    assert run(tmp_path, *words).exception is None
    dock = load_config(DockConfig, tmp_path / "dock.toml")
    assert (dock.broker.ca, dock.broker.key) == (None, None)
    assert not (tmp_path / "tls").exists()


ANSWERS = """
agency = "portland"
dock = "central-1"
broker = "127.0.0.1:9"
policy_here = false
cameras = ["cam-1", "cam-2"]
[people.51234]
name = "Officer Lee"
roles = ["officer"]
"""


def test_an_answers_file_and_options_over_it(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(ANSWERS)
    to = tmp_path / "etc"
    words = ("--answers", str(tmp_path / "answers.toml"), "--dock", "east-2", "--policy-here", "--camera", "cam-3")
    assert run(to, *words).exception is None
    enrolled = trust(to).statement
    assert (set(enrolled.docks), set(enrolled.cameras)) == ({"east-2"}, {"cam-1", "cam-2", "cam-3"})
    assert set(enrolled.people) == {"51234"}
    assert (to / "policy.toml").exists()


def test_questions(tmp_path: Path) -> None:
    said = ["port land", "portland", "central-1", "127.0.0.1:9", "y", "51234:officer:Officer Lee", "", "cam-1", "", ""]
    result = run(tmp_path, "--ask", stdin="\n".join(said))
    assert result.exception is None, result.output
    assert "expected 1 to 64 letters" in result.output
    assert set(trust(tmp_path).statement.people) == {"51234"}
    again = run(tmp_path, "--ask", stdin="41001:supervisor:Sergeant Reyes\n\n\n")
    assert again.exception is None, again.output
    assert "agency" not in again.output.split("[1/5]")[0], "what is known is not asked again"
    assert set(trust(tmp_path).statement.people) == {"51234", "41001"}


def test_an_untouched_example_is_nobodys(tmp_path: Path) -> None:
    for name in ("dock.toml", "policy.toml", "trust.toml"):
        (tmp_path / name).write_bytes(example(name).read_bytes())
    first(tmp_path)
    assert load_config(DockConfig, tmp_path / "dock.toml").broker.url == f"mqtts://{NOBODY}"
    assert set(trust(tmp_path).statement.cameras) == {"cam-1"}


def own_file(to: Path) -> None:
    path = to / "dock.toml"
    path.write_text(path.read_text().replace("settle_seconds = 0.1", "settle_seconds = 0.2"))


def test_an_administrators_file_is_kept(tmp_path: Path) -> None:
    first(tmp_path)
    own_file(tmp_path)
    before = everything(tmp_path)
    assert run(tmp_path).exception is None
    assert everything(tmp_path) == before


ALL = ("--agency", "portland", "--dock", "central-1", "--broker", NOBODY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "agency"),
        (("--agency", "p"), "dock"),
        (("--agency", "p", "--dock", "d"), "broker"),
        ((*ALL, "--agency", "a/b"), "a/b"),
        ((*ALL, "--broker", "http://x"), "mqtt://"),
        ((*ALL, "--broker", "x:y"), "x:y"),
        ((*ALL, "--camera", "central-1"), "two owners"),
        ((*ALL, "--camera", "root"), "root"),
        ((*ALL, "--person", "51234:officer"), "ID:ROLE"),
        ((*ALL, "--person", "51234:boss:Lee"), "boss"),
        ((*ALL, "--person", "../x:officer:Lee"), "../x"),
        ((*ALL, "--answers", "missing.toml"), "missing.toml"),
    ],
)
def test_what_is_refused_writes_nothing(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    error = refused(run(tmp_path / "etc", *words))
    assert said in str(error)
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    ("words", "said"), [(("--dock", "east-2"), "east-2"), (("--agency", "x"), "agency"), (("--broker", "h"), "broker")]
)
def test_answers_against_what_is_configured(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    first(tmp_path)
    before = everything(tmp_path)
    error = refused(run(tmp_path, *words))
    assert said in str(error) and error.hint is not None
    assert everything(tmp_path) == before


# what the checks find


def checked(to: Path) -> dict[str, list[checks.CheckResult]]:
    found: dict[str, list[checks.CheckResult]] = {}
    result = run(to, "--json", command=("check",))
    assert isinstance(result.exception, BwcError | None)
    for one in json.loads(result.stdout):
        found.setdefault(one["what"], []).append(checks.CheckResult(**one))
    missing = [one for many in found.values() for one in many if one.state == "missing"]
    assert (result.exception is not None) == bool(missing)
    assert all(one.hint for one in missing), "whoever is refused reads what would change it"
    return found


@pytest.fixture
def made(tmp_path: Path) -> Path:
    to = tmp_path / "etc"
    first(to, *(w for n in ("mounts", "vault", "state") for w in (f"--{n}", str(tmp_path / n))))
    (tmp_path / "mounts").mkdir()
    return to


def test_a_good_installation_lacks_only_its_broker(made: Path, real_visit: None) -> None:
    found = checked(made)
    for what in ("configuration", "trust", "key", "mounts", "space"):
        assert {one.state for one in found[what]} == {"ok"}, what
    assert {one.state for one in found["broker"]} == {"missing"}
    assert [one.words.split(":")[0] for one in found["broker"]] == [
        "as dock central-1", "as person 51234", "as policy service", "as board",
    ]  # fmt: skip
    assert {one.state for one in found["offline keys"]} == {"note"}


def loosen(to: Path) -> None:
    (to / "credentials" / "dock" / "sign.pem").chmod(0o640)


def lose(to: Path) -> None:
    (to / "credentials" / "policy" / "open.pem").unlink()


def swap(to: Path) -> None:
    (to / "credentials" / "dock" / "sign.pem").write_bytes((to / "secrets/offline/root.sign.pem").read_bytes())


def unsign(to: Path) -> None:
    (to / "trust.json").write_text("{}")


def misspell(to: Path) -> None:
    (to / "dock.toml").write_text((to / "dock.toml").read_text().replace("mounts =", "mount ="))


def unmake(to: Path) -> None:
    (to.parent / "mounts").rmdir()


def fill_up(to: Path) -> None:
    path = to / "dock.toml"
    path.write_text(path.read_text().replace("reserve_bytes = 1073741824", f"reserve_bytes = {1 << 50}"))


@pytest.mark.parametrize(
    ("harm", "what"),
    [(loosen, "key"), (lose, "key"), (swap, "key"), (unsign, "trust"), (misspell, "configuration"),
     (unmake, "mounts"), (fill_up, "space")],
)  # fmt: skip
def test_what_is_wrong_is_found(made: Path, harm: Callable[[Path], None], what: str) -> None:
    before = {state.what for many in checked(made).values() for state in many if state.state == "missing"}
    harm(made)
    found: Any = checked(made)
    assert "missing" in {one.state for one in found[what]}
    assert what not in before


@pytest.mark.parametrize(
    ("kind", "state"), [("ext4", "ok"), ("tmpfs", "missing"), ("exfat", "missing"), ("nfs4", "note")]
)
def test_where_a_vault_may_lie(made: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: str) -> None:
    device = made.stat().st_dev
    line = f"1 0 {device >> 8 & 0xFFF}:{device & 0xFF} / / rw shared:1 - {kind} /dev/x rw\n"
    (made / "mountinfo").write_text(line)
    monkeypatch.setattr(checks, "MOUNTINFO", made / "mountinfo")
    assert [one.state for one in checked(made)["vault"]] == [state]


def test_nothing_set_up(tmp_path: Path) -> None:
    result = run(tmp_path, command=("check",))
    assert "bwc setup" in result.output
    assert refused(result)


def test_help_names_everything() -> None:
    result = CliRunner().invoke(bwc, ["setup", "--help"])
    assert isinstance(click.unstyle(result.output), str)
    for word in ("check", "broker", "--answers", "--root-key"):
        assert word in result.output
