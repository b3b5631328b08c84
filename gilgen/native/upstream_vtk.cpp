// The filters upstream of a VTK algorithm, found with VTK's own exported functions.
#include "guard.hpp"

#include <algorithm>
#include <iterator>

namespace gilgen {

char const* const walker_symbols[] = {
    "_ZN12vtkAlgorithm21GetNumberOfInputPortsEv",      // int vtkAlgorithm::GetNumberOfInputPorts()
    "_ZN12vtkAlgorithm27GetNumberOfInputConnectionsEi", // int vtkAlgorithm::GetNumberOfInputConnections(int port)
    "_ZN12vtkAlgorithm17GetInputAlgorithmEii", // vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int port, int index)
    "_ZN12vtkExecutive12GetAlgorithmEv",       // vtkAlgorithm* vtkExecutive::GetAlgorithm()
    nullptr,
};
void* walker_functions[4];

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

void nothing(void*, Found&) {}

// Breadth first over the inputs, from the last object found; `found` doubles as the queue.
void upstream_of_last(Found& found)
{
    for (std::size_t next = found.size() - 1; next < found.size(); ++next) {
        void* const algorithm = found[next];
        int const ports = input_ports(algorithm);
        for (int port = 0; port < ports; ++port) {
            int const connections = input_connections(algorithm, port);
            for (int index = 0; index < connections; ++index) {
                if (void* const input = input_algorithm(algorithm, port, index)) found.add(input);
            }
        }
    }
}

void upstream_of_algorithm(void*, Found& found)
{
    upstream_of_last(found);
}

void upstream_of_executive(void* self, Found& found)
{
    void* const algorithm = reinterpret_cast<void* (*)(void*)>(walker_functions[3])(self);
    if (!algorithm) return;
    found.add(algorithm);
    upstream_of_last(found);
}

} // namespace

Walker const walkers[] = {nothing, upstream_of_algorithm, upstream_of_executive};

} // namespace gilgen
