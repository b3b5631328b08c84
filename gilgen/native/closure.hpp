// What a wrapped call may touch: its objects, and all that they lead to.
//
// All of this runs with the GIL held. What another call has claimed is never looked into, because that call may be changing
// it; what nobody has claimed cannot change while the GIL is held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gilgen {

// What a call does with an object. Readers go together; one that may fill an object's caches goes together with readers
// that find them filled, and with no other; one that changes it goes with none.
enum class Mode : std::uint8_t { reads, fills, changes };

inline bool exclude(Mode one, Mode other)
{
    return one == Mode::changes || other == Mode::changes || (one == Mode::fills && other == Mode::fills);
}

struct Item {
    std::uintptr_t object;
    Mode mode;
};

class Closure;

// What is known of one C++ class, found by its run-time type (Itanium C++ ABI, 2.9.5).
struct Class {
    void const* type = nullptr;
    char const* name = "";        // mangled
    std::uint32_t kinds = 0;      // of it and all its bases
    bool reads = false;           // what it leads to is read, once its caches are filled
    bool reads_images = false;    // the same of images only
    bool changes_inputs = false;  // it may change the data that it is given
    std::uint8_t fills_first = 0; // caches that can be filled beforehand; bits of the toolkit's own
    bool needs_nothing = false;   // there are no caches to be filled
    bool leads_back = false;      // what it is got from belongs to it
    bool whole = false;           // may lead anywhere
    bool unpredictable = false;   // it waits for a file, another process or Python
    bool complete = false;        // all that it leads to is followed without links
    std::vector<std::uint32_t> members; // where pointers to what it leads to lie
};

Class const& class_of(void* object);

// Where an object begins whose part `part` is; objects of several bases have several such parts.
void* whole_object(void* part);

// Asked before an object is looked into: whether that may be done.
class Gatekeeper {
public:
    virtual bool lets_pass(Item item, Closure& closure) = 0;
    // Whether no running call may change an object now, so that it may be looked at before it is added.
    virtual bool at_rest(void* object) const = 0;
protected:
    ~Gatekeeper() = default;
};

// Whether this thread looks through objects: the toolkit's functions that it calls for that may reach shims, which pass straight on.
extern __thread bool looking;

class Closure {
public:
    Closure() { clear(); }
    Closure(Closure const&) = delete;
    Closure& operator=(Closure const&) = delete;

    void clear();

    // Adds an object; one that is there already takes the stronger mode.
    void add(void* object, Mode mode);

    // Adds what a call puts out anew: the object changes, its pieces are let go as they are, whoever else has them.
    void add_output(void* object);

    // Adds what `reader` only reads once its caches are filled; what is not data, as changed.
    void add_read(void* object, Class const& reader);

    // Adds one that must not be looked into.
    void add_alone(std::uintptr_t object, Mode mode);

    // Adds all that the objects lead to. False where `keeper` stopped it.
    bool follow(Gatekeeper* keeper);

    void sort();

    // Whether an object that is not yet followed may be looked at. Where it may not, `follow` stops at it.
    bool at_rest(void* object) const { return !keeper_ || keeper_->at_rest(object); }

    // For those who add: what the call that asks is made for, and what it may claim as it is.
    bool whole = false;     // some object may lead anywhere: the whole toolkit
    bool pipeline = false;  // only filters are followed
    bool nothing_whole = false; // what is not known counts as nothing: the plain wheel releases this call, too
    // What tells how long a call will take: how much data there is, which filters with which parameters, and whether anything is
    // among them that waits for a file, another process or Python.
    std::uint64_t bytes = 0;
    std::uint64_t filters = 0;
    bool unpredictable = false;
    bool fills_more = false; // a reader may fill caches that are not in `fills`

    Item const* begin() const { return items_.data(); }
    Item const* end() const { return items_.data() + items_.size(); }
    std::size_t size() const { return items_.size(); }

    // Data that a reader would read, if only its caches were filled.
    struct Fill {
        void* data;
        void const* reader; // its run-time type
        std::uint8_t first;
        std::uint32_t kinds; // of the data: its class is looked up with the GIL only
        std::uint64_t when;  // it was modified last, when the call was prepared
    };
    std::vector<Fill> fills;

private:
    enum Flag : std::uint8_t { done = 1, alone = 2, output = 4 };

    std::size_t* slot(std::uintptr_t object);
    void grow();
    void put(std::uintptr_t object, Mode mode, std::uint8_t flags);

    std::vector<Item> items_;
    std::vector<std::uint8_t> flags_; // parallel: done, must not be looked into, its pieces are let go
    std::vector<std::size_t> table_;  // open addressing: places in `items_`, plus one
    std::size_t next_ = 0;
    Gatekeeper const* keeper_ = nullptr; // while objects are followed
};

// ---------------------------------------------------------------------------- the toolkit's own part

// Adds what an object leads to by itself.
void walk(void* object, Class const& of, Mode mode, Closure& closure);

// The bits of `Class::kinds` that the mangled name of a class stands for.
std::uint32_t kinds_of(char const* mangled);
extern std::uint32_t const kind_data;      // data, and pieces of data: what it leads to is all in `walk`
extern std::uint32_t const kind_own;       // a piece that belongs to one data object only

// When an object was last modified, by the toolkit's own clock, which no two changes share. 0: not to be had.
std::uint64_t modified(void* object);

// What the toolkit's clock of modifications shows now; it goes on with every look. 0: not to be had.
std::uint64_t tick();

// An object's class and the numbers that it holds, its parameters among them: not its addresses, and not its times of modification, which are
// others each time. What is taken for a parameter and is none makes a call unknown, and unknown calls release.
// `whole_only`: no floating-point numbers either.
std::uint64_t fingerprint(void const* object, Class const& of, bool whole_only = false);

// Fills caches of a data object, without the GIL.
void fill(void* data, std::uint32_t kinds, std::uint8_t first);

void retain(void* object);
void give_back(void* object);
bool last_reference(void* object); // whether nobody else holds it

// ---------------------------------------------------------------------------- what Python has connected

// `from` may lead to `to` from now on.
void link(void* from, void* to);
extern bool const links_are_followed; // false: nobody says when an object is destroyed, so what has a link may lead anywhere
void forget(void* object);   // it was destroyed; also called without the GIL
void note_born(void* object);
void forget_links();         // nobody sees any more what is connected, and what is destroyed
extern bool activated_late;  // objects may have been connected before the gate could see it

void links_after_fork(); // whoever held their lock is not in the child

// Whether a data object's caches, as this reader needs them, were filled when it was as it is now.
bool filled(void* data, void const* reader);
void note_filled(void* data, void const* reader, std::uint64_t when);

// One fact about classes, as the configuration gives it.
void know_class(char const* mangled, char const* what, std::uint32_t number);

} // namespace gilgen
