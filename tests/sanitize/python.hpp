// A pretend Python: one lock, its threads' states, and objects that are laid out as CPython's (object.h, descrobject.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

extern "C" {
void* PyEval_SaveThread();
void PyEval_RestoreThread(void* state);
int PyGILState_Ensure();
void PyGILState_Release(int found);
}

namespace pretend {

struct Type;

struct Object {
    std::intptr_t references;
    Type* type;
    void* pointer; // to the C++ object; of an integer its value
};

struct Tuple {
    std::intptr_t references;
    Type* type;
    std::intptr_t size;
    Object* items[2];
};

struct Definition { // PyMethodDef
    char const* name;
    void* function;
    int flags;
    char const* documentation;
};
constexpr int takes_tuple = 1, takes_nothing = 4, takes_one = 8; // METH_VARARGS, METH_NOARGS, METH_O

struct Property { // PyGetSetDef
    char const* name;
    void* get;
    void* set;
    char const* documentation;
    void* closure;
};

struct Descriptor {
    std::intptr_t references;
    Type* type;
    void* of[3];
    void* definition; // a `Definition` or a `Property`
};

struct Dictionary {
    std::vector<std::pair<void*, void*>> items;
};

struct Type {
    void* words[48]{};

    Type(char const* name, Type* base, std::uint64_t flags = 0);
    Type* base() const { return static_cast<Type*>(words[32]); }
    Dictionary& dictionary() const { return *static_cast<Dictionary*>(words[33]); }
};

extern Type type_type, integer_type, tuple_type, method_descriptor, getset_descriptor, function_type;

inline Object* integer(std::intptr_t value) { return new Object{1, &integer_type, reinterpret_cast<void*>(value)}; }
inline int as_int(Object const* object) { return static_cast<int>(reinterpret_cast<std::intptr_t>(object->pointer)); }

void drop(Object* object);

void* current();
void* own();
int finalizing();
int dict_next(void* dictionary, std::intptr_t* position, void** key, void** value);
int is_subtype(void* type, void* of);
void set_error(void* exception, char const* text);
bool error_was_set(); // and is no more

// A thread that Python makes: it has a state, and the lock.
class Attached {
public:
    Attached();
    ~Attached();
    Attached(Attached const&) = delete;
};

// Lets others have their turn, as the interpreter does every few milliseconds.
void yield();

} // namespace pretend
