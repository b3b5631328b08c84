"""Readers of files that were written just before: by VTK's own writers, or by hand where it has none.

`vtkAlgorithm.Update()` is hinted, so plain VTK from 9.4 on releases in all of them. Those of NetCDF and HDF5 run alone: two
at once may crash there. With the shims they do not: the GIL is taken back in those libraries (see `writers`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gilgen.diagnostics.cases.record import Case, Work
from gilgen.diagnostics.cases.vtk.data import (
    blocks,
    building,
    bytes_volume,
    configured,
    graph,
    grid,
    hexahedra,
    numpy_support,
    picture,
    points,
    polylines,
    prepared,
    rectilinear,
    structured,
    surface,
    table,
    tetrahedra,
    tree,
    wavelet,
)
from gilgen.diagnostics.cases.vtk.kinds import again, by, read


def _raw(size: int) -> Work:
    """A file of two-byte samples and nothing else: the reader is told what they are."""
    slices = max(2, size >> 16)
    values = np.random.default_rng(1).integers(0, 4000, slices << 16, dtype=np.uint16)
    reader = configured(
        "vtkImageReader2",
        {
            "SetFileDimensionality": 3,
            "SetDataScalarTypeToUnsignedShort": (),
            "SetDataExtent": (0, 255, 0, 255, 0, slices - 1),
        },
    )
    file = Path(f"{id(reader):x}.raw")
    file.write_bytes(values.tobytes())
    reader.SetFileName(file.name)
    return again(reader, reader.Update)


def _nrrd(size: int, stem: str) -> str:
    side = max(8, round(size ** (1 / 3)))
    values = np.random.default_rng(1).integers(0, 4000, side**3, dtype=np.uint16)
    header = f"NRRD0001\ntype: ushort\ndimension: 3\nsizes: {side} {side} {side}\nendian: little\nencoding: raw\n\n"
    file = Path(f"{stem}.nrrd")
    file.write_bytes(header.encode() + values.tobytes())
    return file.name


def _mrc(size: int, stem: str) -> str:
    """Electron microscopy: a header of 1024 bytes, then floats."""
    side = max(8, round(size ** (1 / 3)))
    header = np.zeros(256, dtype=np.int32)
    header[:4] = side, side, side, 2
    header[7:10] = side
    header[10:13] = np.array([side] * 3, dtype=np.float32).view(np.int32)
    header[16:19] = 1, 2, 3
    header[52] = int.from_bytes(b"MAP ", "little")
    header[53] = 0x4144
    values = np.random.default_rng(1).random(side**3, dtype=np.float32)
    file = Path(f"{stem}.mrc")
    file.write_bytes(header.tobytes() + values.tobytes())
    return file.name


def _off(size: int, stem: str) -> str:
    mesh = surface(size)
    support = numpy_support()
    places = support.vtk_to_numpy(mesh.GetPoints().GetData())
    corners = support.vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    file = Path(f"{stem}.off")
    with file.open("w", encoding="ascii") as stream:
        stream.write(f"OFF\n{len(places)} {len(corners)} 0\n")
        np.savetxt(stream, places, "%.6g")
        np.savetxt(stream, np.insert(corners, 0, 3, axis=1), "%d")
    return file.name


def _text_points(size: int, stem: str) -> str:
    file = Path(f"{stem}.txt")
    places = numpy_support().vtk_to_numpy(points(size).GetPoints().GetData())
    np.savetxt(file, places, "%.6g")
    return file.name


def _point_cloud(size: int, stem: str) -> str:
    """A laser scan: place and intensity a line."""
    file = Path(f"{stem}.pts")
    places = numpy_support().vtk_to_numpy(points(size).GetPoints().GetData())
    with file.open("w", encoding="ascii") as stream:
        stream.write(f"{len(places)}\n")
        np.savetxt(stream, np.insert(places, 3, 100, axis=1), "%.4f %.4f %.4f %d")
    return file.name


def _molecule(size: int, stem: str) -> str:
    file = Path(f"{stem}.xyz")
    with file.open("w", encoding="ascii") as stream:
        stream.write(f"{size}\ncarbon, a lot of it\n")
        for x, y, z in np.random.default_rng(2).random((size, 3)) * size ** (1 / 3) * 2:
            stream.write(f"C {x:.4f} {y:.4f} {z:.4f}\n")
    return file.name


def _density(size: int, stem: str) -> str:
    """Gaussian's cube format: two atoms in a field of numbers."""
    side = max(8, round(size ** (1 / 3)))
    axes = "".join(f"{side:5} {x:11.6f} {y:11.6f} {z:11.6f}\n" for x, y, z in np.eye(3) * 0.2)
    file = Path(f"{stem}.cube")
    with file.open("w", encoding="ascii") as stream:
        stream.write(f"a density\nof two atoms\n{2:5} 0.0 0.0 0.0\n{axes}")
        stream.write("    6 6.0 0.0 0.0 0.0\n    8 8.0 1.0 0.0 0.0\n")
        np.savetxt(stream, np.random.default_rng(2).random((side**3 // 6 + 1, 6)), "%12.5E")
    return file.name


def _tecplot(size: int, stem: str) -> str:
    """A structured zone as text, a number a line."""
    side = max(8, round(size ** (1 / 3)))
    file = Path(f"{stem}.dat")
    axes = np.meshgrid(*[np.arange(side)] * 3, indexing="ij")
    with file.open("w", encoding="ascii") as stream:
        stream.write('TITLE = "a field"\nVARIABLES = "X" "Y" "Z" "P"\n')
        stream.write(f"ZONE I={side}, J={side}, K={side}, F=POINT\n")
        np.savetxt(stream, np.stack([*reversed(axes), axes[0] * 0.5], axis=-1).reshape(-1, 4), "%.6g")
    return file.name


def _plot3d(size: int, stem: str) -> str:
    """A curvilinear grid: its sides, then all x, all y, all z."""
    side = max(8, round(size ** (1 / 3)))
    axes = np.meshgrid(*[np.arange(side, dtype=np.float32)] * 3, indexing="ij")
    file = Path(f"{stem}.xyz")
    sides = np.array([side] * 3, dtype=np.int32)
    file.write_bytes(
        sides.tobytes() + b"".join(np.ascontiguousarray(axis).tobytes() for axis in reversed(axes))
    )
    return file.name


def _ensight(size: int, stem: str) -> str:
    writer = prepared("vtkEnSightWriter", tetrahedra(size))
    writer.SetFileName(f"{stem}.case")
    writer.Write()
    writer.WriteCaseFile(1)
    return f"{stem}.0.case"


def _targa(size: int, stem: str) -> str:
    side = max(16, round(size**0.5))
    pixels = np.random.default_rng(1).integers(0, 255, side * side * 3, dtype=np.uint8)
    header = bytes([0, 0, 2, *[0] * 9]) + np.array([side, side], dtype="<u2").tobytes() + bytes([24, 0])
    file = Path(f"{stem}.tga")
    file.write_bytes(header + pixels.tobytes())
    return file.name


def _columns(size: int, stem: str) -> str:
    """Fields of eight characters."""
    file = Path(f"{stem}.txt")
    np.savetxt(file, np.random.default_rng(1).random((size, 4)), "%8.5f", delimiter="")
    return file.name


CASES = (
    # Meshes.
    read("ply-reader", "vtkPLYReader", by("vtkPLYWriter", surface, "ply"), 400_000, 2_000_000),
    read("stl-reader", "vtkSTLReader", by("vtkSTLWriter", surface, "stl"), 30_000, 2_000_000),
    read("obj-reader", "vtkOBJReader", by("vtkOBJWriter", surface, "obj"), 50_000, 2_000_000),
    read("facet-reader", "vtkFacetReader", by("vtkFacetWriter", surface, "facet"), 50_000, 1_000_000),
    read("mcubes-reader", "vtkMCubesReader", by("vtkMCubesWriter", surface, "tri"), 100_000, 2_000_000),
    read(
        "byu-reader",
        "vtkBYUReader",
        by(
            "vtkBYUWriter",
            surface,
            "byu",
            "SetGeometryFileName",
            WriteScalarOff=(),
            WriteDisplacementOff=(),
            WriteTextureOff=(),
        ),
        50_000,
        1_000_000,
        naming="SetGeometryFileName",
    ),
    read("geojson-reader", "vtkGeoJSONReader", by("vtkGeoJSONWriter", polylines, "json"), 20_000, 400_000),
    read("gltf-reader", "vtkGLTFReader", by("vtkGLTFWriter", building, "glb"), 200_000, 4_000_000),
    read("mni-reader", "vtkMNIObjectReader", by("vtkMNIObjectWriter", surface, "obj"), 50_000, 2_000_000),
    read("off-reader", "vtkOFFReader", _off, 50_000, 1_000_000),
    read("points-reader", "vtkSimplePointsReader", _text_points, 50_000, 1_000_000),
    read("pts-reader", "vtkPTSReader", _point_cloud, 50_000, 1_000_000),
    read("molecule-reader", "vtkXYZMolReader", _molecule, 20_000, 1_000_000),
    # VTK's older formats.
    read("polydata-reader", "vtkPolyDataReader", by("vtkPolyDataWriter", surface, "vtk"), 100_000, 2_000_000),
    read(
        "image-data-reader",
        "vtkStructuredPointsReader",
        by("vtkStructuredPointsWriter", wavelet, "vtk"),
        500_000,
        8_000_000,
    ),
    read(
        "structured-reader",
        "vtkStructuredGridReader",
        by("vtkStructuredGridWriter", structured, "vtk"),
        200_000,
        4_000_000,
    ),
    read(
        "rectilinear-reader",
        "vtkRectilinearGridReader",
        by("vtkRectilinearGridWriter", rectilinear, "vtk"),
        500_000,
        8_000_000,
    ),
    read(
        "grid-reader",
        "vtkUnstructuredGridReader",
        by("vtkUnstructuredGridWriter", grid, "vtk"),
        100_000,
        2_000_000,
    ),
    read(
        "data-set-reader", "vtkDataSetReader", by("vtkDataSetWriter", tetrahedra, "vtk"), 100_000, 2_000_000
    ),
    read("table-reader", "vtkTableReader", by("vtkTableWriter", table, "vtk"), 100_000, 2_000_000),
    read("graph-reader", "vtkGraphReader", by("vtkGraphWriter", graph, "vtk"), 100_000, 2_000_000),
    read("tree-reader", "vtkTreeReader", by("vtkTreeWriter", tree, "vtk"), 100_000, 2_000_000),
    read(
        "blocks-reader",
        "vtkCompositeDataReader",
        by("vtkCompositeDataWriter", blocks, "vtk"),
        100_000,
        2_000_000,
    ),
    # VTK's XML formats.
    read(
        "xml-reader",
        "vtkXMLImageDataReader",
        by("vtkXMLImageDataWriter", wavelet, "vti"),
        1_000_000,
        16_000_000,
    ),
    read(
        "xml-surface-reader",
        "vtkXMLPolyDataReader",
        by("vtkXMLPolyDataWriter", surface, "vtp"),
        200_000,
        4_000_000,
    ),
    read(
        "xml-grid-reader",
        "vtkXMLUnstructuredGridReader",
        by("vtkXMLUnstructuredGridWriter", grid, "vtu"),
        100_000,
        4_000_000,
    ),
    read(
        "xml-rectilinear-reader",
        "vtkXMLRectilinearGridReader",
        by("vtkXMLRectilinearGridWriter", rectilinear, "vtr"),
        1_000_000,
        16_000_000,
    ),
    read(
        "xml-structured-reader",
        "vtkXMLStructuredGridReader",
        by("vtkXMLStructuredGridWriter", structured, "vts"),
        400_000,
        8_000_000,
    ),
    read(
        "xml-blocks-reader",
        "vtkXMLMultiBlockDataReader",
        by("vtkXMLMultiBlockDataWriter", blocks, "vtm"),
        200_000,
        4_000_000,
    ),
    read("xml-table-reader", "vtkXMLTableReader", by("vtkXMLTableWriter", table, "vtt"), 100_000, 4_000_000),
    read(
        "xml-pieces-reader",
        "vtkXMLPImageDataReader",
        by("vtkXMLPImageDataWriter", wavelet, "pvti", SetNumberOfPieces=2, SetEndPiece=1),
        1_000_000,
        16_000_000,
    ),
    # Pictures.
    read("png-reader", "vtkPNGReader", by("vtkPNGWriter", picture, "png"), 1_000_000, 32_000_000),
    read("jpeg-reader", "vtkJPEGReader", by("vtkJPEGWriter", picture, "jpg"), 2_000_000, 40_000_000),
    read("tiff-reader", "vtkTIFFReader", by("vtkTIFFWriter", picture, "tif"), 2_000_000, 60_000_000),
    read("bmp-reader", "vtkBMPReader", by("vtkBMPWriter", picture, "bmp"), 20_000_000, 50_000_000),
    read("pnm-reader", "vtkPNMReader", by("vtkPNMWriter", picture, "ppm"), 4_000_000, 60_000_000),
    read("tga-reader", "vtkTGAReader", _targa, 4_000_000, 60_000_000),
    # Volumes.
    read(
        "meta-reader", "vtkMetaImageReader", by("vtkMetaImageWriter", wavelet, "mha"), 1_000_000, 32_000_000
    ),
    read(
        "nifti-reader",
        "vtkNIFTIImageReader",
        by("vtkNIFTIImageWriter", bytes_volume, "nii.gz"),
        4_000_000,
        64_000_000,
    ),
    read(
        "minc-reader",
        "vtkMINCImageReader",
        by("vtkMINCImageWriter", wavelet, "mnc"),
        1_000_000,
        32_000_000,
        alone=True,
    ),
    read("nrrd-reader", "vtkNrrdReader", _nrrd, 8_000_000, 128_000_000),
    Case("raw-reader", "vtk", "vtkImageReader2.Update", _raw, 8_000_000, 200_000_000),
    read("mrc-reader", "vtkMRCReader", _mrc, 8_000_000, 64_000_000),
    read("density-reader", "vtkGaussianCubeReader2", _density, 100_000, 2_000_000),
    read(
        "netcdf-reader",
        "vtkNetCDFCFReader",
        by("vtkNetCDFCFWriter", wavelet, "nc"),
        1_000_000,
        64_000_000,
        alone=True,
    ),
    # Simulations, tables, archives.
    read("hdf-reader", "vtkHDFReader", by("vtkHDFWriter", grid, "vtkhdf"), 400_000, 8_000_000, alone=True),
    read(
        "ioss-reader", "vtkIOSSReader", by("vtkIOSSWriter", hexahedra, "exo"), 400_000, 4_000_000, alone=True
    ),
    read(
        "exodus-reader",
        "vtkExodusIIReader",
        by("vtkIOSSWriter", hexahedra, "exo"),
        50_000,
        4_000_000,
        alone=True,
    ),
    read("xdmf-reader", "vtkXdmfReader", by("vtkXdmfWriter", grid, "xdmf"), 400_000, 4_000_000, alone=True),
    read(
        "ensight-reader", "vtkEnSightGoldBinaryReader", _ensight, 100_000, 4_000_000, naming="SetCaseFileName"
    ),
    read(
        "plot3d-reader",
        "vtkMultiBlockPLOT3DReader",
        _plot3d,
        2_000_000,
        32_000_000,
        naming="SetXYZFileName",
        SetMultiGrid=False,
        SetHasByteCount=False,
        SetByteOrderToLittleEndian=(),
    ),
    read("tecplot-reader", "vtkTecplotReader", _tecplot, 50_000, 1_000_000),
    read(
        "csv-reader",
        "vtkDelimitedTextReader",
        by("vtkDelimitedTextWriter", table, "csv"),
        20_000,
        1_000_000,
        SetHaveHeaders=True,
        SetDetectNumericColumns=True,
    ),
    read("columns-reader", "vtkFixedWidthTextReader", _columns, 20_000, 1_000_000, SetFieldWidth=8),
)
