// Rebinding the relocations of the toolkit's own libraries, and of no other.
//
// A call reaches a C++ method through a vtable slot or through the caller's global offset table. The
// dynamic linker has filled both from relocations that name the method's symbol (System V ABI, chapter
// 5, and its AMD64 and AArch64 supplements), and the relocations are still there to be read.
#include "rebind.hpp"

#include "gilgen.hpp"
#include "guard.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
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
    Method const* method; // null for a walker's
    void** walker;
};

std::vector<Wanted> const& wanted()
{
    static std::vector<Wanted> const list = [] {
        std::vector<Wanted> all;
        for (std::uint32_t i = 0; i < method_count; ++i) {
            all.push_back({methods[i].symbol, gnu_hash_of(methods[i].symbol), &methods[i], nullptr});
        }
        for (int i = 0; walker_symbols[i]; ++i) {
            all.push_back({walker_symbols[i], gnu_hash_of(walker_symbols[i]), nullptr, &walker_functions[i]});
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

// Which symbols of one library are wanted: by symbol index for relocations that name them, by address
// for those that do not.
struct Matches {
    std::unordered_map<std::uint32_t, Method const*> by_symbol;
    std::unordered_map<Address, Method const*> by_address;
};

void note_definition(Image const& image, bool caller, std::uint32_t index, Wanted const& name, Matches& matches)
{
    if (caller) {
        if (name.method) matches.by_symbol.emplace(index, name.method);
        return;
    }
    ElfW(Sym) const& symbol = image.symbols[index];
    if (symbol.st_shndx == SHN_UNDEF) return;
    Address const address = image.base + symbol.st_value;
    if (!in_any(image.code, address)) return;
    if (name.walker) {
        if (!*name.walker) *name.walker = reinterpret_cast<void*>(address);
    } else {
        matches.by_symbol.emplace(index, name.method);
        matches.by_address.emplace(address, name.method);
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
                note_definition(image, caller, index, name, matches);
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
        if (name[0] != '_' || name[1] != 'Z') continue;
        auto const found = by_name.find(name);
        if (found == by_name.end()) continue;
        matches.by_symbol.emplace(index, found->second);
        if (!caller && image.symbols[index].st_shndx != SHN_UNDEF) {
            matches.by_address.emplace(image.base + image.symbols[index].st_value, found->second);
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

// All that was done, so that it can be undone; and the code of the libraries that belong to the toolkit.
// Never destroyed: `unbind` may come when the process is already ending.
struct State {
    std::map<std::pair<dev_t, ino_t>, Known const*> files;
    std::unordered_map<Address, std::string> seen; // every image looked at so far, the toolkit's or not
    std::vector<Slot> slots;
    std::vector<Range> code; // sorted

    bool owns(Address address) const
    {
        auto const after = std::upper_bound(code.begin(), code.end(), address,
                                            [](Address wanted, Range const& range) { return wanted < range.begin; });
        return after != code.begin() && std::prev(after)->holds(address);
    }
};

State& state()
{
    static State* const only = new State;
    return *only;
}

void protect(Range relro, int protection)
{
    if (relro.begin == relro.end) return;
    Address const page = static_cast<Address>(sysconf(_SC_PAGESIZE));
    Address const begin = relro.begin & ~(page - 1);
    Address const end = relro.end & ~(page - 1); // the linker protects whole pages only
    if (begin < end) mprotect(reinterpret_cast<void*>(begin), end - begin, protection);
}

// The shim for one definition of a method: the entry that already leads there, else a free one.
void* shim_for(Method const& method, void* original)
{
    for (std::uint32_t i = method.first; i < method.first + method.copies; ++i) {
        void* const known = entries[i].original.load(std::memory_order_relaxed);
        if (known == original) return shims[i];
        if (!known) {
            entries[i].original.store(original, std::memory_order_release);
            return shims[i];
        }
    }
    return nullptr;
}

class Library {
public:
    Library(Image const& image, bool caller, Bound& bound)
        : image_(image), bound_(bound), caller_(caller), matches_(matches_of(image, caller))
    {
    }

    void bind(bool symbolic)
    {
        protect(image_.relro, PROT_READ | PROT_WRITE);
        if (!matches_.by_symbol.empty()) {
            std::size_t const first = std::min(image_.leading_relative, image_.relocation_count);
            bind_named(image_.relocations + first, image_.relocation_count - first);
            bind_named(image_.plt, image_.plt_count);
        }
        if (symbolic && !matches_.by_address.empty()) bind_relative();
        protect(image_.relro, PROT_READ);
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
            auto const found = matches_.by_symbol.find(index);
            if (found == matches_.by_symbol.end()) continue;
            rebind(*found->second, image_.base + relocation.r_offset, stored ? bound_.vtable : bound_.got,
                   definition(index), type == plt_relocation);
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

    // Where this library itself defines a symbol; 0 where it does not, or where that was not confirmed.
    Address definition(std::uint32_t index) const
    {
        ElfW(Sym) const& symbol = image_.symbols[index];
        return caller_ || symbol.st_shndx == SHN_UNDEF ? 0 : image_.base + symbol.st_value;
    }

    // A slot is rebound only when it lies in data that may be written, and leads to code of the toolkit.
    void rebind(Method const& method, Address where, std::uint32_t& counter, Address definition = 0, bool lazy = false)
    {
        void** const slot = reinterpret_cast<void**>(where);
        if (!in_any(image_.data, where)) {
            ++bound_.skipped;
            return;
        }
        void* const before = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        void* const original = resolved(method, before, definition, lazy);
        void* const shim = original ? shim_for(method, original) : nullptr;
        if (!shim) {
            ++bound_.skipped;
            return;
        }
        state().slots.push_back({slot, before, image_.relro.holds(where) ? image_.relro : Range{0, 0}});
        __atomic_store_n(slot, shim, __ATOMIC_RELEASE);
        ++counter;
    }

    // What a slot leads to; null where that is not code of the toolkit. A lazily bound slot that was never
    // used leads to the library's own stub, which would look the function up at the first call: so do we.
    void* resolved(Method const& method, void* value, Address definition, bool lazy) const
    {
        Address const address = reinterpret_cast<Address>(value);
        if (address == definition) return value; // also where the compiler folded two functions into one
        if (!in_any(image_.code, address)) return state().owns(address) ? value : nullptr;
        auto const own = matches_.by_address.find(address);
        if (own != matches_.by_address.end() && own->second == &method) return value;
        void* const found = lazy && image_.handle ? dlsym(image_.handle, method.symbol) : nullptr;
        return found && state().owns(reinterpret_cast<Address>(found)) ? found : nullptr;
    }

    Image const& image_;
    Bound& bound_;
    bool caller_;
    Matches matches_;
};

struct Round {
    std::vector<std::pair<Image, Known const*>> images;
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
    if (known != state().files.end()) static_cast<Round*>(data)->images.emplace_back(image_of(*info), known->second);
    return 0;
}

} // namespace

std::atomic<bool> bound{false};

void know(Known const* libraries, std::uint32_t count)
{
    for (std::uint32_t i = 0; i < count; ++i) {
        struct stat file;
        if (stat(libraries[i].path, &file) == 0) state().files.emplace(std::make_pair(file.st_dev, file.st_ino), &libraries[i]);
    }
}

Bound bind()
{
    Round round;
    dl_iterate_phdr(collect, &round);

    auto const foreign = [&](std::pair<Image, Known const*> const& loaded) {
        bool const differs = loaded.second->exact && loaded.first.build_id != loaded.second->build_id;
        if (differs) ++round.bound.refused;
        return differs || !loaded.first.symbols || !loaded.first.strings;
    };
    round.images.erase(std::remove_if(round.images.begin(), round.images.end(), foreign), round.images.end());

    // First all code of the toolkit, so that a slot which leads from one new library to another is known.
    std::vector<Range>& code = state().code;
    auto const caller = [](Image const& image, Known const* known) {
        return !known->exact && (image.build_id != known->build_id || image.build_id.empty());
    };
    for (auto const& [image, known] : round.images) {
        if (!caller(image, known)) code.insert(code.end(), image.code.begin(), image.code.end());
    }
    std::sort(code.begin(), code.end(), [](Range a, Range b) { return a.begin < b.begin; });
    for (auto& [image, known] : round.images) {
        // From now on its slots are ours to restore, so it must stay: it is marked never to be unloaded.
        image.handle = dlopen(image.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        bool const calls_only = caller(image, known);
        Library(image, calls_only, round.bound).bind(known->symbolic != 0 && !calls_only);
        ++round.bound.libraries;
    }
    walkers_ready = std::all_of(wanted().begin(), wanted().end(), [](Wanted const& name) { return !name.walker || *name.walker; });
    bound = true;
    return round.bound;
}

void unbind()
{
    bound = false;
    Range open{0, 0};
    for (auto slot = state().slots.rbegin(); slot != state().slots.rend(); ++slot) {
        if (slot->relro.begin != open.begin) {
            protect(open, PROT_READ);
            open = slot->relro;
            protect(open, PROT_READ | PROT_WRITE);
        }
        __atomic_store_n(slot->address, slot->before, __ATOMIC_RELEASE);
    }
    protect(open, PROT_READ);
    state().slots.clear();
    state().seen.clear();
    state().code.clear();
}

} // namespace gilgen
