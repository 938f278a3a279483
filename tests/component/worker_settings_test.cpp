#include "driver/worker_settings.hpp"

#include "driver/check_options.hpp"
#include "support/catch.hpp"

#include <coproc/cpu_count.hpp>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace coproc;
using detail::settings_for;
using detail::variables_for;
using detail::with_slot;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

/// What the constructor of an executor says to these options; empty: nothing.
std::string refusal_of(const std::function<void(executor_options&)>& change) {
    executor_options options{.max_workers = 1, .start = start_method::exec};
    change(options);
    try {
        static_cast<void>(detail::complete(options));
        return {};
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

std::string refusal_of_environment(std::string name, std::string value) {
    return refusal_of([&](executor_options& o) { o.environment = {{name, value}}; });
}

/// The limits that are set, as "name soft hard".
strings limits_of(const resource_limits& limits) {
    strings all;
    for (const auto& each : settings_for({.limits = limits}, 0).limits) {
        all.push_back(std::string(each.name) + " " + std::to_string(each.soft) + " " +
                      std::to_string(each.hard));
    }
    return all;
}

} // namespace

TEST_CASE("the slot's number takes the place of each mark, and of nothing else") {
    CHECK(with_slot("", 3).empty());
    CHECK(with_slot("{slot}", 0) == "0");
    CHECK(with_slot("gpu{slot}:{slot}", 12) == "gpu12:12");
    CHECK(with_slot("{{slot}}", 1) == "{1}");
    CHECK(with_slot("{Slot} {slot {slo", 1) == "{Slot} {slot {slo");
    CHECK(with_slot("slot}", 4294967295) == "slot}");
}

TEST_CASE("an environment is that of a slot") {
    CHECK(variables_for({}, 1).empty());
    CHECK(variables_for({{"CUDA_VISIBLE_DEVICES", "{slot}"}, {"OMP_NUM_THREADS", "1"}, {"X", ""}},
                        2) == strings{"CUDA_VISIBLE_DEVICES=2", "OMP_NUM_THREADS=1", "X="});
}

TEST_CASE("settings are those of a slot") {
    const auto none = settings_for({}, 5);
    CHECK(none.working_directory.empty());
    CHECK(none.nice == 0);
    CHECK(none.affinity.empty());
    CHECK(none.limits.empty());

    const process_options given{
        .working_directory = "/var/tmp/{slot}", .nice = 7, .affinity = {{0, 1}, {2}, {3}}};
    CHECK(settings_for(given, 1).working_directory == "/var/tmp/1");
    CHECK(settings_for(given, 1).nice == 7);
    CHECK(settings_for(given, 0).affinity == std::vector{0U, 1U});
    CHECK(settings_for(given, 2).affinity == std::vector{3U});
    // More slots than entries: they go round.
    CHECK(settings_for(given, 3).affinity == std::vector{0U, 1U});
    CHECK(settings_for(given, 4).affinity == std::vector{2U});
}

TEST_CASE("a limit that is not given is not set, and one that is cannot be raised by a task") {
    CHECK(limits_of({}).empty());
    CHECK(limits_of({.memory_bytes = std::size_t{1} << 30}) ==
          strings{"memory_bytes 1073741824 1073741824"});
    CHECK(limits_of({.open_files = 64}) == strings{"open_files 64 64"});
    CHECK(limits_of({.file_bytes = 0}) == strings{"file_bytes 0 0"});
    CHECK(limits_of({.stack_bytes = 1 << 20}) == strings{"stack_bytes 1048576 1048576"});
    // The signal that says why comes before the one that does not.
    CHECK(limits_of({.cpu_time = 2s}) == strings{"cpu_time 2 3"});
    CHECK(limits_of({.cpu_time = 1ms}) == strings{"cpu_time 1 2"});
}

TEST_CASE("what workers cannot be given is refused with the name of the field") {
    const std::string no_name = "coproc: executor_options::environment must be without a name that "
                                "is empty or has a '=' or a zero byte; it has \"";
    CHECK(refusal_of_environment("", "1") == no_name + "\"");
    CHECK(refusal_of_environment("A=B", "1") == no_name + "A=B\"");
    CHECK(refusal_of_environment(std::string("A\0B", 3), "1").starts_with(no_name + "A"));
    CHECK(refusal_of_environment("A", std::string("1\0002", 3)) ==
          "coproc: executor_options::environment must be without a zero byte in a value; it has "
          "one in that of \"A\"");
    CHECK(refusal_of_environment("COPROC_WORKER", "1") ==
          "coproc: executor_options::environment must be without COPROC_WORKER, by which a worker "
          "knows what it is");
    CHECK(refusal_of_environment("A", "=").empty());

    const auto refusal_of_process = [](process_options given) {
        return refusal_of([&](executor_options& o) { o.process = given; });
    };
    const std::string field = "coproc: executor_options::process.";
    CHECK(refusal_of_process({.working_directory = std::string("/\0", 2)}) ==
          field + "working_directory must be a path, which has no zero byte");
    for (const int nice : {-21, 20}) {
        CHECK(refusal_of_process({.nice = nice}) == field + "nice must be between -20 and 19");
    }
    for (const auto& affinity :
         {std::vector<std::vector<unsigned>>{{}}, std::vector<std::vector<unsigned>>{{0}, {}},
          std::vector<std::vector<unsigned>>{{65536}}}) {
        CHECK(refusal_of_process({.affinity = affinity}) ==
              field + "affinity must be lists of at least one CPU, with numbers below 65536");
    }
    const auto refusal_of_limit = [&](resource_limits given) {
        return refusal_of_process({.limits = given});
    };
    CHECK(refusal_of_limit({.memory_bytes = (64 << 20) - 1}) ==
          field + "limits.memory_bytes must be at least 64 MiB");
    CHECK(refusal_of_limit({.cpu_time = 0s}) == field + "limits.cpu_time must be positive");
    CHECK(refusal_of_limit({.open_files = 15}) == field + "limits.open_files must be at least 16");
    CHECK(refusal_of_limit({.stack_bytes = (256 << 10) - 1}) ==
          field + "limits.stack_bytes must be at least 256 KiB");
    CHECK(refusal_of_process({.working_directory = "/",
                              .nice = -20,
                              .affinity = {{65535}},
                              .limits = {.memory_bytes = 64 << 20,
                                         .cpu_time = 1ns,
                                         .open_files = 16,
                                         .file_bytes = 0,
                                         .stack_bytes = 256 << 10}})
              .empty());
}

TEST_CASE("what only a process has is refused of a thread, with the name of the field") {
    const auto refusal = [](const std::function<void(executor_options&)>& change) {
        return refusal_of([&](executor_options& o) {
            o.start = start_method::in_process;
            change(o);
        });
    };
    CHECK(refusal([](executor_options&) {}).empty());
    CHECK(refusal([](executor_options& o) {
              o.environment = {{"A", "1"}};
          }) ==
          "coproc: executor_options::environment must be empty with start_method::in_process, "
          "whose workers have this process's");
    const std::string why = " must be unset with start_method::in_process, whose workers are "
                            "threads of this process";
    const std::string field = "coproc: executor_options::process.";
    CHECK(refusal([](executor_options& o) { o.process.working_directory = "/"; }) ==
          field + "working_directory" + why);
    CHECK(refusal([](executor_options& o) { o.process.nice = 1; }) == field + "nice" + why);
    CHECK(refusal([](executor_options& o) { o.process.affinity = {{0}}; }) ==
          field + "affinity" + why);
    CHECK(refusal([](executor_options& o) { o.process.limits.open_files = 64; }) ==
          field + "limits" + why);
}

TEST_CASE("an executor that is not told how many workers has one for each CPU") {
    executor_options options{.start = start_method::exec};
    CHECK(detail::complete(options).max_workers == cpu_count());
}
