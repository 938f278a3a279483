#include "driver/program_file.hpp"

#include "installed_places.hpp"
#include "process/modules.hpp"
#include "start/worker_program.hpp"

#include <vector>

#include <unistd.h>

namespace coproc::detail {
namespace {

std::vector<std::string> find_places() {
    const auto* const here = reinterpret_cast<const void*>(&program_file);
    const auto module = process::loaded_module::find_address(here);
    return start::places_of_coproc_worker({
        .library = module ? module->identity().path : process::executable_path(),
        .to_programs = COPROC_LIBRARY_TO_PROGRAMS,
        .programs = COPROC_PROGRAMS,
    });
}

} // namespace

std::string program_file(std::string_view given) {
    // Never destroyed: workers are started also while static objects are destroyed.
    static const auto& places = *new std::vector<std::string>(find_places());
    return start::choose_worker_program(
        given, places, [](const std::string& file) { return ::access(file.c_str(), F_OK) == 0; });
}

} // namespace coproc::detail
