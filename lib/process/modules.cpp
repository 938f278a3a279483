#include "process/modules.hpp"

#include "fork_mutex.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <link.h>
#include <memory>
#include <mutex>
#include <unistd.h>
#include <utility>

namespace coproc::process {
namespace {

std::string canonical(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                               &std::free);
    return resolved ? std::string(resolved.get()) : path;
}

std::string read_executable_path() {
    std::string path(4096, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    // The kernel's remark on a file that was removed or replaced while it runs.
    constexpr std::string_view removed = " (deleted)";
    if (path.ends_with(removed)) {
        path.resize(path.size() - removed.size());
    }
    return path;
}

// Makes a loaded module stay for ever. False: it is not loaded (any more).
bool pin(const std::string& name) {
    return ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
}

} // namespace

const std::string& executable_path() {
    // Never destroyed: a worker that is a thread may read it while the process exits.
    static const std::string& path = *new std::string(read_executable_path());
    return path;
}

// Reads what dl_iterate_phdr shows. The loader's lock is held meanwhile, so nothing here may load a
// module; what needs files or the loader comes later.
struct module_reader {
    struct seen {
        loaded_module module;
        std::string name;
    };

    static seen read(const dl_phdr_info& info) {
        seen result;
        result.name = info.dlpi_name;
        loaded_module& module = result.module;
        module.base_ = info.dlpi_addr;
        for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = info.dlpi_phdr[i];
            if (segment.p_type != PT_LOAD) {
                continue;
            }
            const std::uintptr_t begin = info.dlpi_addr + segment.p_vaddr;
            module.end_ = std::max(module.end_, begin + segment.p_memsz);
            if ((segment.p_flags & PF_X) != 0) {
                module.code_.push_back({begin, begin + segment.p_memsz});
            }
        }
        module.identity_.id = build_id_of(info);
        return result;
    }

    static bool holds(const dl_phdr_info& info, std::uintptr_t address) noexcept {
        return std::any_of(info.dlpi_phdr, info.dlpi_phdr + info.dlpi_phnum,
                           [&](const ElfW(Phdr) & segment) {
                               return segment.p_type == PT_LOAD &&
                                      address - info.dlpi_addr - segment.p_vaddr < segment.p_memsz;
                           });
    }

    // All modules for which `wanted` holds, in the loader's order: the executable comes first.
    template <class Predicate>
    static std::vector<seen> collect(Predicate wanted) {
        struct search {
            Predicate& wanted;
            std::vector<seen> found;
        } search{wanted, {}};
        ::dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* argument) {
                auto& current = *static_cast<struct search*>(argument);
                if (current.wanted(*info)) {
                    current.found.push_back(read(*info));
                }
                return 0;
            },
            &search);
        for (seen& each : search.found) {
            complete(each);
        }
        return std::move(search.found);
    }

    static void complete(seen& each) {
        module_identity& identity = each.module.identity_;
        // The loader knows the executable by the empty name.
        identity.path = each.name.empty() ? executable_path() : canonical(each.name);
        if (identity.id.empty()) {
            identity.id = stamp_of_file(identity.path);
        }
    }
};

loaded_module loaded_module::executable() {
    bool first = true;
    return module_reader::collect([&](const dl_phdr_info&) { return std::exchange(first, false); })
        .front()
        .module;
}

std::optional<loaded_module> loaded_module::find(const module_identity& identity) {
    for (auto& [module, name] : module_reader::collect([](const dl_phdr_info&) { return true; })) {
        if (module.identity_.path == identity.path && module.identity_.id == identity.id &&
            (name.empty() || pin(name))) {
            return std::move(module);
        }
    }
    return std::nullopt;
}

std::optional<loaded_module> loaded_module::find_path(std::string_view path) {
    for (loaded_module& module : loaded_modules()) {
        if (module.identity_.path == path) {
            return std::move(module);
        }
    }
    return std::nullopt;
}

std::optional<loaded_module> loaded_module::find_address(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    auto found = module_reader::collect(
        [&](const dl_phdr_info& info) { return module_reader::holds(info, wanted); });
    if (found.empty()) {
        return std::nullopt;
    }
    return std::move(found.front().module);
}

const void* loaded_module::code_at(std::uint64_t offset) const noexcept {
    const std::uintptr_t address = base_ + offset;
    const bool inside = std::any_of(code_.begin(), code_.end(), [&](const address_range& range) {
        return address >= range.begin && address < range.end;
    });
    return inside ? reinterpret_cast<const void*>(address) : nullptr;
}

std::vector<loaded_module> loaded_modules() {
    std::vector<loaded_module> modules;
    for (auto& each : module_reader::collect([](const dl_phdr_info&) { return true; })) {
        modules.push_back(std::move(each.module));
    }
    return modules;
}

module_search load_module(const module_identity& identity) {
    if (auto loaded = loaded_module::find(identity)) {
        return {std::move(loaded), {}};
    }
    const std::optional<build_id> in_file = build_id_of_file(identity.path);
    if (!in_file) {
        return {std::nullopt, "it cannot read the library " + identity.path};
    }
    if (identity.id != (in_file->empty() ? stamp_of_file(identity.path) : *in_file)) {
        return {std::nullopt, identity.path + " is no longer the build that the caller has loaded"};
    }
    if (::dlopen(identity.path.c_str(), RTLD_LAZY | RTLD_NODELETE) == nullptr) {
        const char* const reason = ::dlerror();
        return {std::nullopt, std::string("it cannot load the library ") +
                                  (reason != nullptr ? reason : identity.path.c_str())};
    }
    if (auto loaded = loaded_module::find(identity)) {
        return {std::move(loaded), {}};
    }
    return {std::nullopt, "the loader has taken another file for " + identity.path};
}

namespace {

constinit std::mutex table_mutex; // there is one table
[[maybe_unused]] const int at_fork = coproc::detail::free_in_forked_children<table_mutex>();

} // namespace

// One executable segment of a module with a number. Never changed and never freed once published.
struct module_table::entry {
    loaded_module::address_range code;
    std::uintptr_t base;
    std::uint32_t number;
    const entry* next;
};

// Never destroyed: static destructors of others may still submit.
struct module_table::state {
    std::atomic<const entry*> newest{nullptr};
    std::vector<std::unique_ptr<const module_identity>> identities;
};

module_table& module_table::instance() {
    static module_table table;
    return table;
}

module_table::module_table() : state_(*new state) { add(loaded_module::executable()); }

const module_table::entry* module_table::search(std::uintptr_t address) const noexcept {
    const entry* each = state_.newest.load(std::memory_order_acquire);
    while (each != nullptr && (address < each->code.begin || address >= each->code.end)) {
        each = each->next;
    }
    return each;
}

void module_table::add(const loaded_module& module) {
    const auto number = static_cast<std::uint32_t>(state_.identities.size());
    state_.identities.push_back(std::make_unique<const module_identity>(module.identity()));
    for (const loaded_module::address_range& range : module.code()) {
        state_.newest.store(
            new entry{range, module.base(), number, state_.newest.load(std::memory_order_relaxed)},
            std::memory_order_release);
    }
}

std::optional<code_location> module_table::locate(const void* function) {
    const auto address = reinterpret_cast<std::uintptr_t>(function);
    const entry* found = search(address);
    if (found == nullptr) {
        std::optional<loaded_module> module = loaded_module::find_address(function);
        if (!module || module->code_at(address - module->base()) == nullptr) {
            return std::nullopt;
        }
        // Outside the lock, because the loader has a lock of its own.
        std::optional<loaded_module> pinned = loaded_module::find(module->identity());
        if (!pinned) {
            return std::nullopt;
        }
        const std::lock_guard lock(table_mutex);
        found = search(address);
        if (found == nullptr) {
            add(*pinned);
            found = search(address);
        }
        if (found == nullptr) {
            return std::nullopt;
        }
    }
    return code_location{found->number, address - found->base};
}

const module_identity& module_table::describe(std::uint32_t number) const {
    const std::lock_guard lock(table_mutex);
    return *state_.identities.at(number);
}

} // namespace coproc::process
