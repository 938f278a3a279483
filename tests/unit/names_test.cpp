#include "support/catch.hpp"

#include <coproc/error.hpp>
#include <coproc/failure.hpp>
#include <coproc/options.hpp>
#include <coproc/queue_reason.hpp>
#include <coproc/retire_reason.hpp>

#include <set>
#include <string_view>

// Enumerators as text.

namespace {

/// All from `first` to `last` have names of their own, and what lies beside them has none.
template <class Enum>
void check_names(Enum first, Enum last) {
    std::set<std::string_view> names;
    const int begin = static_cast<int>(first);
    const int end = static_cast<int>(last) + 1;
    for (int value = begin; value < end; ++value) {
        INFO(value);
        const std::string_view name = to_string(static_cast<Enum>(value));
        CHECK_FALSE(name.empty());
        CHECK(names.insert(name).second);
    }
    CHECK(to_string(static_cast<Enum>(begin - 1)).empty());
    CHECK(to_string(static_cast<Enum>(end)).empty());
}

} // namespace

TEST_CASE("each enumerator has a name, and no other value has", "[names]") {
    check_names(coproc::errc::no_result, coproc::errc::forked);
    check_names(coproc::certainty::not_started, coproc::certainty::ran);
    check_names(coproc::memory_shortage::no, coproc::memory_shortage::certain);
    check_names(coproc::start_method::exec, coproc::start_method::in_process);
    check_names(coproc::retire_reason::none, coproc::retire_reason::asked);
    check_names(coproc::queue_reason::submitted, coproc::queue_reason::retried);
}

TEST_CASE("the name of an enumerator is that in the source", "[names]") {
    CHECK(to_string(coproc::errc::worker_terminated) == "worker_terminated");
    CHECK(to_string(coproc::certainty::may_have_run) == "may_have_run");
    CHECK(to_string(coproc::memory_shortage::likely) == "likely");
    CHECK(to_string(coproc::start_method::in_process) == "in_process");
    CHECK(to_string(coproc::retire_reason::memory) == "memory");
    CHECK(to_string(coproc::queue_reason::taken_back) == "taken_back");
}
