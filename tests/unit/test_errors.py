import pytest

from gilgen import errors
from gilgen.errors import GilgenError


def leaves():
    return [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GilgenError)
    ]


def test_every_error_has_its_own_exit_code():
    codes = [kind.exit_code for kind in leaves()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", [kind for kind in leaves() if kind is not GilgenError])
def test_codes_leave_room_for_the_usual_ones(kind):
    assert 10 <= kind.exit_code < 126
    assert kind.__doc__


def test_the_text_ends_with_the_advice():
    assert str(errors.ScanError("It broke.", "Run: gilgen doctor")) == "It broke.\nRun: gilgen doctor"
    assert str(errors.ScanError("It broke.")) == "It broke."
