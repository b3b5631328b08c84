"""What the survey knows of VTK's classes without importing VTK: which do work, which are left out and why. Data only."""

from __future__ import annotations

WORKING = ("vtkAlgorithm", "vtkLocator", "vtkDataObject", "vtkAbstractTransform", "vtkExporter", "vtkImporter")
"""Classes below these are surveyed."""

WINDOW = "needs a render window"
VIEW = "part of a view, which needs a render window"
OWN_CODE = "does nothing by itself: it runs code that the user supplies"
DEVICE = "needs a device"
SEVERAL = "needs several processes (MPI or sockets)"
DATABASE = "needs a database"

LEFT_OUT: dict[str, str] = {
    "vtkAbstractMapper": WINDOW,
    "vtkExporter": WINDOW,
    "vtkWindowToImageFilter": WINDOW,
    "vtkRenderLargeImage": WINDOW,
    "vtkRendererSource": WINDOW,
    "vtkRendererPointCloudSource": WINDOW,
    "vtkRenderedHierarchyRepresentation": VIEW,
    "vtkDataRepresentation": VIEW,
    "vtkRenderedSurfaceRepresentation": VIEW,
    "vtkApplyIcons": VIEW,
    "vtkVisibleCellSelector": WINDOW,
    "vtkSelectVisiblePoints": WINDOW,
    "vtkLabelSizeCalculator": WINDOW,
    "vtkTextureObject": WINDOW,
    "vtkProgrammableFilter": OWN_CODE,
    "vtkProgrammableSource": OWN_CODE,
    "vtkProgrammableDataObjectSource": OWN_CODE,
    "vtkProgrammableAttributeDataFilter": OWN_CODE,
    "vtkProgrammableGlyphFilter": OWN_CODE,
    "vtkProgrammableElectronicData": OWN_CODE,
    "vtkPythonAlgorithm": OWN_CODE,
    "vtkPythonCalculator": OWN_CODE,
    "vtkVideoSource": DEVICE,
    "vtkSQLDatabaseGraphSource": DATABASE,
    "vtkSQLDatabaseTableSource": DATABASE,
    "vtkRowQueryToTable": DATABASE,
    "vtkSQLGraphReader": DATABASE,
    "vtkDuplicatePolyData": SEVERAL,
    "vtkCollectPolyData": SEVERAL,
    "vtkCollectTable": SEVERAL,
    "vtkCollectGraph": SEVERAL,
    "vtkTransmitPolyDataPiece": SEVERAL,
    "vtkTransmitImageDataPiece": SEVERAL,
    "vtkTransmitRectilinearGridPiece": SEVERAL,
    "vtkTransmitStructuredDataPiece": SEVERAL,
    "vtkTransmitStructuredGridPiece": SEVERAL,
    "vtkTransmitUnstructuredGridPiece": SEVERAL,
    "vtkClientServerMoveData": SEVERAL,
}
"""A class, and all below it -> why it is not tried."""

WRITTEN_BY: dict[str, str] = {
    "vtkGenericDataObjectReader": "vtkPolyDataWriter",
    "vtkDataObjectReader": "vtkDataObjectWriter",
    "vtkDataSetReader": "vtkUnstructuredGridWriter",
    "vtkDataReader": "vtkUnstructuredGridWriter",
    "vtkXMLGenericDataObjectReader": "vtkXMLPolyDataWriter",
    "vtkEnSightGoldBinaryReader": "vtkEnSightWriter",
    "vtkGenericEnSightReader": "vtkEnSightWriter",
    "vtkEnSightMasterServerReader": "vtkEnSightWriter",
    "vtkMetaImageReader": "vtkMetaImageWriter",
    "vtkExodusIIReader": "vtkExodusIIWriter",
    "vtkPExodusIIReader": "vtkExodusIIWriter",
    "vtkIOSSReader": "vtkExodusIIWriter",
    "vtkStructuredPointsReader": "vtkStructuredPointsWriter",
    "vtkDIMACSGraphReader": "vtkDIMACSGraphWriter",
    "vtkPDataSetReader": "vtkUnstructuredGridWriter",
    "vtkQTReader": "",
    "vtkPImageReader": "vtkMetaImageWriter",
    "vtkImageReader2": "vtkMetaImageWriter",
    "vtkImageReader": "vtkMetaImageWriter",
    "vtkOBJImporter": "vtkOBJWriter",
    "vtkPSLACReader": "",
    "vtkGLTFImporter": "vtkGLTFWriter",
    "vtkGLTFDocumentLoader": "vtkGLTFWriter",
    "vtkXMLHierarchicalBoxDataReader": "vtkXMLUniformGridAMRWriter",
    "vtkXMLUniformGridAMRReader": "vtkXMLUniformGridAMRWriter",
    "vtkPNetCDFPOPReader": "",
    "vtkNetCDFCFReader": "vtkNetCDFCFWriter",
    "vtkNetCDFReader": "vtkNetCDFCFWriter",
    "vtkAVSucdReader": "",
    "vtkPolyDataToReebGraphFilter": "",
}
"""Readers whose writer has another name than theirs."""

ENDINGS: dict[str, str] = {
    "vtkXMLPolyDataReader": ".vtp", "vtkXMLGenericDataObjectReader": ".vtp", "vtkMetaImageReader": ".mha", "vtkImageReader2": ".mha", "vtkImageReader": ".mha",
    "vtkNIFTIImageReader": ".nii", "vtkHDFReader": ".vtkhdf", "vtkGLTFReader": ".glb", "vtkGLTFImporter": ".glb", "vtkExodusIIReader": ".e", "vtkIOSSReader": ".e",
    "vtkOBJReader": ".obj", "vtkOBJImporter": ".obj", "vtkMINCImageReader": ".mnc", "vtkPNGReader": ".png", "vtkDelimitedTextReader": ".csv",
    "vtkSTLReader": ".stl", "vtkPLYReader": ".ply", "vtkTIFFReader": ".tif", "vtkJPEGReader": ".jpg", "vtkBMPReader": ".bmp", "vtkPNMReader": ".pnm",
}  # fmt: skip
"""How the names of their files end, where that matters."""

OBJECTS = ("vtkAreaLayoutStrategy", "vtkGraphLayoutStrategy", "vtkTreeLayoutStrategy", "vtkTreeMapLayoutStrategy", "vtkEdgeLayoutStrategy", "vtkCirclePackLayoutStrategy",
    "vtkGeoTransform", "vtkGenericDataSet", "vtkRandomSequence", "vtkIncrementalOctreePointLocator", "vtkKochanekSpline", "vtkUnsignedCharArray", "vtkInterpolationKernel",
    "vtkSPHKernel", "vtkGeneralizedKernel", "vtkGaussianKernel", "vtkStringToNumeric", "vtkDelimitedTextReader", "vtkArrayExtents", "vtkStaticPointLocator")  # fmt: skip
"""Kinds of object that are set wherever a class asks for one."""

FILE_SETTERS = ("SetFileName", "SetCaseFileName", "SetGeometryFileName")
"""How a class is told the name of its file."""

WRITERS_FED = {"vtkGLTFWriter": "vtkMultiBlockDataSet of surfaces"}
"""Writers that end the process on what they are fed with first -> the title of the feed that they write a reader's file from."""
