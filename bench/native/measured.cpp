#include "measured.hpp"

int Measured::unguarded(int value) { return value + 1; }
int Measured::guarded(int value) { return value + 2; } // not the same code, or the compiler folds the two into one
long long Measured::through(long long (*loop)(Measured*, long long), long long calls) { return loop(this, calls); }

bool vtkAlgorithm::Update(double value) { return value > 0; }
int vtkAlgorithm::GetNumberOfInputPorts() { return upstream ? 1 : 0; }
int vtkAlgorithm::GetNumberOfInputConnections(int) { return 1; }
vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int, int) { return upstream; }
vtkAlgorithm* vtkExecutive::GetAlgorithm() { return nullptr; }
int vtkAlgorithm::HasExecutive() { return 1; }
int vtkAlgorithm::GetNumberOfOutputPorts() { return 1; }
vtkInformation* vtkAlgorithm::GetOutputInformation(int) { return &output; }
vtkInformationDataObjectKey* vtkDataObject::DATA_OBJECT() { return nullptr; }
vtkDataObject* vtkInformation::Get(vtkInformationDataObjectKey*) { return reinterpret_cast<vtkDataObject*>(this); }
