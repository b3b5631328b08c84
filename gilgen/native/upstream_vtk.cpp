// The filters upstream of a VTK algorithm, found with VTK's own exported functions.
#include "guard.hpp"

#include <algorithm>

namespace gilgen {

char const* const walker_symbols[] = {
    "_ZN12vtkAlgorithm21GetNumberOfInputPortsEv",      // int vtkAlgorithm::GetNumberOfInputPorts()
    "_ZN12vtkAlgorithm27GetNumberOfInputConnectionsEi", // int vtkAlgorithm::GetNumberOfInputConnections(int port)
    "_ZN12vtkAlgorithm17GetInputAlgorithmEii", // vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int port, int index)
    "_ZN12vtkExecutive12GetAlgorithmEv",       // vtkAlgorithm* vtkExecutive::GetAlgorithm()
    nullptr,
};
void* walker_functions[4];

bool walkers_ready()
{
    return std::find(std::begin(walker_functions), std::end(walker_functions), nullptr) == std::end(walker_functions);
}

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

void nothing(void*, std::vector<void*>&) {}

// Breadth first over the inputs; `found` doubles as the queue.
void upstream_of_algorithm(void* self, std::vector<void*>& found)
{
    std::size_t next = static_cast<std::size_t>(std::find(found.begin(), found.end(), self) - found.begin());
    for (; next < found.size(); ++next) {
        void* const algorithm = found[next];
        int const ports = input_ports(algorithm);
        for (int port = 0; port < ports; ++port) {
            int const connections = input_connections(algorithm, port);
            for (int index = 0; index < connections; ++index) {
                void* const input = input_algorithm(algorithm, port, index);
                if (input && std::find(found.begin(), found.end(), input) == found.end()) found.push_back(input);
            }
        }
    }
}

void upstream_of_executive(void* self, std::vector<void*>& found)
{
    void* const algorithm = reinterpret_cast<void* (*)(void*)>(walker_functions[3])(self);
    if (!algorithm) return;
    found.push_back(algorithm);
    upstream_of_algorithm(algorithm, found);
}

} // namespace

Walker const walkers[] = {nothing, upstream_of_algorithm, upstream_of_executive};

} // namespace gilgen
