#include "expected.hpp"

#include "claims.hpp"
#include "closure.hpp"

#include <time.h>

namespace gilgen {
namespace {

// What is known of one function, on objects of one class, with data of one size (to a power of two) and filters with the same
// parameters.
struct Seen {
    std::atomic<std::uint32_t> tag; // of the three; 0: nothing
    std::atomic<std::uint32_t> times;
    std::atomic<std::uint64_t> nanoseconds; // what it is expected to take: rises at once, and falls slowly
};
constexpr std::uint32_t places = 4096;
Seen seen[places];

constexpr std::uint32_t enough = 3;                   // calls, before their durations count
constexpr std::uint64_t first_ns_per_byte = 100;      // of a call that was never seen: slower than nearly all are
constexpr std::uint64_t cheap_turn_ns = 200000;       // a release that costs no more is always made
constexpr std::uint64_t turn_known_for_ns = 200000000; // then one release finds out anew what it costs

std::atomic<std::uint64_t> turn_ns{0};
std::atomic<std::uint64_t> turn_at{0};

// A call that takes so long is released although the release costs that much.
std::uint64_t worth_it(std::uint64_t cost)
{
    return cost - cost / 4;
}

std::uint32_t log2_of(std::uint64_t value)
{
    return value ? 63u - static_cast<std::uint32_t>(__builtin_clzll(value)) : 0;
}

} // namespace

std::uint64_t clock_ns()
{
    timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return static_cast<std::uint64_t>(at.tv_sec) * 1000000000u + static_cast<std::uint64_t>(at.tv_nsec);
}

bool expected_short(Entry const& entry, void* self, Frame const& call, std::uint32_t& key)
{
    auto const& claim = *static_cast<Claim const*>(call.claim);
    if (!self || !entry.method->object || claim.unpredictable) return false;
    if (!entry.method->sized && !claim.bytes && !claim.filters) return false;
    auto const type = reinterpret_cast<std::uintptr_t>(class_of(self).type);
    auto const what = (reinterpret_cast<std::uintptr_t>(entry.method) * 31 + type) ^ claim.filters;
    auto const tag = static_cast<std::uint32_t>((what * 0x9E3779B97F4A7C15u) >> 32) * 64 + log2_of(claim.bytes);
    key = tag ? tag : 1;
    Seen const& known = seen[key % places];
    // Of a filter that was never seen with these parameters, nothing is expected.
    std::uint64_t expected = claim.filters ? ~std::uint64_t{0} : claim.bytes * first_ns_per_byte;
    if (known.tag.load(std::memory_order_relaxed) == key && known.times.load(std::memory_order_relaxed) >= enough) {
        expected = known.nanoseconds.load(std::memory_order_relaxed);
    }
    std::uint64_t const cost = turn_ns.load(std::memory_order_relaxed);
    if (cost < cheap_turn_ns || clock_ns() - turn_at.load(std::memory_order_relaxed) > turn_known_for_ns) return false;
    return expected < worth_it(cost);
}

bool proved_long(std::uint64_t began)
{
    return clock_ns() - began > worth_it(turn_ns.load(std::memory_order_relaxed));
}

void note_duration(std::uint32_t key, std::uint64_t nanoseconds)
{
    Seen& known = seen[key % places];
    if (known.tag.load(std::memory_order_relaxed) != key) { // the table is lossy: the later one counts
        known.tag.store(key, std::memory_order_relaxed);
        known.times.store(0, std::memory_order_relaxed);
        known.nanoseconds.store(0, std::memory_order_relaxed);
    }
    std::uint64_t const before = known.nanoseconds.load(std::memory_order_relaxed);
    known.nanoseconds.store(nanoseconds > before ? nanoseconds : before - (before - nanoseconds) / 8, std::memory_order_relaxed);
    known.times.store(known.times.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void note_turn(std::uint64_t nanoseconds)
{
    std::uint64_t const before = turn_ns.load(std::memory_order_relaxed);
    turn_ns.store(nanoseconds > before ? (before + nanoseconds) / 2 : before - (before - nanoseconds) / 4, std::memory_order_relaxed);
    turn_at.store(clock_ns(), std::memory_order_relaxed);
}

} // namespace gilgen
