#include "coproc/memory_report.hpp"

#include "megabytes.hpp"
#include "symbols/symbols.hpp"

#include <algorithm>

namespace coproc {
namespace {

std::string describe(const memory_growth& growth) {
    const std::string name = growth.name();
    return (name.empty() ? "other functions" : name) + " (" + megabytes(growth.bytes) + " in " +
           std::to_string(growth.tasks) + (growth.tasks == 1 ? " task)" : " tasks)");
}

} // namespace

std::string memory_growth::name() const {
    return function_name.empty() && function != nullptr ? symbols::function_name(function)
                                                        : function_name;
}

std::string to_string(const memory_report& report) {
    constexpr std::size_t told = 3;
    std::string text = "worker " + std::to_string(report.pid) + " has grown from " +
                       megabytes(report.reference) + " to " + megabytes(report.measured) +
                       ", and has " + megabytes(report.after_clean_up) +
                       " after cleaning up, with " + megabytes(report.limit) + " allowed";
    for (std::size_t i = 0; i < std::min(told, report.functions.size()); ++i) {
        text += (i == 0 ? "; it grew most with " : ", ") + describe(report.functions[i]);
    }
    return text;
}

} // namespace coproc
