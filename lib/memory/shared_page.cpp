#include "memory/shared_page.hpp"

#include <cerrno>
#include <climits>
#include <ctime>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::memory {

static_assert(std::is_standard_layout_v<page_layout>);
static_assert(std::atomic<crash_state>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

namespace {

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

page_layout* map(int descriptor) noexcept {
    void* memory =
        ::mmap(nullptr, sizeof(page_layout), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    leave_out_of_core_dumps(memory, sizeof(page_layout));
    return static_cast<page_layout*>(memory);
}

} // namespace

std::variant<page_error, shared_page> shared_page::create() noexcept {
    page_error failed{};
    owned_descriptor memory(make_memory_file("coproc-page", sizeof(page_layout), failed));
    if (memory.get() < 0) {
        return failed;
    }
    if (::fcntl(memory.get(), F_ADD_SEALS, size_seals | F_SEAL_SEAL) != 0) {
        return page_error{"F_ADD_SEALS", errno};
    }
    page_layout* layout = map(memory.get());
    if (layout == nullptr) {
        return page_error{"mmap", errno};
    }
    layout->version = page_layout::current_version;
    layout->bytes = sizeof(page_layout);
    return shared_page(layout, memory.release());
}

std::variant<page_error, shared_page> shared_page::attach(int descriptor) noexcept {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        return page_error{"fstat", errno};
    }
    if (status.st_size != static_cast<off_t>(sizeof(page_layout))) {
        return page_error{"size", EPROTO};
    }
    const int seals = ::fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & size_seals) != size_seals) {
        return page_error{"seals", EPROTO};
    }
    page_layout* layout = map(descriptor);
    if (layout == nullptr) {
        return page_error{"mmap", errno};
    }
    shared_page page(layout, -1);
    if (layout->version != page_layout::current_version || layout->bytes != sizeof(page_layout)) {
        return page_error{"version", EPROTO};
    }
    return page;
}

shared_page::shared_page(shared_page&& other) noexcept
    : layout_(std::exchange(other.layout_, nullptr)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

shared_page& shared_page::operator=(shared_page&& other) noexcept {
    if (this != &other) {
        release();
        layout_ = std::exchange(other.layout_, nullptr);
        descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
}

shared_page::~shared_page() { release(); }

void shared_page::close_descriptor() noexcept {
    if (descriptor_ >= 0) {
        ::close(std::exchange(descriptor_, -1));
    }
}

void shared_page::release() noexcept {
    close_descriptor();
    if (layout_ != nullptr) {
        ::munmap(std::exchange(layout_, nullptr), sizeof(page_layout));
    }
}

namespace {

// A futex is 32 bits wide: the lower half of the word, which changes with every request.
std::uint32_t* futex_of(std::atomic<std::uint64_t>& word) noexcept {
    return reinterpret_cast<std::uint32_t*>(&word);
}

void futex_wait(std::uint32_t* futex, std::uint32_t seen,
                std::chrono::milliseconds at_most) noexcept {
    const timespec limit{at_most.count() / 1000, at_most.count() % 1000 * 1'000'000};
    ::syscall(SYS_futex, futex, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

void futex_wake(std::uint32_t* futex) noexcept {
    ::syscall(SYS_futex, futex, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace

void shared_page::wait_for_acceptance(std::size_t sink, acceptance seen,
                                      std::chrono::milliseconds at_most) const noexcept {
    futex_wait(acceptances().futex(sink), acceptances::futex_value(seen), at_most);
}

void shared_page::wake_acceptance_waiters(std::size_t sink) const noexcept {
    futex_wake(acceptances().futex(sink));
}

void shared_page::request_stop(std::uint64_t sequence) const noexcept {
    layout_->stop.store(sequence + 1, std::memory_order_release);
    wake_stop_waiters();
}

void shared_page::wait_for_stop(std::uint64_t seen,
                                std::chrono::milliseconds at_most) const noexcept {
    futex_wait(futex_of(layout_->stop), static_cast<std::uint32_t>(seen), at_most);
}

void shared_page::wake_stop_waiters() const noexcept { futex_wake(futex_of(layout_->stop)); }

} // namespace coproc::memory
