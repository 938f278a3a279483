#include "driver/job_core.hpp"

#include "coproc/detail/recycling.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace coproc::detail {

job_ptr job_core::make(std::shared_ptr<executor_impl> owner, std::uint64_t id, std::size_t bytes) {
    // Recycled memory is aligned to 16, and so is what lies behind the object. What a size class
    // leaves over is room for the value, too.
    constexpr std::size_t size = sizeof(job_core);
    bytes = (size + bytes + 63) / 64 * 64 - size;
    void* const memory = allocate_recycled(size + bytes);
    return job_ptr(new (memory) job_core(std::move(owner), id, bytes));
}

void retain(job_core& job) noexcept { job.references_.fetch_add(1, std::memory_order_relaxed); }

void release(job_core& job) noexcept {
    if (job.references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::size_t bytes = sizeof(job_core) + job.block_bytes_;
        job.~job_core();
        free_recycled(&job, bytes);
    }
}

std::string_view job_core::keep(std::string_view name) noexcept {
    tail_bytes_ -= name.size(); // what follows in the tail does not reach it
    std::byte* const place = tail() + tail_bytes_;
    std::copy_n(reinterpret_cast<const std::byte*>(name.data()), name.size(), place);
    return {reinterpret_cast<const char*>(place), name.size()};
}

void job_core::set_name(std::string_view name) noexcept { header.name = keep(name); }
void job_core::set_exported(std::string_view name) noexcept { header.exported = keep(name); }

std::string job_core::task_name() const {
    if (!header.name.empty() || function_name == nullptr) {
        return std::string(header.name.empty() ? header.exported : header.name);
    }
    return function_name;
}

void job_core::set_arguments(std::span<const std::byte> copied) noexcept {
    size_ = copied.size();
    if (size_ != 0) {
        std::memcpy(tail(), copied.data(), size_);
    }
}

void job_core::set_arguments(payload taken) {
    large_arguments_ = std::make_shared<const payload>(std::move(taken));
}

std::span<const std::byte> job_core::arguments() const noexcept {
    return large_arguments_ ? large_arguments_->bytes() : std::span(tail(), size_);
}

void job_core::begin_run() noexcept {
    chunk_->results.begin_run();
    // Nobody reads the bytes any more on behalf of the worker that had them before.
    set_first_element(const_cast<std::byte*>(arguments().data()), chunk_->results.first_of_run());
}

void job_core::store_value(std::span<const std::byte> copied) {
    if (copied.size() <= tail_bytes_) {
        set_arguments(copied);
    } else {
        large_value_ = wire::payload_buffer(copied);
        size_ = 0;
    }
    large_arguments_.reset();
    has_value_ = true;
}

void job_core::store_value(wire::payload_buffer taken) noexcept {
    large_value_ = std::move(taken);
    size_ = 0;
    large_arguments_.reset();
    has_value_ = true;
}

void job_core::set_done() noexcept {
    done_.store(true, std::memory_order_release);
    done_.notify_all();
}

std::span<const std::byte> job_core::value() const noexcept {
    const auto large = large_value_.bytes();
    return large.empty() ? std::span(tail(), size_) : large;
}

} // namespace coproc::detail
