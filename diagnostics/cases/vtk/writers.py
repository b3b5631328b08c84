"""Writers, in every format that the wheel can write from what is made on the spot.

Plain VTK from 9.4 on releases in those of images and XML (and in exporters, see `rendering`); all others hold.
NetCDF and HDF5 are not thread-safe: plain VTK holds in the writers on them, and the shims take the GIL back there. MINC's is one of
images: it releases in plain VTK, and two at once crash there, so it runs alone.
"""

from __future__ import annotations

from gilgen.diagnostics.cases.vtk.data import (
    blocks,
    building,
    bytes_volume,
    graph,
    grid,
    hexahedra,
    picture,
    polylines,
    rectilinear,
    structured,
    surface,
    table,
    tetrahedra,
    tree,
    wavelet,
)
from gilgen.diagnostics.cases.vtk.kinds import write

CASES = (
    # Meshes.
    write("ply-writer", "vtkPLYWriter", surface, "ply", 1_000_000, 4_000_000, quick=True),
    write("stl-writer", "vtkSTLWriter", surface, "stl", 50_000, 2_000_000),
    write("obj-writer", "vtkOBJWriter", surface, "obj", 50_000, 2_000_000),
    write(
        "byu-writer",
        "vtkBYUWriter",
        surface,
        "byu",
        50_000,
        2_000_000,
        naming="SetGeometryFileName",
        WriteScalarOff=(),
        WriteDisplacementOff=(),
        WriteTextureOff=(),
    ),
    write("facet-writer", "vtkFacetWriter", surface, "facet", 50_000, 2_000_000),
    write("iv-writer", "vtkIVWriter", surface, "iv", 50_000, 2_000_000),
    write("mcubes-writer", "vtkMCubesWriter", surface, "tri", 200_000, 4_000_000),
    write("mni-writer", "vtkMNIObjectWriter", surface, "obj", 50_000, 2_000_000),
    write("houdini-writer", "vtkHoudiniPolyDataWriter", surface, "geo", 50_000, 2_000_000),
    write("geojson-writer", "vtkGeoJSONWriter", polylines, "json", 50_000, 2_000_000),
    write("gltf-writer", "vtkGLTFWriter", building, "glb", 200_000, 4_000_000),
    write("points-writer", "vtkSimplePointsWriter", surface, "xyz", 50_000, 2_000_000),
    # VTK's older formats.
    write("polydata-writer", "vtkPolyDataWriter", surface, "vtk", 100_000, 4_000_000),
    write("image-data-writer", "vtkStructuredPointsWriter", wavelet, "vtk", 500_000, 16_000_000),
    write("structured-writer", "vtkStructuredGridWriter", structured, "vtk", 200_000, 8_000_000),
    write("rectilinear-writer", "vtkRectilinearGridWriter", rectilinear, "vtk", 500_000, 16_000_000),
    write("grid-writer", "vtkUnstructuredGridWriter", grid, "vtk", 100_000, 4_000_000),
    write(
        "data-set-writer", "vtkDataSetWriter", tetrahedra, "vtk", 100_000, 4_000_000, SetFileTypeToBinary=()
    ),
    write("table-writer", "vtkTableWriter", table, "vtk", 100_000, 4_000_000),
    write("graph-writer", "vtkGraphWriter", graph, "vtk", 400_000, 1_000_000),
    write("tree-writer", "vtkTreeWriter", tree, "vtk", 100_000, 4_000_000),
    write("blocks-writer", "vtkCompositeDataWriter", blocks, "vtk", 100_000, 4_000_000),
    # VTK's XML formats.
    write("xml-writer", "vtkXMLImageDataWriter", wavelet, "vti", 1_000_000, 16_000_000),
    write("xml-surface-writer", "vtkXMLPolyDataWriter", surface, "vtp", 200_000, 4_000_000),
    write("xml-grid-writer", "vtkXMLUnstructuredGridWriter", grid, "vtu", 100_000, 4_000_000),
    write("xml-rectilinear-writer", "vtkXMLRectilinearGridWriter", rectilinear, "vtr", 1_000_000, 16_000_000),
    write("xml-structured-writer", "vtkXMLStructuredGridWriter", structured, "vts", 400_000, 8_000_000),
    write("xml-blocks-writer", "vtkXMLMultiBlockDataWriter", blocks, "vtm", 200_000, 4_000_000),
    write("xml-table-writer", "vtkXMLTableWriter", table, "vtt", 100_000, 4_000_000),
    write(
        "xml-pieces-writer",
        "vtkXMLPImageDataWriter",
        wavelet,
        "pvti",
        1_000_000,
        16_000_000,
        SetNumberOfPieces=2,
        SetEndPiece=1,
    ),
    # Pictures.
    write("png-writer", "vtkPNGWriter", picture, "png", 500_000, 16_000_000),
    write("jpeg-writer", "vtkJPEGWriter", picture, "jpg", 2_000_000, 40_000_000),
    write("tiff-writer", "vtkTIFFWriter", picture, "tif", 1_000_000, 40_000_000),
    write("bmp-writer", "vtkBMPWriter", picture, "bmp", 4_000_000, 60_000_000),
    write("pnm-writer", "vtkPNMWriter", picture, "ppm", 4_000_000, 60_000_000),
    write("postscript-writer", "vtkPostScriptWriter", picture, "ps", 500_000, 16_000_000),
    # Volumes.
    write("meta-writer", "vtkMetaImageWriter", wavelet, "mha", 1_000_000, 16_000_000),
    write("nifti-writer", "vtkNIFTIImageWriter", bytes_volume, "nii.gz", 1_000_000, 32_000_000),
    write("minc-writer", "vtkMINCImageWriter", wavelet, "mnc", 16_000_000, 32_000_000, alone=True),
    write("netcdf-writer", "vtkNetCDFCFWriter", wavelet, "nc", 24_000_000, 40_000_000),
    # Simulations, tables, archives.
    write("hdf-writer", "vtkHDFWriter", grid, "vtkhdf", 200_000, 4_000_000),
    write("ioss-writer", "vtkIOSSWriter", hexahedra, "exo", 200_000, 4_000_000),
    write("ensight-writer", "vtkEnSightWriter", tetrahedra, "case", 50_000, 4_000_000),
    write("xdmf-writer", "vtkXdmfWriter", grid, "xdmf", 200_000, 4_000_000),
    write("csv-writer", "vtkDelimitedTextWriter", table, "csv", 50_000, 4_000_000),
)
