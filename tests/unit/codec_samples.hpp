#pragma once

// One value of every kind that has a codec, for tests that do the same with all of them.

#include <coproc/codecs/variant.hpp>
#include <coproc/submit.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace samples {

enum class colour : std::uint8_t { red, green };
enum class answer : bool { no, yes };

struct point {
    double x;
    double y;
    friend bool operator==(const point&, const point&) = default;
};
struct padded {
    char tag;
    std::int64_t value;
    friend bool operator==(const padded&, const padded&) = default;
};
struct checked {
    bool on;
    colour shade;
    friend bool operator==(const checked&, const checked&) = default;
};
struct empty {
    friend bool operator==(const empty&, const empty&) = default;
};
struct tree {
    std::string name;
    std::vector<tree> branches;
    friend bool operator==(const tree&, const tree&) = default;
};
struct record {
    std::string name;
    std::optional<point> at;
    std::array<std::string, 2> pair;
    std::tuple<int, bool> rest;
    empty nothing;
    friend bool operator==(const record&, const record&) = default;
};
struct alignas(32) wide {
    std::array<std::int64_t, 4> lanes;
    friend bool operator==(const wide&, const wide&) = default;
};

/// All keys are the same to it.
struct any_order {
    bool operator()(const empty&, const empty&) const { return false; }
};

/// A class with invariants and a codec of its own, which plain layout must not go round.
struct percentage {
    int value;
    friend bool operator==(const percentage&, const percentage&) = default;
};

/// No aggregate and no default constructor, declared plain below.
class vec3 {
public:
    vec3(float x, float y, float z) : x_(x), y_(y), z_(z) {}
    friend bool operator==(const vec3&, const vec3&) = default;

private:
    float x_, y_, z_;
};

} // namespace samples

template <>
inline constexpr bool coproc::is_plain<samples::vec3> = true;

template <>
struct coproc::codec<samples::percentage> {
    static void encode(encoder& out, const samples::percentage& value) { out.write(value.value); }
    static samples::percentage decode(decoder& in) {
        const int value = in.read<int>();
        if (value < 0 || value > 100) {
            in.fail("a percentage is out of range");
        }
        return {value};
    }
};

namespace samples {

/// Calls `visit` with one value of every kind.
template <class Visit>
void for_each(Visit visit) {
    visit(true);
    visit(char{'c'});
    visit(std::int8_t{-1});
    visit(std::numeric_limits<std::uint64_t>::max());
    visit(0.1f);
    visit(0.1);
    visit(0.1L);
    visit(colour::green);
    visit(answer::yes);
    visit(std::byte{7});
    visit(std::monostate{});
    visit(point{1.5, -2});
    visit(padded{'t', 1});
    visit(checked{true, colour::green});
    visit(empty{});
    visit(percentage{50});
    visit(vec3(1, 2, 3));
    visit(wide{{1, 2, 3, 4}});
    visit(std::string("text that is too long for the string itself"));
    visit(std::u16string(u"wide"));
    visit(std::filesystem::path("/a/path"));
    visit(std::vector<int>{1, 2, 3});
    visit(std::vector<bool>{true, false, true});
    visit(std::vector<std::string>{"a", "", "ccc"});
    visit(std::vector<point>{{1, 2}, {3, 4}});
    visit(std::vector<padded>{{'a', 1}, {'b', 2}});
    visit(std::vector<percentage>{{1}, {100}});
    visit(std::vector<vec3>{{1, 2, 3}});
    visit(std::vector<wide>{{{1, 2, 3, 4}}, {{5, 6, 7, 8}}});
    visit(std::vector<empty>(3));
    visit(std::vector<std::vector<double>>{{1}, {}, {2, 3}});
    visit(std::array<int, 3>{1, 2, 3});
    visit(std::array<std::string, 2>{"a", "b"});
    visit(std::array<bool, 2>{true, false});
    visit(std::array<std::string, 0>{});
    visit(std::tuple<>{});
    visit(std::tuple<int, std::string, bool>{1, "two", true});
    visit(std::tuple<std::tuple<int>>{std::tuple<int>{4}});
    visit(std::pair<std::string, double>{"a", 1});
    visit(std::optional<std::string>{});
    visit(std::optional<std::string>{"here"});
    visit(std::optional<std::optional<int>>{std::optional<int>{}});
    visit(std::map<std::string, int>{{"one", 1}, {"two", 2}});
    visit(std::map<int, std::vector<std::string>>{{-1, {"a", "b"}}, {7, {}}});
    visit(std::map<empty, empty, any_order>{{{}, {}}});
    visit(std::unordered_map<std::string, double>{{"half", 0.5}, {"two", 2}, {"", 0}});
    visit(std::set<std::string>{"a", "b", "ccc"});
    visit(std::unordered_set<int>{1, -2, 3});
    visit(std::variant<int, std::string>{"text"});
    visit(std::variant<std::monostate, bool, bool, point>{std::in_place_index<2>, true});
    visit(std::chrono::milliseconds(1500));
    visit(std::chrono::duration<double, std::ratio<60>>(1.5));
    visit(std::chrono::duration<long double>(0.1L));
    visit(std::chrono::system_clock::time_point(std::chrono::hours(500'000)));
    visit(std::chrono::time_point<std::chrono::steady_clock, std::chrono::duration<long double>>(
        std::chrono::duration<long double>(0.1L)));
    visit(std::vector<std::chrono::steady_clock::time_point>(
        3, std::chrono::steady_clock::time_point(std::chrono::seconds(9))));
    visit(tree{"root", {{"left", {}}, {"right", {{"leaf", {}}}}}});
    visit(record{"name", point{1, 2}, {"a", "b"}, {3, true}, {}});
}

} // namespace samples
