#include "process/executable.hpp"

#include "process/modules.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/auxv.h>
#include <sys/prctl.h>

namespace coproc::process {
namespace {

constexpr const char* own_link = "/proc/self/exe";

// Valgrind loads its own modules into every program it runs.
bool runs_under_valgrind(const std::vector<loaded_module>& modules) {
    return std::any_of(modules.begin(), modules.end(), [](const loaded_module& module) {
        return module.identity().path.find("/vgpreload_") != std::string::npos;
    });
}

// The link names something else when the program was started through the dynamic loader or an
// emulator. A program that may be executed but not read is believed: the handshake compares
// build-ids anyway.
bool link_is_this_program(const loaded_module& executable) {
    const std::optional<build_id> linked = build_id_of_file(own_link);
    if (!linked) {
        return errno == EACCES;
    }
    return linked->empty() ? stamp_of_file(own_link) == executable.identity().id
                           : *linked == executable.identity().id;
}

std::string choose_own_executable() {
    const std::vector<loaded_module> modules = loaded_modules();
    if (runs_under_valgrind(modules)) {
        return executable_path();
    }
    if (link_is_this_program(modules.front())) {
        return own_link;
    }
    const auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    return name != nullptr ? name : executable_path();
}

} // namespace

const std::string& own_executable() {
    // Never destroyed: workers are started also while static objects are destroyed.
    static const std::string& own = *new std::string(choose_own_executable());
    return own;
}

std::string worker_executable(std::string_view explicit_path) {
    if (!explicit_path.empty()) {
        return std::string(explicit_path);
    }
    static const std::string& chosen = *new std::string([] {
        const char* const value = std::getenv("COPROC_EXECUTABLE");
        return value == nullptr ? "" : value;
    }());
    return chosen.empty() ? own_executable() : chosen;
}

void set_process_name(std::string_view argv0) noexcept {
    argv0.remove_prefix(argv0.rfind('/') + 1);
    // The kernel keeps 15 characters.
    char name[16] = {};
    std::memcpy(name, argv0.data(), std::min(argv0.size(), sizeof name - 1));
    ::prctl(PR_SET_NAME, name);
}

} // namespace coproc::process
