#include "support/catch.hpp"

#include "start/worker_program.hpp"

#include <string>
#include <vector>

// Which file the workers of start_method::program execute.

namespace {

using coproc::start::choose_worker_program;
using coproc::start::places_of_coproc_worker;
using texts = std::vector<std::string>;

const texts three{"/one", "/two", "/three"};

} // namespace

TEST_CASE("coproc-worker is beside the library, or where it was installed", "[start]") {
    CHECK(places_of_coproc_worker({"/opt/lib/x86/libcoproc.so.0", "../../bin", "/usr/bin"}) ==
          texts{"/opt/lib/x86/coproc-worker", "/opt/lib/x86/../../bin/coproc-worker",
                "/usr/bin/coproc-worker"});
}

TEST_CASE("without a way from library to programs they are where they were installed", "[start]") {
    CHECK(places_of_coproc_worker({"/opt/lib/libcoproc.so", "", "/usr/bin"}) ==
          texts{"/opt/lib/coproc-worker", "/usr/bin/coproc-worker"});
    CHECK(places_of_coproc_worker({"/program", "", "/usr/bin"}) ==
          texts{"/coproc-worker", "/usr/bin/coproc-worker"});
    CHECK(places_of_coproc_worker({"program", "", "/usr/bin"}) ==
          texts{"./coproc-worker", "/usr/bin/coproc-worker"});
}

TEST_CASE("the program that is given is taken as it is, there or not", "[start]") {
    CHECK(choose_worker_program("mine", three, [](const std::string&) { return true; }) == "mine");
    CHECK(choose_worker_program("mine", three, [](const std::string&) { return false; }) == "mine");
}

TEST_CASE("of the places the first with a file is taken, and to be named the last", "[start]") {
    const auto is = [](const std::string& there) {
        return [there](const std::string& file) { return file == there; };
    };
    CHECK(choose_worker_program("", three, [](const std::string&) { return true; }) == "/one");
    CHECK(choose_worker_program("", three, is("/two")) == "/two");
    CHECK(choose_worker_program("", three, is("/three")) == "/three");
    CHECK(choose_worker_program("", three, [](const std::string&) { return false; }) == "/three");
}
