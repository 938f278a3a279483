#include "start/worker_program.hpp"

#include <algorithm>

namespace coproc::start {
namespace {

constexpr const char* name = "/coproc-worker";

std::string folder_of(const std::string& file) {
    const std::size_t end = file.rfind('/');
    return end == std::string::npos ? "." : file.substr(0, end);
}

} // namespace

std::vector<std::string> places_of_coproc_worker(const installation& here) {
    const std::string folder = folder_of(here.library);
    std::vector<std::string> places{folder + name};
    if (!here.to_programs.empty()) {
        places.push_back(folder + '/' + here.to_programs + name);
    }
    places.push_back(here.programs + name);
    return places;
}

std::string choose_worker_program(std::string_view given, const std::vector<std::string>& places,
                                  const std::function<bool(const std::string&)>& is_there) {
    if (!given.empty()) {
        return std::string(given);
    }
    const auto found = std::find_if(places.begin(), places.end(), is_there);
    return found == places.end() ? places.back() : *found;
}

} // namespace coproc::start
