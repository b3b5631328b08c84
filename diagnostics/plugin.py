"""The pytest plugin (entry point `gilgen`): off until a test, or an option, asks for it.

The fixture `gil` proves in a test which calls let other threads run; the marker `gil` limits how long a test may keep them
out; `--gil-shims` runs the tests with the shims active; `--gil-report` writes down what was measured. All that these need
is imported when the first of them is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gilgen.diagnostics.report import Form, Material
    from gilgen.diagnostics.testing import Gil, Measured, Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_ACTIVATED: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()

MARKER = "gil(max_stall): fail the test if it keeps other threads from running for longer than max_stall, such as '20ms'"

FORMS: dict[str, Form | None] = {".html": "html", ".md": "markdown", ".xml": "junit", ".json": None, ".txt": "text"}
"""What `--gil-report` writes, by its file's suffix: a form of `report`, or the record itself."""

ON_REPORTS = "gilgen"
"""The attribute of a test's report that carries what was measured, from a worker of pytest-xdist as well."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("gilgen", "which calls hold the GIL")
    group.addoption("--gil-shims", metavar="NAMES", default="", help="Run the tests with gilgen's shims active for these toolkits, such as vtk,itk.")
    group.addoption(
        "--gil-report", metavar="FILE", action="append", default=[],
        help="Write what the tests measured with the fixture `gil` to FILE: .html, .md, .xml (JUnit), .json or .txt. May be repeated.",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker; do what the options ask for."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("gil_shims"):
        config.stash[_ACTIVATED] = _activate(config.getoption("gil_shims"))
    if config.getoption("gil_report"):
        config.pluginmanager.register(Carrier(), "gilgen-carrier")
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Collector(config, config.getoption("gil_report")), "gilgen-collector")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Deactivate what the option activated."""
    names = config.stash.get(_ACTIVATED, ())
    if names:
        importlib.import_module("gilgen").deactivate(*names)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which shims are active."""
    names = config.stash.get(_ACTIVATED, ())
    return f"gilgen: shims active for {', '.join(names)}" if names else None


def _activate(text: str) -> tuple[str, ...]:
    """Activate the toolkits that the option names; return those that were not active before."""
    import gilgen  # noqa: PLC0415 - only where it is asked for

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    before = {name for name, one in gilgen.status().items() if one.active}
    try:
        gilgen.activate(*names)
    except gilgen.GilgenError as error:
        raise pytest.UsageError(f"--gil-shims {text}: {error}") from error
    return tuple(name for name in names if name not in before)


def _session(config: pytest.Config) -> Session:
    """What the tests of this process share. Where gilgen was installed without what its tools need, the test fails and says so."""
    if _SESSION not in config.stash:
        try:
            from gilgen.diagnostics.testing import Session  # noqa: PLC0415 - only where it is used
        except ModuleNotFoundError as error:
            from gilgen.errors import install  # noqa: PLC0415

            pytest.fail(f"gilgen's fixture and marker need {error.name}, which is not installed. {install(error.name)}", pytrace=False)
        config.stash[_SESSION] = Session()
    return config.stash[_SESSION]


@pytest.fixture
def gil(request: pytest.FixtureRequest) -> Iterator[Gil]:
    """Prove which calls let other Python threads run: `gil.assert_releases(reader.Update)`.

    `gil.assert_releases(*calls)` and `gil.assert_holds(*calls)` fail with the evidence; `gil.max_stall(call)` returns the
    longest time in seconds that others were kept out; `gil.measure(call)` returns a verdict with all that stands behind it.
    """
    session = _session(request.config)
    with session.test(request.node.nodeid) as found:
        yield found


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Watch a test that has the marker; what it does is timed, its fixtures are not."""
    marker = item.get_closest_marker("gil")
    if marker is None:
        return (yield)
    limit = _limit(marker)
    session = _session(item.config)
    with session.watch() as watch:
        yield
    session.notes(item.nodeid).remarks.append(f"{item.nodeid}: {watch.told()}.")
    if watch.stall > limit:
        pytest.fail(_stalled(watch.told(), marker, proven=watch.proven), pytrace=False)
    return None


def _limit(marker: pytest.Mark) -> float:
    """The marker's limit in seconds."""
    from gilgen.diagnostics import durations  # noqa: PLC0415 - only where it is used

    from gilgen.errors import GilgenError  # noqa: PLC0415

    if marker.args or set(marker.kwargs) != {"max_stall"}:
        pytest.fail('The marker gil takes one argument by name: @pytest.mark.gil(max_stall="20ms")', pytrace=False)
    try:
        return durations.seconds(marker.kwargs["max_stall"])
    except GilgenError as error:
        pytest.fail(f"@pytest.mark.gil: max_stall: {error}", pytrace=False)


def _stalled(told: str, marker: pytest.Mark, *, proven: bool) -> str:
    """Why a marked test failed."""
    lines = [f"This test keeps other Python threads out for longer than max_stall={marker.kwargs['max_stall']!r}: {told}."]
    if not proven:
        lines.append("This kernel does not tell what of it load on the machine added: run it again on a quieter one.")
    lines.append("Which call does it: gil.assert_releases(call), or gilgen profile program.py. VTK's and ITK's calls with shims: pytest --gil-shims vtk,itk")
    return "\n  -> ".join(lines)


class Carrier:
    """Puts what a test measured on its report, which travels from a worker of pytest-xdist to where reports are collected."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach it to the report of the last phase, as JSON."""
        report = yield
        measured = _session(item.config).take(item.nodeid) if call.when == "teardown" and _SESSION in item.config.stash else None
        if measured is not None:
            import msgspec  # noqa: PLC0415 - only where it is used

            setattr(report, ON_REPORTS, msgspec.json.encode(measured).decode())
        return report


class Collector:
    """Gathers what all tests measured, and writes it down at the end.

    Raises:
        UsageError: a file has no suffix that stands for a form, or the form needs what is not installed.
    """

    def __init__(self, config: pytest.Config, names: list[str]) -> None:
        self._folder = config.invocation_params.dir
        self._renderers = {name: _renderer(name) for name in names}
        self._found: list[Measured] = []
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test measured."""
        text = getattr(report, ON_REPORTS, None)
        if isinstance(text, str):
            import msgspec  # noqa: PLC0415 - only where it is used
            from gilgen.diagnostics.testing import Measured  # noqa: PLC0415

            self._found.append(msgspec.json.decode(text, type=Measured))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the report, in each form that was asked for; where no test ran an earlier one stays. What goes wrong is told with pytest's own summary."""
        from gilgen.diagnostics import testing  # noqa: PLC0415 - only where it is used
        from gilgen.diagnostics.report import Material, headline  # noqa: PLC0415

        from gilgen import store  # noqa: PLC0415
        from gilgen.errors import GilgenError  # noqa: PLC0415

        if session.config.option.collectonly or exitstatus in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR}:
            return
        report = testing.report_of(self._found)
        try:
            for name, render in self._renderers.items():
                store.write_bytes(self._folder / name, render(Material(report)).encode() if render else store.encode(report))
        except GilgenError as error:
            self._said = f"The report is not written: {error}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
            return
        self._said = f"{headline(report)} Written to {', '.join(self._renderers)}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what the report says in a line, and where it is."""
        if self._said:
            terminalreporter.write_sep("-", f"gilgen: {self._said}")


def _renderer(name: str) -> Callable[[Material], str] | None:
    """What makes the text of a file of this name; None where it is the record itself."""
    from gilgen.diagnostics.report import reporter  # noqa: PLC0415 - only where it is used

    from gilgen.errors import GilgenError  # noqa: PLC0415

    suffix = Path(name).suffix.lower()
    if suffix not in FORMS:
        raise pytest.UsageError(f"--gil-report {name}: what to write is told by the suffix, one of {', '.join(FORMS)}")
    form = FORMS[suffix]
    try:
        return reporter(form).render if form else None
    except GilgenError as error:
        raise pytest.UsageError(f"--gil-report {name}: {error}") from error
