// A toolkit in miniature: functions that do next to nothing, so that what is measured is the way to them.
#pragma once

class Measured {
public:
    virtual ~Measured() = default;
    virtual int unguarded(int value);
    virtual int guarded(int value);
    virtual long long through(long long (*loop)(Measured*, long long), long long calls); // runs a loop inside of itself
};

// The names by which the guard finds the filters upstream, and their data.
class vtkDataObject;
class vtkInformationDataObjectKey;

class vtkInformation {
public:
    vtkDataObject* Get(vtkInformationDataObjectKey* key);
};

class vtkDataObject {
public:
    static vtkInformationDataObjectKey* DATA_OBJECT();
};

class vtkAlgorithm {
public:
    virtual ~vtkAlgorithm() = default;
    virtual bool Update(double value);
    int GetNumberOfInputPorts();
    int GetNumberOfInputConnections(int port);
    vtkAlgorithm* GetInputAlgorithm(int port, int index);
    int HasExecutive();
    int GetNumberOfOutputPorts();
    vtkInformation* GetOutputInformation(int port);

    vtkInformation output;
    vtkAlgorithm* upstream = nullptr;
};

class vtkExecutive {
public:
    vtkAlgorithm* GetAlgorithm();
};
