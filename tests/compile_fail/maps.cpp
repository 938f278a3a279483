// Which maps are refused.
#include <coproc/executor.hpp>
#include <coproc/map.hpp>

#include <functional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

int add(int a, int b);
std::size_t length(std::string_view text);
void count_up(int& counter);
std::string_view first_word(const std::string& text);

template <class F, class... Ranges>
concept can_map = requires(coproc::executor& executor, F function, Ranges&&... ranges) {
    executor.map(function, std::forward<Ranges>(ranges)...);
    executor.map({.chunk_size = 10}, function, std::forward<Ranges>(ranges)...);
};
using numbers = std::vector<int>;
using words = std::vector<std::string>;
static_assert(coproc::mappable<decltype(length)&, words&> && can_map<decltype(length)&, words&>);
static_assert(can_map<decltype(add)&, numbers&, std::ranges::iota_view<int>>);
static_assert(!coproc::mappable<decltype(add)&, numbers&> && !can_map<decltype(add)&, numbers&>);
static_assert(!can_map<decltype(length)&, numbers&>);
static_assert(!can_map<decltype(count_up)&, numbers&>);
static_assert(!can_map<decltype(first_word)&, words&>);

void run(coproc::executor& executor, numbers& counters, const words& texts, int factor) {
    static_cast<void>(executor.map(length, texts));
    static_cast<void>(executor.map({.chunk_size = 10}, add, counters, counters));

    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: submit(f, *begin(range)) says what is wrong
    // error: not_input_ranges
    executor.map(length, 7);
    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: refusal::not_callable
    executor.map(add, counters);
    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: refusal::not_callable
    executor.map({.chunk_size = 10}, add, counters);
    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: refusal::changes_argument
    // error: argument<1, int&>
    executor.map(count_up, counters);
    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: refusal::function_state
    executor.map([factor](int n) { return factor * n; }, counters);
    // error: map needs input ranges, and a function that can be submitted with their elements
    // error: refusal::result
    executor.map({.chunk_size = 10}, first_word, texts);
}
