#include "symbols/symbol_file.hpp"

#include "fork_mutex.hpp"
#include "process/modules.hpp"

#include <algorithm>
#include <backtrace.h>
#include <map>
#include <mutex>
#include <vector>

namespace coproc::symbols {
namespace {

using process::loaded_module;

// A file without symbols or debug information is no error: the answer stays empty.
void ignore_error(void*, const char*, int) {}

int take_line(void* argument, std::uintptr_t, const char* file, int line, const char* function) {
    auto& found = *static_cast<symbol_file::answer*>(argument);
    if (file != nullptr) {
        found.file = file;
        found.line = line;
    }
    if (function != nullptr) {
        found.line_function = function;
    }
    return 1; // The first is the innermost of inlined functions; no more.
}

void take_symbol(void* argument, std::uintptr_t, const char* symbol, std::uintptr_t,
                 std::uintptr_t) {
    if (symbol != nullptr) {
        *static_cast<std::string*>(argument) = symbol;
    }
}

// The modules that were loaded when the first question was asked: libbacktrace reads them together,
// and no others later.
struct first_modules {
    std::vector<loaded_module> modules = process::loaded_modules();
    backtrace_state* state = ::backtrace_create_state(nullptr, 1, ignore_error, nullptr);

    [[nodiscard]] bool contain(const loaded_module& wanted) const {
        return std::any_of(modules.begin(), modules.end(), [&](const loaded_module& module) {
            return module.base() == wanted.base() &&
                   module.identity().path == wanted.identity().path;
        });
    }
};

constinit std::mutex states_mutex;
[[maybe_unused]] const int at_fork = detail::free_in_forked_children<states_mutex>();

/// Of a file, not of what is loaded.
backtrace_state* state_of(const std::string& path) {
    static std::map<std::string, backtrace_state*>& states =
        *new std::map<std::string, backtrace_state*>();
    const std::lock_guard lock(states_mutex);
    const auto [place, inserted] = states.try_emplace(path, nullptr);
    if (inserted) {
        place->second = ::backtrace_create_state(place->first.c_str(), 1, ignore_error, nullptr);
    }
    return place->second;
}

// Read once: the loader has a lock, too, which a fork can leave locked in the child.
std::uintptr_t executable_base() {
    static const std::uintptr_t base = loaded_module::executable().base();
    return base;
}

bool file_is_that_build(const loaded_module& module) {
    if (module.base() == executable_base()) {
        return true; // Read through /proc/self/exe, which is the file that runs.
    }
    const auto in_file = process::build_id_of_file(module.identity().path);
    return in_file && (in_file->empty() || *in_file == module.identity().id);
}

} // namespace

symbol_file symbol_file::of(const loaded_module& module) {
    if (!file_is_that_build(module)) {
        return {};
    }
    static const first_modules first;
    if (!first.contain(module)) {
        return of(module.identity().path);
    }
    symbol_file file;
    file.state_ = first.state;
    file.base_ = module.base();
    return file;
}

symbol_file symbol_file::of(const std::string& path) {
    // libbacktrace would read our own program in place of a file that it cannot open.
    if (!process::build_id_of_file(path)) {
        return {};
    }
    symbol_file file;
    file.state_ = state_of(path);
    // libbacktrace takes the file for the executable, and so believes it to be loaded where that
    // is.
    file.base_ = executable_base();
    return file;
}

symbol_file::answer symbol_file::look_up(std::uint64_t offset) const {
    answer found;
    if (state_ != nullptr) {
        ::backtrace_pcinfo(state_, base_ + offset, take_line, ignore_error, &found);
        found.symbol = symbol_at(offset);
    }
    return found;
}

std::string symbol_file::symbol_at(std::uint64_t offset) const {
    std::string symbol;
    if (state_ != nullptr) {
        ::backtrace_syminfo(state_, base_ + offset, take_symbol, ignore_error, &symbol);
    }
    return symbol;
}

} // namespace coproc::symbols
