#include "closure.hpp"

#include <atomic>
#include <cstring>
#include <malloc.h>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace gilgen {
namespace {

template <class Value>
Value read(void const* base, std::ptrdiff_t offset)
{
    Value value;
    std::memcpy(&value, static_cast<char const*>(base) + offset, sizeof value);
    return value;
}

// ---------------------------------------------------------------------------------- run-time types
//
// Before a class's virtual functions stand the offset to the whole object and its type_info. That holds its mangled name and,
// for a class with bases, theirs: the ABI's own classes tell which layout a type_info has.

char const* type_name(void const* type)
{
    char const* const name = read<char const*>(type, sizeof(void*));
    return *name == '*' ? name + 1 : name;
}

struct Knowledge {
    std::string name; // mangled; of a class template up to its arguments
    std::string what;
    std::uint32_t number;
};

std::vector<Knowledge>& knowledge()
{
    static auto* const all = new std::vector<Knowledge>;
    return *all;
}

std::unordered_map<void const*, Class>& classes()
{
    static auto* const all = new std::unordered_map<void const*, Class>;
    return *all;
}

bool names(std::string const& known, std::string_view mangled)
{
    if (known == mangled) return true;
    // itk::MedianImageFilter<...> is N3itk17MedianImageFilterI...EE.
    return known.back() == 'I' && mangled.substr(0, known.size()) == known;
}

void learn(void const* type, Class& into)
{
    char const* const mangled = type_name(type);
    into.kinds |= kinds_of(mangled);
    for (Knowledge const& one : knowledge()) {
        if (!names(one.name, mangled)) continue;
        if (one.what == "member") into.members.push_back(one.number);
        if (one.what == "reads") into.reads = true;
        if (one.what == "reads-images") into.reads_images = true;
        if (one.what == "fills") into.fills_first |= static_cast<std::uint8_t>(one.number);
        if (one.what == "needs-nothing") into.needs_nothing = true;
        if (one.what == "changes-inputs") into.changes_inputs = true;
        if (one.what == "leads-back") into.leads_back = true;
        if (one.what == "complete") into.complete = true;
        if (one.what == "whole") into.whole = true;
        if (one.what == "unpredictable") into.unpredictable = true;
    }
    char const* const layout = type_name(read<void const*>(read<void const*>(type, 0), -static_cast<std::ptrdiff_t>(sizeof(void*))));
    if (std::strcmp(layout, "N10__cxxabiv120__si_class_type_infoE") == 0) {
        learn(read<void const*>(type, 16), into);
    } else if (std::strcmp(layout, "N10__cxxabiv121__vmi_class_type_infoE") == 0) {
        auto const count = read<std::uint32_t>(type, 20);
        for (std::uint32_t i = 0; i < count; ++i) {
            auto const members = into.members.size();
            learn(read<void const*>(type, 24 + 16 * static_cast<std::ptrdiff_t>(i)), into);
            auto const offset = read<std::int64_t>(type, 32 + 16 * static_cast<std::ptrdiff_t>(i)) >> 8;
            for (auto m = members; m < into.members.size(); ++m) into.members[m] += static_cast<std::uint32_t>(offset);
        }
    }
}

} // namespace

void know_class(char const* mangled, char const* what, std::uint32_t number)
{
    for (Knowledge const& one : knowledge()) {
        if (one.name == mangled && one.what == what && one.number == number) return;
    }
    knowledge().push_back({mangled, what, number});
    classes().clear();
}

void* whole_object(void* part)
{
    return static_cast<char*>(part) + read<std::ptrdiff_t>(read<void const*>(part, 0), -2 * static_cast<std::ptrdiff_t>(sizeof(void*)));
}

Class const& class_of(void* object)
{
    void const* const type = read<void const*>(read<void const*>(object, 0), -static_cast<std::ptrdiff_t>(sizeof(void*)));
    auto& found = classes()[type];
    if (!found.type) {
        found.type = type;
        found.name = type_name(type);
        learn(type, found);
        for (Knowledge const& one : knowledge()) {
            if (one.what == "unpredictable-name" && std::strstr(found.name, one.name.c_str())) found.unpredictable = true;
        }
    }
    return found;
}

std::uint64_t fingerprint(void const* object, Class const& of, bool whole_only)
{
    constexpr std::size_t most_words = 128;
    constexpr std::uint64_t lately = 1 << 20; // changes of all objects
    static std::uint64_t const since = tick();
    std::uint64_t const now = tick();
    std::size_t const count = std::min(malloc_usable_size(const_cast<void*>(object)) / sizeof(std::uint64_t), most_words);
    auto const* const words = static_cast<std::uint64_t const*>(object);
    std::uint64_t sum = reinterpret_cast<std::uintptr_t>(of.type);
    for (std::size_t i = 3; i < count; ++i) { // behind the table, the count of references and the time of the object itself
        std::uint64_t const word = words[i];
        bool const address = word >> 40 && (whole_only || !(word >> 47));
        bool const time = word > since && word <= now && word + lately > now;
        if (!address && !time) sum = (sum ^ word) * 0x9E3779B97F4A7C15u + i;
    }
    return sum;
}

// ------------------------------------------------------------------------------------ the closure

void Closure::clear()
{
    items_.clear();
    flags_.clear();
    fills.clear();
    table_.assign(table_.empty() ? 128 : table_.size(), 0);
    next_ = 0;
    whole = unpredictable = fills_more = false;
    filters = 0;
    bytes = 0;
}

std::size_t* Closure::slot(std::uintptr_t object)
{
    std::size_t const mask = table_.size() - 1;
    for (std::size_t at = (object * 0x9E3779B97F4A7C15u) >> 40;; ++at) {
        std::size_t& place = table_[at & mask];
        if (!place || items_[place - 1].object == object) return &place;
    }
}

void Closure::grow()
{
    table_.assign(table_.size() * 2, 0);
    for (std::size_t i = 0; i < items_.size(); ++i) *slot(items_[i].object) = i + 1;
}

void Closure::put(std::uintptr_t object, Mode mode, std::uint8_t flags)
{
    if (items_.size() * 2 >= table_.size()) grow();
    std::size_t* const place = slot(object);
    if (!*place) {
        items_.push_back({object, mode});
        flags_.push_back(flags);
        *place = items_.size();
        return;
    }
    std::size_t const at = *place - 1;
    bool const pieces_change = mode == Mode::changes && flags_[at] & ~flags & output;
    if (mode <= items_[at].mode && !pieces_change) return;
    // What it leads to takes the stronger mode, too.
    items_[at].mode = mode;
    flags_[at] &= alone;
    next_ = std::min(next_, at);
}

void Closure::add(void* object, Mode mode)
{
    put(reinterpret_cast<std::uintptr_t>(object), mode, 0);
}

void Closure::add_output(void* object)
{
    put(reinterpret_cast<std::uintptr_t>(object), Mode::changes, output);
}

void Closure::add_alone(std::uintptr_t object, Mode mode)
{
    put(object, mode, alone);
}

namespace {
void bury();
std::vector<void*> const* links_of(void* object);
bool known_from_birth(void* object);
bool is_entangled(void* object);
}

__thread bool looking = false;

void Closure::add_read(void* object, Class const& reader)
{
    if (!at_rest(object) || !(class_of(object).kinds & kind_data)) return add(object, Mode::changes);
    if (reader.needs_nothing || filled(object, reader.type)) return add(object, Mode::reads);
    fills.push_back({object, reader.type, reader.fills_first, class_of(object).kinds, modified(object)});
    add(object, Mode::fills);
}

bool Closure::follow(Gatekeeper* keeper)
{
    struct Looking {
        bool before = std::exchange(looking, true);
        ~Looking() { looking = before; }
    } const now;
    bury();
    keeper_ = keeper;
    while (next_ < items_.size()) {
        std::size_t const at = next_++;
        if (flags_[at] & done) continue;
        flags_[at] |= done;
        if (keeper && !keeper->lets_pass(items_[at], *this)) return false;
        if (flags_[at] & alone) continue;
        Item const item = items_[at];
        bool const lets_go = flags_[at] & output;
        Mode const mode_of_pieces = lets_go ? Mode::reads : item.mode;
        auto* const object = reinterpret_cast<void*>(item.object);
        Class const& of = class_of(object);
        if ((of.whole || is_entangled(object)) && !nothing_whole) whole = unpredictable = true;
        unpredictable = unpredictable || of.unpredictable;
        walk(object, of, mode_of_pieces, *this);
        if (pipeline) continue;
        for (std::uint32_t const offset : of.members) {
            void* const member = read<void*>(object, offset);
            if (!member) continue;
            if (lets_go && class_of(member).kinds & kind_own) add_output(member);
            else add(member, mode_of_pieces);
        }
        if (of.complete) continue;
        if (auto const* const links = links_of(object)) {
            for (void* const to : *links) {
                if (of.reads) add_read(to, of);
                else add(to, Mode::changes);
            }
        }
        if (activated_late && !nothing_whole && !known_from_birth(object)) whole = true;
    }
    return true;
}

void Closure::sort()
{
    std::sort(items_.begin(), items_.end(), [](Item const& a, Item const& b) { return a.object < b.object; });
}

// ------------------------------------------------------------------------- what Python has connected

bool activated_late = false;

namespace {

std::unordered_map<void*, std::vector<void*>>& links()
{
    static auto* const all = new std::unordered_map<void*, std::vector<void*>>;
    return *all;
}

std::unordered_set<void*>& born()
{
    static auto* const all = new std::unordered_set<void*>;
    return *all;
}

// Objects that have links, or are linked to, so that their destruction matters: a filter that never misses one. Destructors
// run on any thread, with or without the GIL; what they say is taken in when links are looked at next.
std::atomic<std::uint8_t> watched[1 << 16];
std::atomic<bool> any_dead{false};

std::atomic<std::uint8_t>& watched_slot(void* object)
{
    return watched[(reinterpret_cast<std::uintptr_t>(object) * 0x9E3779B97F4A7C15u) >> 48];
}

struct Dead {
    std::mutex mutex;
    std::vector<void*> objects;
};

Dead& dead()
{
    static auto* const all = new Dead;
    return *all;
}

void bury()
{
    if (!any_dead.load(std::memory_order_acquire)) return;
    std::vector<void*> objects;
    {
        std::lock_guard<std::mutex> lock(dead().mutex);
        objects.swap(dead().objects);
        any_dead.store(false, std::memory_order_release);
    }
    std::unordered_set<void*> const gone(objects.begin(), objects.end());
    for (void* const object : gone) {
        links().erase(object);
        born().erase(object);
    }
    for (auto& [from, targets] : links()) {
        targets.erase(std::remove_if(targets.begin(), targets.end(), [&](void* to) { return gone.count(to) != 0; }), targets.end());
    }
}

// What has links, where they are not followed.
std::unordered_set<void*>& entangled()
{
    static auto* const all = new std::unordered_set<void*>;
    return *all;
}

bool is_entangled(void* object)
{
    return !links_are_followed && entangled().count(object) != 0;
}

std::vector<void*> const* links_of(void* object)
{
    if (links().empty()) return nullptr;
    auto const found = links().find(object);
    return found == links().end() ? nullptr : &found->second;
}

bool known_from_birth(void* object)
{
    return born().count(object) != 0;
}

struct Filled {
    void* data;
    void const* reader;
    std::uint64_t when;
};
Filled filled_lately[256];

Filled& filled_slot(void* data, void const* reader)
{
    auto const key = (reinterpret_cast<std::uintptr_t>(data) >> 4) * 31 + (reinterpret_cast<std::uintptr_t>(reader) >> 4);
    return filled_lately[(key * 0x9E3779B97F4A7C15u) >> 56];
}

} // namespace

void link(void* from, void* to)
{
    if (from == to) return;
    if (!links_are_followed) {
        entangled().insert(from);
        return;
    }
    bury();
    watched_slot(from).store(1, std::memory_order_relaxed);
    watched_slot(to).store(1, std::memory_order_relaxed);
    auto& targets = links()[from];
    if (std::find(targets.begin(), targets.end(), to) == targets.end()) targets.push_back(to);
    if (activated_late) born().insert(to);
}

void forget(void* object)
{
    if (!watched_slot(object).load(std::memory_order_relaxed)) return;
    std::lock_guard<std::mutex> lock(dead().mutex);
    dead().objects.push_back(object);
    any_dead.store(true, std::memory_order_release);
}

void links_after_fork()
{
    new (&dead().mutex) std::mutex;
}

void forget_links()
{
    bury();
    links().clear();
    born().clear();
    entangled().clear();
}

void note_born(void* object)
{
    if (!links_are_followed) entangled().erase(object); // another object was at this address
    if (!activated_late) return;
    watched_slot(object).store(1, std::memory_order_relaxed);
    born().insert(object);
}

bool filled(void* data, void const* reader)
{
    Filled const& one = filled_slot(data, reader);
    return one.data == data && one.reader == reader && one.when && one.when == modified(data);
}

void note_filled(void* data, void const* reader, std::uint64_t when)
{
    filled_slot(data, reader) = {data, reader, when};
}

} // namespace gilgen
