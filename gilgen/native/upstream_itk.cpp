// What ITK's objects lead to, found with ITK's own exported functions.
#include "closure.hpp"
#include "objects.hpp"
#include "rebind.hpp"
#include "visits.hpp"

#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gilgen {

enum Function { get_inputs, get_source, unregister, register_, get_outputs, reference_count, time_stamp };
char const* const walker_symbols[] = {
    "_ZN3itk13ProcessObject9GetInputsEv",   // std::vector<DataObject::Pointer> ProcessObject::GetInputs()
    "_ZNK3itk10DataObject9GetSourceEv",     // SmartPointer<ProcessObject> DataObject::GetSource() const
    "_ZNK3itk6Object10UnRegisterEv",        // void Object::UnRegister() const
    "?_ZNK3itk6Object8RegisterEv",          // void Object::Register() const
    "?_ZN3itk13ProcessObject10GetOutputsEv", // std::vector<DataObject::Pointer> ProcessObject::GetOutputs()
    "?_ZNK3itk11LightObject17GetReferenceCountEv", // int LightObject::GetReferenceCount() const
    "?_ZN3itk9TimeStamp8ModifiedEv",         // void TimeStamp::Modified()
    nullptr,
};
void* walker_functions[sizeof walker_symbols / sizeof walker_symbols[0] - 1];

// They close a file of HDF5's. itk::PyCommand takes the GIL itself.
Destructor const destructors[] = {
    {"_ZN3itk11HDF5ImageIOD0Ev", true},
    {"_ZN3itk11MINCImageIOD0Ev", true},
    {"_ZN3itk23HDF5TransformIOTemplateIdED0Ev", true},
    {"_ZN3itk23HDF5TransformIOTemplateIfED0Ev", true},
    {nullptr, false},
};

Interposed interposed[] = {{nullptr, nullptr, nullptr}};
std::uint32_t const interposed_count = 0;
bool const links_are_followed = false;

namespace {

// An ITK smart pointer that a function returned: one pointer, one reference to give back.
struct Reference {
    void* object = nullptr;

    Reference(Reference const&) = delete;
    ~Reference()
    {
        if (object) reinterpret_cast<void (*)(void*)>(walker_functions[unregister])(object);
    }
};

enum : std::uint32_t { is_object = 1, is_process = 2, is_data = 4, is_image = 8, is_plain = 16 };

// Adds the filter that makes `data`; false where there is none.
bool add_source(void* data, Closure& closure)
{
    Reference const source = reinterpret_cast<Reference (*)(void*)>(walker_functions[get_source])(data);
    if (source.object) closure.add(whole_object(source.object), Mode::changes);
    return source.object != nullptr;
}

void walk_process(void* process, Class const& of, Closure& closure)
{
    {
        auto const inputs = reinterpret_cast<std::vector<Reference> (*)(void*)>(walker_functions[get_inputs])(process);
        for (Reference const& input : inputs) {
            if (!input.object) continue;
            void* const data = whole_object(input.object);
            bool const made = add_source(data, closure);
            if (!closure.pipeline) closure.add(data, made || of.changes_inputs ? Mode::changes : Mode::reads);
        }
    }
    if (closure.pipeline || !walker_functions[get_outputs]) return;
    auto const outputs = reinterpret_cast<std::vector<Reference> (*)(void*)>(walker_functions[get_outputs])(process);
    for (Reference const& output : outputs) {
        if (output.object) closure.add(whole_object(output.object), Mode::changes);
    }
}

} // namespace

std::uint32_t const kind_data = 0;
std::uint32_t const kind_own = 0;

std::uint32_t kinds_of(char const* mangled)
{
    if (std::strcmp(mangled, "N3itk11LightObjectE") == 0) return is_object;
    if (std::strcmp(mangled, "N3itk13ProcessObjectE") == 0) return is_process;
    if (std::strcmp(mangled, "N3itk10DataObjectE") == 0) return is_data;
    std::string_view const name = mangled;
    if (name.rfind("N3itk9ImageBaseILj", 0) == 0) return is_image;
    if (name.rfind("N3itk25SimpleDataObjectDecoratorI", 0) == 0) return is_plain;
    return 0;
}

void walk(void* object, Class const& of, Mode, Closure& closure)
{
    if (!walkers_ready.load(std::memory_order_relaxed)) {
        closure.whole = closure.whole || !closure.nothing_whole;
        return;
    }
    if (of.kinds & is_process) {
        closure.filters += fingerprint(object, of);
        walk_process(object, of, closure);
    }
    if (of.kinds & is_data) {
        // How much data there is cannot be asked. The numbers of an image tell its size, and nothing tells that of other data.
        if (of.kinds & is_image) closure.filters += fingerprint(object, of, true);
        else if (!(of.kinds & is_plain)) closure.unpredictable = true;
        add_source(object, closure);
    }
}

std::uint64_t tick()
{
    std::uint64_t time = 0; // all that an itk::TimeStamp holds
    if (walker_functions[time_stamp]) reinterpret_cast<void (*)(void*)>(walker_functions[time_stamp])(&time);
    return time;
}

std::uint64_t modified(void*)
{
    return 0;
}

void fill(void*, std::uint32_t, std::uint8_t) {}

void retain(void* object)
{
    reinterpret_cast<void (*)(void*)>(walker_functions[register_])(object);
}

void give_back(void* object)
{
    // Virtual: the object's own module destroys it.
    static std::ptrdiff_t slot = -1;
    auto const* const table = *static_cast<void* const* const*>(object);
    for (std::ptrdiff_t i = 0; slot < 0 && i < 16; ++i) slot = table[i] == walker_functions[unregister] ? i : -1;
    reinterpret_cast<void (*)(void*)>(slot < 0 ? walker_functions[unregister] : table[slot])(object);
}

bool last_reference(void* object)
{
    return walker_functions[reference_count] && reinterpret_cast<int (*)(void*)>(walker_functions[reference_count])(object) <= 1;
}

// ------------------------------------------------------------------------------- Python's objects

void know_type(void*, std::uint32_t) {}

namespace {

// Where SWIG's structures hold what is read here (swigpyrun.swg): SwigPyObject, swig_type_info, SwigPyClientData.
struct SwigObject {
    std::intptr_t references;
    void* type;
    void* pointer;
    struct Info* info;
};

struct Info {
    char const* name; // "_p_itk__ImageT_float_3_t"
    char const* text;
    void* cast_down;
    void* casts;
    void** client; // its first word is the proxy class
};

enum class Sort : std::uint8_t { object, plain, anything };

char const* last_part(void* type)
{
    char const* const full = static_cast<char const* const*>(type)[3]; // tp_name
    char const* const dot = std::strrchr(full, '.');
    return dot ? dot + 1 : full;
}

bool derives_from_light_object(void* type)
{
    void* const order = static_cast<void**>(type)[43]; // tp_mro
    if (!order) return false;
    auto const size = static_cast<std::intptr_t*>(order)[2];
    for (std::intptr_t i = 0; i < size; ++i) {
        if (std::strcmp(last_part(static_cast<void**>(order)[3 + i]), "itkLightObject") == 0) return true;
    }
    return false;
}

// Plain values lead to nothing: numbers, indices, regions, matrices. What holds smart pointers may lead anywhere.
Sort sort_of(Info const* info)
{
    if (info->client && *info->client && derives_from_light_object(*info->client)) return Sort::object;
    std::string_view const name = info->name;
    return name.find("SmartPointer") != name.npos ? Sort::anything : Sort::plain;
}

} // namespace

void* cpp_object(void* object, bool& anything)
{
    static auto* const proxies = new std::unordered_map<void*, bool>; // by Python type: whether it has a `this`
    void* const type = type_of(object);
    void* held = nullptr;
    if (std::strcmp(last_part(type), "SwigPyObject") != 0) {
        auto known = proxies->find(type);
        if (known == proxies->end()) {
            bool const itk = std::strstr(static_cast<char const* const*>(type)[3], "itk") || derives_from_light_object(type);
            known = proxies->emplace(type, itk).first;
        }
        if (!known->second) return nullptr;
        void *kind, *value, *trace;
        python_objects.fetch_error(&kind, &value, &trace);
        held = python_objects.get_attribute(object, "this");
        python_objects.restore_error(kind, value, trace);
        if (!held) return nullptr;
        object = held;
    }
    void* found = nullptr;
    if (std::strcmp(last_part(type_of(object)), "SwigPyObject") == 0) {
        auto const* const swig = static_cast<SwigObject const*>(static_cast<void const*>(object));
        Sort const sort = swig->pointer && swig->info ? sort_of(swig->info) : Sort::plain;
        if (sort == Sort::object) found = whole_object(swig->pointer);
        if (sort == Sort::anything) anything = true;
    }
    if (held) python_objects.drop(held);
    return found;
}

char const* method_name(char const* function)
{
    char const* const bar = std::strchr(function, '_');
    return bar && bar != function ? bar + 1 : function;
}

bool takes_objects(char const* documentation)
{
    // "_arg: itkInterpolateImageFunctionID2D *"
    for (char const* at = documentation; (at = std::strstr(at, ": itk")); ++at) {
        char const* const end = std::strchr(at, '\n');
        std::string_view const line(at, end ? static_cast<std::size_t>(end - at) : std::strlen(at));
        if (line.find('*') != line.npos) return true;
    }
    return false;
}

bool returns_object(char const*)
{
    return false; // what a filter hands out is its output, or was put in
}

} // namespace gilgen
