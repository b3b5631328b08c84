// From Python's objects to the C++ objects behind them. With the GIL held.
#pragma once

#include "closure.hpp"
#include "gate.hpp"

#include <vector>

namespace gilgen {

// What the runtime hands over of CPython's API, besides what a release needs.
struct PythonObjects {
    int (*dict_next)(void* dict, std::intptr_t* position, void** key, void** value);
    int (*is_subtype)(void* type, void* of);
    void* (*get_attribute)(void* object, char const* name);
    void (*fetch_error)(void**, void**, void**);
    void (*restore_error)(void*, void*, void*);
    void (*drop)(void* object); // Py_DecRef
    void (*set_error)(void* exception, char const* text);
    void* function_type;        // PyCFunction_Type
};
extern PythonObjects python_objects;

inline void* type_of(void* object) { return static_cast<void**>(object)[1]; }

// The C++ object behind a Python object, whole; null where there is none, or where it is none that can be followed.
// `anything` is set where it may lead to objects that nobody can find.
void* cpp_object(void* object, bool& anything);

// The objects of a wrapped call: its own (`self`, or what a method of another binding takes first), and its arguments.
struct Objects {
    std::vector<void*> own;
    std::vector<void*> arguments;
    bool anything = false;
};
void objects_of(Frame const& call, Objects& found);

// Puts stubs in the place of all functions in a module's dictionary, and of its types'. False where no memory is to be had.
bool gate_module(void* dictionary);

// One fact about methods, or about all of a class, as the configuration gives it: "passes", "uses" ...
void know_method(char const* what, char const* name);

// The toolkit's own part: the base of all its Python types, and where they hold the pointer to the C++ object (VTK).
void know_type(void* type, std::uint32_t offset);

// From a function's name to the method's, and whether its documentation says that it takes or returns objects.
extern char const* method_name(char const* function);
extern bool takes_objects(char const* documentation);
extern bool returns_object(char const* documentation);

// Whether an address lies in the toolkit's code.
bool is_toolkit_code(void const* address);

} // namespace gilgen
