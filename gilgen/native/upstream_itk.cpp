// The filters upstream of an ITK process object and the data that has no filter, found with ITK's own exported functions.
#include "guard.hpp"
#include "visits.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace gilgen {

char const* const walker_symbols[] = {
    "_ZN3itk13ProcessObject9GetInputsEv",   // std::vector<DataObject::Pointer> ProcessObject::GetInputs()
    "_ZNK3itk10DataObject9GetSourceEv",     // SmartPointer<ProcessObject> DataObject::GetSource() const
    "_ZNK3itk6Object10UnRegisterEv",        // void Object::UnRegister() const
    nullptr,
};
void* walker_functions[3];

// They close a file of HDF5's, which is not thread-safe. itk::PyCommand takes the GIL itself.
char const* const destructors[] = {
    "_ZN3itk11HDF5ImageIOD0Ev",
    "_ZN3itk11HDF5ImageIOD1Ev",
    "_ZN3itk11MINCImageIOD0Ev",
    "_ZN3itk11MINCImageIOD1Ev",
    "_ZN3itk23HDF5TransformIOTemplateIdED0Ev",
    "_ZN3itk23HDF5TransformIOTemplateIdED1Ev",
    "_ZN3itk23HDF5TransformIOTemplateIfED0Ev",
    "_ZN3itk23HDF5TransformIOTemplateIfED1Ev",
    nullptr,
};

namespace {

// An ITK smart pointer that a function returned: one pointer, one reference to give back.
struct Reference {
    void* object = nullptr;

    Reference(Reference const&) = delete;
    ~Reference()
    {
        if (object) reinterpret_cast<void (*)(void*)>(walker_functions[2])(object);
    }
};

void nothing(void*, Found&, bool) {}

// Adds the filter that makes `data`; false where there is none.
bool add_source(void* data, Found& found)
{
    Reference const source = reinterpret_cast<Reference (*)(void*)>(walker_functions[1])(data);
    if (source.object) found.add(source.object);
    return source.object != nullptr;
}

// Breadth first over the inputs; `found` doubles as the queue.
void upstream_of(std::size_t next, Found& found, bool data)
{
    std::vector<void*> leaves;
    for (; next < found.size(); ++next) {
        auto const inputs = reinterpret_cast<std::vector<Reference> (*)(void*)>(walker_functions[0])(found[next]);
        for (Reference const& input : inputs) {
            if (input.object && !add_source(input.object, found)) leaves.push_back(input.object);
        }
    }
    if (!data) return;
    for (void* const leaf : leaves) found.add(leaf);
}

void upstream_of_process(void*, Found& found, bool data)
{
    upstream_of(found.size() - 1, found, data);
}

void upstream_of_data_object(void* self, Found& found, bool data)
{
    std::size_t const first = found.size();
    add_source(self, found);
    upstream_of(first, found, data);
}

} // namespace

Walker const walkers[] = {nothing, upstream_of_process, upstream_of_data_object};

} // namespace gilgen
