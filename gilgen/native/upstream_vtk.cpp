// The filters upstream of a VTK algorithm and the data that they put out, found with VTK's own exported functions.
#include "guard.hpp"
#include "visits.hpp"

#include <algorithm>
#include <iterator>

namespace gilgen {

char const* const walker_symbols[] = {
    "_ZN12vtkAlgorithm21GetNumberOfInputPortsEv",      // int vtkAlgorithm::GetNumberOfInputPorts()
    "_ZN12vtkAlgorithm27GetNumberOfInputConnectionsEi", // int vtkAlgorithm::GetNumberOfInputConnections(int port)
    "_ZN12vtkAlgorithm17GetInputAlgorithmEii", // vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int port, int index)
    "_ZN12vtkExecutive12GetAlgorithmEv",       // vtkAlgorithm* vtkExecutive::GetAlgorithm()
    "_ZN12vtkAlgorithm12HasExecutiveEv",       // vtkTypeBool vtkAlgorithm::HasExecutive()
    "_ZN12vtkAlgorithm22GetNumberOfOutputPortsEv",          // int vtkAlgorithm::GetNumberOfOutputPorts()
    "_ZN12vtkAlgorithm20GetOutputInformationEi",            // vtkInformation* vtkAlgorithm::GetOutputInformation(int port)
    "_ZN13vtkDataObject11DATA_OBJECTEv",                    // static vtkInformationDataObjectKey* vtkDataObject::DATA_OBJECT()
    "_ZN14vtkInformation3GetEP27vtkInformationDataObjectKey", // vtkDataObject* vtkInformation::Get(vtkInformationDataObjectKey*)
    nullptr,
};
void* walker_functions[9];

// It leaves a list of all such commands first (vtkPythonUtil); VTK before 9.4 takes the GIL for none of it.
char const* const destructors[] = {"_ZN16vtkPythonCommandD0Ev", "_ZN16vtkPythonCommandD1Ev", nullptr};

namespace {

int input_ports(void* algorithm)
{
    return reinterpret_cast<int (*)(void*)>(walker_functions[0])(algorithm);
}

int input_connections(void* algorithm, int port)
{
    return reinterpret_cast<int (*)(void*, int)>(walker_functions[1])(algorithm, port);
}

void* input_algorithm(void* algorithm, int port, int index)
{
    return reinterpret_cast<void* (*)(void*, int, int)>(walker_functions[2])(algorithm, port, index);
}

// What an algorithm has put out at a port, without asking it to make anything.
void* output_data(void* algorithm, int port)
{
    void* const information = reinterpret_cast<void* (*)(void*, int)>(walker_functions[6])(algorithm, port);
    void* const key = reinterpret_cast<void* (*)()>(walker_functions[7])();
    return information ? reinterpret_cast<void* (*)(void*, void*)>(walker_functions[8])(information, key) : nullptr;
}

void outputs(void* algorithm, Found& found)
{
    if (!reinterpret_cast<int (*)(void*)>(walker_functions[4])(algorithm)) return; // it would make an executive
    int const ports = reinterpret_cast<int (*)(void*)>(walker_functions[5])(algorithm);
    for (int port = 0; port < ports; ++port) {
        if (void* const data = output_data(algorithm, port)) found.add(data);
    }
}

void nothing(void*, Found&, bool) {}

// Breadth first over the inputs, from the last object found; `found` doubles as the queue.
void upstream_of_last(Found& found, bool data)
{
    std::size_t const first = found.size() - 1;
    for (std::size_t next = first; next < found.size(); ++next) {
        void* const algorithm = found[next];
        int const ports = input_ports(algorithm);
        for (int port = 0; port < ports; ++port) {
            int const connections = input_connections(algorithm, port);
            for (int index = 0; index < connections; ++index) {
                if (void* const input = input_algorithm(algorithm, port, index)) found.add(input);
            }
        }
    }
    if (!data) return;
    std::size_t const algorithms = found.size();
    for (std::size_t next = first; next < algorithms; ++next) outputs(found[next], found);
}

void upstream_of_algorithm(void*, Found& found, bool data)
{
    upstream_of_last(found, data);
}

void upstream_of_executive(void* self, Found& found, bool data)
{
    void* const algorithm = reinterpret_cast<void* (*)(void*)>(walker_functions[3])(self);
    if (!algorithm) return;
    found.add(algorithm);
    upstream_of_last(found, data);
}

} // namespace

Walker const walkers[] = {nothing, upstream_of_algorithm, upstream_of_executive};

} // namespace gilgen
