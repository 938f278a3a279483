// expect: nothing owns what the result points to: return std::string, std::vector
// expect: result_of_the_function<std::basic_string_view<
#include "support.hpp"

#include <string_view>

std::string_view first_word(std::string_view text);
std::string first_word_of(std::string_view text);
const std::string_view& longest(const std::vector<std::string>& words);
const char* name();
int* address();
std::vector<std::string_view> words(std::string_view text);
static_assert(!can_submit<decltype(longest)&, std::vector<std::string>>);
static_assert(!can_submit<decltype(name)&>);
static_assert(!can_submit<decltype(address)&>);
static_assert(!can_submit<decltype(words)&, const char*>);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(first_word_of, "some words");
#else
    executor.submit(first_word, "some words");
#endif
}
