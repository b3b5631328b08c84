// Threads that use the fixture toolkit through the native part, without CPython; a sanitizer watches.
//
//     driver <folder of the libraries> <threads> <iterations of each> <closure or none> [<parts to leave out, letters>]
//
// The letters are those of `steps` below; b: deactivation and a new activation; n: `kept_calls_yield`; L: `library_mixes`.
//
// It prints what it did as one line of JSON, and fails where calls met that must not, or where something is left over.
#include "wrapper.hpp"

#include "claims.hpp"
#include "gilgen.hpp"
#include "objects.hpp"
#include "rebind.hpp"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

struct Counts {
    std::uint64_t released, guarded, kept, shortly, passed;
    std::uint32_t bound;
};
struct Waits {
    std::uint64_t count, nanoseconds, deferred, shortly;
};
extern "C" {
void gilgen_start(gilgen::Python const*, gilgen::PythonObjects const*, gilgen::Known const*, std::uint32_t, gilgen::Definition const*);
void gilgen_know(char const*, char const*, std::int64_t);
void gilgen_know_type(void*, std::uint32_t);
std::uint32_t gilgen_gate(void*);
void gilgen_gate_again(std::uint8_t);
void gilgen_ungate();
std::uint32_t gilgen_gated();
void gilgen_set_guards(std::uint8_t const*, std::uint8_t);
gilgen::Bound gilgen_bind();
void gilgen_unbind();
void gilgen_counts(Counts*);
void gilgen_drain(std::uint8_t);
std::uint32_t gilgen_running();
std::uint32_t gilgen_claimed_elsewhere();
std::uint32_t gilgen_held_elsewhere();
std::int32_t gilgen_waiting();
gilgen::Busy gilgen_who_has(void*);
void gilgen_raise_busy(void*);
std::uint32_t gilgen_pairs(gilgen::Pair*, std::uint32_t);
Waits gilgen_waits();
char const* gilgen_refusal(std::uint32_t);
}

namespace {

using pretend::Object;
using pretend::Type;

[[noreturn]] void fail(char const* what)
{
    std::fprintf(stderr, "driver: %s\n", what);
    std::_Exit(3);
}

// ------------------------------------------------------------------------------------ the libraries

constexpr char const* build_ids[] = {"67696c67656e00", "67696c67656e01", "67696c67656e02"}; // as they are linked
std::string paths[3];
gilgen::Known known[3];
gilgen::Definition definitions[16];

std::uint32_t checksum(unsigned char const* code, std::size_t size) // CRC-32, as in zlib
{
    std::uint32_t sum = 0xFFFFFFFFu;
    for (std::size_t i = 0; i < size; ++i) {
        sum ^= code[i];
        for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0u);
    }
    return ~sum;
}

// What the generator reads from the library's file.
gilgen::Definition definition_of(void* library, char const* symbol)
{
    void* const address = dlsym(library, symbol);
    Dl_info info;
    ElfW(Sym) const* found = nullptr;
    if (!address || !dladdr1(address, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&found)), RTLD_DL_SYMENT)) fail(symbol);
    auto const offset = static_cast<std::uint64_t>(static_cast<char*>(address) - static_cast<char*>(info.dli_fbase));
    return {offset, static_cast<std::uint32_t>(found->st_size), checksum(static_cast<unsigned char*>(address), found->st_size), 0};
}

void start(std::string const& folder)
{
    char const* const names[] = {"/libtoolkit.so", "/libwrapper.so", "/liblate.so"};
    for (std::uint32_t i = 0; i < 3; ++i) {
        paths[i] = folder + names[i];
        known[i] = {paths[i].c_str(), build_ids[i], 0, 1, i};
    }
    void* const library = dlopen(paths[0].c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (!library) fail(dlerror());
    for (std::uint32_t i = 0; i < gilgen::entry_count; ++i) definitions[i] = definition_of(library, gilgen::methods[i].symbol);

    static gilgen::Python const python{PyEval_SaveThread, PyEval_RestoreThread, pretend::current, pretend::own, pretend::finalizing, PyGILState_Ensure, PyGILState_Release, 1};
    static gilgen::PythonObjects objects{};
    objects.dict_next = pretend::dict_next;
    objects.is_subtype = pretend::is_subtype;
    objects.set_error = pretend::set_error;
    objects.function_type = &pretend::function_type;
    gilgen_start(&python, &objects, known, 3, definitions);
    gilgen_know_type(&wrapper::object_type, offsetof(Object, pointer));
}

void tell_facts()
{
    for (char const* const method : {"Update", "UpdateReleased", "ComputeOnThread", "Examine"}) gilgen_know("prepares", method, -1);
    gilgen_know("passes", "AbortExecute", -1);
    gilgen_know("leads-back", "GetOutputDataObject", -1);
    gilgen_know("reads-arguments", "SetInput*", -1);
    gilgen_know("reads", "13vtkLookFilter", 0);
    gilgen_know("fills", "13vtkLookFilter", 1);
    gilgen_know("changes-inputs", "15vtkChangeFilter", 0);
    gilgen_know("member", "10vtkDataSet", offsetof(vtkDataSet, fields));
}

void set_guards(gilgen::Guard guard)
{
    std::uint8_t guards[16];
    std::memset(guards, static_cast<int>(guard), sizeof guards);
    gilgen_set_guards(guards, static_cast<std::uint8_t>(guard));
}

// ---------------------------------------------------------------------------------------- Python code

using Function = Object* (*)(Object*, Object*);

void* attribute(Type& type, char const* name)
{
    for (auto const& [key, value] : type.dictionary().items) {
        if (std::strcmp(static_cast<char*>(key), name) == 0) return static_cast<pretend::Descriptor*>(value)->definition;
    }
    fail(name);
}

// As the interpreter calls a method; null where it raised.
Object* call(Object* self, char const* name, Object* argument = nullptr)
{
    auto const* const method = static_cast<pretend::Definition*>(attribute(*self->type, name));
    Object* const result = reinterpret_cast<Function>(method->function)(self, argument);
    if (!result) pretend::error_was_set();
    return result;
}

void call_and_drop(Object* self, char const* name, int value)
{
    Object* const argument = pretend::integer(value);
    pretend::drop(call(self, name, argument));
    pretend::drop(argument);
}

void call_and_drop(Object* self, char const* name) { pretend::drop(call(self, name)); }
void connect(Object* self, char const* name, Object* argument) { pretend::drop(call(self, name, argument)); }

void property(Object* self)
{
    auto const* const value = static_cast<pretend::Property*>(attribute(*self->type, "value"));
    Object* const found = reinterpret_cast<Object* (*)(Object*, void*)>(value->get)(self, value->closure);
    if (!found) {
        pretend::error_was_set();
        return;
    }
    if (reinterpret_cast<int (*)(Object*, Object*, void*)>(value->set)(self, found, value->closure) < 0) pretend::error_was_set();
    pretend::drop(found);
}

void call_function(char const* name, Object* argument)
{
    for (auto const& [key, value] : wrapper::module().items) {
        if (std::strcmp(static_cast<char*>(key), name) != 0) continue;
        auto const* const function = static_cast<pretend::Definition*>(static_cast<Object*>(value)->pointer);
        Object* const found = reinterpret_cast<Function>(function->function)(nullptr, argument);
        if (!found) pretend::error_was_set();
        return pretend::drop(found);
    }
    fail(name);
}

void call_with_two(Object* one, Object* other)
{
    pretend::Tuple arguments{1, &pretend::tuple_type, 2, {one, other}};
    call_function("update_two", reinterpret_cast<Object*>(&arguments));
}

// A second Python object for what another stands for; it is dropped again while a call may be using that.
void wrap_again(Object* object)
{
    auto* const base = static_cast<vtkObjectBase*>(object->pointer);
    base->Register(nullptr);
    pretend::drop(wrapper::wrap(*object->type, base));
}

// ---------------------------------------------------------------------------------------- the objects

struct World {
    std::vector<Object*> data, filters, readers, executives, producers;
    std::vector<Object*> all; // what has the methods of an algorithm
};
World& world = *new World;

thread_local std::uint64_t random_state = 1;
thread_local int depth = 0;

int random(int below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int>((random_state >> 33) % static_cast<std::uint64_t>(below));
}

Object* any(std::vector<Object*> const& of) { return of[static_cast<std::size_t>(random(static_cast<int>(of.size())))]; }
int some_microseconds() { return random(3) ? random(80) : 200 + random(400); }

Object* made(vtkAlgorithm* algorithm) { return wrapper::wrap(wrapper::algorithm_type, algorithm); }
vtkAlgorithm* behind(Object* object) { return static_cast<vtkAlgorithm*>(static_cast<vtkObjectBase*>(object->pointer)); }

void in_callback(bool kept_gil); // Python's side of an observer

// Whether threads share a filter that comes to the library which is not thread-safe, and whether callbacks come to it. That is a
// known limit: who waits for the library lets others at its objects, and a callback of the library's may come to it again.
bool library_mixes = true;

void build()
{
    for (int i = 0; i < 3; ++i) world.data.push_back(wrapper::wrap(wrapper::data_type, new vtkPolyData));
    auto const with_data = [](vtkAlgorithm* algorithm, int data) {
        world.filters.push_back(made(algorithm));
        connect(world.filters.back(), "SetInputDataObject", world.data[static_cast<std::size_t>(data)]);
        return world.filters.back();
    };
    with_data(new vtkLookFilter, 0);
    with_data(new vtkLookFilter, 0);
    with_data(new vtkLookFilter, 0);
    with_data(new vtkLookFilter, 1);
    Object* const first = with_data(new vtkAlgorithm, 0);
    with_data(new vtkChangeFilter, 1);
    auto const behind_another = [](vtkAlgorithm* algorithm, Object* upstream) {
        world.filters.push_back(made(algorithm));
        connect(world.filters.back(), "SetInputConnection", upstream);
        return world.filters.back();
    };
    behind_another(new vtkLookFilter, first);
    Object* const last = behind_another(new vtkAlgorithm, first);
    world.producers.push_back(made(new vtkTrivialProducer(static_cast<vtkDataSet*>(static_cast<vtkObjectBase*>(world.data[2]->pointer)))));
    behind_another(new vtkAlgorithm, world.producers[0]);
    behind_another(new vtkLookFilter, world.producers[0]);

    Object* const observed = with_data(new vtkAlgorithm, 2);
    behind(observed)->observer = wrapper::observed;
    behind(observed)->observed = reinterpret_cast<void*>(in_callback);
    world.executives.push_back(wrapper::wrap(wrapper::executive_type, new vtkExecutive(behind(last))));

    for (int i = 0; i < 3; ++i) world.readers.push_back(made(new vtkHDFReader));
    behind(world.readers[1])->observer = wrapper::observed;
    behind(world.readers[1])->observed = reinterpret_cast<void*>(in_callback);
    if (library_mixes) behind(with_data(new vtkAlgorithm, 1))->reader = new vtkHDFReader;
    wrapper::default_algorithm = behind(world.filters[0]);
    world.all = world.filters;
    world.all.insert(world.all.end(), world.readers.begin(), world.readers.end());
    world.all.insert(world.all.end(), world.producers.begin(), world.producers.end());
}

// ------------------------------------------------------------------------------------ what threads do

// An object of this thread's own, with data that others have as well: made, used, and given up.
void own_pipeline()
{
    Object* const filter = made(random(2) ? static_cast<vtkAlgorithm*>(new vtkLookFilter) : new vtkAlgorithm);
    Object* const behind_it = made(new vtkLookFilter);
    connect(filter, "SetInputDataObject", any(world.data));
    connect(behind_it, "SetInputConnection", filter);
    if (!depth && !random(3)) behind(filter)->reader = new vtkHDFReader;
    call_and_drop(filter, "AddCommand");
    call_and_drop(behind_it, "Update", some_microseconds());
    if (Object* const output = call(filter, "GetOutputDataObject")) {
        pretend::drop(filter);
        call_and_drop(output, "Look", 0);
        pretend::drop(output);
    } else {
        pretend::drop(filter);
    }
    pretend::drop(behind_it);
}

void own_reader()
{
    Object* const reader = made(new vtkHDFReader);
    call_and_drop(reader, "Update", some_microseconds());
    pretend::drop(reader);
}

// A wrapper that releases the GIL by itself claims nothing while gilgen is not active, as it does nothing in the plain wheel.
bool wrappers_may_release = true;
int wrappers_that_release = 0; // both protected by the GIL

void released_by_wrapper(bool has_object)
{
    if (!wrappers_may_release) return;
    ++wrappers_that_release;
    if (has_object) call_and_drop(any(world.filters), "UpdateReleased", some_microseconds());
    else call_function("update_default", nullptr);
    --wrappers_that_release;
}

void ask()
{
    Counts counts[16];
    gilgen::Pair pairs[64];
    gilgen_counts(counts);
    gilgen_pairs(pairs, 64);
    gilgen_waiting();
    gilgen_running();
    gilgen_held_elsewhere();
    gilgen_waits();
    gilgen_gated();
    Object* const object = any(world.all);
    gilgen_who_has(object);
}

struct Step {
    char part; // so that it can be left out
    int weight;
    void (*does)();
};
Step steps[] = {
    {'u', 8, [] { call_and_drop(any(world.filters), "Update", some_microseconds()); }},
    {'p', 3, [] { call_and_drop(any(world.producers), "Update", some_microseconds()); }},
    {'w', 4, [] { released_by_wrapper(true); }},
    {'f', 2, [] { if (!depth) released_by_wrapper(false); }},
    {'c', 3, [] { call_and_drop(any(world.filters), "Compute", some_microseconds()); }},
    {'t', 1, [] { call_and_drop(any(world.filters), "ComputeOnThread", some_microseconds()); }},
    {'2', 2, [] { call_with_two(any(world.filters), any(world.filters)); }},
    {'x', 2, [] { call_and_drop(any(world.executives), "Update", some_microseconds()); }},
    {'r', 4, [] { call_and_drop(any(world.readers), "Update", some_microseconds()); }},
    {'R', 2, own_reader},
    {'o', 4, own_pipeline},
    {'s', 4, [] { call_and_drop(any(world.all), "Set", random(100)); }},
    {'v', 2, [] { property(any(world.all)); }},
    {'a', 2, [] { call_and_drop(any(world.all), "AbortExecute"); }},
    {'l', 4, [] { call_and_drop(any(world.data), "Look", random(30)); }},
    {'h', 2, [] { call_and_drop(any(world.data), "Change", random(30)); }},
    {'e', 2, [] { call_and_drop(any(world.data), "Examine", some_microseconds()); }},
    {'d', 4, [] { wrap_again(any(world.all)); }},
    {'k', 1, [] { call_and_drop(any(world.filters), "AddCommand"); }},
    {'q', 3, ask},
};
int all_weights = 0;

void leave_out(char const* parts)
{
    for (Step& step : steps) {
        if (std::strchr(parts, step.part)) step.weight = 0;
        all_weights += step.weight;
    }
}

void one_step()
{
    int at = random(all_weights);
    for (Step const& step : steps) {
        at -= step.weight;
        if (at >= 0) continue;
        if (library_mixes || !depth || !std::strchr("rR", step.part)) step.does();
        return;
    }
}

// Whether a callback may give the GIL up although the call that it belongs to keeps it. That is a known limit: the call that
// visits Python, and because of which this one keeps the GIL, may then go on at the same time.
bool kept_calls_yield = true;

void in_callback(bool kept_gil)
{
    if (kept_gil && !kept_calls_yield) return;
    if (++depth < 3) {
        pretend::yield();
        one_step();
        pretend::yield();
    }
    --depth;
}

void work(int iterations, std::uint64_t seed)
{
    random_state = seed;
    pretend::Attached const attached;
    for (int i = 0; i < iterations; ++i) {
        one_step();
        pretend::yield();
    }
}

// Threads that come and go; each has been in a wrapped call.
void short_lived(int count)
{
    for (int i = 0; i < count; ++i) std::thread(work, 2, 900 + static_cast<std::uint64_t>(i)).join();
}

// As `gilgen.deactivate` does.
void deactivate()
{
    wrappers_may_release = false;
    while (wrappers_that_release) pretend::yield();
    gilgen_drain(1);
    while (gilgen_running() || gilgen_claimed_elsewhere()) pretend::yield();
    gilgen_unbind();
    gilgen_ungate();
    gilgen_drain(0);
}

void activate(gilgen::Guard guard, bool late)
{
    set_guards(guard);
    gilgen_gate_again(late);
    gilgen_bind();
    wrappers_may_release = true;
    if (char const* const refused = gilgen_refusal(0)) fail(refused);
}

vtkAlgorithm* (*late_filter)(std::size_t) = nullptr;

void load_late_library()
{
    void* const library = dlopen(paths[2].c_str(), RTLD_NOW);
    if (!library) fail(dlerror());
    gilgen_bind();
    late_filter = reinterpret_cast<vtkAlgorithm* (*)(std::size_t)>(dlsym(library, "late_filter"));
}

// Objects of classes that were not seen before.
void use_late_library(int round)
{
    if (!late_filter) return;
    for (int i = 0; i < 4; ++i) {
        Object* const late = made(late_filter(static_cast<std::size_t>(round * 4 + i)));
        call_and_drop(late, i % 2 ? "Compute" : "Update", 20);
        pretend::drop(late);
        pretend::yield();
    }
}

// What changes all of the native part: comes and goes, while the others work.
void steer(int rounds, gilgen::Guard guard, bool rebinds)
{
    random_state = 77;
    pretend::Attached const attached;
    for (int i = 0; i < rounds; ++i) {
        void* const state = PyEval_SaveThread();
        usleep(20000);
        PyEval_RestoreThread(state);
        ask();
        if (i == 1) load_late_library();
        use_late_library(i);
        if (i % 4 == 2) gilgen_raise_busy(&random_state);
        if (i % 4 == 3) gilgen_raise_busy(nullptr);
    }
    // From then on nearly every call claims the whole toolkit: what was connected meanwhile is not known.
    for (int i = 0; rebinds && i < 3; ++i) {
        deactivate();
        for (int turn = 0; turn < 20; ++turn) pretend::yield();
        activate(guard, true);
        for (int turn = 0; turn < 20; ++turn) pretend::yield();
    }
    gilgen_raise_busy(nullptr);
}

} // namespace

int main(int count, char** arguments)
{
    if (count < 5) fail("too few arguments");
    int const threads = std::atoi(arguments[2]);
    int const iterations = std::atoi(arguments[3]);
    gilgen::Guard const guard = std::strcmp(arguments[4], "none") == 0 ? gilgen::Guard::none : gilgen::Guard::closure;
    char const* const without = count > 5 ? arguments[5] : "";
    leave_out(without);
    kept_calls_yield = !std::strchr(without, 'n');
    library_mixes = !std::strchr(without, 'L');

    start(arguments[1]);
    {
        pretend::Attached const attached;
        set_guards(guard);
        tell_facts();
        activate(guard, false);
        if (!gilgen_gate(&wrapper::module())) fail("no memory for the gate");
        build();
    }
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back(work, iterations, static_cast<std::uint64_t>(i) + 1);
    all.emplace_back(short_lived, iterations / 4);
    all.emplace_back(steer, std::max(8, iterations / 10), guard, !std::strchr(without, 'b'));
    for (std::thread& thread : all) thread.join();

    pretend::Attached const attached;
    ask();
    call_and_drop(world.filters[0], "Update", 1); // what was put off is given back by now
    Counts sums{};
    Counts counts[16];
    gilgen_counts(counts);
    for (std::uint32_t i = 0; i < gilgen::method_count; ++i) {
        sums.released += counts[i].released;
        sums.guarded += counts[i].guarded;
        sums.kept += counts[i].kept;
        sums.shortly += counts[i].shortly;
    }
    Waits const waits = gilgen_waits();
    std::uint64_t const overlaps = toolkit::overlaps.load();
    std::printf("{\"overlaps\": %llu, \"works\": %llu, \"released\": %llu, \"guarded\": %llu, \"kept\": %llu, \"shortly\": %llu, \"waits\": %llu, \"deferred\": %llu, \"left\": [%u, %u, %d]}\n",
        static_cast<unsigned long long>(overlaps), static_cast<unsigned long long>(toolkit::works.load()), static_cast<unsigned long long>(sums.released),
        static_cast<unsigned long long>(sums.guarded), static_cast<unsigned long long>(sums.kept), static_cast<unsigned long long>(sums.shortly),
        static_cast<unsigned long long>(waits.count), static_cast<unsigned long long>(waits.deferred), gilgen_busy.load(), gilgen_running(), gilgen_waiting());
    std::fflush(stdout);
    bool const left = gilgen_busy.load() || gilgen_running() || gilgen_waiting();
    return left ? 4 : overlaps && guard != gilgen::Guard::none ? 5 : 0;
}
