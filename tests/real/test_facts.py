"""What gilgen ships of the installed releases, against a fresh scan of their headers and against the plans that are made of either."""

from __future__ import annotations

from pathlib import Path

import pytest
import support

from gilgen import facts, generate, plan, scan, toolkits

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module", params=["vtk", "itk"])
def fresh(request):
    """What the headers of the installed release declare, and the folder that they are in."""
    toolkit, installation, found = support.with_headers(request.param)
    return scan.scan(toolkit, installation, found, print), Path(found.root)


def methods(cls):
    return {(method.symbol or method.name): (method.carrier, [parameter.carrier for parameter in method.parameters], method.body) for method in cls.methods if method.kind == "method" and not method.deleted}


def test_what_is_shipped_is_what_a_scan_gives(fresh):
    api, _ = fresh
    installation = toolkits.get(api.toolkit).installation()
    shipped = {cls.name: cls for cls in facts.read(api.toolkit, api.version, api.version, old_strings=bool(scan.string_flags(installation))).classes}
    # Debian builds without some modules of the wheels, so what is shipped holds more.
    missing = [cls.name for cls in api.classes if cls.name not in shipped]
    other = [cls.name for cls in api.classes if cls.name in shipped and methods(cls) != methods(shipped[cls.name])]
    assert len(missing) < 0.001 * len(api.classes), missing
    assert len(other) < 0.002 * len(api.classes), other


def test_a_plan_from_either_releases_the_same(fresh):
    api, folder = fresh
    by_headers, by_facts = ({decision.symbol for decision in generate.released(plan.read(plan.ensure(api.toolkit, headers, print)))} for headers in (folder, None))
    assert by_headers - by_facts == set()
    assert len(by_facts - by_headers) < 0.05 * len(by_facts), "the wheel has classes that Debian's headers lack"
