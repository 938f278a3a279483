#pragma once

#include <coproc/detail/array_references.hpp>

#include <cstdint>
#include <span>
#include <string>

// Where the references to shared arrays lead to.
namespace coproc::detail {

/// As it stands in a message; all zeros: an array of no elements.
struct array_reference {
    std::uint64_t extent = 0; ///< the number of the memory that it lies in
    std::uint64_t array = 0;  ///< the number of the array of which this is a part
    std::uint64_t offset = 0; ///< from the beginning of the extent
    std::uint64_t bytes = 0;

    friend bool operator==(const array_reference&, const array_reference&) = default;
};

/// Writes what array_references::read reads.
void write_reference(encoder&, const array_reference&);

/// What a reference may look at.
struct referred_memory {
    array_ptr memory = {};   ///< null: there is none
    std::uint64_t begin = 0; ///< which byte of the extent is the first of these:
    std::span<const std::byte> bytes = {};
    std::string why_not = {}; ///< half a sentence
};

/// Looks references up for the thread that decodes a task's arguments.
class array_source {
public:
    virtual referred_memory find(const array_reference&) const = 0;

protected:
    ~array_source() = default;
};

/// Null: the thread decodes no task's arguments.
inline thread_local const array_source* this_threads_arrays = nullptr;

} // namespace coproc::detail
