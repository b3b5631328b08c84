#include "gate.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <unordered_map>
#include <vector>

// ------------------------------------------------------------------------------------------ machine code
//
// A block of stubs is followed by a block of records. Each stub finds its own record at the distance of one block, and jumps
// to where the record says. So all stubs are the same bytes, and a block of them is a copy of one template.
//
// The entrances: `gilgen_through` goes straight on. `gilgen_enter` notes the call, and where `gilgen_busy` is not 0, or this
// is the thread's first call, asks `gilgen_before`. `gilgen_enter_fully` asks always, before and after. All functions that
// stand behind take at most five arguments in general registers, and return at most one. Where `gilgen_before` refuses a call,
// the place of the fifth argument holds what it returns.

#if defined(__x86_64__)
#define GILGEN_STUB_PAGE 65536
asm(R"(
    .text
    .p2align 16
    .globl gilgen_stub_template
    .hidden gilgen_stub_template
gilgen_stub_template:
    .rept 4096
    leaq 65529(%rip), %r11
    jmpq *8(%r11)
    .p2align 4
    .endr

    .p2align 4
    .globl gilgen_through
    .hidden gilgen_through
gilgen_through:
    jmpq *(%r11)

    .macro GILGEN_PUSH
    subq $72, %rsp
    .cfi_adjust_cfa_offset 72
    movq gilgen_frame@GOTTPOFF(%rip), %rax
    movq %fs:(%rax), %r10
    movq %r10, (%rsp)
    movq %r11, 8(%rsp)
    movq %rdi, 16(%rsp)
    movq %rsi, 24(%rsp)
    movq %rdx, 32(%rsp)
    movq %rcx, 40(%rsp)
    movq $0, 56(%rsp)
    movq $0, 64(%rsp)
    movq %rsp, %fs:(%rax)
    .endm

    .macro GILGEN_ASK_BEFORE
    movq %r8, 48(%rsp)
    movq %rsp, %rdi
    call gilgen_before
    movq 8(%rsp), %r11
    movq 16(%rsp), %rdi
    movq 24(%rsp), %rsi
    movq 32(%rsp), %rdx
    movq 40(%rsp), %rcx
    movq 48(%rsp), %r8
    .endm

    .macro GILGEN_POP
    movq gilgen_frame@GOTTPOFF(%rip), %rdx
    movq (%rsp), %rcx
    movq %rcx, %fs:(%rdx)
    addq $72, %rsp
    .cfi_adjust_cfa_offset -72
    .endm

    .p2align 4
    .globl gilgen_enter
    .hidden gilgen_enter
gilgen_enter:
    .cfi_startproc
    GILGEN_PUSH
    testq %r10, %r10
    je 1f
    cmpl $0, gilgen_busy(%rip)
    jne 1f
2:  call *(%r11)
    GILGEN_POP
    ret
    .cfi_adjust_cfa_offset 72
1:  GILGEN_ASK_BEFORE
    testl %eax, %eax
    je 2b
    movq 48(%rsp), %rax
    GILGEN_POP
    ret
    .cfi_endproc

    .p2align 4
    .globl gilgen_enter_fully
    .hidden gilgen_enter_fully
gilgen_enter_fully:
    .cfi_startproc
    GILGEN_PUSH
    GILGEN_ASK_BEFORE
    testl %eax, %eax
    jne 3f
    call *(%r11)
    movq %rax, 48(%rsp)
    movq %rsp, %rdi
    movq %rax, %rsi
    call gilgen_after
3:  movq 48(%rsp), %rax
    GILGEN_POP
    ret
    .cfi_endproc
)");
#elif defined(__aarch64__)
#define GILGEN_STUB_PAGE 65536
asm(R"(
    .text
    .p2align 16
    .globl gilgen_stub_template
    .hidden gilgen_stub_template
gilgen_stub_template:
    .rept 4096
    adr x16, . + 65536
    ldr x17, [x16, #8]
    br x17
    nop
    .endr

    .p2align 4
    .globl gilgen_through
    .hidden gilgen_through
gilgen_through:
    ldr x17, [x16]
    br x17

    .macro GILGEN_PUSH
    stp x29, x30, [sp, #-96]!
    .cfi_def_cfa_offset 96
    .cfi_offset 29, -96
    .cfi_offset 30, -88
    mov x29, sp
    adrp x9, :gottprel:gilgen_frame
    ldr x9, [x9, #:gottprel_lo12:gilgen_frame]
    mrs x10, tpidr_el0
    ldr x11, [x10, x9]
    stp x11, x16, [sp, #16]
    stp x0, x1, [sp, #32]
    stp x2, x3, [sp, #48]
    stp x4, xzr, [sp, #64]
    str xzr, [sp, #80]
    add x12, sp, #16
    str x12, [x10, x9]
    .endm

    .macro GILGEN_ASK_BEFORE
    add x0, sp, #16
    bl gilgen_before
    mov w8, w0
    ldr x16, [sp, #24]
    ldp x0, x1, [sp, #32]
    ldp x2, x3, [sp, #48]
    ldr x4, [sp, #64]
    .endm

    .macro GILGEN_POP
    adrp x9, :gottprel:gilgen_frame
    ldr x9, [x9, #:gottprel_lo12:gilgen_frame]
    mrs x10, tpidr_el0
    ldr x11, [sp, #16]
    str x11, [x10, x9]
    ldp x29, x30, [sp], #96
    .cfi_def_cfa_offset 0
    .cfi_restore 29
    .cfi_restore 30
    .endm

    .p2align 4
    .globl gilgen_enter
    .hidden gilgen_enter
gilgen_enter:
    .cfi_startproc
    GILGEN_PUSH
    cbz x11, 1f
    adrp x13, gilgen_busy
    ldr w13, [x13, #:lo12:gilgen_busy]
    cbnz w13, 1f
2:  ldr x17, [x16]
    blr x17
    GILGEN_POP
    ret
    .cfi_def_cfa_offset 96
    .cfi_offset 29, -96
    .cfi_offset 30, -88
1:  GILGEN_ASK_BEFORE
    cbz w8, 2b
    ldr x0, [sp, #64]
    GILGEN_POP
    ret
    .cfi_endproc

    .p2align 4
    .globl gilgen_enter_fully
    .hidden gilgen_enter_fully
gilgen_enter_fully:
    .cfi_startproc
    GILGEN_PUSH
    GILGEN_ASK_BEFORE
    cbnz w8, 3f
    ldr x17, [x16]
    blr x17
    str x0, [sp, #64]
    mov x1, x0
    add x0, sp, #16
    bl gilgen_after
3:  ldr x0, [sp, #64]
    GILGEN_POP
    ret
    .cfi_endproc
)");
#endif

extern "C" {
extern char gilgen_stub_template[] __attribute__((visibility("hidden")));
extern char gilgen_through[] __attribute__((visibility("hidden")));
extern char gilgen_enter[] __attribute__((visibility("hidden")));
extern char gilgen_enter_fully[] __attribute__((visibility("hidden")));
}

namespace gilgen {

__thread Frame* frame = nullptr;
__thread Frame root_frame;

namespace {

constexpr std::size_t block_size = GILGEN_STUB_PAGE;
constexpr std::size_t per_block = block_size / sizeof(Record);

// A block of stubs, the block of their records, and what else is known of them. The first record is not a stub's: it
// leads from the others to this.
struct Block {
    char* code;
    Record* records;
    std::size_t used = 1;
    std::vector<Gated> functions{per_block};

    void* stub(std::size_t index) const { return code + index * sizeof(Record); }
};

// Never destroyed, and never shrinking: a type made in Python may have copied a stub's address.
std::vector<Block*>& blocks()
{
    static auto* const all = new std::vector<Block*>;
    return *all;
}

std::uintptr_t aligned(std::uintptr_t address)
{
    return address & ~(block_size - 1);
}

Block* new_block()
{
    char* const area = static_cast<char*>(mmap(nullptr, 3 * block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (area == MAP_FAILED) return nullptr;
    char* const code = reinterpret_cast<char*>(aligned(reinterpret_cast<std::uintptr_t>(area) + block_size - 1));
    char* const end = code + 2 * block_size;
    if (code > area) munmap(area, static_cast<std::size_t>(code - area));
    if (end < area + 3 * block_size) munmap(end, static_cast<std::size_t>(area + 3 * block_size - end));
    std::memcpy(code, gilgen_stub_template, block_size);
    if (mprotect(code, block_size, PROT_READ | PROT_EXEC) != 0) {
        munmap(code, 2 * block_size);
        return nullptr;
    }
    __builtin___clear_cache(code, code + block_size);
    auto* const made = new Block;
    made->code = code;
    made->records = reinterpret_cast<Record*>(code + block_size);
    made->records[0].original = made;
    blocks().push_back(made);
    return made;
}

bool is_stub(void const* address)
{
    auto const* const base = reinterpret_cast<char const*>(aligned(reinterpret_cast<std::uintptr_t>(address)));
    for (Block const* one : blocks()) {
        if (one->code == base) return true;
    }
    return false;
}

void* entrance_of(Gated const& function)
{
    if (function.passes) return gilgen_through;
    bool const ends_plainly = function.entering == Entering::plainly || (function.entering == Entering::making && !new_objects_matter);
    return ends_plainly && !function.prepares ? gilgen_enter : gilgen_enter_fully;
}

} // namespace

bool new_objects_matter = false;

void prepare_from_now_on(Record* record)
{
    Gated& function = gated_of(record);
    if (function.passes || function.prepares) return;
    function.prepares = true;
    __atomic_store_n(&record->entrance, entrance_of(function), __ATOMIC_RELEASE);
}

Gated& gated_of(Record const* record)
{
    auto const* const first = reinterpret_cast<Record const*>(aligned(reinterpret_cast<std::uintptr_t>(record)));
    return static_cast<Block*>(first->original)->functions[static_cast<std::size_t>(record - first)];
}

bool gate(void** place, Gated const& function)
{
    void* const original = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!original || is_stub(original)) return true;
    Block* into = blocks().empty() ? nullptr : blocks().back();
    if (!into || into->used == per_block) into = new_block();
    if (!into) return false;
    std::size_t const index = into->used++;
    into->functions[index] = function;
    into->functions[index].place = place;
    into->records[index] = {original, entrance_of(function)};
    __atomic_store_n(place, into->stub(index), __ATOMIC_RELEASE);
    return true;
}

bool gate_shared(void** place, Gated const& function)
{
    static auto* const known = new std::unordered_map<void*, std::pair<Block*, std::size_t>>; // by the function
    void* const original = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!original || is_stub(original)) return true;
    if (auto const found = known->find(original); found != known->end()) {
        auto const& [block, index] = found->second;
        block->functions[index].also.push_back(place);
        __atomic_store_n(place, block->stub(index), __ATOMIC_RELEASE);
        return true;
    }
    if (!gate(place, function)) return false;
    known->emplace(original, std::pair{blocks().back(), blocks().back()->used - 1});
    return true;
}

namespace {

// Every place of a stub: where it stands, or the function that it stands for.
void exchange(Block* block, std::size_t index, bool stub)
{
    void* const original = block->records[index].original;
    void* const before = stub ? original : block->stub(index);
    void* const after = stub ? block->stub(index) : original;
    auto const at = [&](void** place) {
        if (__atomic_load_n(place, __ATOMIC_ACQUIRE) == before) __atomic_store_n(place, after, __ATOMIC_RELEASE);
    };
    at(block->functions[index].place);
    for (void** const place : block->functions[index].also) at(place);
}

} // namespace

void gate_again()
{
    for (Block* const one : blocks()) {
        for (std::size_t i = 1; i < one->used; ++i) {
            __atomic_store_n(&one->records[i].entrance, entrance_of(one->functions[i]), __ATOMIC_RELEASE);
            exchange(one, i, true);
        }
    }
}

void ungate()
{
    for (Block* const one : blocks()) {
        for (std::size_t i = 1; i < one->used; ++i) {
            __atomic_store_n(&one->records[i].entrance, static_cast<void*>(gilgen_through), __ATOMIC_RELEASE);
            exchange(one, i, false);
        }
    }
}

std::uint32_t gated_count()
{
    std::size_t all = 0;
    for (Block const* one : blocks()) all += one->used - 1;
    return static_cast<std::uint32_t>(all);
}

} // namespace gilgen
