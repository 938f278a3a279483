#pragma once

#include "process/build_id.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where code lies: an address in this process as (module, offset), and back. A module is the
// executable or a shared library; an offset counts from its load address, so it is the same in
// every process.
namespace coproc::process {

/// Where the file of the running program is, or was when it started.
[[nodiscard]] const std::string& executable_path();

/// What names a module in another process: see `module` in lib/wire/protocol.capnp.
struct module_identity {
    std::string path; ///< absolute and without symbolic links, if the file still exists
    build_id id;      ///< its build-id, or the stamp of its file
};

/// A module as it is loaded in this process.
class loaded_module {
public:
    /// The executable.
    [[nodiscard]] static loaded_module executable();
    /// The module with this identity, which is then never unloaded. Nothing: it is not loaded.
    [[nodiscard]] static std::optional<loaded_module> find(const module_identity& identity);
    /// The module that was loaded from this file, whatever its build.
    [[nodiscard]] static std::optional<loaded_module> find_path(std::string_view path);
    /// The module that holds the address.
    [[nodiscard]] static std::optional<loaded_module> find_address(const void* address);

    [[nodiscard]] std::uintptr_t base() const noexcept { return base_; }
    [[nodiscard]] std::uintptr_t end() const noexcept { return end_; }
    [[nodiscard]] const module_identity& identity() const noexcept { return identity_; }

    /// The code at an offset; null if the offset lies outside the module's executable segments.
    [[nodiscard]] const void* code_at(std::uint64_t offset) const noexcept;

    struct address_range {
        std::uintptr_t begin;
        std::uintptr_t end;
    };
    /// The executable segments.
    [[nodiscard]] const std::vector<address_range>& code() const noexcept { return code_; }

private:
    friend struct module_reader;
    loaded_module() = default;

    std::uintptr_t base_ = 0;
    std::uintptr_t end_ = 0;
    std::vector<address_range> code_;
    module_identity identity_;
};

/// All modules that are loaded now; the executable is the first.
[[nodiscard]] std::vector<loaded_module> loaded_modules();

/// A module, or why there is none, as a half-sentence.
struct module_search {
    std::optional<loaded_module> module;
    std::string why_not;
};

/// The module with this identity. If it is not loaded, its file is, provided that it is the same
/// build still: so no code of another one runs, not even its static constructors.
[[nodiscard]] module_search load_module(const module_identity& identity);

/// Code of this process in a form that another process understands.
struct code_location {
    std::uint32_t module; ///< a number of the module table
    std::uint64_t offset;

    friend bool operator==(const code_location&, const code_location&) = default;
};

/// Numbers for the modules whose code we name to others. One per process; it only grows: a number
/// keeps its meaning for ever, since a module that has one is never unloaded (dlclose leaves it
/// where it is). Number 0 is the executable. Any thread.
class module_table {
public:
    [[nodiscard]] static module_table& instance();

    /// The module of a function and its offset there. Nothing: no module has code at this address.
    /// A few nanoseconds for a module that has a number; else it gets one.
    [[nodiscard]] std::optional<code_location> locate(const void* function);

    /// The module with this number, which locate() has returned.
    [[nodiscard]] const module_identity& describe(std::uint32_t number) const;

private:
    struct entry;
    module_table();

    const entry* search(std::uintptr_t address) const noexcept;
    void add(const loaded_module& module);

    struct state;
    state& state_;
};

} // namespace coproc::process
