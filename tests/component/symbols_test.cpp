#include "symbols/symbols.hpp"

#include "child_role.hpp"
#include "process/modules.hpp"
#include "support/catch.hpp"
#include "symbols/readable_name.hpp"

#include <dlfcn.h>
#include <sstream>
#include <thread>

using namespace coproc;

namespace sample {

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

template <class T>
T twice(T value) {
    return value + value;
}

struct counter {
    int next() const { return 1; }
    int operator()(int n) { return n; }
};

} // namespace sample

namespace {

int hidden_from_others(int number) { return number + 2; }
constexpr int hidden_line = __LINE__ - 1;

template <class Function>
const void* address(Function* function) {
    return reinterpret_cast<const void*>(function);
}

class sample_library {
public:
    explicit sample_library(const char* name)
        : path(test::program_directory() + "/" + name),
          handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) {
            throw std::runtime_error(::dlerror());
        }
        function = reinterpret_cast<const void* (*)()>(::dlsym(handle_, "sample_static"))();
        offset = reinterpret_cast<std::uintptr_t>(function) -
                 process::loaded_module::find_address(function)->base();
    }
    sample_library(const sample_library&) = delete;
    sample_library& operator=(const sample_library&) = delete;
    ~sample_library() { ::dlclose(handle_); }

    const std::string path;
    const void* function; // has internal linkage: only the full symbol table knows it
    std::uint64_t offset;

private:
    void* handle_;
};

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}
bool ends_with(std::string_view text, std::string_view part) { return text.ends_with(part); }
bool starts_with(std::string_view text, std::string_view part) { return text.starts_with(part); }

std::string hexadecimal(std::uint64_t number) {
    std::ostringstream text;
    text << "0x" << std::hex << number;
    return text.str();
}

} // namespace

TEST_CASE("the function part of a signature is what a person calls the function") {
    using symbols::function_part;
    CHECK(function_part("fib(int)") == "fib");
    CHECK(function_part("main") == "main");
    CHECK(function_part("app::resize(std::vector<int, std::allocator<int> >, int)") ==
          "app::resize");
    CHECK(function_part("int twice<int>(int)") == "twice<int>");
    CHECK(function_part("std::vector<int> f<std::pair<int, char> >(void (*)(int))") ==
          "f<std::pair<int, char> >");
    CHECK(function_part("app::counter::next() const") == "app::counter::next");
    CHECK(function_part("app::counter::operator()(int) &&") == "app::counter::operator()");
    CHECK(function_part("(anonymous namespace)::hidden(int)") == "(anonymous namespace)::hidden");
    CHECK(function_part("run(int)::{lambda(int)#1}::operator()(int) const") ==
          "run(int)::{lambda(int)#1}");
    CHECK(function_part("run()::{lambda(int)#2}::_FUN(int)") == "run()::{lambda(int)#2}");
    CHECK(function_part("auto run()::{lambda(auto:1)#1}::operator()<int>(int) const") ==
          "run()::{lambda(auto:1)#1}::operator()<int>");
    CHECK(function_part("fib(int) [clone .part.0]") == "fib");
    CHECK(function_part("fib(int) [clone .isra.0] [clone .cold]") == "fib");
    CHECK(function_part("operator new(unsigned long)") == "operator new");
    CHECK(function_part("app::operator<(app::a const&, app::a const&)") == "app::operator<");
    CHECK(function_part("bool app::operator<< <int>(app::a)") == "app::operator<< <int>");
    CHECK(function_part("app::a::operator int() const") == "app::a::operator int");
    CHECK(function_part("co_operator(int)") == "co_operator");
    CHECK(function_part("").empty());
    CHECK(function_part("()") == "()");
    CHECK(function_part(")") == ")");
}

TEST_CASE("a task has the name of its function, not of what runs that") {
    using symbols::function_of_task;
    CHECK(function_of_task("coproc::detail::task_invoker<main::{lambda(int, int)#3}, false, "
                           "coproc::detail::types<int, int> >::invoke") ==
          "main::{lambda(int, int)#3}");
    CHECK(function_of_task("coproc::detail::task_invoker<app::f<int, char>, true, "
                           "coproc::detail::types<> >::invoke_chunk") == "app::f<int, char>");
    for (const char* const other :
         {"fib", "", "coproc::detail::task_invoker<int>::invoke",
          "coproc::detail::task_invoker<app::f, true, coproc::detail::types<> >::run"}) {
        CHECK(function_of_task(other) == other);
    }
}

TEST_CASE("a C name is not mistaken for a mangled one") {
    CHECK(symbols::demangle("f") == "f");
    CHECK(symbols::demangle("_ZN3app3fibEi") == "app::fib(int)");
    CHECK(symbols::demangle("_Z?") == "_Z?");
}

TEST_CASE("functions of the executable have names") {
    CHECK(symbols::function_name(address(&sample::fib)) == "sample::fib");
    CHECK(symbols::function_name(address(&hidden_from_others)) ==
          "(anonymous namespace)::hidden_from_others");
    CHECK(symbols::function_name(address(&sample::twice<double>)) == "sample::twice<double>");
    int (*const lambda)(int) = [](int number) { return number; };
    CHECK(contains(symbols::function_name(address(lambda)), "{lambda(int)#1}"));
    CHECK(symbols::function_name(nullptr) == "0x0");
}

TEST_CASE("functions of shared libraries have names") {
    // A sanitizer has a function of its own in front of it.
    CHECK(contains(symbols::function_name(::dlsym(RTLD_DEFAULT, "qsort")), "qsort"));
    CHECK(contains(symbols::function_name(::dlsym(RTLD_DEFAULT, "_ZSt9terminatev")), "terminate"));
}

TEST_CASE("instructions of the executable have a source line") {
    const symbols::location place = symbols::describe(address(&hidden_from_others));
    CHECK(place.function == "(anonymous namespace)::hidden_from_others");
    CHECK(ends_with(place.file, "symbols_test.cpp"));
    CHECK(place.line == hidden_line);
    CHECK(ends_with(symbols::to_string(place), "symbols_test.cpp:" + std::to_string(hidden_line)));
}

TEST_CASE("a library that was loaded after the first question is read too") {
    CHECK(symbols::function_name(address(&sample::fib)) == "sample::fib");
    const sample_library debug("libsample_debug.so");
    const symbols::location place = symbols::describe(debug.function);
    CHECK(place.function == "(anonymous namespace)::internal");
    CHECK(ends_with(place.file, "sample_library.cpp"));
    CHECK(place.line > 0);
}

TEST_CASE("without debug information there is a name and no line") {
    const sample_library plain("libsample_plain.so");
    const symbols::location place = symbols::describe(plain.function);
    CHECK(place.function == "(anonymous namespace)::internal");
    CHECK(place.file.empty());
    CHECK(symbols::to_string(place) == "(anonymous namespace)::internal");
}

TEST_CASE("in a stripped library a function is told by its offset") {
    const sample_library stripped("libsample_stripped.so");
    const std::string expected = "libsample_stripped.so+" + hexadecimal(stripped.offset);
    CHECK(symbols::function_name(stripped.function) == expected);
    CHECK(symbols::describe(stripped.function).function == expected);
}

TEST_CASE("a stripped program tells its functions by their offsets") {
    auto [ours, theirs] = test::make_socket_pair();
    process::spawn_request request;
    request.executable = test::program_directory() + "/sample_stripped_program";
    request.arguments = {"sample_stripped_program"};
    request.descriptors = {theirs.get()};
    process::child process = test::start(request);
    theirs.reset();
    const std::string name = test::read_to_end(ours.get());
    CHECK(starts_with(name, "sample_stripped_program+0x"));
    CHECK(test::wait_for_end(process) ==
          process::exit_status{process::exit_status::kind::exited, 0});
}

TEST_CASE("code of a module that is not loaded here is described from its file") {
    std::string path;
    std::uint64_t offset = 0;
    {
        const sample_library debug("libsample_debug.so");
        path = debug.path;
        offset = debug.offset;
    }
    const symbols::location place = symbols::describe(path, offset);
    CHECK(place.function == "(anonymous namespace)::internal");
    CHECK(ends_with(place.file, "sample_library.cpp"));
    // libbacktrace would answer from our own symbols.
    CHECK(symbols::describe("/nonexistent/lib.so", offset).function ==
          "lib.so+" + hexadecimal(offset));
    CHECK(symbols::describe("/etc/passwd", offset).function == "passwd+" + hexadecimal(offset));
}

TEST_CASE("names can be asked for in many threads at once") {
    std::vector<std::string> names(8);
    std::vector<std::thread> threads;
    for (std::string& name : names) {
        threads.emplace_back([&] { name = symbols::function_name(address(&sample::fib)); });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    CHECK(names == std::vector<std::string>(8, "sample::fib"));
}
