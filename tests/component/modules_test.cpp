#include "process/modules.hpp"

#include "child_role.hpp"
#include "support/catch.hpp"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <thread>

using namespace coproc;
using process::build_id;
using process::loaded_module;
using process::module_table;

namespace {

int a_function(int number) { return number + 1; }
int a_variable = 1;

void append(std::vector<std::byte>& notes, std::uint32_t type, std::string_view name,
            std::string_view value, std::size_t alignment) {
    const ElfW(Nhdr) header = {static_cast<ElfW(Word)>(name.size() + 1),
                               static_cast<ElfW(Word)>(value.size()), type};
    const auto put = [&](const void* data, std::size_t size) {
        const auto* bytes = static_cast<const std::byte*>(data);
        notes.insert(notes.end(), bytes, bytes + size);
    };
    put(&header, sizeof header);
    put(name.data(), name.size());
    put("", 1);
    notes.resize((notes.size() + alignment - 1) / alignment * alignment);
    put(value.data(), value.size());
    notes.resize((notes.size() + alignment - 1) / alignment * alignment);
}

build_id bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

// A shared library that stays loaded as long as the object lives.
class library {
public:
    explicit library(const std::string& name)
        : path(test::program_directory() + "/" + name),
          handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) {
            throw std::runtime_error(::dlerror());
        }
    }
    library(const library&) = delete;
    library& operator=(const library&) = delete;
    ~library() { ::dlclose(handle_); }

    [[nodiscard]] const void* function() const { return ::dlsym(handle_, "sample_function"); }

    const std::string path;

private:
    void* handle_;
};

} // namespace

TEST_CASE("a build-id is found among notes") {
    for (const std::size_t alignment : {4, 8}) {
        std::vector<std::byte> notes;
        append(notes, NT_GNU_ABI_TAG, "GNU", "0123456789abcdef", alignment);
        append(notes, NT_GNU_BUILD_ID, "other", "no", alignment);
        append(notes, NT_GNU_BUILD_ID, "GNU", "12345", alignment);
        CHECK(process::find_build_id(notes, alignment) == bytes_of("12345"));
    }
}

TEST_CASE("malformed notes hold no build-id") {
    std::vector<std::byte> notes;
    append(notes, NT_GNU_BUILD_ID, "GNU", "12345678", 4);
    REQUIRE(process::find_build_id(notes, 4).size() == 8);
    for (std::size_t size = 0; size < notes.size(); ++size) {
        CHECK(process::find_build_id(std::span(notes).first(size), 4).empty());
    }
    for (std::size_t i = 0; i < sizeof(ElfW(Nhdr)); ++i) {
        std::vector<std::byte> broken = notes;
        broken[i] = std::byte{0xff};
        CHECK(process::find_build_id(broken, 4).size() != 8);
    }
}

TEST_CASE("the executable has the same build-id in memory and in its file") {
    const loaded_module executable = loaded_module::executable();
    CHECK(executable.identity().path == process::executable_path());
    CHECK(executable.identity().id.size() == 20);
    CHECK(process::build_id_of_file("/proc/self/exe") == executable.identity().id);
}

TEST_CASE("what is no ELF file has no build-id") {
    CHECK(process::build_id_of_file("/nonexistent") == std::nullopt);
    CHECK(process::build_id_of_file("/etc/passwd") == std::nullopt);
    CHECK(process::build_id_of_file("/dev/null") == std::nullopt);
    CHECK(process::build_id_of_file("/tmp") == std::nullopt);
}

TEST_CASE("code is located in its module, data and heap are not") {
    module_table& table = module_table::instance();
    const auto place = table.locate(reinterpret_cast<const void*>(&a_function));
    REQUIRE(place.has_value());
    CHECK(place->module == 0);
    CHECK(loaded_module::executable().code_at(place->offset) ==
          reinterpret_cast<const void*>(&a_function));
    CHECK(table.describe(0).path == process::executable_path());

    const auto heap = std::make_unique<int>(1);
    CHECK(table.locate(&a_variable) == std::nullopt);
    CHECK(table.locate(heap.get()) == std::nullopt);
    CHECK(table.locate(nullptr) == std::nullopt);
    CHECK(table.locate(reinterpret_cast<const void*>(~std::uintptr_t{0})) == std::nullopt);
}

TEST_CASE("an offset outside the code of a module is refused") {
    const loaded_module executable = loaded_module::executable();
    const auto data = reinterpret_cast<std::uintptr_t>(&a_variable) - executable.base();
    CHECK(executable.code_at(data) == nullptr);
    CHECK(executable.code_at(executable.end() - executable.base()) == nullptr);
    CHECK(executable.code_at(~std::uint64_t{0}) == nullptr);
    CHECK(executable.code_at(std::uint64_t{1} << 62) == nullptr);
}

TEST_CASE("a library keeps its number and stays loaded once its code was located") {
    module_table& table = module_table::instance();
    std::optional<process::code_location> place;
    const void* function = nullptr;
    {
        const library sample("libsample_kept.so");
        function = sample.function();
        place = table.locate(function);
        REQUIRE(place.has_value());
        CHECK(place->module > 0);
        CHECK(table.describe(place->module).path == sample.path);
        CHECK(table.describe(place->module).id.size() == 20);
    }
    CHECK(table.locate(function) == place);
    const auto found = loaded_module::find(table.describe(place->module));
    REQUIRE(found.has_value());
    CHECK(found->code_at(place->offset) == function);
}

TEST_CASE("a library is found by path and build-id, not by one of them") {
    const library sample("libsample_debug.so");
    const auto module = loaded_module::find_address(sample.function());
    REQUIRE(module.has_value());
    process::module_identity identity = module->identity();
    REQUIRE(loaded_module::find(identity).has_value());
    CHECK(loaded_module::find(identity)->base() == module->base());
    identity.id[0] ^= std::byte{1};
    CHECK(!loaded_module::find(identity));
    identity = module->identity();
    identity.path += ".1";
    CHECK(!loaded_module::find(identity));
}

TEST_CASE("a library without build-id is told by the stamp of its file") {
    const library sample("libsample_no_build_id.so");
    const auto module = loaded_module::find_address(sample.function());
    REQUIRE(module.has_value());
    CHECK(module->identity().id == process::stamp_of_file(sample.path));
    CHECK(module->identity().id.size() == 40);
    CHECK(module->identity().id != process::stamp_of_file("/nonexistent"));
    CHECK(process::build_id_of_file(sample.path) == build_id{});
}

TEST_CASE("a module gets one number however many threads ask") {
    const library sample("libsample_threads.so");
    std::vector<std::optional<process::code_location>> places(8);
    std::vector<std::thread> threads;
    for (auto& place : places) {
        threads.emplace_back([&] { place = module_table::instance().locate(sample.function()); });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    for (const auto& place : places) {
        CHECK(place == places.front());
    }
    CHECK(places.front().has_value());
}
