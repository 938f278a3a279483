#include "stream/window.hpp"

#include <algorithm>
#include <cassert>

namespace coproc::streams {

std::uint32_t window::add(std::size_t elements) {
    assert(wants_task() && elements > 0);
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(tasks_.size()));
        tasks_.emplace_back();
    }
    const std::uint32_t number = free_.back();
    if (ordered_) {
        listed_.push_back(number);
    }
    free_.pop_back();
    tasks_[number] = {.first = next_index_, .count = elements, .listed = ordered_};
    next_index_ += elements;
    ++held_;
    return number;
}

void window::forget() {
    closed_ = true;
    held_ = 0;
    listed_.clear();
    tasks_.clear(); // what they still tell is not heard
}

void window::in_any_order() {
    if (!ordered_) {
        return;
    }
    ordered_ = false;
    std::erase_if(listed_, [this](std::uint32_t number) {
        held_task& t = tasks_[number];
        t.listed = t.given < t.until;
        return !t.listed;
    });
}

bool window::has_element() const {
    return !listed_.empty() && tasks_[listed_.front()].given < tasks_[listed_.front()].until;
}

std::optional<position> window::take() {
    if (!has_element()) {
        return std::nullopt;
    }
    const std::uint32_t number = listed_.front();
    held_task& t = tasks_[number];
    const position next{number, t.first + t.given, t.given, t.given + 1 == t.count};
    ++t.given;
    if (next.last) {
        listed_.pop_front();
        t.listed = false;
        free_.push_back(number);
        --held_;
    } else if (!ordered_ && t.given == t.until) {
        listed_.pop_front();
        t.listed = false;
    }
    return next;
}

void window::available(std::uint32_t number, std::size_t until) {
    if (number >= tasks_.size()) {
        return; // it was forgotten
    }
    held_task& t = tasks_[number];
    assert(until <= t.count);
    t.until = std::max(t.until, until);
    if (!t.listed && t.given < t.until) {
        listed_.push_back(number);
        t.listed = true;
    }
}

} // namespace coproc::streams
