// Rebinding the relocations of the toolkit's own libraries, and of no other.
//
// A call reaches a C++ method through a vtable slot or through the caller's global offset table. The
// dynamic linker has filled both from relocations that name the method's symbol (System V ABI, chapter
// 5, and its AMD64 and AArch64 supplements), and the relocations are still there to be read.
#include "rebind.hpp"

#include "gilgen.hpp"
#include "objects.hpp"
#include "visits.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gilgen {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t address_relocation = R_X86_64_64;
constexpr std::uint32_t got_relocation = R_X86_64_GLOB_DAT;
constexpr std::uint32_t plt_relocation = R_X86_64_JUMP_SLOT;
constexpr std::uint32_t relative_relocation = R_X86_64_RELATIVE;
#else
constexpr std::uint32_t address_relocation = R_AARCH64_ABS64;
constexpr std::uint32_t got_relocation = R_AARCH64_GLOB_DAT;
constexpr std::uint32_t plt_relocation = R_AARCH64_JUMP_SLOT;
constexpr std::uint32_t relative_relocation = R_AARCH64_RELATIVE;
#endif

using Address = ElfW(Addr);

struct Range {
    Address begin;
    Address end;
    bool holds(Address address) const { return begin <= address && address < end; }
};

// A loaded library, as its own program headers and dynamic section describe it.
struct Image {
    Address base = 0;
    char const* name = nullptr;
    void* handle = nullptr; // the dynamic linker's
    Range relro{0, 0};
    std::vector<Range> code;
    std::vector<Range> data; // writable segments; a relocated RELRO part counts as one
    ElfW(Sym) const* symbols = nullptr;
    char const* strings = nullptr;
    ElfW(Rela) const* relocations = nullptr;
    std::size_t relocation_count = 0;
    std::size_t leading_relative = 0; // that many relocations come first and are relative
    ElfW(Rela) const* plt = nullptr;
    std::size_t plt_count = 0;
    std::uint32_t const* gnu_hash = nullptr;
    std::uint32_t const* sysv_hash = nullptr;
    ElfW(Relr) const* relr = nullptr;
    std::size_t relr_count = 0;
    std::string build_id;
};

std::string build_id_of(dl_phdr_info const& info)
{
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        ElfW(Phdr) const& header = info.dlpi_phdr[i];
        if (header.p_type != PT_NOTE) continue;
        char const* note = reinterpret_cast<char const*>(info.dlpi_addr + header.p_vaddr);
        char const* const end = note + header.p_memsz;
        while (note + sizeof(ElfW(Nhdr)) <= end) {
            auto const& head = *reinterpret_cast<ElfW(Nhdr) const*>(note);
            char const* const name = note + sizeof head;
            auto const* const id = reinterpret_cast<unsigned char const*>(name + ((head.n_namesz + 3) & ~3u));
            if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
                std::string text;
                for (std::uint32_t byte = 0; byte < head.n_descsz; ++byte) {
                    text += "0123456789abcdef"[id[byte] >> 4];
                    text += "0123456789abcdef"[id[byte] & 15];
                }
                return text;
            }
            note = reinterpret_cast<char const*>(id) + ((head.n_descsz + 3) & ~3u);
        }
    }
    return {};
}

Image image_of(dl_phdr_info const& info)
{
    Image image;
    image.base = info.dlpi_addr;
    image.name = info.dlpi_name;
    ElfW(Dyn) const* dynamic = nullptr;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        ElfW(Phdr) const& header = info.dlpi_phdr[i];
        Range const range{info.dlpi_addr + header.p_vaddr, info.dlpi_addr + header.p_vaddr + header.p_memsz};
        if (header.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<ElfW(Dyn) const*>(range.begin);
        if (header.p_type == PT_GNU_RELRO) image.relro = range;
        if (header.p_type == PT_LOAD && header.p_flags & PF_X) image.code.push_back(range);
        if (header.p_type == PT_LOAD && header.p_flags & PF_W) image.data.push_back(range);
    }
    // glibc has added the base to the pointers of a loaded library's dynamic section; where a linker
    // left that section read-only it has not.
    auto const address = [&](ElfW(Dyn) const& entry) {
        return entry.d_un.d_ptr < info.dlpi_addr ? info.dlpi_addr + entry.d_un.d_ptr : entry.d_un.d_ptr;
    };
    for (; dynamic && dynamic->d_tag != DT_NULL; ++dynamic) {
        switch (dynamic->d_tag) {
        case DT_SYMTAB: image.symbols = reinterpret_cast<ElfW(Sym) const*>(address(*dynamic)); break;
        case DT_STRTAB: image.strings = reinterpret_cast<char const*>(address(*dynamic)); break;
        case DT_RELA: image.relocations = reinterpret_cast<ElfW(Rela) const*>(address(*dynamic)); break;
        case DT_RELASZ: image.relocation_count = dynamic->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_RELACOUNT: image.leading_relative = dynamic->d_un.d_val; break;
        case DT_JMPREL: image.plt = reinterpret_cast<ElfW(Rela) const*>(address(*dynamic)); break;
        case DT_PLTRELSZ: image.plt_count = dynamic->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_GNU_HASH: image.gnu_hash = reinterpret_cast<std::uint32_t const*>(address(*dynamic)); break;
        case DT_HASH: image.sysv_hash = reinterpret_cast<std::uint32_t const*>(address(*dynamic)); break;
        case DT_RELR: image.relr = reinterpret_cast<ElfW(Relr) const*>(address(*dynamic)); break;
        case DT_RELRSZ: image.relr_count = dynamic->d_un.d_val / sizeof(ElfW(Relr)); break;
        default: break;
        }
    }
    image.build_id = build_id_of(info);
    return image;
}

bool in_any(std::vector<Range> const& ranges, Address address)
{
    return std::any_of(ranges.begin(), ranges.end(), [&](Range const& range) { return range.holds(address); });
}

std::uint32_t gnu_hash_of(char const* name)
{
    std::uint32_t hash = 5381;
    for (; *name; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

// A name that is looked for in every library: a function of the plan, or one that a walker needs.
struct Wanted {
    char const* name;
    std::uint32_t hash;
    Method const* method; // null for what follows
    void** walker;
    int destructor; // an index into `destructors`, or -1
    int interposed; // an index into `interposed`, or -1
    bool optional;
};

std::vector<Wanted> const& wanted()
{
    static std::vector<Wanted> const list = [] {
        std::vector<Wanted> all;
        for (std::uint32_t i = 0; i < method_count; ++i) {
            all.push_back({methods[i].symbol, gnu_hash_of(methods[i].symbol), &methods[i], nullptr, -1, -1, false});
        }
        for (int i = 0; walker_symbols[i]; ++i) {
            bool const optional = *walker_symbols[i] == '?';
            char const* const symbol = walker_symbols[i] + optional;
            all.push_back({symbol, gnu_hash_of(symbol), nullptr, &walker_functions[i], -1, -1, optional});
        }
        for (int i = 0; destructors[i].symbol; ++i) all.push_back({destructors[i].symbol, gnu_hash_of(destructors[i].symbol), nullptr, nullptr, i, -1, true});
        for (std::uint32_t i = 0; i < interposed_count; ++i) {
            all.push_back({interposed[i].symbol, gnu_hash_of(interposed[i].symbol), nullptr, nullptr, -1, static_cast<int>(i), true});
        }
        return all;
    }();
    return list;
}

std::unordered_map<std::string_view, Method const*> const& methods_by_name()
{
    static std::unordered_map<std::string_view, Method const*> const map = [] {
        std::unordered_map<std::string_view, Method const*> all;
        for (std::uint32_t i = 0; i < method_count; ++i) all.emplace(methods[i].symbol, &methods[i]);
        return all;
    }();
    return map;
}

std::unordered_map<std::string_view, Hook const*> const& hooks_by_name()
{
    static std::unordered_map<std::string_view, Hook const*> const map = [] {
        std::unordered_map<std::string_view, Hook const*> all;
        for (std::uint32_t i = 0; i < hook_count; ++i) all.emplace(hooks[i].name, &hooks[i]);
        return all;
    }();
    return map;
}

Definition const* definitions = nullptr; // what each of `entries` must be

// The definitions that the shims were made for, by the library that must hold them: indices into `entries`.
std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> const& definitions_by_library()
{
    static std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> const map = [] {
        std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> all;
        for (std::uint32_t i = 0; i < entry_count; ++i) all[definitions[i].library].push_back(i);
        return all;
    }();
    return map;
}

// Which symbols of one library are wanted: by symbol index for relocations that name them, by address
// for those that do not; and where the library defines a method itself.
struct Matches {
    std::unordered_map<std::uint32_t, Method const*> by_symbol;
    std::unordered_map<std::uint32_t, Hook const*> hooks;
    std::unordered_map<std::uint32_t, int> destructors;
    std::unordered_map<std::uint32_t, Interposed*> interposed;
    std::unordered_map<Address, Method const*> by_address;
    std::unordered_map<Method const*, Address> defined;
};

void note_definition(Matches& matches, Method const* method, Address address)
{
    matches.by_address.emplace(address, method);
    matches.defined.emplace(method, address);
}

void note_found(Image const& image, bool caller, std::uint32_t index, Wanted const& name, Matches& matches)
{
    if (name.destructor >= 0) {
        matches.destructors.emplace(index, name.destructor);
        return;
    }
    if (name.interposed >= 0) {
        matches.interposed.emplace(index, &interposed[name.interposed]);
        return;
    }
    if (caller) {
        if (name.method) matches.by_symbol.emplace(index, name.method);
        return;
    }
    ElfW(Sym) const& symbol = image.symbols[index];
    if (symbol.st_shndx == SHN_UNDEF) return;
    Address const address = image.base + symbol.st_value;
    if (!in_any(image.code, address) && !(name.walker && ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT)) return;
    if (name.walker) {
        if (!*name.walker) *name.walker = reinterpret_cast<void*>(address);
    } else {
        matches.by_symbol.emplace(index, name.method);
        note_definition(matches, name.method, address);
    }
}

// Defined symbols, through the library's own GNU hash table: a Bloom filter turns most away at once.
void match_hashed(Image const& image, bool caller, Matches& matches)
{
    std::uint32_t const bucket_count = image.gnu_hash[0];
    std::uint32_t const first = image.gnu_hash[1];
    std::uint32_t const bloom_size = image.gnu_hash[2];
    std::uint32_t const shift = image.gnu_hash[3];
    auto const* const bloom = reinterpret_cast<std::uint64_t const*>(image.gnu_hash + 4);
    auto const* const buckets = reinterpret_cast<std::uint32_t const*>(bloom + bloom_size);
    std::uint32_t const* const chain = buckets + bucket_count;
    for (Wanted const& name : wanted()) {
        std::uint64_t const word = bloom[(name.hash / 64) % bloom_size];
        if (!(word >> (name.hash % 64) & word >> ((name.hash >> shift) % 64) & 1)) continue;
        std::uint32_t index = buckets[name.hash % bucket_count];
        if (index < first) continue;
        for (;; ++index) {
            std::uint32_t const hash = chain[index - first];
            if ((hash | 1) == (name.hash | 1) &&
                std::strcmp(image.strings + image.symbols[index].st_name, name.name) == 0) {
                note_found(image, caller, index, name, matches);
                break;
            }
            if (hash & 1) break;
        }
    }
}

// Symbols that are in no GNU hash table: those imported from elsewhere, or all where there is none.
void match_listed(Image const& image, bool caller, std::uint32_t end, Matches& matches)
{
    auto const& by_name = methods_by_name();
    for (std::uint32_t index = 1; index < end; ++index) {
        char const* const name = image.strings + image.symbols[index].st_name;
        if (name[0] == 'P' && name[1] == 'y') {
            auto const hook = hooks_by_name().find(name);
            if (hook != hooks_by_name().end()) matches.hooks.emplace(index, hook->second);
            continue;
        }
        if (name[0] != '_' || name[1] != 'Z') continue;
        auto const found = by_name.find(name);
        if (found == by_name.end()) {
            for (std::uint32_t i = 0; i < interposed_count; ++i) {
                if (std::strcmp(interposed[i].symbol, name) == 0) matches.interposed.emplace(index, &interposed[i]);
            }
            continue;
        }
        matches.by_symbol.emplace(index, found->second);
        if (!caller && image.symbols[index].st_shndx != SHN_UNDEF) {
            note_definition(matches, found->second, image.base + image.symbols[index].st_value);
        }
    }
}

// A library that exports nothing has an empty hash table, which does not say how much it imports.
std::uint32_t end_of_imports(Image const& image)
{
    std::uint32_t end = image.gnu_hash[1];
    if (end > 1) return end;
    auto const look = [&](ElfW(Rela) const* relocations, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            end = std::max(end, static_cast<std::uint32_t>(ELF64_R_SYM(relocations[i].r_info)) + 1);
        }
    };
    look(image.relocations, image.relocation_count);
    look(image.plt, image.plt_count);
    return end;
}

// A caller is a library that was not seen when the shims were made: its slots may lead to a shim, but what
// it defines itself has not been confirmed and stays out of it.
Matches matches_of(Image const& image, bool caller)
{
    Matches matches;
    if (image.gnu_hash) {
        match_hashed(image, caller, matches);
        match_listed(image, caller, end_of_imports(image), matches);
    } else if (image.sysv_hash) {
        match_listed(image, caller, image.sysv_hash[1], matches);
    }
    return matches;
}

struct Slot {
    void** address;
    void* before;
    Range relro;
};

// The code of the toolkit's libraries, in order; kept when they are unbound, because what was gated stays.
std::vector<Range>& all_code()
{
    static auto* const all = new std::vector<Range>;
    return *all;
}

// All that was done, so that it can be undone; and the definitions that are what the shims were made for.
// Never destroyed: `unbind` may come when the process is already ending.
struct State {
    std::map<std::pair<dev_t, ino_t>, Known const*> files;
    std::unordered_map<Address, std::string> seen; // every image looked at so far, the toolkit's or not
    std::vector<Slot> slots;
    std::map<std::pair<Address, Method const*>, std::uint32_t> confirmed; // -> index into `entries`
    std::deque<std::string> refusals; // a deque, so that what was handed out stays where it is
};

State& state()
{
    static State* const only = new State;
    return *only;
}

// False where the system refuses.
bool protect(Range relro, int protection)
{
    if (relro.begin == relro.end) return true;
    Address const page = static_cast<Address>(sysconf(_SC_PAGESIZE));
    Address const begin = relro.begin & ~(page - 1);
    Address const end = relro.end & ~(page - 1); // the linker protects whole pages only
    return begin >= end || mprotect(reinterpret_cast<void*>(begin), end - begin, protection) == 0;
}

// The shim for one definition of a method; null where that is not one that was confirmed.
void* shim_for(Method const& method, void* original)
{
    auto const found = state().confirmed.find({reinterpret_cast<Address>(original), &method});
    if (found == state().confirmed.end()) return nullptr;
    entries[found->second].original.store(original, std::memory_order_release);
    return shims[found->second];
}

// CRC-32 as in zlib (ITU-T V.42, 8.1.1.6.2).
std::uint32_t checksum(Address begin, std::uint32_t size)
{
    static std::array<std::uint32_t, 256> const table = [] {
        std::array<std::uint32_t, 256> all{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t value = byte;
            for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
            all[byte] = value;
        }
        return all;
    }();
    std::uint32_t sum = 0xFFFFFFFFu;
    auto const* const code = reinterpret_cast<unsigned char const*>(begin);
    for (std::uint32_t i = 0; i < size; ++i) sum = sum >> 8 ^ table[(sum ^ code[i]) & 255];
    return ~sum;
}

// What is wrong with a definition that the shims were made for; null where nothing is.
char const* fault(Image const& image, Matches const& matches, std::uint32_t entry)
{
    Definition const& expected = definitions[entry];
    auto const found = matches.defined.find(entries[entry].method);
    if (found == matches.defined.end()) return "is not defined there";
    Address const address = image.base + expected.offset;
    if (found->second != address) return "lies elsewhere";
    if (!in_any(image.code, address) || !in_any(image.code, address + expected.size - 1)) return "is not code";
    return checksum(address, expected.size) == expected.code ? nullptr : "has other code";
}

// Confirms every definition of a library, or refuses the whole of it.
bool confirm(Image const& image, Known const& known, Matches const& matches)
{
    auto const expected = definitions_by_library().find(known.index);
    if (expected == definitions_by_library().end()) return true;
    for (std::uint32_t const entry : expected->second) {
        if (char const* const what = fault(image, matches, entry)) {
            state().refusals.push_back(std::string(image.name) + ": " + entries[entry].method->symbol + " " + what);
            return false;
        }
    }
    for (std::uint32_t const entry : expected->second) {
        Method const* const method = entries[entry].method;
        state().confirmed.insert_or_assign({matches.defined.at(method), method}, entry);
    }
    return true;
}

class Library {
public:
    Library(Image const& image, Matches const& matches, Bound& bound) : image_(image), bound_(bound), matches_(matches) {}

    // False where its pages cannot be made writable: then nothing of it is rebound.
    bool bind(bool symbolic)
    {
        if (!protect(image_.relro, PROT_READ | PROT_WRITE)) return false;
        if (!matches_.by_symbol.empty() || !matches_.hooks.empty() || !matches_.destructors.empty() || !matches_.interposed.empty()) {
            std::size_t const first = std::min(image_.leading_relative, image_.relocation_count);
            bind_named(image_.relocations + first, image_.relocation_count - first);
            bind_named(image_.plt, image_.plt_count);
        }
        if (symbolic && !matches_.by_address.empty()) bind_relative();
        protect(image_.relro, PROT_READ); // left writable, it works all the same
        return true;
    }

private:
    void bind_named(ElfW(Rela) const* relocations, std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i) {
            ElfW(Rela) const& relocation = relocations[i];
            std::uint32_t const index = ELF64_R_SYM(relocation.r_info);
            if (index == 0) continue;
            std::uint32_t const type = ELF64_R_TYPE(relocation.r_info);
            bool const stored = type == address_relocation && relocation.r_addend == 0;
            if (!stored && type != got_relocation && type != plt_relocation) continue;
            Address const where = image_.base + relocation.r_offset;
            auto const found = matches_.by_symbol.find(index);
            if (found != matches_.by_symbol.end()) {
                rebind(*found->second, where, stored ? bound_.vtable : bound_.got, type == plt_relocation);
            } else if (auto const other = matches_.interposed.find(index); other != matches_.interposed.end()) {
                rebind_interposed(*other->second, where, type == plt_relocation);
            } else if (stored) {
                auto const destructor = matches_.destructors.find(index);
                if (destructor != matches_.destructors.end()) rebind_destructor(destructor->second, where);
            } else {
                auto const hook = matches_.hooks.find(index);
                if (hook != matches_.hooks.end()) rebind_hook(*hook->second, where, type == plt_relocation);
            }
        }
    }

    void bind_relative()
    {
        for (std::size_t i = 0; i < image_.relocation_count; ++i) {
            ElfW(Rela) const& relocation = image_.relocations[i];
            if (ELF64_R_TYPE(relocation.r_info) != relative_relocation) continue;
            auto const found = matches_.by_address.find(image_.base + static_cast<Address>(relocation.r_addend));
            if (found != matches_.by_address.end()) {
                rebind(*found->second, image_.base + relocation.r_offset, bound_.vtable);
            }
        }
        // The compact form (DT_RELR): an even entry is an address, an odd one a bitmap of the 63 words
        // that follow. The addend stands in the slot itself, which is relocated by now.
        Address next = 0;
        for (std::size_t i = 0; i < image_.relr_count; ++i) {
            ElfW(Relr) entry = image_.relr[i];
            if (!(entry & 1)) {
                relative_slot(image_.base + entry);
                next = image_.base + entry + sizeof(Address);
                continue;
            }
            for (Address slot = next; entry >>= 1; slot += sizeof(Address)) {
                if (entry & 1) relative_slot(slot);
            }
            next += 63 * sizeof(Address);
        }
    }

    void relative_slot(Address slot)
    {
        auto const found = matches_.by_address.find(*reinterpret_cast<Address const*>(slot));
        if (found != matches_.by_address.end()) rebind(*found->second, slot, bound_.vtable);
    }

    // A slot is rebound only when it lies in data that may be written, and leads to a confirmed definition.
    void rebind(Method const& method, Address where, std::uint32_t& counter, bool lazy = false)
    {
        void* const before = value_at(where);
        void* shim = before ? shim_for(method, before) : nullptr;
        // A lazily bound slot that was never used leads to the library's own stub, which would look the function
        // up at the first call: so do we.
        if (before && !shim && lazy && is_own_code(before) && image_.handle) shim = shim_for(method, dlsym(image_.handle, method.symbol));
        shim ? write(where, before, shim, counter) : static_cast<void>(++bound_.skipped);
    }

    void rebind_hook(Hook const& hook, Address where, bool lazy)
    {
        void* const before = value_at(where);
        if (before == hook.original() || (before && lazy && is_own_code(before))) write(where, before, hook.replacement, bound_.hooks);
    }

    void rebind_interposed(Interposed& function, Address where, bool lazy)
    {
        void* before = value_at(where);
        void* const leads_to = before && lazy && is_own_code(before) && image_.handle ? dlsym(image_.handle, function.symbol) : before;
        if (!leads_to || (function.original && function.original != leads_to)) return; // another copy of it: it stays as it is
        function.original = leads_to;
        write(where, before, function.replacement, bound_.hooks);
    }

    void rebind_destructor(int which, Address where)
    {
        void* const before = value_at(where);
        void*& original = destructor_originals[which];
        if (!before || !is_own_code(before) || (original && original != before)) return; // another copy of it: it stays as it is
        original = before;
        write(where, before, reinterpret_cast<void*>(destructor_replacements.of[which]), bound_.hooks);
    }

    bool is_own_code(void* value) const { return in_any(image_.code, reinterpret_cast<Address>(value)); }

    void* value_at(Address where) const
    {
        return in_any(image_.data, where) ? __atomic_load_n(reinterpret_cast<void**>(where), __ATOMIC_ACQUIRE) : nullptr;
    }

    void write(Address where, void* before, void* value, std::uint32_t& counter)
    {
        void** const slot = reinterpret_cast<void**>(where);
        state().slots.push_back({slot, before, image_.relro.holds(where) ? image_.relro : Range{0, 0}});
        __atomic_store_n(slot, value, __ATOMIC_RELEASE);
        ++counter;
    }

    Image const& image_;
    Bound& bound_;
    Matches const& matches_;
};

// A library of the toolkit that has been loaded since the last round.
struct Loaded {
    Image image;
    Known const* known;
    bool caller = false;
    Matches matches{};
};

struct Round {
    std::vector<Loaded> libraries;
    Bound bound{};
};

int collect(dl_phdr_info* info, std::size_t, void* data)
{
    if (!info->dlpi_name || !*info->dlpi_name) return 0;
    std::string& seen = state().seen[info->dlpi_addr];
    if (seen == info->dlpi_name) return 0;
    seen = info->dlpi_name;
    struct stat file;
    if (stat(info->dlpi_name, &file) != 0) return 0;
    auto const known = state().files.find({file.st_dev, file.st_ino});
    if (known != state().files.end()) static_cast<Round*>(data)->libraries.push_back({image_of(*info), known->second});
    return 0;
}

// Whether a loaded library is one that may be rebound. A file may have changed on disk since it was loaded, and
// before: what counts is what is in memory.
bool accepted(Loaded& loaded)
{
    Image const& image = loaded.image;
    Known const& known = *loaded.known;
    bool const same = image.build_id == known.build_id;
    if (known.exact && !same) {
        state().refusals.push_back(std::string(image.name) + ": its build id is " + (image.build_id.empty() ? "none" : image.build_id) +
                                   " instead of " + (*known.build_id ? known.build_id : "none"));
        return false;
    }
    if (!image.symbols || !image.strings) return false;
    loaded.caller = !known.exact && (!same || image.build_id.empty());
    loaded.matches = matches_of(image, loaded.caller);
    return loaded.caller || confirm(image, known, loaded.matches);
}

} // namespace

std::atomic<bool> bound{false};

void know(Known const* libraries, std::uint32_t count, Definition const* of_entries)
{
    definitions = of_entries;
    for (std::uint32_t i = 0; i < count; ++i) {
        struct stat file;
        if (stat(libraries[i].path, &file) == 0) state().files.emplace(std::make_pair(file.st_dev, file.st_ino), &libraries[i]);
    }
}

Bound bind()
{
    Round round;
    dl_iterate_phdr(collect, &round);

    // From now on their slots are ours to restore, so they must stay: they are marked never to be unloaded. One that another
    // thread has unloaded meanwhile is gone.
    for (Loaded& loaded : round.libraries) {
        loaded.image.handle = dlopen(loaded.image.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        if (!loaded.image.handle) loaded.known = nullptr;
    }
    // All of them are confirmed before any is rebound, because slots lead from one library to another.
    for (Loaded& loaded : round.libraries) {
        if (!loaded.known || accepted(loaded)) continue;
        loaded.known = nullptr;
        ++round.bound.refused;
    }
    for (Loaded& loaded : round.libraries) {
        if (!loaded.known) continue;
        if (!Library(loaded.image, loaded.matches, round.bound).bind(loaded.known->symbolic != 0 && !loaded.caller)) {
            state().refusals.push_back(std::string(loaded.image.name) + ": the system does not let its pages be written (mprotect)");
            ++round.bound.refused;
            continue;
        }
        all_code().insert(all_code().end(), loaded.image.code.begin(), loaded.image.code.end());
        ++round.bound.libraries;
    }
    std::sort(all_code().begin(), all_code().end(), [](Range const& a, Range const& b) { return a.begin < b.begin; });
    all_code().erase(std::unique(all_code().begin(), all_code().end(), [](Range const& a, Range const& b) { return a.begin == b.begin; }), all_code().end());
    walkers_ready = std::all_of(wanted().begin(), wanted().end(), [](Wanted const& name) { return !name.walker || name.optional || *name.walker; });
    bound = true;
    return round.bound;
}

void unbind()
{
    bound = false;
    Range open{0, 0};
    bool writable = true;
    for (auto slot = state().slots.rbegin(); slot != state().slots.rend(); ++slot) {
        if (slot->relro.begin != open.begin) {
            protect(open, PROT_READ);
            open = slot->relro;
            writable = protect(open, PROT_READ | PROT_WRITE);
        }
        if (!writable) continue; // it leads to the shim still, which passes through
        __atomic_store_n(slot->address, slot->before, __ATOMIC_RELEASE);
    }
    protect(open, PROT_READ);
    state().slots.clear();
    state().seen.clear();
    state().confirmed.clear();
}

bool is_toolkit_code(void const* address)
{
    auto const at = reinterpret_cast<Address>(address);
    auto const after = std::upper_bound(all_code().begin(), all_code().end(), at, [](Address key, Range const& range) { return key < range.begin; });
    return after != all_code().begin() && (after - 1)->holds(at);
}

char const* refusal(std::uint32_t index)
{
    return index < state().refusals.size() ? state().refusals[index].c_str() : nullptr;
}

} // namespace gilgen
