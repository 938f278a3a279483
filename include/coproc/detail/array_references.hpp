#pragma once

// How a shared_array travels: as a reference to memory that both sides have.

#include <coproc/detail/config.hpp>
#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace coproc::detail {

/// What a shared_array keeps there behind its type.
class COPROC_API array_memory {
public:
    array_memory() = default;
    array_memory(const array_memory&) = delete;
    array_memory& operator=(const array_memory&) = delete;
    virtual ~array_memory();

    /// Writes a reference to some of it. Throws encode_error where it is no argument.
    virtual void pack(encoder&, std::span<const std::byte>) const = 0;
};

using array_ptr = std::shared_ptr<const array_memory>;

/// Some bytes, and what keeps them there; null: there are none.
struct array_part {
    array_ptr memory = {};
    std::span<const std::byte> bytes = {};
};

struct COPROC_API array_references {
    static void write(encoder&, const array_part&);
    /// For elements of this size and alignment. Throws decode_error for a reference that leads
    /// nowhere.
    static array_part read(decoder&, std::size_t element_bytes, std::size_t alignment);

    /// In place of a sequence: a number of elements that no sequence has, then a reference.
    static void write_as_sequence(encoder& out, const array_part& part) {
        out.write_size(mark);
        write(out, part);
    }
    /// Whether such a thing comes next, whose mark is then taken.
    static bool begins_here(decoder& in) {
        std::uint64_t number = 0;
        if (in.remaining() < sizeof number) {
            return false;
        }
        std::memcpy(&number, in.next_, sizeof number);
        if (number != mark) {
            return false;
        }
        in.read_block(sizeof number);
        return true;
    }

private:
    static constexpr std::uint64_t mark = UINT64_MAX;
};

} // namespace coproc::detail
