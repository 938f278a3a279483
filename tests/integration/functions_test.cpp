#include "integration/twins.hpp"
#include "support/answers.hpp"
#include "support/catch.hpp"
#include "support/matchers.hpp"

#include <coproc/codecs/variant.hpp>
#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

// The kinds of functions that can be submitted, in real workers.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::fn;
using test::answer_of;

int add(int a, int b) { return a + b; }
int fails(int) { throw std::runtime_error("always"); }
std::string greet(std::string_view greeting, const char* name) {
    return std::string(greeting) + ", " + name;
}

int chosen(int) { return 1; }
int chosen(double) { return 2; }

struct rectangle {
    int width;
    int height;

    int area(int times) const { return times * width * height; }
    int grow(int by) noexcept { return width += by; }
    int consumed() && { return width; }
    bool stopped(std::stop_token token) const { return token.stop_requested(); }
};

struct shape {
    virtual ~shape() = default;
    virtual int corners() const { return 0; }
    int twice() const { return 2 * corners(); }
};
struct polygon : shape {
    explicit polygon(int count) : count_(count) {}
    int corners() const override { return count_; }
    int count_;
};

using table = std::unordered_map<std::string, std::map<int, std::set<std::string>>>;
std::size_t names_in(const table& all) {
    std::size_t count = 0;
    for (const auto& [key, inner] : all) {
        for (const auto& [number, names] : inner) {
            count += names.size();
        }
    }
    return count;
}
std::variant<int, std::string> int_or_text(bool number) {
    if (number) {
        return 1;
    }
    return "text";
}
std::chrono::system_clock::time_point later(std::chrono::system_clock::time_point from,
                                            std::chrono::milliseconds by) {
    return from + by;
}

unsigned as_unsigned(unsigned n) { return n; }
std::int8_t as_byte(std::int8_t n) { return n; }
bool as_bool(bool b) { return b; }
float as_float(float f) { return f; }

COPROC_EXPORT(add)

} // namespace

template <>
struct coproc::codec<polygon> {
    static void encode(encoder& out, const polygon& value) { out.write(value.count_); }
    static polygon decode(decoder& in) { return polygon(in.read<int>()); }
};

TEST_CASE("fn carries a function in its type", "[functions]") {
    CHECK(answer_of(fn<add>, 1, 2).value() == 3);
    CHECK(answer_of(fn<static_cast<int (*)(double)>(chosen)>, 1).value() == 2);
    CHECK(answer_of(fn<&rectangle::area>, rectangle{2, 3}, 2).value() == 12);
}

TEST_CASE("a failure of fn knows the name", "[functions]") {
    const auto failed = answer_of(fn<fails>, 1);
    REQUIRE(failed.has_error());
    INFO(failed.error().message());
    CHECK(failed.error().message().find("fails: threw std::runtime_error: always") !=
          std::string::npos);
    const coproc::task_options options{.name = "by another name"};
    const auto named = answer_of(options, fn<fails>, 1);
    CHECK(named.error().message().starts_with("by another name: threw"));
}

TEST_CASE("a failure of a lambda names the lambda, alone and in a chunk", "[functions]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    const auto refuse = [](int) -> int { throw std::runtime_error("no"); };
    const auto got = executor.submit(refuse, 1).get();
    REQUIRE(got.has_error());
    const std::string text = got.error().message();
    CHECK_THAT(text, test::contains_text("{lambda(int)#"));
    CHECK_THAT(text, test::contains_text("}: threw std::runtime_error: no"));
    CHECK_THAT(text, !test::contains_text("task_invoker"));
    auto mapped = executor.map({.chunk_size = 2}, refuse, std::vector<int>{1, 2});
    const auto all = mapped.get();
    REQUIRE(all.has_error());
    CHECK(all.error().message() == text);
}

TEST_CASE("an overloaded function is chosen by a cast", "[functions]") {
    CHECK(answer_of(static_cast<int (*)(int)>(chosen), 1).value() == 1);
    CHECK(answer_of(static_cast<int (*)(double)>(chosen), 1).value() == 2);
}

TEST_CASE("a member function runs on a copy of its object", "[functions]") {
    rectangle mine{2, 3};
    CHECK(answer_of(&rectangle::area, mine, 2).value() == 12);
    CHECK(answer_of(&rectangle::grow, mine, 5).value() == 7);
    CHECK(mine.width == 2);
    CHECK(answer_of(&rectangle::consumed, rectangle{4, 5}).value() == 4);
    CHECK_FALSE(answer_of(&rectangle::stopped, mine).value());
    CHECK(answer_of(&shape::corners, polygon(5)).value() == 5);
    CHECK(answer_of(&shape::twice, polygon(5)).value() == 10);
}

TEST_CASE("a null function is refused before it is sent", "[functions]") {
    int (rectangle::*const no_member)(int) const = nullptr;
    int (*const none)(int, int) = nullptr;
    for (const auto& failed : {answer_of(no_member, rectangle{1, 2}, 1), answer_of(none, 1, 2)}) {
        REQUIRE(failed.has_error());
        CHECK(failed.error() == errc::encode_failed);
        CHECK(failed.error().certainty() == certainty::not_started);
        CHECK(failed.error().message().find("the function pointer is null") != std::string::npos);
    }
}

TEST_CASE("bound values travel through their codecs", "[functions]") {
    CHECK(answer_of(coproc::bind_front(add, 1), 2).value() == 3);
    const std::string greeting = "a greeting that is too long for the string itself";
    CHECK(answer_of(coproc::bind_front(greet, greeting), "you").value() == greeting + ", you");
    CHECK(answer_of(coproc::bind_front(greet, "hello", "you")).value() == "hello, you");
    CHECK(answer_of(coproc::bind_front(coproc::bind_front(&rectangle::area, rectangle{2, 3}), 2))
              .value() == 12);
    CHECK(answer_of(coproc::bind_front(fn<add>, 1), 2).value() == 3);
}

TEST_CASE("whatever can be submitted can be mapped", "[functions]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    const std::vector<int> numbers{1, 2, 3};
    const auto all = [&](auto function, auto&&... ranges) {
        return executor.map(std::move(function), ranges...).get().value();
    };
    CHECK(all(coproc::bind_front(add, 10), numbers) == std::vector{11, 12, 13});
    CHECK(all(coproc::bind_front(coproc::bind_front(&rectangle::area, rectangle{2, 3})), numbers) ==
          std::vector{6, 12, 18});
    CHECK(all(coproc::bind_front(greet, "a greeting that is too long for the string itself"),
              std::vector{"you"}) ==
          std::vector<std::string>{"a greeting that is too long for the string itself, you"});
    CHECK(all(fn<add>, numbers, numbers) == std::vector{2, 4, 6});
    CHECK(all(&rectangle::area, std::vector{rectangle{2, 3}, rectangle{1, 1}}, numbers) ==
          std::vector{6, 2});
    CHECK(all(coproc::named<int(int, int)>("add"), numbers, numbers) == std::vector{2, 4, 6});
}

TEST_CASE("an unchecked closure travels as its bytes", "[functions]") {
    const int by = 3;
    const rectangle mine{2, 3};
    CHECK(
        answer_of(coproc::unchecked_closure([=](int n) { return by * mine.area(n); }), 2).value() ==
        36);
}

TEST_CASE("lambdas of the same name in two files stay two", "[functions]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto first = twins::submit_first(executor, 1);
    auto second = twins::submit_second(executor, 1);
    test::run(loop);
    for (std::size_t kind = 0; kind < first.size(); ++kind) {
        INFO(kind);
        CHECK(std::move(first[kind]).get().value() == 11);
        CHECK(std::move(second[kind]).get().value() == 21);
    }
}

TEST_CASE("maps, sets, variants and times travel", "[functions]") {
    const table all{{"a", {{1, {"x", "y"}}, {2, {"z"}}}}, {"b", {}}};
    CHECK(answer_of(names_in, all).value() == 3);
    CHECK(answer_of(int_or_text, true).value() == std::variant<int, std::string>(1));
    CHECK(answer_of(int_or_text, false).value() == std::variant<int, std::string>("text"));
    const auto now = std::chrono::system_clock::now();
    CHECK(answer_of(later, now, std::chrono::seconds(2)).value() == now + std::chrono::seconds(2));
}

TEST_CASE("an argument that does not fit changes as the language says", "[functions]") {
    CHECK(answer_of(as_unsigned, -1).value() == std::numeric_limits<unsigned>::max());
    CHECK(answer_of(as_byte, 300).value() == 44);
    CHECK(answer_of(as_byte, -129).value() == 127);
    CHECK(answer_of(as_byte, 1.9).value() == 1);
    CHECK(answer_of(as_bool, 2).value());
    CHECK(std::isinf(answer_of(as_float, std::numeric_limits<double>::infinity()).value()));
}
