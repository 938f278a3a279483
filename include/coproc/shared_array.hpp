#pragma once

#include <coproc/codec.hpp>
#include <coproc/detail/array_references.hpp>
#include <coproc/detail/config.hpp>
#include <coproc/detail/verdict.hpp>
#include <coproc/executor.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

// Large arrays that workers read where they are.
namespace coproc {

namespace detail {

/// The memory of a new array, which this process may write to.
struct allocated_array {
    array_ptr memory;
    std::byte* bytes;
};

/// Throws std::bad_alloc, and std::system_error that says which step the system refused.
COPROC_API allocated_array allocate_array(const std::shared_ptr<executor_impl>&, std::size_t bytes);

/// Whether bytes of such elements mean the same in another process, as far as the type tells: no
/// pointers, views and functions, also as members.
template <class T>
consteval bool means_the_same_elsewhere() {
    constexpr refusal why = decltype(examine<T>())::reason;
    return why != refusal::pointer && why != refusal::view && why != refusal::function_wrapper;
}

template <class T>
constexpr void check_elements() {
    static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>>,
                  "the elements of a shared array are objects, and not const");
    static_assert(std::is_trivially_copyable_v<T>,
                  "the elements of a shared array must be trivially copyable: workers read their "
                  "bytes");
    static_assert(means_the_same_elsewhere<T>(),
                  "an address means nothing in another process: the elements of a shared array "
                  "must be values");
    static_assert(alignof(T) <= 64, "shared arrays are aligned to 64 bytes");
}

} // namespace detail

template <class T>
class shared_array;

/**
 * @brief A new array in memory that workers can read: fill it, then freeze it.
 *
 *     coproc::shared_buffer<float> samples(executor, 1'000'000);
 *     read_into(samples.span());
 *     const coproc::shared_array<float> frozen = std::move(samples);
 *     auto left = executor.submit(mean, frozen.slice(0, 500'000));
 *     auto right = executor.submit(mean, frozen.slice(500'000, 500'000));
 *
 * No argument itself: shared_array is.
 *
 * Its memory belongs to the process, and any executor of the process can use it. It is taken from
 * blocks of 64 MiB, or from one of its own if it is larger, and goes back when the last
 * shared_array and the last task that needs it are gone. Blocks without arrays are given back to
 * the system at once, but for one of 64 MiB. It counts as shared memory of the program: where a
 * control group has no room for it, no error comes, but the kernel kills a process.
 *
 * The elements have any value in the beginning, also that of an older array. A worker that has got
 * an array can read all that lies in the same block, and can write to none of it.
 *
 * @par Thread safety        Distinct objects: safe. Shared objects: unsafe.
 */
template <class T>
class shared_buffer {
public:
    using value_type = T;

    /**
     * @brief Takes memory for so many elements.
     *
     * Idle workers let go of the memory too: at once those of this executor if its last owner was
     * an array, and those of the executor that ran it if that was a task; others with the next
     * event of their executor.
     *
     * @par Errors
     * Throws std::system_error where the system gives no memory (too many open files, RLIMIT_FSIZE,
     * RLIMIT_AS), and errc::forked in a forked child of the executor's process; std::bad_alloc, and
     * std::bad_array_new_length for a number of elements that no memory holds.
     */
    shared_buffer(executor& where, std::size_t count) {
        detail::check_elements<T>();
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        detail::allocated_array made = detail::allocate_array(where.impl_, count * sizeof(T));
        memory_ = std::move(made.memory);
        elements_ = std::span<T>(reinterpret_cast<T*>(made.bytes), count);
    }

    /// The moved-from buffer has no elements.
    shared_buffer(shared_buffer&& other) noexcept
        : memory_(std::move(other.memory_)), elements_(std::exchange(other.elements_, {})) {}
    shared_buffer& operator=(shared_buffer&& other) noexcept {
        memory_ = std::move(other.memory_);
        elements_ = std::exchange(other.elements_, {});
        return *this;
    }
    ~shared_buffer() = default;

    /// Its elements, until it is frozen or destroyed.
    std::span<T> span() noexcept { return elements_; }

private:
    friend class shared_array<T>;

    detail::array_ptr memory_;
    std::span<T> elements_;
};

/**
 * @brief An array that nobody writes to any more: an argument that is not copied, whatever its
 * size.
 *
 * Copies and slices are the same elements. It may be passed to any number of tasks, of any executor
 * of the process, and outlives the executor that it was made with. It travels alone, as an element
 * of a range for executor::map, and inside of other arguments: aggregates, vectors, tuples. The
 * parameter may be a `shared_array<T>` or a `std::span<const T>`. An rvalue that is an argument, or
 * inside of one, is empty afterwards: its memory goes with the task.
 *
 * In a worker its elements are there until the task ends, for a coroutine until it returns. It does
 * not travel on from a worker process, neither in a result nor to tasks of its own; with
 * start_method::in_process it does, and a task may keep it.
 *
 * @par Thread safety        Distinct objects: safe, also if they share elements. Shared objects:
 *                           unsafe, but for const functions.
 */
template <class T>
class shared_array {
public:
    using value_type = T;

    /// No elements.
    shared_array() noexcept = default;
    /// Freezes a buffer. Spans of it must not be written to any more.
    shared_array(shared_buffer<T>&& filled) noexcept
        : memory_(std::move(filled.memory_)), elements_(std::exchange(filled.elements_, {})) {}

    shared_array(const shared_array&) noexcept = default;
    shared_array& operator=(const shared_array&) noexcept = default;
    /// The moved-from array has no elements.
    shared_array(shared_array&& other) noexcept
        : memory_(std::move(other.memory_)), elements_(std::exchange(other.elements_, {})) {}
    shared_array& operator=(shared_array&& other) noexcept {
        memory_ = std::move(other.memory_);
        elements_ = std::exchange(other.elements_, {});
        return *this;
    }
    ~shared_array() = default;

    /// Its elements, as long as the array, a copy or a slice is there.
    std::span<const T> span() const noexcept { return elements_; }
    operator std::span<const T>() const noexcept { return elements_; }

    /// Some of its elements. Throws std::out_of_range if it does not have them.
    shared_array slice(std::size_t first, std::size_t count) const {
        if (first > elements_.size() || count > elements_.size() - first) {
            throw std::out_of_range("coproc: a slice exceeds its shared_array");
        }
        shared_array part = *this;
        part.elements_ = elements_.subspan(first, count);
        return part;
    }

private:
    friend struct detail::array_access;

    detail::array_ptr memory_;
    std::span<const T> elements_;
};

namespace detail {

struct array_access {
    template <class T>
    static array_part part_of(const shared_array<T>& array) {
        return {array.memory_, std::as_bytes(array.elements_)};
    }
    template <class T>
    static shared_array<T> from(array_part&& part) {
        shared_array<T> made;
        made.memory_ = std::move(part.memory);
        made.elements_ = {reinterpret_cast<const T*>(part.bytes.data()),
                          part.bytes.size() / sizeof(T)};
        return made;
    }
};

} // namespace detail

/// An array travels to a task as a reference, and not back.
template <class T>
struct codec<shared_array<T>> : detail::leaf_codec {
    using argument_only = void;

    static void encode(encoder& out, const shared_array<T>& array) {
        detail::array_references::write(out, detail::array_access::part_of(array));
    }
    static shared_array<T> decode(decoder& in) {
        return detail::array_access::from<T>(
            detail::array_references::read(in, sizeof(T), alignof(T)));
    }
};

} // namespace coproc
