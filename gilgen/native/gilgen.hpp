// What a generated shim needs: the types that carry a call through, and the object that brackets it.
#pragma once

#include <atomic>
#include <cstdint>

namespace gilgen {

// The result of a function that returns void, a bool, an integer, an enum, a pointer or a reference.
// On x86-64 it takes both result registers, rax and xmm0, so that a floating result passes intact as
// well. On aarch64 a struct cannot span x0 and d0; there `Real` is a type of its own.
#if defined(__x86_64__)
struct Scalar {
    std::uint64_t integer;
    double real;
};
using Real = Scalar;
#elif defined(__aarch64__)
struct Scalar {
    std::uint64_t first;
    std::uint64_t second;
};
using Real = double;
#else
#error "gilgen knows the calling conventions of x86-64 and aarch64 Linux only"
#endif

// A class with a non-trivial copy constructor or destructor: caller and callee pass its address
// (Itanium C++ ABI, 3.1.2.3 and 3.1.3.1). As an argument that is a plain pointer; as a result the
// compiler must know that it is one of these, so that the address travels in the right register.
using HiddenArgument = void*;
struct HiddenResult {
    HiddenResult(const HiddenResult&) = delete;
    ~HiddenResult() {}
};

// What a call takes hold of while it runs, so that calls on shared objects still queue.
enum class Guard : std::uint8_t { none, object, pipeline, data };

// One C++ function of the plan.
struct Method {
    const char* symbol;   // its mangled name
    std::uint8_t walker;  // how to find the filters upstream of `this`: an index into `walkers`
    bool releases;        // false: its calls only queue with those that do, and keep the GIL or take it back
    std::uint32_t first;  // the first of its entries
    std::uint32_t copies; // how many: one for each library that defines the symbol
    std::atomic<Guard> guard; // what its calls take hold of; set at activation
};

// One definition of such a function, in one library: what it must be for its shim to stand before it.
struct Definition {
    std::uint64_t offset;  // of the symbol, from where the library is loaded
    std::uint32_t size;    // of its code, in bytes
    std::uint32_t code;    // the code's checksum (CRC-32, as in zlib)
    std::uint32_t library; // an index into the manifest's libraries
};

// Where a definition's shim goes on to, and how often it was called. `original` is null until it is bound.
struct Entry {
    std::atomic<void*> original;
    std::atomic<std::uint64_t> released; // calls from Python during which the GIL was released
    std::atomic<std::uint64_t> guarded;  // calls that took the guard and left the GIL as it was
    std::atomic<std::uint64_t> waited;   // calls that had to wait for another on the same objects
    std::atomic<std::uint64_t> waited_ns; // how long they waited, all together
    std::atomic<std::uint64_t> longest_ns; // and the one that waited longest
    std::atomic<std::uint64_t> kept;     // calls that kept the GIL, because those in their way were inside callbacks of
                                         // Python's; or took it back, because what they enter counts on it
    std::atomic<std::uint64_t> passed;   // calls from C++; counted only when built with GILGEN_COUNT
    Method const* method;

    template <class Function>
    Function* function() const
    {
        return reinterpret_cast<Function*>(original.load(std::memory_order_acquire));
    }
};

// The generated table.
extern Method methods[];
extern std::uint32_t const method_count;
extern Entry entries[];
extern std::uint32_t const entry_count;
extern void* const shims[]; // parallel to `entries`

// Python's functions, as addresses: `activate` fills them in, so no Python header is needed and one
// library serves every CPython.
struct Python {
    void* (*save)();         // PyEval_SaveThread
    void (*restore)(void*);  // PyEval_RestoreThread
    void* (*current)();      // the attached thread state: this thread's from 3.12 on, the process's before
    void* (*own)();          // PyGILState_GetThisThreadState
    int (*finalizing)();     // Py_IsFinalizing
    int (*ensure)();         // PyGILState_Ensure
    void (*release)(int);    // PyGILState_Release
    int current_is_own;      // 1 from CPython 3.12 on
};
extern Python python;

class Released;

// What this thread is inside of. Plain data with a constant initialiser: reading it costs one load.
struct Thread {
    Released* outermost; // the shim that this thread entered first, if any
    void* state;         // its Python thread state while it is inside
    std::uint32_t foreign; // so many calls more it is taken for a thread that Python does not know
};
extern __thread Thread thread;

// Whether this is a thread that C++ made and Python does not know. Asking costs more than all else on
// the way through, so the answer holds for a while. A thread that comes to Python in that time keeps the
// GIL for a few calls, as the plain wheel does; it never loses it wrongly.
inline bool foreign()
{
    if (python.own()) return false;
    thread.foreign = 64;
    return true;
}

inline bool known_foreign()
{
    if (!thread.foreign) return false;
    --thread.foreign;
    return true;
}

// How many threads run a call without the GIL, or a callback of such a call: those that came with it, and those whose
// wrapper had released it. The GIL protects the first count, because it changes before the GIL is released and after
// it is back.
struct Running {
    std::atomic<std::uint32_t> held_the_gil;
    std::atomic<std::uint32_t> came_without;
};
extern Running running;

// Set while the shims are about to be taken out: calls that begin then still queue with those that run, and keep
// the GIL. Without it a call that holds the GIL, as the wheel's own do, would meet one that was released.
extern std::atomic<bool> draining;

// What a call does about the GIL: it passes through, releases it, or only takes the guard.
enum class Way : std::uint8_t { through, release, guard };

// Asked first by every shim, so that a call which passes through needs no frame: it ends in a jump.
// `state` is set to this thread's Python thread state when the way is to release.
inline Way way_of(Entry& entry, void*& state)
{
    state = nullptr;
    if (!known_foreign()) {
        bool const nested = thread.outermost != nullptr;
        void* const current = python.current();
        bool const holds = nested ? current == thread.state // a callback of Python's has taken it back
                                  : current && (python.current_is_own || (!foreign() && current == python.own()));
        if (holds) {
            state = current;
            return Way::release;
        }
        if (!nested && entry.method->guard.load(std::memory_order_relaxed) != Guard::none && !foreign()) return Way::guard;
    }
#ifdef GILGEN_COUNT
    entry.passed.fetch_add(1, std::memory_order_relaxed);
#endif
    return Way::through;
}

// Brackets one call: takes the guard, releases the GIL if this thread holds it, and undoes both.
//
// Only a Python thread's outermost call takes the guard, whether or not a wrapper has released the GIL
// already; C++ worker threads never do. A call nested in a released one finds the GIL gone and passes
// straight through; one made by a Python callback holds the GIL again, so it releases, but never waits.
//
// While a thread is inside, it is away in C++, or visits Python: a callback, or what a callback calls. A
// visitor does nothing to its objects, and comes away again only with the GIL. So another thread's call on
// them need not wait for it: it goes on and keeps the GIL, which is what every call of the plain wheel does.
// A callback may therefore wait for another thread, whatever that one calls.
class Released {
public:
    // `state`: this thread's, when it holds the GIL.
    Released(Entry& entry, void* self, void* state) { begin(entry, self, state); }

    // Told by the functions of visits.cpp, always with the GIL.
    void visits_python();
    void leaves_python() { away_.store(true, std::memory_order_relaxed); }

    // CPython up to 3.13 ends a daemon thread that wants the GIL during shutdown by unwinding it, so
    // this destructor must let an unwinding through.
    ~Released() noexcept(false) { end(); }

    Released(Released const&) = delete;
    Released& operator=(Released const&) = delete;

    // Whether it is one of `running`, and of which count.
    bool counted() const { return counted_; }
    bool holds() const { return holds_; }

private:
    friend class Claims;

    void begin(Entry& entry, void* self, void* state);
    void end();
    bool claim(Entry& entry, void* self, bool holds);
    void find(void** objects, int count);
    void let_go();

    static constexpr int inline_capacity = 12;

    // All set by `begin`.
    void* state_;       // what PyEval_SaveThread gave, to be restored
    void** objects_;    // what this call has taken hold of, or wants to; null when nothing
    int object_count_;
    bool holds_;        // this thread holds the GIL all the while
    bool claimed_;      // it has taken hold
    bool counted_;      // it is one of `running`
    std::atomic<bool> away_; // this thread is in C++ without the GIL
    unsigned long ident_;    // whose call it is, as Python's threading.get_ident has it
    Released* next_;    // in the list of claims
    Released* previous_;
    void* inline_objects_[inline_capacity];
};

// Asked first by the shims of code that counts on the GIL: whether Python knows this thread. A thread that C++ made
// passes through; who waits for it may hold the GIL. `state` is set to this thread's state where it holds the GIL.
inline bool pythons(Entry& entry, void*& state)
{
    void* const own = python.own();
    void* const current = python.current();
    state = current && (python.current_is_own || current == own) ? current : nullptr;
    if (own || state) return true;
#ifdef GILGEN_COUNT
    entry.passed.fetch_add(1, std::memory_order_relaxed);
#else
    static_cast<void>(entry);
#endif
    return false;
}

// While it lives, this thread holds the GIL, whoever released it, and the shims that it meets pass through: just
// as in the plain wheel. It stands inside a `Released`, which takes the guard first where the call is the outermost.
//
// A thread that has taken the GIL back visits Python, for the guard. It works on its objects all the same, but
// nobody else who may go on meanwhile can run without the GIL.
class Held {
public:
    // `state`: this thread's, when it holds the GIL.
    Held(Entry& entry, void* state);
    ~Held() noexcept(false);

    Held(Held const&) = delete;
    Held& operator=(Held const&) = delete;

private:
    bool const taken_; // it was taken back here
    int found_ = 0;    // what PyGILState_Ensure gave
    void* before_;     // what `thread.state` was
};

} // namespace gilgen
