"""A short form of bench/stress.py: eight threads on random pipelines of both toolkits, every result compared."""

from __future__ import annotations

import json
import sys

import pytest
import support

pytestmark = pytest.mark.real


def stress(real_shims, guard, seconds):
    command = [sys.executable, "-X", "faulthandler", support.CHECKOUT / "bench" / "stress.py", "--guard", guard, "--seconds", str(seconds), "--json"]
    ended = support.run(command, 180, {"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}"})
    assert ended.ok, ended.crashed or ended.err[-3000:]
    return json.loads(ended.out.splitlines()[-1])


@pytest.mark.parametrize("guard", ["closure"])
def test_every_result_is_the_serial_one(real_shims, guard):
    found = stress(real_shims, guard, 8)
    assert (found["wrong"], found["unexpected"]) == (0, 0), found["words"]
    assert found["calls"] > 200
    assert found["shimmed"] > found["calls"]
    assert found["released"] > found["calls"] / 3  # short calls keep the GIL, and so do those beside a thread in a callback
    assert found["waited"] > 0
    assert found["results"] > 25


def test_control_results_are_compared(real_shims):
    """A digest that is doctored for one of the results is found wrong. Active, because the plain wheels crash here at times."""
    code = """
    import bench_stress
    original = bench_stress._expected
    def doctored(toolkits):
        found = original(toolkits)
        found["sum 1"] = "not this"
        return found
    bench_stress._expected = doctored
    answer = bench_stress._stress("pipeline", 2.0, 1)
    print(json.dumps([answer["wrong"] > 0, answer["unexpected"]]), flush=True)
    os._exit(0)
    """
    load = f"""
import importlib.util
sys.path.insert(0, {str(support.CHECKOUT / 'bench')!r})
spec = importlib.util.spec_from_file_location("bench_stress", {str(support.CHECKOUT / 'bench' / 'stress.py')!r})
module = importlib.util.module_from_spec(spec)
sys.modules["bench_stress"] = module
spec.loader.exec_module(module)
"""
    site = {"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}"}
    assert support.run_python(support.PRELUDE + load + support.textwrap.dedent(code), 180, site).answer == [True, 0]
