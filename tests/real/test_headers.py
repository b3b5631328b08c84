"""Headers of the wheels that are installed, from where this machine can get them."""

from pathlib import Path

import pytest

from gilgen import headers, toolkits

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("name", "header"), [("vtk", "vtkAlgorithm.h"), ("itk", "itkProcessObject.h")])
def test_headers_of_the_installed_wheel(name, header):
    toolkit = toolkits.get(name)
    installation = toolkit.installation()
    found = headers.find(toolkit, installation, fetch=True)
    assert (Path(found.root) / header).exists()
    assert toolkit.header_version(Path(found.root)) == found.version
    assert bool(found.notice) == (found.version != installation.version)
    assert found.version.partition(".")[0] == installation.version.partition(".")[0]
    again = headers.find(toolkit, installation)
    assert again.root == found.root
