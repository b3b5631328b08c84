#include "objects.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace gilgen {

PythonObjects python_objects;

namespace {

// Where CPython's structures hold what is read here (object.h, descrobject.h, methodobject.h); the same from 3.11 to 3.15.
constexpr std::size_t tuple_size = 2, tuple_items = 3, list_items = 3;                       // in words
constexpr std::size_t type_name_at = 3, type_flags = 21, type_base = 32, type_dict = 33, type_mro = 43; // in words
constexpr std::size_t function_definition = 2, descriptor_definition = 5, wrapper_function = 6;
constexpr std::uint64_t heap_type = 1u << 9, list_subclass = 1u << 25, tuple_subclass = 1u << 26, type_subclass = 1u << 31;
constexpr std::uint32_t takes_tuple = 1, takes_no_arguments = 4, takes_one = 8, takes_vector = 0x80;

template <class Value = void*>
Value word(void const* object, std::size_t index)
{
    Value value;
    std::memcpy(&value, static_cast<char const*>(object) + index * sizeof(void*), sizeof value);
    return value;
}

std::uint64_t flags_of(void* type) { return word<std::uint64_t>(type, type_flags); }
char const* name_of_type(void* type) { return word<char const*>(type, type_name_at); }

struct MethodDefinition { // PyMethodDef
    char const* name;
    void* function;
    int flags;
    char const* documentation;
};

struct Property { // PyGetSetDef
    char const* name;
    void* get;
    void* set;
    char const* documentation;
    void* closure;
};

// ------------------------------------------------------------------------------------- what is known

// The names that each fact is told of; "structural-class" has classes.
using Methods = std::unordered_map<std::string, std::unordered_set<std::string>>;

Methods& methods()
{
    static auto* const all = new Methods;
    return *all;
}

bool listed(std::unordered_set<std::string> const& names, std::string const& name)
{
    return names.count(name) != 0;
}

// "Get*" is listed as its beginning.
bool begins_as_listed(std::unordered_set<std::string> const& beginnings, std::string const& name)
{
    for (std::size_t length = 1; length <= name.size(); ++length) {
        if (beginnings.count(name.substr(0, length) + "*")) return true;
    }
    return beginnings.count(name) != 0;
}

Gated about_uncached(std::string const& method, bool structural)
{
    Gated found{};
    found.passes = listed(methods()["passes"], method);
    found.loops = listed(methods()["loops"], method);
    found.prepares = listed(methods()["prepares"], method);
    found.fills_arguments = listed(methods()["fills-arguments"], method);
    found.reads_arguments = begins_as_listed(methods()["reads-arguments"], method) ? 255 : listed(methods()["reads-first-argument"], method);
    bool const known = structural || begins_as_listed(methods()["structural"], method);
    found.links_argument = !known && !begins_as_listed(methods()["uses"], method);
    found.links_result = !known;
    found.links_back = listed(methods()["leads-back"], method);
    return found;
}

// What is known of a method by its name: asked 300,000 times, of some 20,000 names.
Gated const& about(std::string_view method, bool structural)
{
    static std::unordered_map<std::string_view, Gated> known[2]; // names of static tables live as long as the process
    auto const found = known[structural].find(method);
    if (found != known[structural].end()) return found->second;
    return known[structural].emplace(method, about_uncached(std::string(method), structural)).first->second;
}

// -------------------------------------------------------------------------------- putting stubs in place

bool gate_method(MethodDefinition* definition, bool structural)
{
    if (!definition || !definition->function || !is_toolkit_code(definition->function)) return true;
    char const* const name = definition->name ? definition->name : "";
    std::size_t const length = std::strlen(name);
    auto const ends = [&](std::string_view tail) { return length >= tail.size() && tail == name + (length - tail.size()); };
    if (ends("_swigregister") || ends("_swiginit")) return true;
    Gated function = about(method_name(name), structural);
    function.name = name;
    function.flags = static_cast<std::uint8_t>(definition->flags & 0xFF);
    char const* const documentation = definition->documentation;
    function.links_argument = function.links_argument && documentation && takes_objects(documentation);
    function.links_result = function.links_result && documentation && returns_object(documentation);
    bool const links = function.links_argument || function.links_result;
    function.entering = std::strncmp(name, "delete_", 7) == 0 ? Entering::deallocating
        : std::strcmp(method_name(name), "__New_orig__") == 0 ? Entering::making
        : links ? Entering::linking : Entering::plainly;
    return gate(&definition->function, function);
}

bool gate_function(void** place, Gated const& function)
{
    return !*place || !is_toolkit_code(*place) || gate(place, function);
}

// A property's functions: reading may hand out an object, writing takes one.
Gated about_property(char const* name, std::uint32_t flags, bool structural)
{
    Gated function{};
    function.name = name;
    function.flags = static_cast<std::uint8_t>(flags);
    function.failure = flags == takes_one ? -1 : 0;
    function.links_argument = !structural && flags == takes_one;
    function.links_result = !structural && flags == takes_no_arguments;
    function.entering = structural ? Entering::plainly : Entering::linking;
    return function;
}

Gated about_slot(char const* name, Entering entering, std::uint32_t flags = 0, int failure = 0, bool prepares = false)
{
    Gated function{};
    function.prepares = prepares;
    function.failure = static_cast<std::int8_t>(failure);
    function.name = name;
    function.entering = entering;
    function.flags = static_cast<std::uint8_t>(flags);
    return function;
}

constexpr std::size_t deallocation_slot = 6, hash_slot = 15, call_slot = 16, init_slot = 37, new_slot = 39;
// tp_repr, tp_hash, tp_call, tp_str, tp_richcompare, tp_iter, tp_iternext, tp_init, in words.
constexpr std::size_t slots[] = {11, 15, 16, 17, 25, 27, 28, 37};
// tp_as_number, tp_as_sequence, tp_as_mapping, tp_as_buffer, and how many functions each has.
constexpr std::size_t suites[][2] = {{12, 36}, {13, 10}, {14, 3}, {20, 2}};

bool gate_type(void* type, std::unordered_set<void*>& seen);

bool gate_value(void* value, bool structural, std::unordered_set<void*>& seen)
{
    void* const type = type_of(value);
    if (type == python_objects.function_type) return gate_method(word<MethodDefinition*>(value, function_definition), structural);
    if (flags_of(type) & type_subclass) return gate_type(value, seen);
    std::string_view const name = name_of_type(type);
    auto const is = [&](std::string_view tail) { return name.size() >= tail.size() && name.substr(name.size() - tail.size()) == tail; };
    if (is("method_descriptor")) return gate_method(word<MethodDefinition*>(value, descriptor_definition), structural);
    if (is("getset_descriptor")) {
        auto* const property = word<Property*>(value, descriptor_definition);
        return gate_function(&property->get, about_property(property->name, takes_no_arguments, structural))
            && gate_function(&property->set, about_property(property->name, takes_one, structural));
    }
    if (is("wrapper_descriptor")) {
        void** const place = reinterpret_cast<void**>(static_cast<char*>(value) + wrapper_function * sizeof(void*));
        return gate_function(place, about_slot("a slot of a type", Entering::plainly));
    }
    return true;
}

bool is_structural(void* type)
{
    for (; type; type = word(type, type_base)) {
        char const* const full = name_of_type(type);
        char const* const dot = std::strrchr(full, '.');
        if (listed(methods()["structural-class"], dot ? dot + 1 : full)) return true;
    }
    return false;
}

bool gate_type(void* type, std::unordered_set<void*>& seen)
{
    if (flags_of(type) & heap_type || !seen.insert(type).second) return true;
    auto* const words = static_cast<void**>(type);
    char const* const name = name_of_type(type);
    if (void* const dictionary = word(type, type_dict)) {
        bool const structural = is_structural(type);
        std::intptr_t position = 0;
        void *key, *value;
        while (python_objects.dict_next(dictionary, &position, &key, &value)) {
            if (!gate_value(value, structural, seen)) return false;
        }
    }
    for (std::size_t const slot : slots) {
        if (!gate_function(words + slot, about_slot(name, Entering::plainly, slot == call_slot ? takes_tuple : 0, slot == hash_slot || slot == init_slot ? -1 : 0, slot == call_slot))) return false;
    }
    for (auto const& [suite, count] : suites) {
        void** const functions = static_cast<void**>(words[suite]);
        for (std::size_t i = 0; functions && i < count; ++i) {
            if (!gate_function(functions + i, about_slot(name, Entering::plainly))) return false;
        }
    }
    return gate_function(words + deallocation_slot, about_slot(name, Entering::deallocating))
        && (!words[new_slot] || !is_toolkit_code(words[new_slot]) || gate_shared(words + new_slot, about_slot("__new__", Entering::making)));
}

} // namespace

bool gate_module(void* dictionary)
{
    static auto* const seen = new std::unordered_set<void*>;
    std::intptr_t position = 0;
    void *key, *value;
    while (python_objects.dict_next(dictionary, &position, &key, &value)) {
        if (!gate_value(value, false, *seen)) return false;
    }
    return true;
}

void know_method(char const* what, char const* name)
{
    methods()[what].insert(name);
}

namespace {

void add(void* object, std::vector<void*>& into, bool& anything, int depth)
{
    std::uint64_t const flags = flags_of(type_of(object));
    if (flags & (tuple_subclass | list_subclass)) {
        if (depth > 3) {
            anything = true;
            return;
        }
        auto const size = word<std::intptr_t>(object, tuple_size);
        void** const items = flags & tuple_subclass ? static_cast<void**>(object) + tuple_items : word<void**>(object, list_items);
        for (std::intptr_t i = 0; i < size && i < 4096; ++i) {
            if (items[i]) add(items[i], into, anything, depth + 1);
        }
        return;
    }
    if (void* const found = cpp_object(object, anything)) into.push_back(found);
}

} // namespace

void objects_of(Frame const& call, Objects& found)
{
    found.own.clear();
    found.arguments.clear();
    found.anything = false;
    Gated const& function = gated_of(call.record);
    void* const self = call.arguments[0];
    void* const second = call.arguments[1];
    if (self && !(flags_of(type_of(self)) & type_subclass)) add(self, found.own, found.anything, 0);
    if (!function.flags) { // a slot or a property: of what follows, only what is certain is an object
        if (function.entering != Entering::deallocating && second && (flags_of(type_of(self)) & type_subclass) && (flags_of(type_of(second)) & tuple_subclass)) {
            add(second, found.arguments, found.anything, 0); // tp_new
        }
        return;
    }
    if (function.flags & takes_no_arguments || !second) return;
    if (function.flags & takes_vector) {
        auto const* const vector = static_cast<void* const*>(second);
        auto const count = static_cast<std::intptr_t>(reinterpret_cast<std::uintptr_t>(call.arguments[2]) & ~(std::uintptr_t{1} << 63));
        for (std::intptr_t i = 0; i < count; ++i) add(vector[i], found.arguments, found.anything, 0);
    } else {
        add(second, found.arguments, found.anything, 0);
    }
    // SWIG's functions belong to a module: the first argument is the object.
    if (found.own.empty() && !found.arguments.empty()) {
        found.own.push_back(found.arguments.front());
        found.arguments.erase(found.arguments.begin());
    }
}

} // namespace gilgen
