#include "integration/samples/plugin.hpp"
#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>

#include <filesystem>
#include <string>

#include <dlfcn.h>
#include <unistd.h>

// Functions of shared libraries that are loaded when the executor has workers already.

namespace {

using coproc::certainty;
using coproc::errc;
namespace fs = std::filesystem;

int same(int n) { return n; }

fs::path beside(const std::string& name) {
    return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

/// A copy of a library, so that no other test has loaded it, which can be replaced.
class copied_library {
public:
    explicit copied_library(const std::string& from)
        : folder_(fs::temp_directory_path() /
                  ("coproc-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count_))) {
        fs::create_directory(folder_);
        fs::copy_file(beside(from), path());
    }
    copied_library(const copied_library&) = delete;
    ~copied_library() { fs::remove_all(folder_); }

    fs::path path() const { return folder_ / "libplugin.so"; }

    /// As an installer does: the old file lives on in those who have it.
    void replace(const std::string& from) const {
        fs::copy_file(beside(from), folder_ / "new");
        fs::rename(folder_ / "new", path());
    }
    void remove() const { fs::remove(path()); }

    void load() {
        handle_ = ::dlopen(path().c_str(), RTLD_NOW | RTLD_LOCAL);
        if (handle_ == nullptr) {
            throw std::runtime_error(::dlerror());
        }
    }
    template <class Function>
    Function* find(const char* name) const {
        return reinterpret_cast<Function*>(::dlsym(handle_, name));
    }

private:
    static inline int count_ = 0;
    fs::path folder_;
    void* handle_ = nullptr; // stays loaded: its code was sent
};

/// An executor with one worker that is there.
struct started {
    asio::io_context loop;
    coproc::executor executor{loop, {.max_workers = 1}};

    started() { CHECK(run(executor.submit(same, 1)).value() == 1); }

    coproc::result<int> run(coproc::job<int> job) {
        test::run(loop);
        return std::move(job).get();
    }
};

void check_unknown(const coproc::result<int>& got, const std::string& says) {
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::unknown_function);
    CHECK(got.error().certainty() == certainty::not_started);
    CHECK(got.error().message().find(says) != std::string::npos);
}

} // namespace

TEST_CASE("a worker loads the library of a function that it is sent", "[library]") {
    started here;
    copied_library library("libintegration_plugin.so");
    library.load();
    auto* const answer = library.find<answer_function>("plugin_answer");
    REQUIRE(answer != nullptr);
    CHECK(here.run(here.executor.submit(answer, 5)).value() == 15);
    CHECK(here.run(here.executor.submit(coproc::bind_front(answer, 6))).value() == 16);
}

TEST_CASE("a library that was loaded later submits functions of its own", "[library]") {
    started here;
    copied_library library("libintegration_plugin.so");
    library.load();
    auto* const submit = library.find<submit_function>("plugin_submit");
    REQUIRE(submit != nullptr);
    std::optional<coproc::job<int>> job;
    submit(here.executor, 5, job);
    CHECK(here.run(std::move(*job)).value() == 115);
}

TEST_CASE("names that a library exports are known once a worker has loaded it",
          "[library][process]") {
    started here;
    copied_library library("libintegration_other_plugin.so");
    library.load();
    const auto by_name = coproc::named<int(int)>("exported_answer");
    check_unknown(here.run(here.executor.submit(by_name, 1)), "exports nothing as");
    auto* const answer = library.find<answer_function>("plugin_answer");
    CHECK(here.run(here.executor.submit(answer, 5)).value() == 25);
    CHECK(here.run(here.executor.submit(by_name, 1)).value() == 21);
}

TEST_CASE("a library that was replaced since is an error", "[library][process]") {
    started here;
    copied_library library("libintegration_plugin.so");
    library.load();
    library.replace("libintegration_other_plugin.so");
    auto* const answer = library.find<answer_function>("plugin_answer");
    CHECK(answer(5) == 15);
    check_unknown(here.run(here.executor.submit(answer, 5)),
                  "is no longer the build that the caller has loaded");
    check_unknown(here.run(here.executor.submit(answer, 6)), "is no longer the build");
    CHECK(here.run(here.executor.submit(same, 2)).value() == 2);
    CHECK(here.executor.stats().started_workers == 1);
}

TEST_CASE("a library that was removed since is an error", "[library][process]") {
    started here;
    copied_library library("libintegration_plugin.so");
    library.load();
    library.remove();
    auto* const answer = library.find<answer_function>("plugin_answer");
    check_unknown(here.run(here.executor.submit(answer, 5)), "it cannot read the library");
    CHECK(here.run(here.executor.submit(same, 2)).value() == 2);
}

TEST_CASE("a library that crashes while it is loaded costs the task that needs it",
          "[library][process]") {
    started here;
    copied_library library("libintegration_crashing_plugin.so");
    library.load();
    auto* const answer = library.find<answer_function>("plugin_answer");
    auto lost = here.executor.submit(answer, 5);
    auto other = here.executor.submit(same, 2);
    test::run(here.loop);
    const auto got = std::move(lost).get();
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(std::move(other).get().value() == 2);
}
