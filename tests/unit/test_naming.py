from types import SimpleNamespace

import pytest

from gilgen import naming


def static(qualified: str) -> SimpleNamespace:
    """A static method as PySide 6 makes it: it tells its class in `__qualname__`, and has neither module nor owner."""
    return SimpleNamespace(__name__=qualified.rpartition(".")[2], __qualname__=qualified, __module__=None, __self__=None)


@pytest.mark.parametrize(("qualified", "loop"), [("QApplication.exec", "qt"), ("QCoreApplication.exec_", "qt"), ("QApplication.quit", ""), ("Anything.exec", ""), ("exec", "")])
def test_static_methods_that_run_an_event_loop(qualified, loop):
    name, toolkit, package = naming.call_name(static(qualified), None)
    assert (name, toolkit) == (qualified, "")
    assert naming.loop_of(name, package) == loop
