#include "wrapper.hpp"

namespace wrapper {

using pretend::as_int;
using pretend::Definition;
using pretend::Descriptor;
using pretend::integer;
using pretend::Property;

namespace {

vtkAlgorithm* algorithm(Object* self) { return static_cast<vtkAlgorithm*>(static_cast<vtkObjectBase*>(self->pointer)); }
vtkDataSet* data(Object* self) { return static_cast<vtkDataSet*>(static_cast<vtkObjectBase*>(self->pointer)); }

Object* update(Object* self, Object* argument) { return integer(algorithm(self)->Update(as_int(argument))); }
Object* compute(Object* self, Object* argument) { return integer(algorithm(self)->Compute(as_int(argument))); }
Object* compute_on_thread(Object* self, Object* argument) { return integer(algorithm(self)->compute_on_thread(as_int(argument))); }
Object* set(Object* self, Object* argument) { return integer(algorithm(self)->set(as_int(argument))); }

Object* update_released(Object* self, Object* argument)
{
    void* const state = PyEval_SaveThread();
    int const found = algorithm(self)->Update(as_int(argument));
    PyEval_RestoreThread(state);
    return integer(found);
}

Object* update_two(Object*, Object* arguments)
{
    auto const* const tuple = reinterpret_cast<pretend::Tuple*>(arguments);
    int const found = algorithm(tuple->items[0])->Update(20);
    return integer(found + algorithm(tuple->items[1])->Update(20));
}

// It has no object of the toolkit's, and releases the GIL by itself.
Object* update_default(Object*, Object*)
{
    void* const state = PyEval_SaveThread();
    int const found = default_algorithm->Update(50);
    PyEval_RestoreThread(state);
    return integer(found);
}

Object* abort_execute(Object* self, Object*)
{
    algorithm(self)->abort();
    return integer(0);
}

Object* set_input_data(Object* self, Object* argument)
{
    algorithm(self)->SetInputDataObject(data(argument));
    return integer(0);
}

Object* set_input_connection(Object* self, Object* argument)
{
    algorithm(self)->SetInputConnection(algorithm(argument));
    return integer(0);
}

Object* get_output(Object* self, Object*)
{
    vtkDataSet* const found = algorithm(self)->output();
    if (!found) return nullptr;
    found->Register(nullptr);
    return wrap(data_type, found);
}

Object* add_command(Object* self, Object*)
{
    if (!algorithm(self)->command) algorithm(self)->command = vtkPythonCommand::make();
    return integer(0);
}

Object* update_executive(Object* self, Object* argument)
{
    return integer(static_cast<vtkExecutive*>(static_cast<vtkObjectBase*>(self->pointer))->Update(as_int(argument)));
}

Object* look(Object* self, Object* argument)
{
    data(self)->look(as_int(argument));
    return integer(0);
}

Object* change(Object* self, Object* argument)
{
    data(self)->change(as_int(argument));
    return integer(0);
}

Object* examine(Object* self, Object* argument)
{
    vtkDataSet::examine(data(self), as_int(argument));
    return integer(0);
}

Object* get_value(Object* self, void*) { return integer(algorithm(self)->witness.value); }

int set_value(Object* self, Object* value, void*)
{
    algorithm(self)->set(as_int(value));
    return 0;
}

void deallocate(Object* self)
{
    static_cast<vtkObjectBase*>(self->pointer)->UnRegister(nullptr);
    delete self;
}

template <class Function>
void* address(Function* function)
{
    return reinterpret_cast<void*>(function);
}

Definition algorithm_methods[] = {
    {"Update", address(update), pretend::takes_one, "Update(self, how:int) -> int"},
    {"UpdateReleased", address(update_released), pretend::takes_one, "UpdateReleased(self, how:int) -> int"},
    {"Compute", address(compute), pretend::takes_one, "Compute(self, how:int) -> int"},
    {"ComputeOnThread", address(compute_on_thread), pretend::takes_one, "ComputeOnThread(self, how:int) -> int"},
    {"Set", address(set), pretend::takes_one, "Set(self, value:int) -> int"},
    {"AbortExecute", address(abort_execute), pretend::takes_nothing, "AbortExecute(self) -> None"},
    {"SetInputDataObject", address(set_input_data), pretend::takes_one, "SetInputDataObject(self, data:vtkDataObject) -> None"},
    {"SetInputConnection", address(set_input_connection), pretend::takes_one, "SetInputConnection(self, input:vtkAlgorithm) -> None"},
    {"GetOutputDataObject", address(get_output), pretend::takes_nothing, "GetOutputDataObject(self) -> vtkDataObject"},
    {"AddCommand", address(add_command), pretend::takes_nothing, "AddCommand(self) -> int"},
};
Definition executive_methods[] = {{"Update", address(update_executive), pretend::takes_one, "Update(self, how:int) -> int"}};
Definition data_methods[] = {
    {"Look", address(look), pretend::takes_one, "Look(self, how:int) -> int"},
    {"Change", address(change), pretend::takes_one, "Change(self, how:int) -> int"},
    {"Examine", address(examine), pretend::takes_one, "Examine(self, how:int) -> int"},
};
Definition functions[] = {
    {"update_two", address(update_two), pretend::takes_tuple, "update_two(a:vtkAlgorithm, b:vtkAlgorithm) -> int"},
    {"update_default", address(update_default), pretend::takes_nothing, "update_default() -> int"},
};
Property value_property{"value", address(get_value), address(set_value), "", nullptr};

template <std::size_t count>
void add(Type& type, Definition (&definitions)[count])
{
    for (Definition& one : definitions) {
        type.dictionary().items.emplace_back(const_cast<char*>(one.name), new Descriptor{1, &pretend::method_descriptor, {}, &one});
    }
}

} // namespace

vtkAlgorithm* default_algorithm = nullptr;

Type object_type("vtkfixture.vtkObjectBase", nullptr);
Type algorithm_type("vtkfixture.vtkAlgorithm", &object_type);
Type executive_type("vtkfixture.vtkExecutive", &object_type);
Type data_type("vtkfixture.vtkDataSet", &object_type);

Dictionary& module()
{
    static auto* const all = [] {
        auto* const made = new Dictionary;
        add(algorithm_type, algorithm_methods);
        add(executive_type, executive_methods);
        add(data_type, data_methods);
        algorithm_type.dictionary().items.emplace_back(const_cast<char*>(value_property.name), new Descriptor{1, &pretend::getset_descriptor, {}, &value_property});
        for (Type* const type : {&object_type, &algorithm_type, &executive_type, &data_type}) {
            type->words[6] = address(deallocate);
            made->items.emplace_back(type->words[3], type);
        }
        for (Definition& one : functions) made->items.emplace_back(const_cast<char*>(one.name), new Object{1, &pretend::function_type, &one});
        return made;
    }();
    return *all;
}

Object* wrap(Type& type, vtkObjectBase* object) { return new Object{1, &type, object}; }

void observed(vtkAlgorithm*, void* function)
{
    int const found = PyGILState_Ensure();
    reinterpret_cast<void (*)(bool)>(function)(found == 0);
    PyGILState_Release(found);
}

} // namespace wrapper
