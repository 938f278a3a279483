#include "array_source.hpp"

// References to shared arrays, as they stand in messages. Those that a worker reads may be
// anything.
namespace coproc::detail {

array_memory::~array_memory() = default;

void write_reference(encoder& out, const array_reference& to) { out.write_block(&to, sizeof to); }

void array_references::write(encoder& out, const array_part& part) {
    if (part.bytes.empty()) {
        write_reference(out, {});
    } else {
        part.memory->pack(out, part.bytes);
    }
}

array_part array_references::read(decoder& in, std::size_t element_bytes, std::size_t alignment) {
    const std::size_t place = in.position();
    array_reference to;
    std::memcpy(&to, in.read_block(sizeof to).data(), sizeof to);
    if (to == array_reference{}) {
        return {};
    }
    if (this_threads_arrays == nullptr) {
        in.fail("a shared_array is of use to a task only", place);
    }
    referred_memory found = this_threads_arrays->find(to);
    if (found.memory == nullptr) {
        in.fail(("a shared_array is not there: " + found.why_not).c_str(), place);
    }
    const std::uint64_t skipped = to.offset - found.begin;
    if (to.offset < found.begin || skipped > found.bytes.size() ||
        to.bytes > found.bytes.size() - skipped) {
        in.fail("a shared_array exceeds the memory that it lies in", place);
    }
    const std::span<const std::byte> bytes =
        found.bytes.subspan(static_cast<std::size_t>(skipped), static_cast<std::size_t>(to.bytes));
    if (bytes.size() % element_bytes != 0 ||
        reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0) {
        in.fail("a shared_array has elements of another type", place);
    }
    return {std::move(found.memory), bytes};
}

} // namespace coproc::detail
