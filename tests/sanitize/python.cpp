#include "python.hpp"

#include <condition_variable>
#include <mutex>

namespace pretend {
namespace {

struct State {
    int ensured = 0;
};

std::mutex& mutex = *new std::mutex;
std::condition_variable& free_again = *new std::condition_variable;
State* holder = nullptr;

thread_local State state;
thread_local State* known = nullptr;    // of a thread that Python knows
thread_local State* attached = nullptr; // while it holds the lock
thread_local bool error = false;

void take(State* wanted)
{
    std::unique_lock<std::mutex> lock(mutex);
    free_again.wait(lock, [] { return !holder; });
    holder = attached = wanted;
}

State* give()
{
    State* const had = attached;
    {
        std::lock_guard<std::mutex> const lock(mutex);
        holder = attached = nullptr;
    }
    free_again.notify_one();
    return had;
}

constexpr std::uint64_t tuple_subclass = 1u << 26, type_subclass = 1u << 31;

} // namespace

Type::Type(char const* name, Type* base, std::uint64_t flags)
{
    words[1] = &type_type;
    words[3] = const_cast<char*>(name);
    words[21] = reinterpret_cast<void*>(flags);
    words[32] = base;
    words[33] = new Dictionary;
}

Type type_type("type", nullptr, type_subclass);
Type integer_type("int", nullptr);
Type tuple_type("tuple", nullptr, tuple_subclass);
Type method_descriptor("method_descriptor", nullptr);
Type getset_descriptor("getset_descriptor", nullptr);
Type function_type("builtin_function_or_method", nullptr);

void drop(Object* object)
{
    if (!object || --object->references) return;
    if (void* const deallocate = object->type->words[6]) reinterpret_cast<void (*)(Object*)>(deallocate)(object);
    else delete object;
}

void* current() { return attached; }
void* own() { return known; }
int finalizing() { return 0; }

int dict_next(void* dictionary, std::intptr_t* position, void** key, void** value)
{
    auto const& items = static_cast<Dictionary*>(dictionary)->items;
    if (static_cast<std::size_t>(*position) >= items.size()) return 0;
    auto const& item = items[static_cast<std::size_t>((*position)++)];
    *key = item.first;
    *value = item.second;
    return 1;
}

int is_subtype(void* type, void* of)
{
    for (auto const* one = static_cast<Type*>(type); one; one = one->base()) {
        if (one == of) return 1;
    }
    return 0;
}

void set_error(void*, char const*) { error = true; }
bool error_was_set() { return std::exchange(error, false); }

Attached::Attached()
{
    known = &state;
    take(&state);
}

Attached::~Attached()
{
    give();
    known = nullptr;
}

void yield() { PyEval_RestoreThread(PyEval_SaveThread()); }

} // namespace pretend

using namespace pretend;

void* PyEval_SaveThread() { return give(); }
void PyEval_RestoreThread(void* of) { take(static_cast<State*>(of)); }

int PyGILState_Ensure()
{
    if (attached) return 0; // PyGILState_LOCKED
    if (!known) known = &state;
    else ++state.ensured; // it was known before, and stays so
    take(&state);
    return 1; // PyGILState_UNLOCKED
}

void PyGILState_Release(int found)
{
    if (!found) return;
    give();
    if (!state.ensured) known = nullptr;
    else --state.ensured;
}
