#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Which file the workers of start_method::program execute. Pure.
namespace coproc::start {

/// Where the library is and where its programs were to be installed.
struct installation {
    std::string library;     ///< the file that holds this code: the library, or who linked it
    std::string to_programs; ///< from the library's installed folder to that of programs, relative;
                             ///< empty: there is no such way
    std::string programs;    ///< the folder that programs are installed in, absolute
};

/// Where coproc-worker may be, the likeliest first: beside the library, as it is built; where it
/// lies from an installed library, wherever the tree was moved; where it was to be installed.
[[nodiscard]] std::vector<std::string> places_of_coproc_worker(const installation& here);

/// `given`, if it is not empty (executor_options::program); else the first place with a file; else
/// the last one, so that the failure to execute it names it.
[[nodiscard]] std::string
choose_worker_program(std::string_view given, const std::vector<std::string>& places,
                      const std::function<bool(const std::string&)>& is_there);

} // namespace coproc::start
