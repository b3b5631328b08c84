// The fixture toolkit's pretend Python wrappers: a module of types with methods, as VTK's wrapper makes them.
#pragma once

#include "python.hpp"
#include "toolkit.hpp"

namespace wrapper {

using pretend::Dictionary;
using pretend::Object;
using pretend::Type;

extern Type object_type, algorithm_type, executive_type, data_type;

Dictionary& module();

extern vtkAlgorithm* default_algorithm; // of the function "update_default"

// A new Python object for a C++ object, which it takes over.
Object* wrap(Type& type, vtkObjectBase* object);

// What an observer calls: Python's side of it is a function of the driver's.
void observed(vtkAlgorithm* caller, void* function);

} // namespace wrapper
