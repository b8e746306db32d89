"""The database that several services share: one transaction at a time, all of it or nothing, and one leader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from daemon.database.postgres import Postgres
from daemon.model.errors import ConfigurationError, NotDurableError, UnavailableError
from tests.kit import postgres
from tests.kit.postgres import Server
from tests.kit.precinct import wait_until

SCHEMA = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL); CREATE TABLE counted (n BIGINT NOT NULL);"
STEPS = ("CREATE TABLE second (id TEXT);", "INSERT INTO second SELECT value FROM meta; CREATE TABLE third (id TEXT);")
Join = Callable[[], Postgres]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
def join(url: str) -> Iterator[Join]:
    """Sessions of services on one database."""
    made: list[Postgres] = []

    def one() -> Postgres:
        made.append(Postgres(url))
        made[-1].bring_up_to(1, SCHEMA, (), join=True)
        return made[-1]

    yield one
    for session in made:
        session.close()


def rows(database: Postgres, sql: str) -> list[tuple[object, ...]]:
    return list(database.execute(sql).fetchall())


def end(database: Postgres, by: Postgres) -> None:
    """The server ends its session, as when its machine is restarted."""
    (pid,) = database.execute("SELECT pg_backend_pid()").fetchone()
    by.execute("SELECT pg_terminate_backend(?, 10000)", (pid,))


def test_transactions_of_all_sessions_run_one_after_the_other(join: Join) -> None:
    """Each reads, then writes one more than it read: run side by side some would write the same."""

    def count(database: Postgres) -> None:
        for _ in range(40):
            with database.transaction():
                (most,) = database.execute("SELECT coalesce(max(n), 0) FROM counted").fetchone()
                database.execute("INSERT INTO counted VALUES (?)", (most + 1,))

    sessions = [join() for _ in range(3)]
    threads = [threading.Thread(target=count, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row[0] for row in rows(sessions[0], "SELECT n FROM counted ORDER BY n")] == list(range(1, 121))


def test_what_ends_in_an_error_did_not_happen(join: Join) -> None:
    database = join()
    with pytest.raises(ZeroDivisionError), database.transaction():
        database.execute("INSERT INTO counted VALUES (1)")
        raise ZeroDivisionError
    assert rows(database, "SELECT * FROM counted") == []


def test_an_error_that_was_kept_quiet_is_no_commit(join: Join) -> None:
    """The server answers COMMIT with ROLLBACK then, which is no error to the driver."""
    database = join()
    with pytest.raises(NotDurableError), database.transaction():
        database.execute("INSERT INTO counted VALUES (1)")
        with pytest.raises(Exception, match="nowhere"):
            database.execute("SELECT * FROM nowhere")


def test_a_session_lost_before_its_commit_was_answered(join: Join) -> None:
    database, other = join(), join()
    with pytest.raises(NotDurableError), database.transaction():
        database.execute("INSERT INTO counted VALUES (1)")
        end(database, other)
    assert rows(other, "SELECT * FROM counted") == []


def test_a_session_lost_before_its_end(join: Join) -> None:
    database, other = join(), join()
    with pytest.raises(UnavailableError), database.transaction():
        end(database, other)
        database.execute("INSERT INTO counted VALUES (1)")
    with other.transaction():
        assert rows(other, "SELECT * FROM counted") == []


def test_one_leads_until_its_session_ends(join: Join) -> None:
    first, second = join(), join()
    assert first.try_lead() and not second.try_lead()
    first.leave_lead()
    assert second.try_lead() and not first.try_lead()
    end(second, first)
    assert first.try_lead()


def test_members_are_the_sessions_that_joined(join: Join, url: str) -> None:
    first, second = join(), join()
    looking = Postgres(url)
    assert len(looking.members()) == 2 and first.members() == second.members()
    end(second, first)
    assert len(first.members()) == 1
    looking.close()


def test_two_schemas_of_one_database_do_not_meet(join: Join, url: str) -> None:
    first = join()
    first.execute("CREATE SCHEMA other")
    other = Postgres(f"{url}&options=-csearch_path%3Dother")
    other.bring_up_to(1, SCHEMA, (), join=True)
    assert first.try_lead() and other.try_lead()
    assert first.members().isdisjoint(other.members())
    with first.transaction(), other.transaction():
        pass
    other.close()


def test_each_step_runs_once(url: str) -> None:
    for version, tables in ((1, 0), (2, 1), (3, 2), (3, 2)):
        database = Postgres(url)
        database.bring_up_to(version, SCHEMA, STEPS[: version - 1], join=True)
        found = rows(database, "SELECT 1 FROM pg_tables WHERE tablename IN ('second', 'third')")
        assert len(found) == tables
        database.close()
        looking = Postgres(url)
        wait_until(lambda: not looking.members(), "the server to notice that it left")  # noqa: B023 - waited for here
        looking.close()


@pytest.mark.parametrize(
    ("version", "steps", "words"),
    [(3, STEPS[1:], "another version"), (3, (STEPS[0], "CREATE TABLE second (id TEXT);"), "second"), (0, (), "newer")],
    ids=["no way", "a step that fails", "a newer one"],
)
def test_what_cannot_be_brought_up_to_date_stays_as_it_is(
    url: str, version: int, steps: tuple[str, ...], words: str
) -> None:
    made = Postgres(url)
    made.bring_up_to(1, SCHEMA, (), join=False)
    with pytest.raises(Exception, match=words):
        made.bring_up_to(version, SCHEMA, steps, join=False)
    assert rows(made, "SELECT 1 FROM pg_tables WHERE tablename = 'second'") == []
    assert rows(made, "SELECT value FROM meta WHERE key = 'schema'") == [("1",)]
    made.close()


def test_nothing_is_changed_under_services_that_run(join: Join, url: str) -> None:
    join()
    newer = Postgres(url)
    with pytest.raises(ConfigurationError, match="other policy services use it"):
        newer.bring_up_to(3, SCHEMA, STEPS, join=True)
    newer.close()


def test_a_database_of_somebody_elses(url: str) -> None:
    database = Postgres(url)
    database.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    with pytest.raises(ConfigurationError, match="not ours"):
        database.bring_up_to(1, SCHEMA, (), join=True)
    database.close()


def test_no_server(server: Server) -> None:
    with pytest.raises(UnavailableError):
        Postgres("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(UnavailableError, match="does not exist"):
        Postgres(server.url("none"))
    with pytest.raises(ConfigurationError):
        Postgres("postgresql://postgres@/none?nonsense=1")


def test_a_server_that_would_forget_what_it_confirmed(server: Server, url: str) -> None:
    session = Postgres(url)
    session.execute("ALTER SYSTEM SET fsync = off")
    session.execute("SELECT pg_reload_conf()")
    try:
        while session.execute("SELECT current_setting('fsync')").fetchone()[0] == "on":
            pass
        with pytest.raises(ConfigurationError, match="fsync"):
            Postgres(url)
    finally:
        session.execute("ALTER SYSTEM RESET fsync")
        session.execute("SELECT pg_reload_conf()")
        session.close()


def test_commits_wait_for_the_disk_whatever_the_server_is_set_to(url: str) -> None:
    session = Postgres(f"{url}&options=-csynchronous_commit%3Doff")
    assert rows(session, "SELECT current_setting('synchronous_commit')") == [("on",)]
    session.close()
