#include "support/answers.hpp"
#include "support/catch.hpp"

#include <coproc/coproc.hpp>

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <string>
#include <vector>

// Functions that the worker finds by their names, as workers do that are another program.

namespace images {

struct image {
    int width;
    std::vector<std::uint8_t> pixels;
    bool operator==(const image&) const = default;
};

image scale(const image& from, int by) { return {from.width * by, from.pixels}; }
COPROC_EXPORT(scale)

namespace {
std::size_t count(std::string_view text, std::span<const double> values) {
    return text.size() + values.size();
}
bool stopped(std::stop_token token, int n) { return token.stop_requested() || n < 0; }
int twice(int n) { return 2 * n; }
double half(double n) { return n / 2; }

asio::awaitable<int> wait_and_add(int a, int b) {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return a + b;
}
} // namespace

COPROC_EXPORT(count)
COPROC_EXPORT(stopped)
COPROC_EXPORT(wait_and_add)

} // namespace images

COPROC_EXPORT(images::twice)
COPROC_EXPORT(images::half);

namespace one {
static int same_name(int n) { return n; }
COPROC_EXPORT(same_name)
} // namespace one
namespace two {
static int same_name(int n) { return n + 1; }
COPROC_EXPORT(same_name)
} // namespace two

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::named;
using images::image;
using test::answer_of;

/// The same name as the exported function's, and other fields: another program's idea of it.
namespace other {
struct image {
    int width;
    std::string pixels;
};
} // namespace other

template <class R>
std::string refusal_of(const coproc::result<R>& got) {
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::unknown_function);
    CHECK(got.error().certainty() == certainty::not_started);
    return got.error().message();
}

} // namespace

TEST_CASE("a function is found by its name", "[named]") {
    const image small{2, {1, 2, 3}};
    const image large{6, {1, 2, 3}};
    CHECK(answer_of(named<image(image, int)>("scale"), small, 3).value() == large);
    CHECK(answer_of(named<image(const image&, int)>("scale"), small, 3).value() == large);
    CHECK(answer_of(named<int(int)>("images::twice"), 4).value() == 8);
    CHECK(answer_of(named<double(double)>("images::half"), 4).value() == 2);
    CHECK(answer_of(coproc::bind_front(named<int(int)>("images::twice"), 4)).value() == 8);
}

TEST_CASE("the types that are named decide how arguments travel", "[named]") {
    CHECK(answer_of(named<double(double)>("images::half"), 5).value() == 2.5);
    const auto count = named<std::size_t(std::string, std::vector<double>)>("count");
    const std::vector<double> three{1, 2, 3};
    CHECK(answer_of(count, "four", three).value() == 7);
    const auto view = named<std::size_t(std::string_view, std::span<const double>)>("count");
    CHECK(answer_of(view, "four", three).value() == 7);
}

TEST_CASE("neither a stop token nor a coroutine is part of a named type", "[named]") {
    CHECK_FALSE(answer_of(named<bool(int)>("stopped"), 1).value());
    CHECK(answer_of(named<bool(int)>("stopped"), -1).value());
    CHECK(answer_of(named<int(int, int)>("wait_and_add"), 1, 2).value() == 3);
    CHECK(answer_of(named<asio::awaitable<int>(int, int)>("wait_and_add"), 1, 2).value() == 3);
}

TEST_CASE("an unknown name is an error that tells the known ones", "[named]") {
    const std::string message = refusal_of(answer_of(named<int(int)>("thrice"), 1));
    INFO(message);
    CHECK(message.starts_with("thrice: the worker does not have this function"));
    CHECK(message.find("it exports nothing as \"thrice\"") != std::string::npos);
    CHECK(message.find("exported are \"add\", \"count\", ") != std::string::npos);
    CHECK(message.find("\"images::half\", \"images::twice\"") != std::string::npos);
    const coproc::task_options options{.name = "task"};
    const std::string named_task = refusal_of(answer_of(options, named<int(int)>("thrice"), 1));
    CHECK(named_task.starts_with("task: the worker does not have"));
    CHECK(refusal_of(answer_of(named<int()>(""))).find("its name is empty") != std::string::npos);
    const std::string long_name(2000, 'x');
    CHECK(refusal_of(answer_of(named<int()>(long_name))).find("its name is too long") !=
          std::string::npos);
}

TEST_CASE("other types under a known name are an error", "[named]") {
    const std::string message = refusal_of(answer_of(named<int(long)>("images::twice"), 1));
    INFO(message);
    CHECK(message.find("it exports \"images::twice\" as int (int), whose types are not") !=
          std::string::npos);
    refusal_of(answer_of(named<long(int)>("images::twice"), 1));
    refusal_of(answer_of(named<int(int, int)>("images::twice"), 1, 2));
    refusal_of(answer_of(named<int()>("images::twice")));
    refusal_of(answer_of(named<void(int)>("images::twice"), 1));
    refusal_of(answer_of(named<std::size_t(std::string, std::vector<float>)>("count"), "",
                         std::vector<float>()));
    refusal_of(answer_of(named<image(other::image, int)>("scale"), other::image{1, "x"}, 1));
}

TEST_CASE("a name that two functions have is an error", "[named]") {
    const std::string message = refusal_of(answer_of(named<int(int)>("same_name"), 1));
    CHECK(message.find("several functions are exported as \"same_name\"") != std::string::npos);
}

TEST_CASE("after an unknown name the worker goes on", "[named]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto unknown = executor.submit(named<int(int)>("thrice"), 1);
    auto known = executor.submit(named<int(int)>("images::twice"), 1);
    test::run(loop);
    CHECK(std::move(unknown).get().error() == errc::unknown_function);
    CHECK(std::move(known).get().value() == 2);
    CHECK(executor.stats().started_workers == 1);
}
