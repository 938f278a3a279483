#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>
#include <coproc/remote_exception.hpp>

#include <array>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

// Values and exceptions that come back from workers.

namespace {

/// A codec that throws what is no exception when it reads.
struct odd {
    int value = 0;
};

} // namespace

template <>
struct coproc::codec<odd> {
    static void encode(encoder& out, const odd& o) { out.write(o.value); }
    static odd decode(decoder& in) {
        in.read<int>();
        throw 42;
    }
};

namespace {

odd make_odd() { return {1}; }

std::string of_size(std::size_t size) { return std::string(size, 'x'); }

int throw_much() { throw std::runtime_error(std::string(100'000, 'x')); }

enum class colour : std::uint8_t { red, green };

struct point {
    int x;
    double y;
    bool operator==(const point&) const = default;
};

struct shape {
    std::string name;
    std::vector<point> corners;
    std::optional<colour> fill;
    bool operator==(const shape&) const = default;
};

struct adder {
    int what;
    int operator()(int to) const { return to + what; }
};

/// A type that can only be moved.
class token {
public:
    explicit token(int number) : number_(std::make_unique<int>(number)) {}
    int number() const { return *number_; }

private:
    std::unique_ptr<int> number_;
};

/// Its codec throws.
struct stubborn {
    bool encodes = true;
    bool decodes = true;
};

} // namespace

template <>
struct coproc::codec<token> {
    static void encode(encoder& out, const token& value) { out.write(value.number()); }
    static token decode(decoder& in) { return token(in.read<int>()); }
};

template <>
struct coproc::codec<stubborn> {
    static void encode(encoder& out, const stubborn& value) {
        if (!value.encodes) {
            throw std::runtime_error("will not speak");
        }
        out.write(value.decodes);
    }
    static stubborn decode(decoder& in) {
        if (!in.read<bool>()) {
            in.fail("will not look");
        }
        return {};
    }
};

namespace {

template <class T>
T same(T value) {
    return value;
}

void nothing() {}
token next(token from) { return token(from.number() + 1); }
std::size_t count(std::string_view text) { return text.size(); }
double sum(std::span<const double> all) { return std::accumulate(all.begin(), all.end(), 0.0); }
std::string c_string(const char* text) { return text == nullptr ? "null" : text; }
bool stopped(std::stop_token stop, int) { return stop.stop_requested(); }

std::vector<char> letters(std::size_t size, char seed) {
    std::vector<char> made(size);
    for (std::size_t i = 0; i < size; ++i) {
        made[i] = static_cast<char>(seed + static_cast<char>(i % 26));
    }
    return made;
}

struct unknown_error : std::runtime_error {
    using runtime_error::runtime_error;
};

int throws_invalid(int) { throw std::invalid_argument("seven"); }
int throws_own(int) { throw unknown_error("mine"); }
int throws_number(int n) { throw n; }

class unspeakable {};
int throws_unspeakable() { throw unspeakable(); }

stubborn make_stubborn(bool encodes, bool decodes) { return {encodes, decodes}; }
int take_stubborn(stubborn) { return 1; }

asio::awaitable<void> round_trips() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 2}};
    const auto got1 = co_await executor.submit(same<int>, -7);
    CHECK(got1.value() == -7);
    const auto got2 = co_await executor.submit(same<double>, 0.1);
    CHECK(got2.value() == 0.1);
    const auto got3 = co_await executor.submit(same<bool>, true);
    CHECK(got3.value());
    const auto got4 = co_await executor.submit(same<colour>, colour::green);
    CHECK(got4.value() == colour::green);
    const std::string text = "text";
    const auto got5 = co_await executor.submit(same<std::string>, text);
    CHECK(got5.value() == text);
    const std::vector<std::string> words{"a", "", "ccc"};
    const auto got6 = co_await executor.submit(same<std::vector<std::string>>, words);
    CHECK(got6.value() == words);
    const std::tuple<int, std::string> pair{1, "one"};
    const auto got7 = co_await executor.submit(same<std::tuple<int, std::string>>, pair);
    CHECK(got7.value() == pair);
    const std::array<int, 3> three{1, 2, 3};
    const auto got8 = co_await executor.submit(same<std::array<int, 3>>, three);
    CHECK(got8.value() == three);
    const std::filesystem::path path = "/some/where";
    const auto got9 = co_await executor.submit(same<std::filesystem::path>, path);
    CHECK(got9.value() == path);
    const shape triangle{"triangle", {{0, 0.5}, {1, 2.5}}, colour::green};
    const auto got10 = co_await executor.submit(same<shape>, triangle);
    CHECK(got10.value() == triangle);
}

asio::awaitable<void> parameters() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 2}};
    const auto got11 = co_await executor.submit(nothing);
    CHECK(got11.has_value());
    token five(5);
    const auto got12 = co_await executor.submit(next, std::move(five));
    CHECK(got12.value().number() == 6);
    const auto got13 = co_await executor.submit(count, "four");
    CHECK(got13.value() == 4);
    const std::vector<double> numbers{1, 2, 3.5};
    const auto got14 = co_await executor.submit(sum, numbers);
    CHECK(got14.value() == 6.5);
    const auto got15 = co_await executor.submit(c_string, "text");
    CHECK(got15.value() == "text");
    const auto got16 = co_await executor.submit(c_string, static_cast<const char*>(nullptr));
    CHECK(got16.value() == "null");
    const adder three{3};
    const auto got17 = co_await executor.submit(three, 4);
    CHECK(got17.value() == 7);
    const auto twice = [](int n) { return 2 * n; };
    const auto got18 = co_await executor.submit(twice, 4);
    CHECK(got18.value() == 8);
    const auto got19 = co_await executor.submit(stopped, 1);
    CHECK_FALSE(got19.value());
}

asio::awaitable<void> exceptions() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 1}};
    const coproc::result<int> invalid = co_await executor.submit(throws_invalid, 1);
    REQUIRE(invalid.has_error());
    CHECK(invalid.error() == coproc::errc::task_threw);
    CHECK(invalid.error().certainty() == coproc::certainty::ran);
    CHECK_THROWS_AS(invalid.value(), std::invalid_argument);
    CHECK_THROWS_AS(invalid.value(), coproc::remote_exception);
    try {
        invalid.value();
    } catch (const std::exception& error) {
        CHECK(error.what() == std::string("seven"));
    }
    const coproc::result<int> own = co_await executor.submit(throws_own, 1);
    CHECK_THROWS_AS(own.value(), coproc::remote_error);
    CHECK(own.error().message().find("unknown_error: mine") != std::string::npos);
    const coproc::result<int> number = co_await executor.submit(throws_number, 3);
    CHECK(number.error() == coproc::errc::task_threw);
    const coproc::result<int> none = co_await executor.submit(throws_unspeakable);
    CHECK(none.error() == coproc::errc::task_threw);
    CHECK_THROWS_AS(none.value(), coproc::remote_exception);
    const auto got20 = co_await executor.submit(same<int>, 1);
    CHECK(got20.value() == 1);
}

asio::awaitable<void> codecs_that_throw() {
    using coproc::certainty;
    using coproc::errc;
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 1}};
    const stubborn mute{false, true};
    const stubborn blind{true, false};
    const auto sent = co_await executor.submit(take_stubborn, mute);
    CHECK(sent.error() == errc::encode_failed);
    CHECK(sent.error().certainty() == certainty::not_started);
    CHECK(sent.error().message().find("will not speak") != std::string::npos);
    const auto received = co_await executor.submit(take_stubborn, blind);
    CHECK(received.error() == coproc::errc::decode_failed);
    CHECK(received.error().certainty() == certainty::not_started);
    CHECK(received.error().message().find("will not look") != std::string::npos);
    const auto answered = co_await executor.submit(make_stubborn, false, true);
    CHECK(answered.error() == errc::encode_failed);
    CHECK(answered.error().certainty() == coproc::certainty::ran);
    const auto taken = co_await executor.submit(make_stubborn, true, false);
    CHECK(taken.error() == coproc::errc::decode_failed);
    CHECK(taken.error().certainty() == coproc::certainty::ran);
    const auto got21 = co_await executor.submit(same<int>, 1);
    CHECK(got21.value() == 1);
}

asio::awaitable<void> sizes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 1}};
    for (const std::size_t size :
         {std::size_t{1} << 10, (std::size_t{32} << 10) + 1, std::size_t{256} << 10,
          std::size_t{1} << 20, (std::size_t{64} << 20) + 3}) {
        const std::vector<char> sent = letters(size, 'a');
        const auto back = co_await executor.submit(same<std::vector<char>>, sent);
        CHECK(back.value() == sent);
    }
}

asio::awaitable<void> many_sizes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 3}};
    std::vector<coproc::job<std::vector<char>>> jobs;
    const auto size = [](int i) { return static_cast<std::size_t>(i * i * i * 37); };
    for (int i = 0; i < 60; ++i) {
        jobs.push_back(executor.submit(same<std::vector<char>>, letters(size(i), 'b')));
    }
    for (int i = 0; i < 60; ++i) {
        const auto back = co_await std::move(jobs[static_cast<std::size_t>(i)]);
        CHECK(back.value() == letters(size(i), 'b'));
    }
}

asio::awaitable<void> too_large() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 1, .max_message_bytes = 1 << 20}};
    const auto sent = co_await executor.submit(same<std::vector<char>>, letters(2 << 20, 'c'));
    CHECK(sent.error() == coproc::errc::too_large);
    CHECK(sent.error().certainty() == coproc::certainty::not_started);
    const auto received = co_await executor.submit(letters, std::size_t{2} << 20, 'c');
    CHECK(received.error() == coproc::errc::too_large);
    CHECK(received.error().certainty() == coproc::certainty::ran);
    const auto got22 = co_await executor.submit(same<int>, 1);
    CHECK(got22.value() == 1);
}

asio::awaitable<void> thousands() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 2}};
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 5000; ++i) {
        jobs.push_back(executor.submit(same<int>, i));
    }
    int right = 0;
    for (int i = 0; i < 5000; ++i) {
        right += (co_await std::move(jobs[static_cast<std::size_t>(i)])).value() == i;
    }
    CHECK(right == 5000);
    const coproc::executor_stats stats = executor.stats();
    CHECK(stats.submitted == 5000);
    CHECK(stats.completed == 5000);
    CHECK(stats.started_workers <= 2);
}

} // namespace

TEST_CASE("values of every kind come back as they were sent", "[results]") {
    test::run(round_trips());
}
TEST_CASE("functions take what they would take in a call", "[results]") { test::run(parameters()); }
TEST_CASE("exceptions of tasks are rethrown as what they were", "[results]") {
    test::run(exceptions());
}
TEST_CASE("a codec that throws costs one task", "[results]") { test::run(codecs_that_throw()); }
TEST_CASE("arguments and results larger than all buffers arrive", "[results]") {
    test::run(sizes());
}
TEST_CASE("many large tasks at a time do not mix", "[results]") { test::run(many_sizes()); }
TEST_CASE("a message beyond the limit costs one task", "[results]") { test::run(too_large()); }
TEST_CASE("thousands of tasks are answered, each by its own result", "[results]") {
    test::run(thousands());
}

TEST_CASE("a codec that throws no exception here costs one result", "[results]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(make_odd);
    test::run(loop);
    const auto got = std::move(job).get();
    REQUIRE(got.has_error());
    CHECK(got.error() == coproc::errc::decode_failed);
    CHECK(got.error().certainty() == coproc::certainty::ran);
}

TEST_CASE("a result near the limit arrives or is too large, and never costs the worker",
          "[results]") {
    asio::io_context loop;
    constexpr std::size_t limit = 64 * 1024;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = limit});
    std::vector<coproc::job<std::string>> jobs;
    std::vector<std::size_t> sizes;
    for (std::size_t size = limit - 6000; size < limit + 200; size += size % 97 + 1) {
        sizes.push_back(size);
        jobs.push_back(executor.submit(of_size, size));
    }
    auto thrown = executor.submit(throw_much);
    test::run(loop);
    std::size_t arrived = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const auto got = std::move(jobs[i]).get();
        INFO(sizes[i]);
        if (got.has_value()) {
            CHECK(got.value().size() == sizes[i]);
            ++arrived;
        } else {
            CHECK(got.error() == coproc::errc::too_large);
        }
    }
    CHECK(arrived > 0);
    CHECK(arrived < jobs.size());
    CHECK(std::move(thrown).get().error() == coproc::errc::task_threw);
    CHECK(executor.stats().crashed_workers == 0);
}
