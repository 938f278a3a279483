// A call from the caller's side to the worker's and back, in one process.
#include "support/catch.hpp"
#include "unit/codec_samples.hpp"

#include <coproc/detail/call.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string_view>

using coproc::submittable;
using coproc::task_result_t;
using coproc::detail::call_of;
using coproc::detail::call_stage;

namespace {

/// What a worker does with one task.
struct worker {
    std::span<const std::byte> arguments;
    coproc::encoder result{};
    call_stage stage = call_stage::decoding;
    bool returned = false;
    bool result_was_empty_on_return = false;
    std::stop_source stop{};

    void run(const coproc::detail::target& target) {
        coproc::decoder in(arguments);
        coproc::detail::invocation task{
            .arguments = in,
            .result = result,
            .function = target.function,
            .context = this,
            .returned =
                [](void* self) noexcept {
                    auto& here = *static_cast<worker*>(self);
                    here.returned = true;
                    here.result_was_empty_on_return = here.result.size() == 0;
                },
            .stop_token = [](void* self) { return static_cast<worker*>(self)->stop.get_token(); },
        };
        try {
            target.invoke(task);
        } catch (...) {
            stage = task.stage;
            throw;
        }
        stage = task.stage;
    }
};

template <class F, class... Args>
task_result_t<F, Args...> trip(F&& function, Args&&... args) {
    using task = call_of<F, Args...>;
    coproc::encoder out;
    task::encode(out, function, std::forward<Args>(args)...);
    worker there{out.bytes()};
    there.run(task::target_of(function));
    CHECK(there.stage == call_stage::encoding);
    CHECK(there.returned);
    CHECK(there.result_was_empty_on_return);
    return coproc::detail::decode_result<task_result_t<F, Args...>>(there.result.bytes());
}

int add(int a, int b) { return a + b; }
int add_noexcept(int a, int b) noexcept { return a + b; }
double half(double x) { return x / 2; }
std::size_t length(const std::string& text) { return text.size(); }
std::string joined(std::string_view a, std::string&& b) { return std::string(a) + b; }
double sum(std::span<const float> values) {
    double total = 0;
    for (const float value : values) {
        total += value;
    }
    return total;
}
std::string spoken(const char* text) { return text == nullptr ? "null" : text; }
std::string concatenated(std::span<const std::string> words) {
    std::string all;
    for (const std::string& word : words) {
        all += word;
    }
    return all;
}
int set_bits(std::span<const bool> bits) {
    int count = 0;
    for (const bool bit : bits) {
        count += bit ? 1 : 0;
    }
    return count;
}
int middle(std::span<const int, 3> values) { return values[1]; }
bool stopped(const std::stop_token& token, int) { return token.stop_requested(); }
const std::string& same(const std::string& text) { return text; }

bool nothing_ran = true;
void nothing(int) { nothing_ran = false; }

/// Travels, but cannot be copied.
class handle {
public:
    explicit handle(int number) : number_(std::make_unique<int>(number)) {}
    int number() const { return *number_; }

private:
    std::unique_ptr<int> number_;
};

/// Counts its living objects.
struct counted {
    explicit counted(int number) : value(number) { ++living; }
    counted(const counted& other) : value(other.value) { ++living; }
    ~counted() { --living; }
    int value;
    static inline int living = 0;
};

} // namespace

template <>
struct coproc::codec<handle> {
    static void encode(encoder& out, const handle& value) { out.write(value.number()); }
    static handle decode(decoder& in) { return handle(in.read<int>()); }
};
template <>
struct coproc::codec<counted> {
    static void encode(encoder& out, const counted& value) { out.write(value.value); }
    static counted decode(decoder& in) { return counted(in.read<int>()); }
};

TEST_CASE("functions run", "[call]") {
    CHECK(trip(add, 1, 2) == 3);
    CHECK(trip(&add, 1, 2) == 3);
    CHECK(trip(add_noexcept, 1, 2) == 3);
    int (*const pointer)(int, int) = add;
    CHECK(trip(pointer, 1, 2) == 3);
}

namespace {

struct account {
    int balance = 0;

    int doubled() const { return 2 * balance; }
    int add(int amount) { return balance += amount; }
    int lvalue() & { return 1; }
    int const_lvalue() const& noexcept { return 2; }
    int rvalue() && { return 3; }
    int overloaded(int) const { return 4; }
    int overloaded(double) const { return 5; }
    bool stopped(std::stop_token token, int n) const { return token.stop_requested() || n < 0; }
    double total(std::span<const float> values) const { return balance + sum(values); }
};

struct animal {
    virtual ~animal() = default;
    virtual std::string sound() const { return "silence"; }
    std::string twice() const { return sound() + sound(); }
    int legs = 4;
};
struct cat : animal {
    explicit cat(std::string how) : how_(std::move(how)) {}
    std::string sound() const override { return how_; }
    std::string how_;
};
struct padding {
    virtual ~padding() = default;
    int before = 7;
};
struct lion : padding, cat {
    using cat::cat;
};

double overloaded(double x) { return x / 2; }
std::string overloaded(std::string_view text) { return std::string(text) + "!"; }

template <class T>
T templated(T x) {
    return x + 1;
}

} // namespace

template <>
struct coproc::codec<cat> {
    static void encode(encoder& out, const cat& value) { out.write(value.how_); }
    static cat decode(decoder& in) { return cat(in.read<std::string>()); }
};
template <>
struct coproc::codec<lion> {
    static void encode(encoder& out, const lion& value) { out.write(value.how_); }
    static lion decode(decoder& in) { return lion(in.read<std::string>()); }
};

TEST_CASE("functions in a type run, and the type knows the name", "[call]") {
    CHECK(trip(coproc::fn<add>, 1, 2) == 3);
    CHECK(trip(coproc::fn<&account::doubled>, account{4}) == 8);
    CHECK(trip(coproc::fn<static_cast<double (*)(double)>(overloaded)>, 3) == 1.5);
    CHECK(trip(coproc::fn<[](int x) { return x + 1; }>, 1) == 2);
    CHECK(coproc::fn<add>(1, 2) == 3);
    CHECK(coproc::fn<&account::doubled>(account{4}) == 8);
    const auto name_of = [](const auto& function) {
        return std::string(
            call_of<decltype(function), int, int>::target_of(std::decay_t<decltype(function)>())
                .name);
    };
    CHECK(name_of(coproc::fn<add>).ends_with("add"));
    CHECK(name_of(coproc::fn<add_noexcept>).ends_with("add_noexcept"));
    const std::string member =
        call_of<decltype((coproc::fn<&account::doubled>)), account>::target_of({}).name;
    CHECK(member.ends_with("account::doubled"));
    const std::string made =
        call_of<decltype((coproc::fn<templated<int>>)), int>::target_of({}).name;
    CHECK(made.find("templated<int>") != std::string::npos);
}

TEST_CASE("functions that a cast has chosen run", "[call]") {
    CHECK(trip(static_cast<double (*)(double)>(overloaded), 3) == 1.5);
    CHECK(trip(static_cast<std::string (*)(std::string_view)>(overloaded), "x") == "x!");
    CHECK(trip(static_cast<int (account::*)(double) const>(&account::overloaded), account{}, 1) ==
          5);
}

TEST_CASE("member functions run on a copy of their object", "[call]") {
    account mine{10};
    const account constant{20};
    CHECK(trip(&account::doubled, mine) == 20);
    CHECK(trip(&account::doubled, constant) == 40);
    CHECK(trip(&account::doubled, account{3}) == 6);
    CHECK(trip(&account::add, mine, 5) == 15);
    CHECK(mine.balance == 10);
    CHECK(trip(&account::lvalue, mine) == 1);
    CHECK(trip(&account::const_lvalue, constant) == 2);
    CHECK(trip(&account::rvalue, account{}) == 3);
    CHECK_FALSE(trip(&account::stopped, mine, 1));
    CHECK(trip(&account::stopped, mine, -1));
    const float values[] = {1, 2, 4};
    CHECK(trip(&account::total, account{1}, values) == 8);
    static_assert(!submittable<decltype(&account::add), const account&, int>);
    static_assert(!submittable<decltype(&account::lvalue), account>);
    static_assert(!submittable<decltype(&account::rvalue), account&>);
}

TEST_CASE("the object of a member function stays what it is", "[call]") {
    CHECK(trip(&animal::sound, cat("purr")) == "purr");
    CHECK(trip(&animal::twice, cat("purr")) == "purrpurr");
    CHECK(trip(&cat::sound, lion("roar")) == "roar");
    // Pointers that were converted adjust the object.
    std::string (lion::*const sound)() const = &animal::sound;
    std::string (lion::*const twice)() const = &animal::twice;
    CHECK(trip(sound, lion("roar")) == "roar");
    CHECK(trip(twice, lion("roar")) == "roarroar");
}

TEST_CASE("bound values travel like the arguments after them", "[call]") {
    CHECK(trip(coproc::bind_front(add, 1), 2) == 3);
    CHECK(trip(coproc::bind_front(add, 1, 2)) == 3);
    CHECK(trip(coproc::bind_front(half, 3)) == 1.5);
    CHECK(trip(coproc::bind_front(joined, "a"), "b") == "ab");
    CHECK(trip(coproc::bind_front(joined, std::string("a")), std::string("b")) == "ab");
    CHECK(trip(coproc::bind_front(spoken, "text")) == "text");
    CHECK(trip(coproc::bind_front(coproc::fn<add>, 1), 2) == 3);
    CHECK(trip(coproc::bind_front(&account::doubled, account{4})) == 8);
    CHECK(trip(coproc::bind_front(&account::add, account{4}), 5) == 9);
    CHECK(trip(coproc::bind_front(&account::add), account{4}, 5) == 9);
    CHECK(trip(coproc::bind_front(
                   coproc::bind_front([](int a, int b, int c) { return a * 100 + b * 10 + c; }, 1),
                   2),
               3) == 123);
    CHECK_FALSE(trip(coproc::bind_front(stopped, 1)));
    const auto kept = coproc::bind_front(joined, std::string("a"));
    CHECK(trip(kept, "b") == "ab");
    CHECK(trip(kept, "c") == "ac");
    struct scaled {
        double factor;
        double operator()(double x) const { return factor * x; }
    };
    CHECK(trip(coproc::bind_front(scaled{2.5}, 2)) == 5);
    static_assert(
        std::is_same_v<task_result_t<decltype(coproc::bind_front(joined, "a")), const char*>,
                       std::string>);
}

TEST_CASE("a bound function is consumed as it would be in a call", "[call]") {
    const auto number = [](handle from, int more) { return from.number() + more; };
    auto owner = coproc::bind_front(number, handle(4));
    static_assert(!submittable<decltype(owner)&, int>, "a call would not compile either");
    CHECK(trip(std::move(owner), 1) == 5);
    const auto look =
        coproc::bind_front([](const handle& from) { return from.number(); }, handle(4));
    CHECK(trip(look) == 4);
    CHECK(trip(look) == 4);
    CHECK(look() == 4);
    CHECK(coproc::bind_front(add, 1)(2) == 3);
}

TEST_CASE("an unchecked closure brings its bytes", "[call]") {
    const int by = 3;
    const account mine{4};
    CHECK(trip(coproc::unchecked_closure([by, mine](int x) { return by * x + mine.balance; }), 2) ==
          10);
    CHECK(trip(coproc::unchecked_closure(
                   [by](const std::string& text) mutable { return std::to_string(by) + text; }),
               "x") == "3x");
    CHECK(trip(coproc::bind_front(
                   coproc::unchecked_closure([by](int a, int b) { return by * (a + b); }), 1),
               2) == 9);
}

TEST_CASE("arguments that do not fit change as the language says", "[call]") {
    const auto as_is = []<class T>(std::type_identity<T>, auto argument) {
        using function = T (*)(T);
        return trip(function([](T value) { return value; }), argument);
    };
    CHECK(as_is(std::type_identity<unsigned>{}, -1) == std::numeric_limits<unsigned>::max());
    CHECK(as_is(std::type_identity<std::uint8_t>{}, 300) == 44);
    CHECK(as_is(std::type_identity<std::int8_t>{}, 200) == -56);
    CHECK(as_is(std::type_identity<std::int16_t>{}, 0x12345678) == 0x5678);
    CHECK(as_is(std::type_identity<int>{}, std::int64_t{1} << 32) == 0);
    CHECK(as_is(std::type_identity<std::uint64_t>{}, -1) ==
          std::numeric_limits<std::uint64_t>::max());
    CHECK(as_is(std::type_identity<int>{}, -1.9) == -1);
    CHECK(as_is(std::type_identity<bool>{}, 2));
    CHECK(as_is(std::type_identity<bool>{}, 0.5));
    CHECK(as_is(std::type_identity<float>{}, 16'777'217) == 16'777'216.0f);
    CHECK(std::isinf(as_is(std::type_identity<float>{}, std::numeric_limits<double>::infinity())));
    CHECK(as_is(std::type_identity<char>{}, 353) == 'a');
}

TEST_CASE("function objects run", "[call]") {
    CHECK(trip([](int x) { return x + 1; }, 1) == 2);
    CHECK(trip([](int x) noexcept { return x + 1; }, 1) == 2);
    CHECK(trip([](int x) mutable { return x + 1; }, 1) == 2);
    const auto constant = [](int x) { return x + 1; };
    CHECK(trip(constant, 1) == 2);
    struct defaulted {
        int operator()(int a, int b = 10) const { return a + b; }
    };
    CHECK(trip(defaulted(), 1) == 11);
    CHECK(trip(defaulted(), 1, 2) == 3);
}

TEST_CASE("a function object brings its state", "[call]") {
    struct scaled {
        double factor;
        std::string unit;
        std::string operator()(int x) {
            return std::to_string(static_cast<int>(factor * x)) + unit;
        }
    };
    CHECK(trip(scaled{2.5, "mm"}, 4) == "10mm");
}

TEST_CASE("arguments travel as their parameters' types", "[call]") {
    CHECK(trip(half, 1) == 0.5);
    CHECK(trip(add, 1.9, 'a') == 98);
    CHECK(trip(length, "text") == 4);
    CHECK(trip(joined, "a", "b") == "ab");
    CHECK(trip(joined, std::string("a"), std::string("b")) == "ab");
    CHECK(trip(sum, std::vector<float>{1, 2, 3.5f}) == 6.5);
    CHECK(trip(sum, std::array<float, 2>{1, 2}) == 3);
    const float values[] = {1, 2, 4};
    CHECK(trip(sum, values) == 7);
    CHECK(trip(middle, std::array<int, 3>{1, 2, 3}) == 2);
}

TEST_CASE("C strings keep null", "[call]") {
    CHECK(trip(spoken, "text") == "text");
    CHECK(trip(spoken, "") == "");
    CHECK(trip(spoken, nullptr) == "null");
    char buffer[] = "buffer";
    CHECK(trip(spoken, static_cast<char*>(buffer)) == "buffer");
}

TEST_CASE("generic lambdas take what auto would be", "[call]") {
    const auto plus = [](auto a, const auto& b) { return a + b; };
    CHECK(trip(plus, 1, 2.5) == 3.5);
    CHECK(trip(plus, std::string("a"), "b") == "ab");
    const auto size = [](auto&& text) { return std::string_view(text).size(); };
    CHECK(trip(size, "text") == 4);
    char buffer[] = "text";
    CHECK(trip(size, buffer) == 4);
    CHECK(trip(size, std::string_view("abc")) == 3);
    CHECK(trip([](auto... all) { return sizeof...(all); }, 1, 2, 3) == 3);
}

TEST_CASE("spans of what cannot be looked at in place are decoded", "[call]") {
    CHECK(trip(concatenated, std::vector<std::string>{"a", "b", "c"}) == "abc");
    CHECK(trip(set_bits, std::array<bool, 3>{true, false, true}) == 2);
}

TEST_CASE("views look into the message", "[call]") {
    struct addresses {
        std::uintptr_t text, numbers, c_string;
    };
    const auto look = [](std::string_view text, std::span<const double> numbers, const char* name) {
        const auto at = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p); };
        return addresses{at(text.data()), at(numbers.data()), at(name)};
    };
    using task = call_of<decltype(look)&, const char*, std::vector<double>, const char*>;
    coproc::encoder out;
    task::encode(out, look, "text", std::vector<double>{1, 2}, "name");
    worker there{out.bytes()};
    there.run(task::target_of(look));
    const auto seen = coproc::detail::decode_result<addresses>(there.result.bytes());
    const auto begin = reinterpret_cast<std::uintptr_t>(out.bytes().data());
    CHECK(seen.text == begin + 8);
    CHECK(seen.numbers == begin + 24); // the length at 12, the block at the next multiple of 8
    CHECK(seen.c_string == begin + 48);
}

TEST_CASE("the worker's stop token is no argument", "[call]") {
    CHECK_FALSE(trip(stopped, 1));
    CHECK_FALSE(trip([](std::stop_token token, auto) { return token.stop_requested(); }, 1));
    using task = call_of<decltype(stopped)&, int>;
    coproc::encoder out;
    task::encode(out, stopped, 1);
    worker there{out.bytes()};
    there.stop.request_stop();
    there.run(task::target_of(stopped));
    CHECK(coproc::detail::decode_result<bool>(there.result.bytes()));
}

TEST_CASE("results are decayed and copied", "[call]") {
    CHECK(trip(same, "text that is too long for the string itself") ==
          "text that is too long for the string itself");
    static_assert(std::is_same_v<task_result_t<decltype(same)&, const char*>, std::string>);
    static_assert(std::is_void_v<task_result_t<decltype(nothing), int>>);
    nothing_ran = true;
    trip(nothing, 1);
    CHECK_FALSE(nothing_ran);
}

TEST_CASE("types that only move travel in both directions", "[call]") {
    const auto next = [](handle from) { return handle(from.number() + 1); };
    CHECK(trip(next, handle(1)).number() == 2);
    static_assert(!submittable<decltype(next), handle&>, "a call would not compile either");
}

TEST_CASE("arguments are gone when the task is over", "[call]") {
    counted::living = 0;
    {
        const counted argument(7);
        const auto living = [](const counted& a, counted b) {
            return a.value + b.value + 100 * counted::living;
        };
        // The caller's, the two that were decoded, and the parameter that is a value.
        CHECK(trip(living, argument, argument) == 7 + 7 + 100 * 4);
        CHECK(counted::living == 1);
    }
    CHECK(counted::living == 0);
}

TEST_CASE("what was thrown is told by the stage", "[call]") {
    using coproc::decode_error;

    SECTION("arguments that are not what they should be: the function does not run") {
        using task = call_of<decltype(nothing)&, int>;
        nothing_ran = true;
        coproc::encoder out;
        out.write(1);
        out.write(2);
        worker there{out.bytes()};
        CHECK_THROWS_AS(there.run(task::target_of(nothing)), decode_error);
        CHECK(there.stage == call_stage::decoding);
        CHECK_FALSE(there.returned);
        CHECK(nothing_ran);
    }
    SECTION("the function throws") {
        const auto fail = []() -> int { throw std::runtime_error("no"); };
        worker there{};
        CHECK_THROWS_AS(there.run(call_of<decltype(fail)>::target_of(fail)), std::runtime_error);
        CHECK(there.stage == call_stage::running);
        CHECK_FALSE(there.returned);
    }
    SECTION("the result does not fit") {
        const auto much = [] { return std::string(100, 'x'); };
        worker there{.arguments = {}, .result = coproc::encoder(50)};
        CHECK_THROWS_AS(there.run(call_of<decltype(much)>::target_of(much)), coproc::encode_error);
        CHECK(there.stage == call_stage::encoding);
        CHECK(there.returned);
    }
}

TEST_CASE("a null function pointer is refused where it is submitted", "[call]") {
    int (*const null)(int, int) = nullptr;
    coproc::encoder out;
    using task = call_of<decltype(null), int, int>;
    CHECK_THROWS_AS(task::encode(out, null, 1, 2), coproc::encode_error);
}

TEST_CASE("a result that is not what it should be is refused", "[call]") {
    coproc::encoder out;
    out.write(1);
    CHECK_THROWS_AS(coproc::detail::decode_result<void>(out.bytes()), coproc::decode_error);
    CHECK_THROWS_AS(coproc::detail::decode_result<char>(out.bytes()), coproc::decode_error);
    CHECK_THROWS_AS(coproc::detail::decode_result<double>(out.bytes()), coproc::decode_error);
}

TEST_CASE("views of broken messages stay inside them", "[call]") {
    const auto read_all = [](std::string_view a, std::span<const bool> b, const char* c,
                             std::span<const std::string> d, std::span<const double> e) {
        double total = 0;
        for (const char x : a) {
            total += x;
        }
        for (const bool x : b) {
            total += x ? 1 : 0;
        }
        total += c == nullptr ? 0 : static_cast<double>(std::string_view(c).size());
        for (const std::string& x : d) {
            total += static_cast<double>(x.size());
        }
        for (const double x : e) {
            total += x;
        }
        return total;
    };
    const std::vector<std::string> words{"one", "two"};
    const std::array<bool, 3> bits{true, false, true};
    const std::vector<double> numbers{1, 2, 3};
    using task = call_of<decltype(read_all)&, const char*, decltype(bits)&, const char*,
                         decltype(words)&, decltype(numbers)&>;
    coproc::encoder good;
    task::encode(good, read_all, "text", bits, "name", words, numbers);
    std::mt19937 random(20260118);
    int refused = 0;
    for (int i = 0; i != 10'000; ++i) {
        coproc::encoder bad;
        const std::size_t kept = random() % 8 == 0 ? random() % good.size() : good.size();
        std::vector<std::byte> bytes(good.bytes().begin(),
                                     good.bytes().begin() + static_cast<std::ptrdiff_t>(kept));
        if (!bytes.empty()) {
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        }
        bad.write_block(bytes.data(), bytes.size());
        const coproc::detail::payload exact = bad.release();
        worker there{exact.bytes()};
        try {
            there.run(task::target_of(read_all));
        } catch (const coproc::decode_error&) {
            ++refused;
        }
    }
    CHECK(refused > 1000);
}
