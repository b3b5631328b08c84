"""Extensions whose every function is known to release or to hold, compiled in many ways: the audit says what each does."""

from __future__ import annotations

import pytest
from fixtures.audit import making

from gilgen.audit import auditing, package

RELEASES, HOLDS, MIXED, UNDECIDABLE = "releases", "holds", "mixed", "undecidable"

EXPECTED = {
    "paths": {
        RELEASES: "direct in_helper in_helper_of_helper tail_call cold_part cold_helper repeated guarded guarded_elsewhere caught "
        "error_path around_callback older_pair fast open_to_all no_arguments",
        HOLDS: "never never_with_libc misleading_name only_ensures interpreter keywords",
    },
    "across": {RELEASES: "in_library in_next_library passed_on", HOLDS: "held_there held_here passed_on_held"},
    "held": {HOLDS: "plain parsed"},
    "choices": {
        RELEASES: "both_overloads switch_all by_class_released",
        HOLDS: "switch_none by_class_held",
        MIXED: "one_overload one_overload_inline switch_one_holds",
        UNDECIDABLE: "by_table",
    },
    "kinds": {
        RELEASES: "Worker.run Worker.of_class Worker.of_nobody Worker.released:getter Worker.held:setter Worker.__call__:slot "
        "Worker.__add__:slot Worker.__getitem__:slot Worker.__repr__:slot Idler.run_held Idler.__eq__:slot Idler.__init__:slot",
        HOLDS: "Worker.run_held Worker.of_class_held Worker.of_nobody_held Worker.held:getter Worker.released:setter "
        "Worker.read_only:getter Worker.__sub__:slot Worker.__str__:slot Worker.__new__:slot Idler.run Idler.__call__:slot Idler.__new__:slot",
    },
    "heap": {
        RELEASES: "alone Worker.run Worker.released:getter Worker.held:setter Worker.__call__:slot",
        HOLDS: "alone_held Worker.run_held Worker.held:getter Worker.released:setter Worker.read_only:getter Worker.__sub__:slot Worker.__new__:slot",
    },
}
"""By module and verdict: the wrappers, "method" or "Class.method", and their kind where it is another."""

EITHER = {("paths", "handed_over"), ("across", "entered")}
"""What is called is known only as an argument, or is another library's function in this module's table: a tool may
follow it, or say that it did not, but never "holds", and never leave it out."""


def key(module: str, text: str) -> tuple[str, str, str, str]:
    """A wrapper as (module, owner, method, kind)."""
    name, _, kind = text.partition(":")
    owner, _, method = name.rpartition(".")
    return module, owner, method, kind or ("method" if owner else "function")


WANTED = {
    key(module, text): verdict
    for module, verdicts in EXPECTED.items()
    for verdict, texts in verdicts.items()
    for text in texts.split()
}  # fmt: skip


@pytest.fixture(scope="module", params=making.WAYS)
def made(request, tmp_path_factory):
    """The extensions, compiled in each of the ways."""
    return making.make(tmp_path_factory.mktemp(request.param), making.WAYS[request.param])


@pytest.fixture(scope="module")
def found(made):
    """What the audit says: (module, owner, method, kind) -> the wrappers of that name."""
    wrappers = {}
    for wrapper in auditing.audit(package.of_files("audited", list(made.files))).wrappers:
        name = (wrapper.module.rpartition(".")[2], wrapper.owner, wrapper.method, wrapper.kind)
        wrappers.setdefault(name, []).append(wrapper)
    return wrappers


def verdicts(found):
    """One verdict a wrapper: where it has several overloads that differ, it is mixed."""
    return {name: next(iter(said)) if len(said := {each.verdict for each in wrappers}) == 1 else MIXED for name, wrappers in found.items()}


def test_every_wrapper_is_found_and_nothing_else(found):
    assert {name for name in found if name[3] != "slot"} == {name for name in WANTED if name[3] != "slot"} | {key(*name) for name in EITHER}
    assert {name for name in found if name[3] == "slot"} >= {name for name in WANTED if name[3] == "slot"}


def test_every_verdict_is_right(found):
    said = verdicts(found)
    wrong = {name: f"{said.get(name)} instead of {wanted}" for name, wanted in WANTED.items() if said.get(name) != wanted}
    assert not wrong


@pytest.mark.parametrize("name", sorted(EITHER))
def test_what_is_hard_to_follow_is_never_said_to_hold(found, name):
    assert verdicts(found)[key(*name)] in {RELEASES, UNDECIDABLE}


def test_what_releases_says_where(found):
    for name, wrappers in found.items():
        for wrapper in wrappers:
            if wrapper.verdict in {RELEASES, MIXED}:
                assert wrapper.evidence is not None, name
                assert wrapper.evidence.library.endswith(".so"), name
            if wrapper.verdict == UNDECIDABLE:
                assert wrapper.reason, name


def test_a_release_in_a_library_is_shown_with_the_function_that_leads_there(found):
    for name, function in {"in_library": "released_in_library", "in_next_library": "released_in_next_library"}.items():
        (wrapper,) = found[key("across", name)]
        assert function in wrapper.evidence.through[-1]


def test_a_package_of_one_file_alone_tells_what_that_file_does(made):
    (path,) = [path for path in made.files if path.stem == "across"]
    alone = {wrapper.method: wrapper.verdict for wrapper in auditing.audit(package.of_files("across", [path])).wrappers}
    assert alone["held_here"] == HOLDS
    assert RELEASES not in alone.values()
