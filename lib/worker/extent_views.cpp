#include "worker/extent_views.hpp"

#include "memory/extent.hpp"

#include <system_error>
#include <utility>

namespace coproc::worker {
namespace {

class mapped_extent final : public detail::array_memory {
public:
    explicit mapped_extent(memory::extent mapped) : mapped_(std::move(mapped)) {}

    void pack(encoder&, std::span<const std::byte>) const override {
        throw encode_error("a shared_array does not travel on from a worker process");
    }
    std::span<const std::byte> bytes() const noexcept { return mapped_.bytes(); }

private:
    memory::extent mapped_;
};

} // namespace

void extent_views::learn(const wire::extent_header& told,
                         std::vector<process::unique_fd>& arrived) {
    known_[told.number] = map(told, arrived);
}

extent_views::view extent_views::map(const wire::extent_header& told,
                                     std::vector<process::unique_fd>& arrived) {
    if (arrived.empty() || memory::extent::inode_of(arrived.front().get()) != told.inode) {
        return {.why_not = "its descriptor was lost; this worker has too many open files"};
    }
    const process::unique_fd descriptor = std::move(arrived.front());
    arrived.erase(arrived.begin());
    auto made = memory::extent::attach(descriptor.get(), static_cast<std::size_t>(told.bytes));
    if (const auto* const failed = std::get_if<memory::page_error>(&made)) {
        return {.why_not = "its memory cannot be mapped: " + std::string(failed->step) + ": " +
                           std::generic_category().message(failed->error)};
    }
    auto mapped = std::make_shared<const mapped_extent>(std::get<memory::extent>(std::move(made)));
    const std::span<const std::byte> bytes = mapped->bytes();
    return {.memory = std::move(mapped), .bytes = bytes};
}

detail::referred_memory extent_views::find(const detail::array_reference& to) const {
    const auto found = known_.find(to.extent);
    if (found == known_.end()) {
        return {.why_not = "this worker was not told of its memory"};
    }
    return {.memory = found->second.memory,
            .bytes = found->second.bytes,
            .why_not = found->second.why_not};
}

} // namespace coproc::worker
