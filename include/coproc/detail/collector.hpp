#pragma once

#include <coproc/detail/stream_core.hpp>
#include <coproc/detail/take_result.hpp>
#include <coproc/element.hpp>
#include <coproc/result.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

// The elements of a stream: the next one, and all of them.
namespace coproc::detail {

/// Decodes the next element, if it is there.
template <class R>
std::optional<coproc::element<R>> next_element(stream_core& stream) {
    const taken next = take(stream);
    if (!next.job) {
        return std::nullopt;
    }
    return coproc::element<R>(is_chunk(*next.job) ? take_element<R>(*next.job, next.offset)
                                                  : take_result<R>(*next.job),
                              next.index);
}

/// Values with their places in the range, as they come.
template <class R>
class indexed_values {
public:
    void add(coproc::element<R>&& next) {
        places_.push_back({next.index, values_.size()});
        values_.push_back(std::move(next).assume_value());
    }
    std::vector<R> in_order() && {
        std::sort(places_.begin(), places_.end());
        std::vector<R> all;
        all.reserve(values_.size());
        for (const auto& [index, place] : places_) {
            all.push_back(std::move(values_[place]));
        }
        return all;
    }

private:
    std::deque<R> values_;
    std::vector<std::pair<std::size_t, std::size_t>> places_; // index, place in values_
};
template <>
class indexed_values<void> {
public:
    void add(coproc::element<void>&&) {}
};

/// What all elements together are.
template <class R>
struct collection_of {
    using type = std::vector<R>;
};
template <>
struct collection_of<void> {
    using type = void;
};
template <class R>
using collection = typename collection_of<R>::type;

/// Takes the elements that are there, whenever it is told to go on.
template <class R>
class collector {
public:
    explicit collector(stream_handle stream) : stream_(std::move(stream)) {
        take_in_any_order(stream_.core());
    }

    const stream_ptr& shared() const noexcept { return stream_.shared(); }
    void drop() noexcept { stream_ = stream_handle(nullptr); }

    /// Takes what is there, and advances the range. Nothing: wait for an element, and call again.
    std::optional<result<collection<R>>> advance() {
        try {
            return go_on();
        } catch (const std::bad_alloc&) {
            close(stream_.core(), withdrawal::partial);
            return failed(no_memory_for_results());
        }
    }

private:
    std::optional<result<collection<R>>> go_on() {
        stream_core& stream = stream_.core();
        while (auto next = next_element<R>(stream)) {
            if (next->has_error()) {
                close(stream, withdrawal::partial);
                return failed(std::move(*next).assume_error());
            }
            values_.add(std::move(*next));
        }
        try {
            fill(stream);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return failed(range_threw(std::current_exception()));
        }
        if (!has_ended(stream)) {
            return std::nullopt;
        }
        if (was_cut(stream)) {
            return failed(cut_short());
        }
        if constexpr (std::is_void_v<R>) {
            return result<void>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<void>);
        } else {
            return result<collection<R>>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<collection<R>>,
                                         std::move(values_).in_order());
        }
    }

    static result<collection<R>> failed(failure why) {
        return result<collection<R>>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                                     std::move(why));
    }

    stream_handle stream_;
    indexed_values<R> values_;
};

} // namespace coproc::detail
