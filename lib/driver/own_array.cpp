#include "driver/own_array.hpp"

#include "coproc/shared_array.hpp"
#include "driver/executor_impl.hpp"
#include "driver/progress_core.hpp"

#include <system_error>

namespace coproc::detail {

own_array::~own_array() {
    const std::uint64_t before = memory::arena::closings();
    array_.reset();
    if (memory::arena::closings() == before) {
        return;
    }
    if (const std::shared_ptr<executor_impl> home = home_.lock()) {
        home->forget_extents();
    }
}

void own_array::pack(encoder& out, std::span<const std::byte> part) const {
    luggage_ptr* const place = luggage_access::of(out);
    if (place == nullptr) {
        throw encode_error("a shared_array is an argument of submit and map, and nothing else");
    }
    if (*place == nullptr) {
        place->reset(new luggage);
    }
    (*place)->add(array_);
    const auto skipped = static_cast<std::uint64_t>(part.data() - array_->bytes().data());
    write_reference(out, {.extent = array_->lies_in()->number,
                          .array = array_->number(),
                          .offset = array_->offset() + skipped,
                          .bytes = part.size()});
}

referred_memory own_arrays::find(const array_reference& to) const {
    memory::arena_array_ptr found = memory::arena::instance().find(to.array);
    if (found == nullptr || found->lies_in()->number != to.extent) {
        return {.why_not = "its memory is not an array any more"};
    }
    const std::uint64_t begin = found->offset();
    const std::span<const std::byte> bytes = found->bytes();
    return {.memory = std::make_shared<const own_array>(std::move(found)),
            .begin = begin,
            .bytes = bytes};
}

allocated_array allocate_array(const std::shared_ptr<executor_impl>& where, std::size_t bytes) {
    if (where->forked()) {
        throw std::system_error(make_error_code(errc::forked),
                                "coproc: a shared_buffer for an executor of the parent process");
    }
    if (bytes == 0) {
        return {nullptr, nullptr};
    }
    memory::arena_array_ptr made = memory::arena::instance().allocate(bytes);
    std::byte* const first = made->writable();
    return {std::make_shared<const own_array>(std::move(made), where), first};
}

} // namespace coproc::detail
