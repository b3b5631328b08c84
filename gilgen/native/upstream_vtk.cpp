// What VTK's objects lead to, found with VTK's own exported functions and at places that were measured in this process.
#include "closure.hpp"
#include "objects.hpp"
#include "rebind.hpp"
#include "visits.hpp"


#include <algorithm>
#include <cstring>

namespace gilgen {

enum Function {
    input_ports, input_connections, input_algorithm, executive_algorithm, has_executive, output_ports, output_information, data_key,
    information_get, abstract_array, children, child, get_bounds, cell_bounds, number_of_cells, get_mtime, register_, unregister,
    memory_size, object_table, time_stamp
};
char const* const walker_symbols[] = {
    "_ZN12vtkAlgorithm21GetNumberOfInputPortsEv",             // int vtkAlgorithm::GetNumberOfInputPorts()
    "_ZN12vtkAlgorithm27GetNumberOfInputConnectionsEi",       // int vtkAlgorithm::GetNumberOfInputConnections(int port)
    "_ZN12vtkAlgorithm17GetInputAlgorithmEii",                // vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int port, int index)
    "_ZN12vtkExecutive12GetAlgorithmEv",                      // vtkAlgorithm* vtkExecutive::GetAlgorithm()
    "_ZN12vtkAlgorithm12HasExecutiveEv",                      // vtkTypeBool vtkAlgorithm::HasExecutive()
    "_ZN12vtkAlgorithm22GetNumberOfOutputPortsEv",            // int vtkAlgorithm::GetNumberOfOutputPorts()
    "_ZN12vtkAlgorithm20GetOutputInformationEi",              // vtkInformation* vtkAlgorithm::GetOutputInformation(int port)
    "_ZN13vtkDataObject11DATA_OBJECTEv",                      // static vtkInformationDataObjectKey* vtkDataObject::DATA_OBJECT()
    "_ZN14vtkInformation3GetEP27vtkInformationDataObjectKey", // vtkDataObject* vtkInformation::Get(vtkInformationDataObjectKey*)
    "?_ZN12vtkFieldData16GetAbstractArrayEi",                 // vtkAbstractArray* vtkFieldData::GetAbstractArray(int)
    "?_ZN17vtkDataObjectTree19GetNumberOfChildrenEv",         // unsigned int vtkDataObjectTree::GetNumberOfChildren()
    "?_ZN17vtkDataObjectTree8GetChildEj",                     // vtkDataObject* vtkDataObjectTree::GetChild(unsigned int)
    "?_ZN10vtkDataSet9GetBoundsEPd",                          // void vtkDataSet::GetBounds(double[6])
    "?_ZN11vtkPolyData13GetCellBoundsExPd",                   // void vtkPolyData::GetCellBounds(vtkIdType, double[6])
    "?_ZN11vtkPolyData16GetNumberOfCellsEv",                  // vtkIdType vtkPolyData::GetNumberOfCells()
    "?_ZN9vtkObject8GetMTimeEv",                              // vtkMTimeType vtkObject::GetMTime()
    "?_ZN13vtkObjectBase8RegisterEPS_",                       // void vtkObjectBase::Register(vtkObjectBase*)
    "?_ZN13vtkObjectBase10UnRegisterEPS_",                    // void vtkObjectBase::UnRegister(vtkObjectBase*)
    "?_ZNK12vtkDataArray19GetActualMemorySizeEv",             // unsigned long vtkDataArray::GetActualMemorySize() const
    "?_ZTV9vtkObject",                                        // vtkObject's virtual functions
    "?_ZN12vtkTimeStamp8ModifiedEv",                          // void vtkTimeStamp::Modified()
    nullptr,
};
bool const links_are_followed = true;
void* walker_functions[sizeof walker_symbols / sizeof walker_symbols[0] - 1];

// A command leaves a list of all such commands first (vtkPythonUtil); VTK before 9.4 takes the GIL for none of it. The others
// are the classes of the rule "not-thread-safe": objects are destroyed through their vtables.
Destructor const destructors[] = {
    {"_ZN16vtkPythonCommandD0Ev", false},
    {"_ZN16vtkPythonCommandD1Ev", false},
    {"_ZN25vtkAMRBaseParticlesReaderD0Ev", true},
    {"_ZN16vtkAMRBaseReaderD0Ev", true},
    {"_ZN13vtkCGNSReaderD0Ev", true},
    {"_ZN23vtkCGNSFileSeriesReaderD0Ev", true},
    {"_ZN24vtkCONVERGECFDCGNSReaderD0Ev", true},
    {"_ZN20vtkCONVERGECFDReaderD0Ev", true},
    {"_ZN12vtkERFReaderD0Ev", true},
    {"_ZN17vtkExodusIIReaderD0Ev", true},
    {"_ZN17vtkExodusIIWriterD0Ev", true},
    {"_ZN25vtkCPExodusIIInSituReaderD0Ev", true},
    {"_ZN18vtkFLUENTCFFReaderD0Ev", true},
    {"_ZN15vtkH5PartReaderD0Ev", true},
    {"_ZN15vtkH5RageReaderD0Ev", true},
    {"_ZN12vtkHDFReaderD0Ev", true},
    {"_ZN12vtkHDFWriterD0Ev", true},
    {"_ZN13vtkIOSSReaderD0Ev", true},
    {"_ZN13vtkIOSSWriterD0Ev", true},
    {"_ZN22vtkMINCImageAttributesD0Ev", true},
    {"_ZN18vtkMINCImageReaderD0Ev", true},
    {"_ZN18vtkMINCImageWriterD0Ev", true},
    {"_ZN13vtkMPASReaderD0Ev", true},
    {"_ZN17vtkNetCDFAccessorD0Ev", true},
    {"_ZN18vtkNetCDFCAMReaderD0Ev", true},
    {"_ZN17vtkNetCDFCFWriterD0Ev", true},
    {"_ZN18vtkNetCDFPOPReaderD0Ev", true},
    {"_ZN15vtkNetCDFReaderD0Ev", true},
    {"_ZN20vtkNetCDFUGRIDReaderD0Ev", true},
    {"_ZN12vtkPIOReaderD0Ev", true},
    {"_ZN21vtkSLACParticleReaderD0Ev", true},
    {"_ZN13vtkSLACReaderD0Ev", true},
    {"_ZN16vtkTRUCHASReaderD0Ev", true},
    {"_ZN16vtkVeraOutReaderD0Ev", true},
    {"_ZN13vtkXdmfReaderD0Ev", true},
    {"_ZN13vtkXdmfWriterD0Ev", true},
    {"_ZN15vtkVRMLImporterD0Ev", true},
    {nullptr, false},
};

namespace {

template <class Result, class... Arguments>
Result call(Function which, Arguments... arguments)
{
    return reinterpret_cast<Result (*)(Arguments...)>(walker_functions[which])(arguments...);
}

void destroyed(void* object);
void collect(void* object);

enum : std::uint32_t {
    is_object = 1, is_algorithm = 2, is_executive = 4, is_data = 8, is_fields = 16, is_tree = 32, is_trivial = 64, is_data_set = 128,
    is_poly_data = 256, is_array = 512, is_image = 1024, is_information = 2048,
};

struct Kind {
    char const* mangled;
    std::uint32_t bits;
};
constexpr Kind kinds[] = {
    {"13vtkObjectBase", is_object}, {"9vtkObject", is_object}, {"12vtkAlgorithm", is_algorithm}, {"12vtkExecutive", is_executive},
    {"13vtkDataObject", is_data}, {"12vtkFieldData", is_data | is_fields}, {"17vtkDataObjectTree", is_tree},
    {"18vtkTrivialProducer", is_trivial}, {"10vtkDataSet", is_data_set}, {"11vtkPolyData", is_poly_data}, {"12vtkImageData", is_image},
    {"16vtkAbstractArray", is_data}, {"12vtkDataArray", is_array}, {"9vtkPoints", is_data}, {"12vtkCellArray", is_data},
    {"14vtkInformation", is_data | is_information},
};

// The data that a filter has put out at a port, without asking it to make anything.
void* output_data(void* algorithm, int port)
{
    void* const information = call<void*>(output_information, algorithm, port);
    return information ? call<void*>(information_get, information, call<void*>(data_key)) : nullptr;
}

bool is_reader_of(void* data, Class const& of, Closure const& closure)
{
    return closure.at_rest(data) && (of.reads || (of.reads_images && class_of(data).kinds & is_image));
}

// Data that has no filter is given by a trivial producer. Whoever stands behind reads it, and may fill its caches.
void add_input(void* data, Class const& of, Closure& closure)
{
    if (of.changes_inputs) return closure.add(data, Mode::changes);
    if (is_reader_of(data, of, closure)) return closure.add_read(data, of);
    closure.fills_more = true;
    closure.add(data, Mode::fills);
}

void walk_algorithm(void* algorithm, Class const& of, Closure& closure)
{
    closure.filters += fingerprint(algorithm, of);
    int const ports = call<int>(input_ports, algorithm);
    for (int port = 0; port < ports; ++port) {
        int const connections = call<int>(input_connections, algorithm, port);
        for (int index = 0; index < connections; ++index) {
            void* const input = call<void*>(input_algorithm, algorithm, port, index);
            if (!input) continue;
            closure.add(input, Mode::changes);
            if (closure.pipeline || !closure.at_rest(input) || !(class_of(input).kinds & is_trivial)) continue;
            if (void* const data = output_data(input, 0)) add_input(data, of, closure);
        }
    }
    if (closure.pipeline || !call<int>(has_executive, algorithm)) return;
    if (of.kinds & is_trivial) { // what it gives is not its own: others may look at it as well
        if (void* const data = output_data(algorithm, 0)) closure.add(data, Mode::reads);
        return;
    }
    int const outputs = call<int>(output_ports, algorithm);
    for (int port = 0; port < outputs; ++port) {
        void* const data = output_data(algorithm, port);
        if (!data) continue;
        // Readers make new arrays, or use an array again that nobody else has.
        if (is_reader_of(data, of, closure) && !(class_of(data).kinds & is_tree)) closure.add_output(data);
        else closure.add(data, Mode::changes);
    }
}

std::ptrdiff_t slot_of_mtime()
{
    static std::ptrdiff_t const slot = [] {
        if (!walker_functions[object_table] || !walker_functions[get_mtime]) return std::ptrdiff_t{-1};
        auto const* const table = static_cast<void* const*>(walker_functions[object_table]) + 2; // behind its two words of type
        for (std::ptrdiff_t i = 0; i < 64; ++i) {
            if (table[i] == walker_functions[get_mtime]) return i;
        }
        return std::ptrdiff_t{-1};
    }();
    return slot;
}

} // namespace

std::uint32_t const kind_data = is_data;
std::uint32_t const kind_own = is_fields | is_information;

std::uint32_t kinds_of(char const* mangled)
{
    std::uint32_t bits = 0;
    for (Kind const& one : kinds) {
        if (std::strcmp(one.mangled, mangled) == 0) bits |= one.bits;
    }
    return bits;
}

void walk(void* object, Class const& of, Mode mode, Closure& closure)
{
    if (!walkers_ready.load(std::memory_order_relaxed)) {
        closure.whole = closure.whole || !closure.nothing_whole;
        return;
    }
    if (of.kinds & is_algorithm) walk_algorithm(object, of, closure);
    if (of.kinds & is_executive) {
        if (void* const algorithm = call<void*>(executive_algorithm, object)) closure.add(algorithm, Mode::changes);
    }
    if (closure.pipeline) return;
    if (of.kinds & is_fields && walker_functions[abstract_array]) {
        for (int i = 0; void* const array = call<void*>(abstract_array, object, i); ++i) closure.add(array, mode);
    }
    if (of.kinds & is_tree && walker_functions[children] && walker_functions[child]) {
        unsigned const count = call<unsigned>(children, object);
        for (unsigned i = 0; i < count; ++i) {
            if (void* const one = call<void*>(child, object, i)) closure.add(one, mode);
        }
    }
    if (of.kinds & is_array && walker_functions[memory_size]) closure.bytes += 1024 * call<unsigned long>(memory_size, object);
}

std::uint64_t tick()
{
    std::uint64_t time = 0; // all that a vtkTimeStamp holds
    if (walker_functions[time_stamp]) call<void>(time_stamp, &time);
    return time;
}

std::uint64_t modified(void* object)
{
    std::ptrdiff_t const slot = slot_of_mtime();
    if (slot < 0) return 0;
    auto const* const table = *static_cast<void* const* const*>(object);
    return reinterpret_cast<std::uint64_t (*)(void*)>(table[slot])(object);
}

void fill(void* data, std::uint32_t kinds, std::uint8_t)
{
    if (!(kinds & is_data_set)) return;
    double bounds[6];
    if (walker_functions[get_bounds]) call<void>(get_bounds, data, bounds);
    if (!(kinds & is_poly_data) || !walker_functions[cell_bounds] || !walker_functions[number_of_cells]) return;
    if (call<long long>(number_of_cells, data) > 0) call<void>(cell_bounds, data, 0LL, bounds);
}

void retain(void* object)
{
    call<void>(register_, object, static_cast<void*>(nullptr));
}

void give_back(void* object)
{
    call<void>(unregister, object, static_cast<void*>(nullptr));
}

bool last_reference(void*)
{
    return false; // its destructor tells
}

// ------------------------------------------------------------------------------- Python's objects

namespace {
void* base_type = nullptr; // of all of VTK's Python types
std::uint32_t pointer_at = 0;
} // namespace

void know_type(void* type, std::uint32_t offset)
{
    base_type = type;
    pointer_at = offset;
}

void* cpp_object(void* object, bool&)
{
    if (!base_type || !python_objects.is_subtype(type_of(object), base_type)) return nullptr;
    void* found;
    std::memcpy(&found, static_cast<char*>(object) + pointer_at, sizeof found);
    return found ? whole_object(found) : nullptr;
}

char const* method_name(char const* function)
{
    return function;
}

bool takes_objects(char const* documentation)
{
    return std::strstr(documentation, ":vtk") != nullptr;
}

bool returns_object(char const* documentation)
{
    return std::strstr(documentation, "-> vtk") != nullptr;
}

// ----------------------------------------------------------------------------- functions interposed

// Every object's destructor ends in this; and what looks through whole pipelines when a reference was given up.
Interposed interposed[] = {
    {"_ZN13vtkObjectBaseD2Ev", reinterpret_cast<void*>(destroyed), nullptr},
    {"_ZN19vtkGarbageCollector7CollectEP13vtkObjectBase", reinterpret_cast<void*>(collect), nullptr},
};
std::uint32_t const interposed_count = sizeof interposed / sizeof interposed[0];

namespace {

void destroyed(void* object)
{
    forget(object);
    reinterpret_cast<void (*)(void*)>(interposed[0].original)(object);
}

void collect(void* object)
{
    if (inside_wrapped_call() && frame->flags & frame_defers) return;
    reinterpret_cast<void (*)(void*)>(interposed[1].original)(object);
}

} // namespace
} // namespace gilgen
