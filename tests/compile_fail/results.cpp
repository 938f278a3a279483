// Which results are refused.
#include "can_submit.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

class account {
public:
    explicit account(int balance) : balance_(balance) {}

private:
    int balance_;
};
struct found {
    int line;
    const char* text;
};

std::string_view first_word(std::string_view text);
const std::string_view& longest(const std::vector<std::string>& words);
std::span<const int> front(std::span<const int> values);
const char* name();
int* address();
std::vector<std::string_view> words(std::string_view text);
std::unique_ptr<int> made();
found find(std::string_view text);
account opened(int balance);
std::string first_word_of(std::string_view text);
const std::string& same(const std::string& text);

static_assert(can_submit<decltype(same)&, const char*>, "what a reference refers to is copied");
static_assert(cannot_submit<decltype(first_word)&, const char*>);
static_assert(cannot_submit<decltype(longest)&, std::vector<std::string>>);
static_assert(cannot_submit<decltype(front)&, std::vector<int>>);
static_assert(cannot_submit<decltype(made)&>);

void run(coproc::executor& executor) {
    // error: nothing owns what the result points to: return std::string, std::vector or the object
    // error: result_of_the_function<std::basic_string_view<char
    executor.submit(first_word, "some words");
    executor.submit(first_word_of, "some words").detach();
    // error: nothing owns what the result points to
    executor.submit(longest, std::vector<std::string>());
    // error: nothing owns what the result points to
    executor.submit(name);
    // error: nothing owns what the result points to
    executor.submit(address);
    // error: nothing owns what the result points to
    // error: element<std::basic_string_view<char
    executor.submit(words, "some words");
    // error: nothing owns what the result points to
    // error: result_of_the_function<found>, coproc::detail::member<2, const char
    executor.submit(find, "some words");
    // error: the type has no codec: include the header in coproc/codecs/ that is named after it
    // error: result_of_the_function<account>
    executor.submit(opened, 1);
    auto words_job = executor.submit(first_word_of, "some words");
    // error: the result is taken out of the job: std::move(j).get()
    words_job.get();
}
