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

// What a call claims while it runs: nothing, its object, the filters upstream as well, or all that its objects lead to.
enum class Guard : std::uint8_t { none, object, pipeline, closure };

// One C++ function of the plan.
struct Method {
    const char* symbol;   // its mangled name
    bool object;          // `this` is an object that can be followed
    bool sized;           // how long it takes depends on how much data there is, and on little else
    std::uint32_t first;  // the first of its entries
    std::uint32_t copies; // how many: one for each library that defines the symbol
    std::atomic<Guard> guard; // what its calls claim; set at activation
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
    std::atomic<std::uint64_t> guarded;  // calls whose wrapper had released it already
    std::atomic<std::uint64_t> kept;     // calls that kept the GIL: those in their way were inside callbacks of Python's
    std::atomic<std::uint64_t> shortly;  // calls that kept it because they were expected to be short
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

struct Claim;
struct Record;

// What this thread is inside of. Plain data with a constant initialiser: reading it costs one load.
struct Thread {
    Claim* claim;          // of the innermost call that this thread made without the GIL, if any
    void* state;           // its Python thread state while it has one
    std::uint32_t library; // how often it is inside the library that is not thread-safe
    std::uint32_t foreign; // so many calls more it is taken for a thread that Python does not know
};
extern __thread Thread thread __attribute__((tls_model("initial-exec")));

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

// What a call does about the GIL: it passes through; it may release it; or its wrapper has, and only the claim is missing.
enum class Way : std::uint8_t { through, release, claim };

// Asked first by every shim, so that a call which passes through needs no frame: it ends in a jump.
// `state` is set to this thread's Python thread state when the way is to release.
inline Way way_of(Entry& entry, void*& state)
{
    state = nullptr;
    if (!known_foreign()) {
        bool const nested = thread.claim != nullptr;
        void* const current = python.current();
        bool const holds = nested ? current == thread.state // a callback of Python's has taken it back
                                  : current && (python.current_is_own || (!foreign() && current == python.own()));
        if (holds) {
            state = current;
            return Way::release;
        }
        if (!nested && entry.method->guard.load(std::memory_order_relaxed) != Guard::none && !foreign()) return Way::claim;
    }
#ifdef GILGEN_COUNT
    entry.passed.fetch_add(1, std::memory_order_relaxed);
#endif
    return Way::through;
}

// Brackets one call: claims what it works on, releases the GIL if this thread holds it, and undoes both.
//
// Claims belong to the wrapped call that Python made (gate.hpp): where the gate has seen none, the GIL is kept. A call nested in
// a released one finds the GIL gone and passes straight through; one made by a Python callback holds the GIL again, and claims
// in its turn. The claim ends only when this thread has the GIL again, so that nobody meets the call between the two.
class Released {
public:
    // `state`: this thread's, when it holds the GIL.
    Released(Entry& entry, void* self, void* state) { begin(entry, self, state); }

    // CPython up to 3.13 ends a daemon thread that wants the GIL during shutdown by unwinding it, so
    // this destructor must let an unwinding through.
    ~Released() noexcept(false) { end(); }

    Released(Released const&) = delete;
    Released& operator=(Released const&) = delete;

private:
    void begin(Entry& entry, void* self, void* state);
    void end();

    // All set by `begin`.
    Entry* entry_;
    void* state_;  // what PyEval_SaveThread gave, to be restored
    Claim* claim_;
    Record* learning_; // the wrapped function that came here unasked
    std::uint64_t began_;
    std::uint32_t key_;
    int gil_;      // what PyGILState_Ensure gave, where the wrapper had released the GIL and it is kept; else -1
    bool shortly_; // it keeps the GIL because it is expected to be short
    bool alone_;   // the claim is not the wrapped call's
    bool counted_; // it is one of `running`
};

// Asked first by the shims of code that is not thread-safe: whether Python knows this thread. A thread that C++ made
// passes through: who waits for it is inside a call that has claimed the library. `state` is set to this thread's state where it
// holds the GIL.
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

// While it lives, no other thread is inside the toolkit's libraries that are not thread-safe. It stands inside a `Released`.
class LibraryClaim {
public:
    LibraryClaim();
    ~LibraryClaim() noexcept(false);

    LibraryClaim(LibraryClaim const&) = delete;
    LibraryClaim& operator=(LibraryClaim const&) = delete;

private:
    Claim* claim_;
    int gil_; // what PyGILState_Ensure gave, where the GIL was taken; else -1
};

} // namespace gilgen
